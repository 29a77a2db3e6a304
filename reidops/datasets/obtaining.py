"""Get a named set: drawn, found in the user's folder, or fetched and unpacked; and check that it is laid out as published."""

import difflib
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reidops.datasets.archives import unpack
from reidops.datasets.fetching import Archive, fetch
from reidops.datasets.layouts import SetFolder, expected_layout, find_set, is_laid_out, layout_of, listing
from reidops.datasets.motchallenge import PUBLISHED
from reidops.datasets.reid_set import ReidSet
from reidops.datasets.sets import SETS, base_name, protocol_of
from reidops.errors import ReidopsError
from reidops.mot.sequences import DETECTORS
from reidops.parts import LOCAL, local_folder

log = logging.getLogger(__name__)

SYNTHETIC = "synthetic"
_UNUSED_IN_MOT = {"test"}
_DEPTH = 3  # an archive may wrap its set in so many folders


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
    return _fetch_set(name, ways, raw / base_name(name), archives, sources.detectors)


def find_local(name: str, local: str | None) -> SetFolder | None:
    """Return the set in the user's folder, None where that folder has none of its names.

    Raises:
        ReidopsError: the user's folder is missing, or the set's folder has another layout.
    """
    if local is None:
        return None
    base, known = local_folder(local), SETS.get(base_name(name))
    if not base.is_dir():
        raise ReidopsError(f"download.local: {base} is no folder; a relative path starts at the repository's root")
    for folder in (base / folder_name for folder_name in _folder_names(name, known)):
        if folder.is_dir():
            return _as_set(name, folder, f"{LOCAL}{(Path(local) / folder.relative_to(base)).as_posix()}")
    return None


def _folder_names(name: str, known: ReidSet | None) -> tuple[str, ...]:
    return known.folder_names if known else (name,)


def _as_set(name: str, folder: Path, source: str) -> SetFolder:
    """Return the set in `folder`, whose layout must be that of a known name, or any known layout for the user's own names.

    Raises:
        ReidopsError: the folder has another layout.
    """
    known = SETS.get(base_name(name))
    if known is None:
        layout, protocol = layout_of(folder), ""
    else:
        protocol = protocol_of(name, known)
        layout = known.layout if is_laid_out(folder, known, protocol) else None
    if layout is None:
        raise ReidopsError(f"{folder}: {expected_layout(known)}; it holds {listing(folder)}")
    if known and known.notice:
        log.warning("%s: %s", known.name, known.notice)
    return SetFolder(name, layout, folder, source, protocol)


def _ways(name: str, sources: Sources) -> list[tuple[Archive, ...]]:
    """Return the ways to get the set, each a group of archives that belong into one folder."""
    if name in sources.urls:
        return [(Archive(f"{name}{_suffix(sources.urls[name][0])}", sources.urls[name], sources.hashes.get(name)),)]
    known = SETS.get(base_name(name))
    ways = list(known.ways if known else PUBLISHED.get(name, ()))
    if ways and name in sources.hashes:
        ways[0] = tuple(replace(archive, hash=sources.hashes[name]) for archive in ways[0])
    return ways


def _suffix(url: str) -> str:
    name = PurePosixPath(url.partition("?")[0]).name
    return next((suffix for suffix in (".tar.gz", ".tgz", ".tar.xz", ".tar") if name.endswith(suffix)), ".zip")


def _fetch_set(name: str, ways: list[tuple[Archive, ...]], target: Path, archives: Path, detectors: Iterable[str]) -> SetFolder:
    if target.is_dir():  # the same set, named with another protocol
        return _as_set(name, target, ways[0][0].urls[0])
    files, source = _fetch_first(name, ways, archives)
    known = SETS.get(base_name(name))
    staging = target.with_name(f".{target.name}.unpacked")
    try:
        for file in files:
            unpack(file, staging, wanted=None if known else lambda path: _is_wanted(path, detectors))
        found = find_set(staging, known, _DEPTH)
        if found is None:
            raise ReidopsError(f"{files[0]}: {expected_layout(known)}; it holds {listing(staging)}")
        found.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return _as_set(name, target, source)


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
    return not _UNUSED_IN_MOT & set(path.parts) and not any(part.endswith(unused) for part in path.parts if unused)


def _nowhere(name: str, sources: Sources) -> str:
    """Say why there is no such set, and what to do."""
    where = "" if sources.local is None else f" and not in {local_folder(sources.local)}, which holds {listing(local_folder(sources.local))}"
    known = SETS.get(base_name(name))
    if known is not None:
        folder = f"{sources.local or '<folder>'}/{known.folder_names[0]}"
        local = "" if sources.local else " and set download.local to <folder>"
        return f"download: {name} cannot be fetched{where}. {known.how_to_ask} to {folder}{local}"
    names = [SYNTHETIC, *SETS, *PUBLISHED, *sources.urls]
    near = difflib.get_close_matches(name, dict.fromkeys(names + _local_sets(sources.local)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "known: " + ", ".join(names)
    return f"download: {name} is no known set{where}; {hint} Any folder below download.local in a layout that is known is a set too"


def _local_sets(local: str | None) -> list[str]:
    base = local_folder(local) if local is not None else None
    return sorted(path.name for path in base.iterdir() if path.is_dir() and layout_of(path)) if base else []
