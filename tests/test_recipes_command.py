"""reidops/recipes.py and `reidops recipe`."""

import subprocess

import pytest
from click.testing import CliRunner

from reidops.command import main
from reidops.recipes import describe_changes, first_sentence, list_recipes

SMALL = (
    "# A small network, ×0.25 wide,\n# for tests. Source: none.\n#\ntrain:\n  backbone: resnet10t\n  losses: {triplet: "
    "1.0}\n"
)
LARGE = "# A large network.\ntrain:\n  backbone: resnet50\n  losses: {triplet: 1.0, center: 0.5}\n"
OWN = "train:\n  backbone: mine\n"


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.yaml").write_text(SMALL)
    (tmp_path / "recipes" / "large.yaml").write_text(LARGE)
    return tmp_path


def recipe(repository, *arguments):
    return CliRunner().invoke(main, ["recipe", *arguments, "--root", str(repository)])


def test_recipes_are_listed_with_their_first_sentence(repository):
    shown = recipe(repository)
    assert [line.split(maxsplit=1)[0] for line in shown.output.splitlines()] == ["recipe", "large", "small"]
    assert "A small network, ×0.25 wide, for tests." in shown.output and "Source" not in shown.output


def test_every_recipe_of_the_repository_has_a_first_sentence(root):
    for path in list_recipes(root).values():
        assert first_sentence(path).endswith(".")


def test_params_are_the_recipe_byte_for_byte(repository):
    assert recipe(repository, "small").exit_code == 0
    assert (repository / "params.yaml").read_text() == SMALL
    assert recipe(repository, "large.yaml").exit_code == 0  # what a recipe has can be had again
    assert (repository / "params.yaml").read_text() == LARGE


@pytest.mark.parametrize("own", [OWN, "no: [yaml"])
def test_values_of_the_users_own_are_kept_unless_forced(repository, own):
    (repository / "params.yaml").write_text(own)
    refused = recipe(repository, "small")
    assert (
        refused.exit_code == 1
        and "params.yaml: has values that are in no recipe" in refused.stderr
        and "--force" in refused.stderr
    )
    assert (repository / "params.yaml").read_text() == own
    assert recipe(repository, "small", "--force").exit_code == 0
    assert (repository / "params.yaml").read_text() == SMALL


def test_values_that_git_has_may_be_overwritten(repository):
    (repository / "params.yaml").write_text(OWN)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    assert recipe(repository, "small").exit_code == 0
    (repository / "params.yaml").write_text(OWN.replace("mine", "another"))
    assert recipe(repository, "small").exit_code == 1


def test_a_difference_is_one_line_per_value_and_writes_nothing(repository):
    (repository / "params.yaml").write_text(SMALL)
    shown = recipe(repository, "large", "--diff")
    assert shown.output.splitlines() == ["train.backbone: resnet10t → resnet50", "train.losses.center: (absent) → 0.5"]
    assert (repository / "params.yaml").read_text() == SMALL
    assert "has these values already" in recipe(repository, "small", "--diff").output


def test_types_differ_where_the_texts_do():
    assert describe_changes({"a": {"b": "1", "c": []}}, {"a": {"b": 1, "c": {}}}) == ["a.b: '1' → 1", "a.c: [] → {}"]


def test_a_name_that_is_near_is_offered(repository, tmp_path):
    assert "no recipe `smal`; did you mean `small`?" in recipe(repository, "smal").stderr
    assert "recipes: no such folder; expected the repository's recipes" in recipe(tmp_path / "nowhere").stderr
