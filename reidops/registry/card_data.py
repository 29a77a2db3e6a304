"""The sections of a model card about the data."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reidops.datasets.families import base_name, family_of
from reidops.files import read_json
from reidops.parts import read_parts
from reidops.registry import card_page as html

LICENCES = {
    "synthetic": "drawn by this pipeline, shows no real person",
    "MOT17": "CC BY-NC-SA 3.0, research only",
    "MOT20": "CC BY-NC-SA 3.0, research only",
    "Market-1501": "academic use only",
    "DukeMTMC-reID": "withdrawn by its authors in 2019",
}
"""Family of data sets → licence."""

_UNKNOWN = "not known here; see its page"
_SPLITS = {
    "train": "training",
    "val": "held out from training, for the checkpoint and the gate",
    "query": "test, queries",
    "gallery": "test, gallery",
}


def licence_of(dataset: str) -> str:
    """Return the licence of a data set, as far as this project knows it."""
    return LICENCES.get(base_name(dataset), LICENCES.get(family_of(dataset), _UNKNOWN))


def data_html(raw: Path, crops: Path, validation: Path) -> str:
    """Return the data sets with their roles and licences, and the people of each split."""
    parts = read_parts(raw)
    sets = [
        (
            name,
            ", ".join(sorted({part.part for part in parts if part.dataset == name})),
            entry.get("source", ""),
            f"{entry.get('num_files', 0):,}",
            licence_of(name),
        )
        for name, entry in read_json(raw / "inventory.json").items()
    ]
    tracked = [part for part in parts if part.part == "track"]
    frames = sum(part.last_frame - part.first_frame + 1 for part in tracked)
    report = read_json(crops / "report.json")
    return (
        html.table(("data set", "used to", "source", "files", "licence"), sets)
        + html.table(("split", "people", "crops", "cameras"), _split_rows(report))
        + html.text(f"Tracked: {len(tracked)} sequences, {frames:,} frames ({', '.join(p.sequence for p in tracked)}).")
        + html.pictures([(validation / "contact_sheet.jpg", "People of the crops, one row per person")])
    )


def _split_rows(report: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for split, title in _SPLITS.items():
        row = report.get("splits", {}).get(split)
        if row:
            yield title, f"{row['people']:,}", f"{row['crops']:,}", f"{row['cameras']:,}"


def validation_html(validation: Path) -> str:
    """Return the findings of the data validation, and its counts."""
    report = read_json(validation / "report.json")
    errors, warnings = report.get("errors", ()), report.get("warnings", ())
    verdict = "passed" if report.get("passed") else "failed"
    counts = [f"{n:,} {name.removeprefix('num_').replace('_', ' ')}" for name, n in report.get("counts", {}).items()]
    return (
        html.text(f"The validation {verdict} with {len(errors)} errors and {len(warnings)} warnings.")
        + html.bullets(_finding(row) for row in (*errors, *warnings))
        + html.bullets(counts, columns=True)
    )


def _finding(row: object) -> str:
    return " ".join(str(value) for value in row.values()) if isinstance(row, Mapping) else str(row)
