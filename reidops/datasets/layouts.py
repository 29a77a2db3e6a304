"""Recognise the layout of a data set's folder, and find a set inside an unpacked archive."""

from dataclasses import dataclass
from pathlib import Path

from reidops.datasets import folder_per_identity
from reidops.datasets.families import base_name
from reidops.datasets.motchallenge import PUBLISHED
from reidops.datasets.reid_set import ReidSet
from reidops.datasets.set_sequences import find_exports
from reidops.datasets.sets import GENERIC, SETS


@dataclass(frozen=True)
class SetFolder:
    """A local data set: `layout` is mot or the layout of a ReID set, `source` its local path or address."""

    name: str
    layout: str
    folder: Path
    source: str
    protocol: str = ""


def layout_of(folder: Path) -> str | None:
    """Return mot or a generic layout for own data sets, None for any other folder."""
    if _is_mot(folder):
        return "mot"
    return next((known.layout for known in GENERIC if is_laid_out(folder, known, known.protocols[0])), None)


def layout_as(dataset: str, folder: Path) -> str | None:
    """Return the folder's layout if the set may have it, else None.

    A published set has one layout; an own data set may have any generic one.
    """
    known = SETS.get(base_name(dataset))
    if known is not None:
        return known.layout if any(is_laid_out(folder, known, protocol) for protocol in known.protocols) else None
    layout = layout_of(folder)
    return None if dataset in PUBLISHED and layout != "mot" else layout


def is_laid_out(folder: Path, known: ReidSet, protocol: str) -> bool:
    """Return whether the folder holds the files of any part of the set.

    In the layout folder-per-identity folders have any names, so that crops are searched for instead.
    """
    if known.layout == folder_per_identity.SET.layout:
        return folder_per_identity.holds_people(folder)
    return any(_holds(folder, known.reads(part, protocol)) for part in ("train", "test"))


def find_set(folder: Path, dataset: str, depth: int) -> Path | None:
    """Return the first folder with a layout of the set: `folder` or one at most `depth` levels below, else None."""
    if layout_as(dataset, folder) is not None:
        return folder
    if depth == 0 or not folder.is_dir():
        return None
    below = (find_set(path, dataset, depth - 1) for path in sorted(folder.iterdir()) if path.is_dir())
    return next((found for found in below if found), None)


def expected_layout(dataset: str) -> str:
    """Return the part of an error message that describes the expected content of a folder."""
    known = SETS.get(base_name(dataset))
    if known is not None:
        reads = dict.fromkeys(name for part in ("train", "test") for name in known.reads(part, known.protocols[0]))
        return f"holds no {known.name} as published: expected {', '.join(reads)}"
    mot = "train/<sequence>/{img1,gt,seqinfo.ini} (MOTChallenge)"
    if dataset in PUBLISHED:
        return f"holds no {dataset} as published: expected {mot}"
    return (
        f"holds no data set: expected {mot}, bounding_box_train, query and bounding_box_test (Market-1501), imgs/ and "
        f"meta/ (file lists), or a folder of crops per person"
    )


def listing(folder: Path) -> str:
    """Return the first names in a folder, for an error message."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"


def _is_mot(folder: Path) -> bool:
    if find_exports(folder):
        return True
    train = folder / "train"
    return train.is_dir() and any(
        (path / "gt").is_dir() or (path / "seqinfo.ini").is_file() for path in train.iterdir()
    )


def _holds(folder: Path, names: tuple[str, ...]) -> bool:
    return bool(names) and all((folder / name).exists() for name in names)
