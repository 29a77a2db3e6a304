"""prefect.yaml: what Prefect allows is obeyed, and what it does not allow is one clear line."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.deployments import Deployment, read_deployments
from flows.prefect_api import check_named_server
from reidops.errors import ReidopsError, Unreachable

pytestmark = pytest.mark.slow  # importing Prefect takes longer than all these tests


def read(tmp_path: Path, *entries: object) -> list[Deployment]:
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump({"deployments": list(entries)}))
    return read_deployments(tmp_path / "prefect.yaml")


def one(tmp_path: Path, **entry: object) -> Deployment:
    (deployment,) = read(tmp_path, {"name": "nightly", **entry})
    return deployment


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [
        ({"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, "timezone", "Europe/Berlin"),
        ({"cron": "0 3 1 * 1", "day_or": False}, "day_or", False),
        ({"interval": 3600}, "interval", timedelta(hours=1)),
        ({"interval": 0.5 * 86400, "anchor_date": "2026-01-01T00:00:00Z"}, "interval", timedelta(hours=12)),
        ({"interval": "PT2H"}, "interval", timedelta(hours=2)),
        ({"rrule": "FREQ=DAILY;BYHOUR=3", "timezone": "UTC"}, "rrule", "FREQ=DAILY;BYHOUR=3"),
    ],
)
def test_every_kind_of_schedule_is_obeyed(tmp_path, row, name, value):
    (schedule,) = one(tmp_path, schedules=[row]).schedules
    found = getattr(schedule.schedule, name)
    assert schedule.active and (found.endswith(value) if name == "rrule" else found == value)


def test_a_schedule_that_is_not_active_stays_so_beside_one_that_is(tmp_path):
    rows = [{"cron": "0 3 * * *", "active": False, "slug": "off"}, {"interval": 60, "parameters": {"folder": "."}}]
    schedules = one(tmp_path, schedules=rows).schedules
    assert [schedule.active for schedule in schedules] == [False, True]
    assert schedules[0].slug == "off" and schedules[1].parameters == {"folder": "."}


@pytest.mark.parametrize("entry", [{}, {"schedules": []}, {"schedules": None}])
def test_a_deployment_without_a_schedule_is_started_by_hand(tmp_path, entry):
    assert one(tmp_path, **entry).schedules == []


def test_the_one_schedule_of_older_files_is_read(tmp_path):
    assert one(tmp_path, schedule={"cron": "0 3 * * *"}).schedules[0].schedule.cron == "0 3 * * *"


@pytest.mark.parametrize("limit", [None, 2, {"limit": 3}, {"limit": 1, "collision_strategy": "CANCEL_NEW"}])
def test_a_limit_is_a_number_or_more(tmp_path, limit):
    found = one(tmp_path, concurrency_limit=limit).limit
    if isinstance(limit, dict):
        assert found.limit == limit["limit"]
        assert found.collision_strategy.value == limit.get("collision_strategy", "ENQUEUE")
    else:
        assert found == limit


def test_all_deployments_of_this_flow_are_read_and_no_others(tmp_path):
    entries = [
        {"name": "nightly", "entrypoint": "flows/retrain.py:retrain", "tags": "gpu", "version": 2},
        {"name": "other", "entrypoint": "else.py:flow", "schedules": [{"cron": "bad"}]},
        {"name": "hourly", "schedules": [{"interval": 3600}], "paused": True, "parameters": {"folder": "x"}},
    ]
    nightly, hourly = read(tmp_path, *entries)
    assert (nightly.name, nightly.tags, nightly.version) == ("nightly", ["gpu"], "2")
    assert (hourly.name, hourly.paused, hourly.parameters) == ("hourly", True, {"folder": "x"})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"schedules": [{"cron": "every night"}]}, "'nightly': schedule 1: .*every night"),
        (
            {"schedules": [{"cron": "0 3 * * *"}, {"cron": "0 3 * * *", "interval": 5}]},
            "schedule 2 has cron and interval",
        ),
        ({"schedules": [{"timezone": "UTC"}]}, "schedule 1 has no time, expected one of cron, interval, rrule"),
        (
            {"schedules": [{"cron": "0 3 * * *", "timezon": "UTC"}]},
            "timezon .*cron.*allowed: cron",
        ),
        ({"schedules": [{"cron": "0 3 * * *", "timezone": "Mars/Base"}]}, "schedule 1: timezone is 'Mars/Base'"),
        ({"schedules": [{"interval": -5}]}, "schedule 1: .*interval"),
        ({"schedules": [{"interval": "soon"}]}, "schedule 1: .*interval is 'soon'"),
        ({"schedules": [{"rrule": "SOMETIMES"}]}, "schedule 1: .*SOMETIMES"),
        ({"schedules": [{"cron": "0 3 * * *", "active": "perhaps"}]}, "active is 'perhaps'"),
        ({"schedules": "0 3 * * *"}, "schedules is '0 3"),
        ({"concurrency_limit": "one"}, "concurrency_limit is 'one', expected a whole number"),
        ({"concurrency_limit": 0}, "concurrency_limit is 0"),
        ({"concurrency_limit": {"limit": 1, "collision_strategy": "WAIT"}}, "collision_strategy is 'WAIT'"),
        ({"name": None}, "name is None"),
        ({"entrypoint": "else.py:flow"}, "no deployment has the entrypoint .*deployments: nightly"),
    ],
)
def test_what_prefect_does_not_allow_is_one_line(tmp_path, entry, message):
    with pytest.raises(ReidopsError, match=f"prefect.yaml: .*{message}") as fault:
        one(tmp_path, **entry)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("text", "message"), [("deployments: [", "YAML"), ("name: x", "deployments is None"), ("- 1", "expected a list")]
)
def test_a_file_of_another_form_is_named(tmp_path, text, message):
    (tmp_path / "prefect.yaml").write_text(text)
    with pytest.raises(ReidopsError, match=f"prefect.yaml: .*{message}"):
        read_deployments(tmp_path / "prefect.yaml")
    with pytest.raises(ReidopsError, match="gone.yaml: no such file"):
        read_deployments(tmp_path / "gone.yaml")


def test_two_deployments_of_one_name_are_refused(tmp_path):
    with pytest.raises(ReidopsError, match="same name"):
        read(tmp_path, {"name": "a"}, {"name": "a"})


def test_a_server_that_does_not_answer_is_named_with_the_remedy():
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        with pytest.raises(Unreachable, match="127.0.0.1:9/api.*prefect server start"):
            check_named_server()
    with (
        temporary_settings({PREFECT_API_URL: "127.0.0.1:4200/api"}),
        pytest.raises(ReidopsError, match="expected an address"),
    ):
        check_named_server()
