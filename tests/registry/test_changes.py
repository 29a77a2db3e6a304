"""A change of an alias leaves who, when and why; a person's rollback and veto bind the pipeline."""

from datetime import UTC, datetime

import pytest
from fake_registry import FakeRegistry

from reidops.errors import ReidopsError
from reidops.registry.changes import (
    Actor,
    crown,
    find_veto,
    freeze,
    promote_by_hand,
    read_history,
    roll_back,
    unfreeze,
)

ANN = Actor("ann@lab", "more switches in the lobby")
PIPELINE = Actor("bob@lab, stage register", "IDF1 0.7 beats 0.6")


@pytest.fixture
def client() -> FakeRegistry:
    """Return a model whose versions 1 and 2 became champion, in this order; version 3 is a challenger."""
    client = FakeRegistry(3)
    for version in ("1", "2"):
        crown(client, "m", version, PIPELINE)
    return client


def champion(client: FakeRegistry) -> str | None:
    return client.model.aliases.get("champion")


def test_a_promotion_leaves_who_when_and_why(client):
    tags = client.versions["2"].tags
    assert (tags["promoted.who"], tags["promoted.why"]) == (PIPELINE.who, PIPELINE.why)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(tags["promoted.when"])).total_seconds()) < 60
    assert read_history(client, "m") == ["1", "2"]


def test_a_rollback_returns_to_the_previous_champion_and_leaves_who_and_why(client):
    assert roll_back(client, "m", ANN) == "1" and champion(client) == "1"
    assert client.versions["2"].tags["rolled_back.who"] == "ann@lab"
    assert client.versions["2"].tags["rolled_back.why"] == "more switches in the lobby"
    with pytest.raises(ReidopsError, match="version 1 is the first champion"):
        roll_back(client, "m", ANN)


def test_the_pipeline_does_not_promote_a_version_that_was_rolled_back(client):
    roll_back(client, "m", ANN)
    assert "version 2 was rolled back by ann@lab on " in find_veto(client, "m", "2")
    assert find_veto(client, "m", "3") is None


def test_a_person_can_promote_what_was_rolled_back(client):
    roll_back(client, "m", ANN)
    promote_by_hand(client, "m", "2", ANN)
    assert champion(client) == "2" and find_veto(client, "m", "2") is None
    assert not [tag for tag in client.versions["2"].tags if tag.startswith("rolled_back")]


def test_the_pipeline_does_not_undo_an_alias_that_was_moved_by_hand(client):
    client.set_registered_model_alias("m", "champion", "1")
    assert "the alias was moved to version 1 by hand; `reidops registry promote 2`" in find_veto(client, "m", "2")
    client.delete_registered_model_alias("m", "champion")
    assert "the alias was removed by hand" in find_veto(client, "m", "2")
    assert find_veto(client, "m", "3") is None


def test_a_champion_that_lost_to_a_better_one_can_win_again(client):
    crown(client, "m", "3", PIPELINE)
    assert find_veto(client, "m", "2") is None


def test_no_version_is_promoted_while_the_champion_is_frozen(client):
    assert freeze(client, "m", None, Actor("ann@lab", "audit")) == "2"
    assert "version 2 is frozen by ann@lab on " in find_veto(client, "m", "3")
    assert "(audit)" in find_veto(client, "m", "3") and "registry unfreeze" in find_veto(client, "m", "3")
    assert find_veto(client, "m", "2") is None
    for change in (lambda: promote_by_hand(client, "m", "3", ANN), lambda: roll_back(client, "m", ANN)):
        with pytest.raises(ReidopsError, match="version 2 is frozen"):
            change()
    assert champion(client) == "2"
    assert unfreeze(client, "m", ANN) == "2"
    assert find_veto(client, "m", "3") is None


def test_an_alias_frozen_that_was_set_in_the_browser_is_a_veto_too(client):
    client.set_registered_model_alias("m", "frozen", "2")
    assert "version 2 is frozen by an alias that was set by hand" in find_veto(client, "m", "3")


def test_a_champion_from_before_the_history_is_what_a_rollback_returns_to():
    client = FakeRegistry(2)
    client.set_registered_model_alias("m", "champion", "1")
    crown(client, "m", "2", PIPELINE)
    assert roll_back(client, "m", ANN) == "1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda client: promote_by_hand(client, "m", "9", ANN), "m has no version 9; it has 1, 2, 3"),
        (lambda client: freeze(client, "m", "9", ANN), "m has no version 9"),
        (lambda client: unfreeze(client, "m", ANN), "no version is frozen"),
        (lambda client: roll_back(FakeRegistry(1), "m", ANN), "m has no champion"),
        (lambda client: freeze(FakeRegistry(1), "m", None, ANN), "m has no champion to freeze"),
    ],
)
def test_what_cannot_be_changed_is_stated(client, change, says):
    with pytest.raises(ReidopsError, match=says):
        change(client)
    assert champion(client) == "2"
