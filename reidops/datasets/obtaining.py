"""Obtain a data set by name from a local folder, local archives or the network, and check its layout.

A folder below `download.local` is used in place; nothing is copied or linked. Local archives are also read in place.
Unpacked files are written below data/raw, and later stages read them there. Fetched archives are kept in data/archives,
so that a change of params unpacks them again without fetching. They can be deleted after `download` has finished.
"""

import difflib
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from reidops.datasets.archives import ARCHIVE_SUFFIXES, unpack
from reidops.datasets.families import base_name
from reidops.datasets.fetching import Archive, fault_of, fetch
from reidops.datasets.layouts import SetFolder, expected_layout, find_set, is_laid_out, layout_as, layout_of, listing
from reidops.datasets.motchallenge import HOW_TO_ASK, PUBLISHED
from reidops.datasets.pictures import only_unread
from reidops.datasets.sets import SETS, protocol_of
from reidops.datasets.without_identities import without_identities
from reidops.errors import ReidopsError, Unreachable
from reidops.mot.sequences import DETECTORS
from reidops.parts import LOCAL, local_folder

log = logging.getLogger(__name__)

SYNTHETIC = "synthetic"
_UNPACKED = "unpacked:"
_UNUSED_IN_MOT = {"test"}
_DEPTH = 3  # maximum number of folders around the set in a folder or an archive


@dataclass(frozen=True)
class Sources:
    """Where sets may come from.

    `urls` and `hashes` (`md5:…`, `sha256:…`) override the published ones or add to them.
    """

    local: str | None = None
    urls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    detectors: tuple[str, ...] = DETECTORS


@dataclass(frozen=True)
class _Files:
    """Local archives of one set; `beside` are further files of the set in their folder, mostly lists."""

    archives: list[Path]
    source: str
    beside: tuple[Path, ...] = ()


def obtain_set(name: str, raw: Path, archives: Path, sources: Sources) -> SetFolder:
    """Return the set `name` from the local folder, from local archives, or fetched to `archives`.

    Archives are unpacked below `raw`.

    Raises:
        ReidopsError: the set is unknown, has another layout, must be requested from its authors or cannot be fetched,
            or an archive is damaged.
    """
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ReidopsError(
            f"download: {name} is not the name of a data set; put your own data set below download.local and use the "
            f"name of its folder"
        )
    found = find_local(name, sources.local)
    if found is not None:
        return found
    files = _local_archives(name, sources)
    if files is None:
        ways = _ways(name, sources)
        if not ways:
            raise ReidopsError(_nowhere(name, sources))
        if sources.local is not None:
            log.info("%s is not in %s: fetching it", name, sources.local)
        files = _fetch_first(name, ways, archives)
    return _unpack_set(name, files, raw / base_name(name), sources.detectors)


def with_protocol_of(name: str, found: SetFolder) -> SetFolder:
    """Return a set that was already obtained under the name of another protocol.

    Raises:
        ReidopsError: the set has no such protocol, or its folder lacks files of the protocol.
    """
    return _as_set(name, found.folder, found.source)


def find_local(name: str, local: str | None) -> SetFolder | None:
    """Return the set below the folder `local`, None if it is not there or is there as archives only.

    Raises:
        ReidopsError: the folder `local` is missing, or the set's folder has another layout.
    """
    if local is None:
        return None
    base = local_folder(local)
    if not base.is_dir():
        raise ReidopsError(
            f"download.local: {base} is not a folder; a relative path starts at the root of the repository"
        )
    # An own data set has the name of its folder, so that it is not searched for in subfolders.
    depth = _DEPTH if base_name(name) in (*SETS, *PUBLISHED) else 0
    folders = [base / folder_name for folder_name in _folder_names(name) if (base / folder_name).is_dir()]
    for folder in folders:
        found = find_set(folder, name, depth)
        if found is not None:
            return _with_notice(_as_set(name, found, _address(LOCAL, found, sources_local=local)))
    if folders and not any(_archives_in(folder) for folder in folders) and not _groups_in(base, name):
        hint = _below(name, folders) or only_unread(folders[0]) or without_identities(folders[0])
        raise ReidopsError(f"{folders[0]}: {expected_layout(name)}; it holds {listing(folders[0])}{hint}")
    return None


def _below(name: str, folders: list[Path]) -> str:
    """Return the name of a set in a subfolder, for an error message; "" if there is none."""
    inner = next(filter(None, (find_set(folder, name, _DEPTH) for folder in folders)), None)
    if inner is None:
        return ""
    place = inner.relative_to(next(folder for folder in folders if inner.is_relative_to(folder)).parent)
    return f". {place.as_posix()} holds one: write this name, or move its content up"


def _folder_names(name: str) -> tuple[str, ...]:
    known = SETS.get(base_name(name))
    return known.folder_names if known else (name,)


def _address(prefix: str, path: Path, sources_local: str) -> str:
    return f"{prefix}{(Path(sources_local) / path.relative_to(local_folder(sources_local))).as_posix()}"


def _as_set(name: str, folder: Path, source: str) -> SetFolder:
    """Return the set in `folder`.

    Raises:
        ReidopsError: the folder lacks files of the protocol that the name specifies.
    """
    known = SETS.get(base_name(name))
    protocol = protocol_of(name, known) if known else ""
    layout = layout_as(name, folder)
    if layout is None or (known and not is_laid_out(folder, known, protocol)):
        raise ReidopsError(f"{folder}: {expected_layout(name)}; it holds {listing(folder)}")
    return SetFolder(name, layout, folder, source, protocol)


def _with_notice(found: SetFolder) -> SetFolder:
    """Log the notice of a set, if it has one, and return the set."""
    known = SETS.get(base_name(found.name))
    if known and known.notice:
        log.warning("%s: %s", known.name, known.notice)
    return found


def _local_archives(name: str, sources: Sources) -> _Files | None:
    """Return the local archives of the set, None if there are none.

    Archives with the published names are searched for in the local folder, and any archives in the set's folder.

    Raises:
        ReidopsError: one of several archives is missing, or an archive differs from the published one.
    """
    if sources.local is None:
        return None
    base = local_folder(sources.local)
    for group in _groups_in(base, name):
        missing = [archive.name for archive in group if not (base / archive.name).is_file()]
        if missing:
            raise ReidopsError(
                f"{base}: holds only a part of {name}: {', '.join(missing)} is missing; put it into this folder"
            )
        for archive in _with_hash(group, name, sources):
            _check_local(base / archive.name, archive)
        paths = [base / archive.name for archive in group]
        return _Files(paths, _address(_UNPACKED, paths[0], sources.local))
    for folder in (base / folder_name for folder_name in _folder_names(name)):
        if paths := _archives_in(folder):
            beside = tuple(path for path in sorted(folder.iterdir()) if path not in paths)
            return _Files(paths, _address(_UNPACKED, folder, sources.local), beside)
    return None


def _groups_in(base: Path, name: str) -> list[tuple[Archive, ...]]:
    """Return the groups of archives of the set with at least one archive in `base`, complete groups first."""
    known = SETS.get(base_name(name))
    stems = dict.fromkeys((*_folder_names(name), base_name(name)))
    single = [
        *(known.archive_names if known else ()),
        *(f"{stem}{suffix}" for stem in stems for suffix in ARCHIVE_SUFFIXES),
    ]
    groups = [*(known.ways if known else PUBLISHED.get(name, ())), *((Archive(file, ()),) for file in single)]
    num_there = {group: sum((base / archive.name).is_file() for archive in group) for group in groups}
    return sorted((group for group in num_there if num_there[group]), key=lambda group: num_there[group] < len(group))


def _archives_in(folder: Path) -> list[Path]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in paths if path.name.lower().endswith(ARCHIVE_SUFFIXES) and path.is_file()]


def _check_local(path: Path, archive: Archive) -> None:
    fault = fault_of(path, archive)
    if fault:
        raise ReidopsError(f"{path}: {fault}; get it again, or correct download.hashes")


def _ways(name: str, sources: Sources) -> list[tuple[Archive, ...]]:
    """Return the alternative downloads of the set, each a group of archives that are unpacked into one folder."""
    for key in (name, base_name(name)):
        if key in sources.urls:
            urls = sources.urls[key]
            return [_with_hash((Archive(f"{base_name(name)}{_suffix(urls[0])}", urls),), name, sources)]
    known = SETS.get(base_name(name))
    return [_with_hash(way, name, sources) for way in (known.ways if known else PUBLISHED.get(name, ()))]


def _with_hash(way: tuple[Archive, ...], name: str, sources: Sources) -> tuple[Archive, ...]:
    """Return the archives with the hash of download.hashes, which applies to sets of a single archive."""
    expected = sources.hashes.get(name, sources.hashes.get(base_name(name)))
    return (replace(way[0], hash=expected),) if expected and len(way) == 1 else way


def _suffix(address: str) -> str:
    name = PurePosixPath(address.partition("?")[0]).name.lower()
    return next((suffix for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), ".zip")


def _fetch_first(name: str, ways: list[tuple[Archive, ...]], archives: Path) -> _Files:
    """Fetch the first group of archives that can be fetched; its first address is the source."""
    faults, kind = [], ReidopsError
    for way in ways:
        try:
            return _Files([fetch(archive, archives) for archive in way], way[0].urls[0])
        except Unreachable as error:
            faults.append(str(error))
            kind = Unreachable
        except ReidopsError as error:
            faults.append(str(error))
    by_hand = _by_hand(name, None)
    raise kind(f"{name} could not be fetched:\n" + "\n".join(faults) + (f"\n{by_hand}" if by_hand else ""))


def _unpack_set(name: str, files: _Files, target: Path, detectors: Iterable[str]) -> SetFolder:
    """Unpack a set to `target`, which is created only if everything succeeds.

    Some archives lack the top folder that the set's reader expects, so archives are unpacked into a folder with the
    name of the archive.
    """
    wanted = (lambda path: _is_wanted(path, detectors)) if name in PUBLISHED else None
    staging = target.with_name(f".{target.name}.unpacked")
    place = staging / _stem(files.archives[0])
    try:
        num_files = unpack(files.archives, place, wanted=wanted)
        for path in files.beside:
            _copy(path, place / path.name)
        found = find_set(staging, name, _DEPTH + 1)
        if found is None:
            raise ReidopsError(f"{files.archives[0]}: {expected_layout(name)}; it holds {listing(place)}")
        found.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    log.info("unpacked %s files of %s", f"{num_files:,}", name)
    return _with_notice(_as_set(name, target, files.source))


def _stem(archive: Path) -> str:
    return archive.name[: -len(_suffix(archive.name))]


def _copy(path: Path, target: Path) -> None:
    """Copy a file or folder that lies beside an archive.

    It is not linked, because DVC makes its outputs read-only and would change the user's file.
    """
    try:
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)
    except OSError as error:
        raise ReidopsError(
            f"{path}: cannot be copied to the unpacked set ({error}); fix the cause and run again"
        ) from None


def _is_wanted(path: PurePosixPath, detectors: Iterable[str]) -> bool:
    """Return whether a file is used.

    Test sequences are not used, because they have no ground truth, nor are copies for other detectors.
    """
    unused = tuple(f"-{detector}" for detector in DETECTORS if detector not in detectors)
    return not _UNUSED_IN_MOT & set(path.parts) and not any(part.endswith(unused) for part in path.parts if unused)


def _nowhere(name: str, sources: Sources) -> str:
    """Return the message for a set that is neither local nor has an address, with the remedy."""
    base = local_folder(sources.local) if sources.local is not None else None
    where = "" if base is None else f" and is not in {base}, which holds {listing(base)}"
    if by_hand := _by_hand(name, sources.local):
        return f"download: {name} cannot be fetched{where}. {by_hand}"
    names = [SYNTHETIC, *SETS, *PUBLISHED, *sources.urls]
    near = difflib.get_close_matches(name, dict.fromkeys(names + _local_sets(sources.local)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}."
    return (
        f"download: {name} is not a known data set{where}; {hint} Folders below download.local in a supported layout "
        f"are data sets, too"
    )


def _by_hand(name: str, local: str | None) -> str:
    """Return how to request a set and where to put it, "" for a set without request form."""
    known = SETS.get(base_name(name))
    how_to_ask = known.how_to_ask if known else HOW_TO_ASK.get(name)
    if not how_to_ask:
        return ""
    then = "" if local else " and set download.local to <folder>"
    return (
        f"{how_to_ask} to {local or '<folder>'}/{_folder_names(name)[0]}{then}; that folder may also hold the archives "
        f"themselves"
    )


def _local_sets(local: str | None) -> list[str]:
    base = local_folder(local) if local is not None else None
    return sorted(path.name for path in base.iterdir() if path.is_dir() and layout_of(path)) if base else []
