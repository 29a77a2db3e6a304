"""Stages that have nothing to do because a list of `download` is empty: they say so, and their output says so."""

from pathlib import Path

from reidops.files import read_json, write_json

_NAME = "skipped.json"


def write_skipped(folder: Path, reason: str) -> None:
    """Write why a stage had nothing to do into its output, and empty figures beside it."""
    for name in ("headline.json", "metrics.json"):
        write_json({}, folder / name)
    write_json({"reason": reason}, folder / _NAME)


def skipped_reason(folder: Path) -> str:
    """Return why the stage that writes `folder` had nothing to do; "" where it had."""
    path = folder / _NAME
    return read_json(path)["reason"] if path.is_file() else ""
