"""How a set lies on the disk: recognise a folder's layout, find a set inside an unpacked archive, say what was
expected.
"""

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
    """A set on this disk: `layout` is mot or that of a ReID set, `source` says where it came from."""

    name: str
    layout: str
    folder: Path
    source: str
    protocol: str = ""


def layout_of(folder: Path) -> str | None:
    """Return mot, a layout in which people keep their own sets, or None for a folder of another layout."""
    if _is_mot(folder):
        return "mot"
    return next((known.layout for known in GENERIC if is_laid_out(folder, known, known.protocols[0])), None)


def layout_as(dataset: str, folder: Path) -> str | None:
    """Return the folder's layout if the set may have it: a known set has its own, a user's own any known one; else
    None.
    """
    known = SETS.get(base_name(dataset))
    if known is not None:
        return known.layout if any(is_laid_out(folder, known, protocol) for protocol in known.protocols) else None
    layout = layout_of(folder)
    return None if dataset in PUBLISHED and layout != "mot" else layout


def is_laid_out(folder: Path, known: ReidSet, protocol: str) -> bool:
    """Tell whether the folder holds what some part of the set reads; people's folders have any names and are known by
    their crops.
    """
    if known.layout == folder_per_identity.SET.layout:
        return folder_per_identity.holds_people(folder)
    return any(_holds(folder, known.reads(part, protocol)) for part in ("train", "test"))


def find_set(folder: Path, dataset: str, depth: int) -> Path | None:
    """Return the folder, or the first one at most `depth` below it, that is laid out as the set may be."""
    if layout_as(dataset, folder) is not None:
        return folder
    if depth == 0 or not folder.is_dir():
        return None
    below = (find_set(path, dataset, depth - 1) for path in sorted(folder.iterdir()) if path.is_dir())
    return next((found for found in below if found), None)


def expected_layout(dataset: str) -> str:
    """Say what a folder should have held and did not."""
    known = SETS.get(base_name(dataset))
    if known is not None:
        reads = dict.fromkeys(name for part in ("train", "test") for name in known.reads(part, known.protocols[0]))
        return f"holds no {known.name} as published: expected {', '.join(reads)}"
    mot = "train/<sequence>/{img1,gt,seqinfo.ini} (MOTChallenge)"
    if dataset in PUBLISHED:
        return f"holds no {dataset} as published: expected {mot}"
    return (
        f"holds no set: expected {mot}, bounding_box_train, query and"
        " bounding_box_test (Market-1501), imgs/ beside meta/ (file lists), or a folder of crops per person"
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
