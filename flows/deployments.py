"""Read the deployments of prefect.yaml (names, schedules and limits) as `prefect deploy` does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from reidops.errors import ReidopsError

Made = TypeVar("Made")

ENTRYPOINT = "flows/retrain.py:retrain"
ENTRYPOINTS = (
    ENTRYPOINT,
    "flows/drift.py:drift",
    "flows/promote.py:promote",
    "flows/backfill.py:backfill_models",
    "flows/adapt.py:adapt",
)
"""The flows of this repository; an entry without an entrypoint runs the first."""
_KINDS = ("cron", "interval", "rrule")
_OF_SCHEDULE = ("active", "max_scheduled_runs", "parameters", "slug")  # further fields of a schedule
_OF_TIME = {
    "cron": ("cron", "timezone", "day_or"),
    "interval": ("interval", "timezone", "anchor_date"),
    "rrule": ("rrule", "timezone"),
}


@dataclass(frozen=True)
class Deployment:
    """One deployment of prefect.yaml; a `limit` of None allows any number of concurrent runs."""

    name: str
    schedules: list[DeploymentScheduleCreate]
    entrypoint: str = ENTRYPOINT
    limit: int | ConcurrencyLimitConfig | None = None
    description: str | None = None
    version: str | None = None
    tags: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    paused: bool | None = None


def read_deployments(path: Path = Path("prefect.yaml")) -> list[Deployment]:
    """Return the deployments of a prefect.yaml that run a flow of this repository, in file order.

    Raises:
        ReidopsError: the file is missing or not YAML, no deployment runs such a flow, or Prefect does not allow an
            entry; the message names the deployment and the entry.
    """
    entries = _entries(path)
    own = [entry for entry in entries if entry.get("entrypoint") in (None, *ENTRYPOINTS)]
    if not own:
        known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        raise ReidopsError(
            f"{path}: no deployment has the entrypoint {' or '.join(ENTRYPOINTS)} (deployments: {known}); add one as "
            "in the prefect.yaml of the repository"
        )
    deployments = [_deployment(entry, f"{path}: deployment {entry.get('name')!r}") for entry in own]
    names = [f"{deployment.entrypoint.split(':')[1]}/{deployment.name}" for deployment in deployments]
    if len(set(names)) < len(names):
        raise ReidopsError(f"{path}: two deployments of a flow have the same name ({', '.join(names)}); rename one")
    return deployments


def _entries(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; run the command in the repository") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReidopsError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    entries = content.get("deployments") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ReidopsError(
            f"{path}: deployments is {entries!r}, expected a list of deployments with name and schedules"
        )
    return entries


def _deployment(entry: Mapping[str, Any], where: str) -> Deployment:
    if not isinstance(entry.get("name"), str):
        raise ReidopsError(f"{where}: name is {entry.get('name')!r}, expected a string")
    rows = _rows(entry, where)
    return Deployment(
        name=entry["name"],
        schedules=[_schedule(row, f"{where}: schedule {number}") for number, row in enumerate(rows, 1)],
        entrypoint=entry.get("entrypoint") or ENTRYPOINT,
        limit=_limit(entry.get("concurrency_limit"), where),
        description=entry.get("description"),
        version=None if entry.get("version") is None else str(entry["version"]),
        tags=_list(entry.get("tags")),
        parameters=dict(entry.get("parameters") or {}),
        paused=entry.get("paused"),
    )


def _list(value: Any) -> list[str]:
    """Return tags as a list; Prefect accepts a list or a string."""
    return [value] if isinstance(value, str) else [str(tag) for tag in value or ()]


def _rows(entry: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    """Return the schedules as rows; a deployment without schedules is started manually."""
    rows = entry.get("schedules")
    rows = [entry["schedule"]] if rows is None and entry.get("schedule") else rows or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReidopsError(f"{where}: schedules is {rows!r}, expected a list, e.g. [{{cron: '0 3 * * *'}}]")
    return rows


def _schedule(row: Mapping[str, Any], where: str) -> DeploymentScheduleCreate:
    kinds = [kind for kind in _KINDS if row.get(kind) is not None]
    if len(kinds) != 1:
        raise ReidopsError(f"{where} has {' and '.join(kinds) or 'no time'}, expected one of {', '.join(_KINDS)}")
    known = (*_OF_TIME[kinds[0]], *_OF_SCHEDULE)
    unknown = [name for name in row if name not in known]
    if unknown:
        raise ReidopsError(
            f"{where}: {', '.join(unknown)} is not a field of a {kinds[0]} schedule; allowed: {', '.join(known)}"
        )
    time = {name: row[name] for name in _OF_TIME[kinds[0]] if row.get(name) is not None}
    beside = {name: row[name] for name in _OF_SCHEDULE if row.get(name) is not None}
    return _checked(lambda: DeploymentScheduleCreate(schedule=_time(kinds[0], time), **beside), where)


def _time(kind: str, values: dict[str, Any]) -> CronSchedule | IntervalSchedule | RRuleSchedule:
    if kind == "cron":
        return CronSchedule(**values)
    if kind == "rrule":
        return RRuleSchedule(**values)
    seconds = values["interval"]
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return IntervalSchedule(**values | {"interval": timedelta(seconds=seconds) if is_number else seconds})


def _limit(value: Any, where: str) -> int | ConcurrencyLimitConfig | None:
    """Return the maximum number of concurrent runs and what happens to further runs."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    if not isinstance(value, dict):
        raise ReidopsError(
            f"{where}: concurrency_limit is {value!r}, expected a whole number above 0, or limit and more"
        )
    return _checked(lambda: ConcurrencyLimitConfig(**value), f"{where}: concurrency_limit")


def _checked(make: Callable[[], Made], where: str) -> Made:
    """Return the Prefect object of an entry.

    Raises:
        ReidopsError: Prefect rejects the entry; the message has the reason in one line.
    """
    try:
        return make()
    except (ValueError, TypeError, OverflowError) as error:
        raise ReidopsError(f"{where}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return why pydantic rejected a value, in one line."""
    faults: Iterable[Mapping[str, Any]] = error.errors() if hasattr(error, "errors") else ()
    reasons = [
        f"{'.'.join(map(str, fault['loc'])) or 'value'} is {fault['input']!r}: {fault['msg']}" for fault in faults
    ]
    return " ".join("; ".join(dict.fromkeys(reasons) or [str(error)]).split())
