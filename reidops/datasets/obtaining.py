"""Get a named set: drawn, found in the user's folder, or fetched and unpacked; and check that it is laid out as published."""

import difflib
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reidops.datasets import market1501
from reidops.datasets.archives import unpack
from reidops.datasets.fetching import Archive, fetch
from reidops.datasets.motchallenge import PUBLISHED
from reidops.errors import ReidopsError
from reidops.mot.sequences import DETECTORS
from reidops.parts import LOCAL, local_folder

log = logging.getLogger(__name__)

SYNTHETIC = "synthetic"
_FOLDER_NAMES = {market1501.NAME: market1501.FOLDER_NAMES}
_UNUSED_FOLDERS = {"test", "gt_bbox", "gt_query"}
_DEPTH = 3  # an archive may wrap its set in so many folders


@dataclass(frozen=True)
class SetFolder:
    """A set on this disk: `layout` is mot or market1501, `source` says where it came from."""

    name: str
    layout: str
    folder: Path
    source: str


@dataclass(frozen=True)
class Sources:
    """Where sets may come from. `urls` and `hashes` (`md5:…`, `sha256:…`) override or add to the published addresses."""

    local: str | None = None
    urls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    detectors: tuple[str, ...] = DETECTORS


def obtain_set(name: str, raw: Path, archives: Path, sources: Sources) -> SetFolder:
    """Return the set `name`, from the user's folder if it is there, else fetched to `archives` and unpacked below `raw`.

    Raises:
        ReidopsError: the set is unknown, of another layout, must be asked for by hand, or no server gave it.
    """
    found = find_local(name, sources.local)
    if found is not None:
        return found
    ways = _ways(name, sources)
    if not ways:
        raise ReidopsError(_nowhere(name, sources))
    if sources.local is not None:
        log.info("%s is not in %s: fetching it", name, sources.local)
    return _fetch_set(name, ways, raw / name, archives, sources.detectors)


def find_local(name: str, local: str | None) -> SetFolder | None:
    """Return the set in the user's folder, None where that folder has none of its names.

    Raises:
        ReidopsError: the user's folder is missing, or the set's folder has another layout.
    """
    if local is None:
        return None
    base = local_folder(local)
    if not base.is_dir():
        raise ReidopsError(f"download.local: {base} is no folder; a relative path starts at the repository's root")
    for folder in (base / folder_name for folder_name in _FOLDER_NAMES.get(name, (name,))):
        if folder.is_dir():
            return SetFolder(name, _layout_or_refuse(folder), folder, f"{LOCAL}{(Path(local) / folder.name).as_posix()}")
    return None


def layout_of(folder: Path) -> str | None:
    """Return mot, market1501, or None for a folder of another layout."""
    if any((folder / name).is_dir() for name in (*market1501.TRAIN_FOLDERS, *market1501.TEST_FOLDERS)):
        return "market1501"
    train = folder / "train"
    if train.is_dir() and any((path / "gt").is_dir() or (path / "seqinfo.ini").is_file() for path in train.iterdir()):
        return "mot"
    return None


def _layout_or_refuse(folder: Path) -> str:
    layout = layout_of(folder)
    if layout is None:
        raise ReidopsError(
            f"{folder}: holds neither train/<sequence>/{{img1,gt,seqinfo.ini}} (MOTChallenge) nor bounding_box_train, query and"
            f" bounding_box_test (Market-1501); it holds {_listing(folder)}"
        )
    return layout


def _ways(name: str, sources: Sources) -> list[tuple[Archive, ...]]:
    """Return the ways to get the set, each a group of archives that belong into one folder."""
    if name in sources.urls:
        return [(Archive(f"{name}{_suffix(sources.urls[name][0])}", sources.urls[name], sources.hashes.get(name)),)]
    ways = list(PUBLISHED.get(name, ()))
    if ways and name in sources.hashes:
        ways[0] = tuple(replace(archive, hash=sources.hashes[name]) for archive in ways[0])
    return ways


def _suffix(url: str) -> str:
    name = PurePosixPath(url.partition("?")[0]).name
    return next((suffix for suffix in (".tar.gz", ".tgz", ".tar.xz", ".tar") if name.endswith(suffix)), ".zip")


def _fetch_set(name: str, ways: list[tuple[Archive, ...]], target: Path, archives: Path, detectors: Iterable[str]) -> SetFolder:
    files, source = _fetch_first(name, ways, archives)
    staging = target.with_name(f".{target.name}.unpacked")
    try:
        for file in files:
            unpack(file, staging, wanted=lambda path: _is_wanted(path, detectors))
        found = _find_layout(staging, _DEPTH)
        if found is None:
            raise ReidopsError(f"{files[0]}: holds no set in MOTChallenge's or Market-1501's layout; it holds {_listing(staging)}")
        found.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return SetFolder(name, _layout_or_refuse(target), target, source)


def _fetch_first(name: str, ways: list[tuple[Archive, ...]], archives: Path) -> tuple[list[Path], str]:
    """Return the fetched files of the first way that works, and its first address."""
    faults = []
    for way in ways:
        try:
            return [fetch(archive, archives) for archive in way], way[0].urls[0]
        except ReidopsError as error:
            faults.append(str(error))
    raise ReidopsError(f"{name} could not be fetched:\n" + "\n".join(faults))


def _is_wanted(path: PurePosixPath, detectors: Iterable[str]) -> bool:
    """Tell the files that some part can use: no test sequences (they have no ground truth), no copies of other detectors."""
    unused = tuple(f"-{detector}" for detector in DETECTORS if detector not in detectors)
    return not _UNUSED_FOLDERS & set(path.parts) and not any(part.endswith(unused) for part in path.parts if unused)


def _find_layout(folder: Path, depth: int) -> Path | None:
    if layout_of(folder):
        return folder
    if depth == 0 or not folder.is_dir():
        return None
    below = (_find_layout(path, depth - 1) for path in sorted(folder.iterdir()) if path.is_dir())
    return next((found for found in below if found), None)


def _nowhere(name: str, sources: Sources) -> str:
    """Say why there is no such set, and what to do."""
    where = "" if sources.local is None else f" and not in {local_folder(sources.local)}, which holds {_listing(local_folder(sources.local))}"
    if name == market1501.NAME:
        folder = f"{sources.local or '<folder>'}/{market1501.FOLDER_NAMES[0]}"
        local = "" if sources.local else " and set download.local to <folder>"
        return f"download: {market1501.NAME} cannot be fetched{where}. {market1501.HOW_TO_ASK} to {folder}{local}"
    known = [SYNTHETIC, market1501.NAME, *PUBLISHED, *sources.urls]
    near = difflib.get_close_matches(name, dict.fromkeys(known + _local_sets(sources.local)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "known: " + ", ".join(known)
    return f"download: {name} is no known set{where}; {hint} Any folder in MOTChallenge's layout below download.local is a set too"


def _local_sets(local: str | None) -> list[str]:
    base = local_folder(local) if local is not None else None
    return sorted(path.name for path in base.iterdir() if path.is_dir() and layout_of(path)) if base else []


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "nothing"
