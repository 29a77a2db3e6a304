"""Put aside outputs in DVC's cache that are damaged, so that their stage runs again: `python -m flows.damaged_cache`.

DVC restores a read-only object of its cache without reading it. After a power failure or a fault of the disk, a stage
would compute with half a file and `dvc status` would say that all is up to date. `flows.dvc_graph` does this before it
compares.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows.damaged_files import ASIDE, LOCK

_DIRECTORY = ".dir"  # ends the digest of a list of files


@dataclass(frozen=True)
class Stored:
    """A file of an output: its path in the repository, and its object in the cache, whose name is its MD5."""

    path: Path
    md5: str
    object: Path


def put_damaged_objects_aside(folder: Path, cache: Path) -> list[Path]:
    """Move damaged objects of the outputs in dvc.lock to `.dvc/tmp`, and return the files, relative to `folder`.

    Such a file is deleted from the output if it is damaged, too; a whole one stays, and DVC stores it again. An output
    whose list of files is damaged is named by its folder.

    Args:
        folder: the folder of dvc.yaml.
        cache: the folder of the objects, `.dvc/cache/files/md5`.
    """
    damaged = [stored for stored in _stored_files(folder, cache) if _is_damaged(stored.object, stored.md5)]
    for stored in damaged:
        if stored.object.is_file():  # equal files share an object
            (folder / ASIDE).mkdir(parents=True, exist_ok=True)
            stored.object.rename(folder / ASIDE / f"{stored.md5}.damaged")
        if _is_damaged(folder / stored.path, stored.md5):
            (folder / stored.path).unlink()
    return [stored.path for stored in damaged]


def _stored_files(folder: Path, cache: Path) -> Iterator[Stored]:
    """Yield the lists of files of all outputs and the files that they name."""
    lock = folder / LOCK
    content: Mapping[str, Any] = (yaml.safe_load(lock.read_text()) if lock.is_file() else None) or {}
    for out in (out for stage in content.get("stages", {}).values() for out in stage.get("outs", ())):
        listed = Stored(Path(out["path"]), out["md5"].removesuffix(_DIRECTORY), _object(cache, out["md5"]))
        yield listed
        if out["md5"].endswith(_DIRECTORY) and listed.object.is_file() and not _is_damaged(listed.object, listed.md5):
            for entry in json.loads(listed.object.read_bytes()):
                yield Stored(listed.path / entry["relpath"], entry["md5"], _object(cache, entry["md5"]))


def _object(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def _is_damaged(file: Path, md5: str) -> bool:
    """Return whether a file exists and has another content; DVC itself notices a missing one."""
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest() != md5


def main() -> None:
    """Check the repository of the current folder, and print a line for each damaged file."""
    try:
        repo = Repo()
    except DvcException as error:
        sys.exit(" ".join(str(error).split()))
    for path in put_damaged_objects_aside(Path(repo.root_dir), Path(repo.cache.local.path)):
        print(f"{path}: its object in DVC's cache was damaged and is now in {ASIDE}; its stage runs again")


if __name__ == "__main__":
    main()
