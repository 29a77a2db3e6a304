"""What a user's folder held when the pipeline first saw it, so that a later stage notices that it changed.

Local sets are neither copied nor linked into data/raw: DVC would hash gigabytes. So DVC does not see them change; this
does. The content of every file is hashed; what was hashed once is kept by the file's size and times (`FileDigests`).
"""

import hashlib
import json
import os
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reidops.datasets.sets import LAYOUTS
from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root, sha256, whole_file, write_json
from reidops.mot.sequences import read_sequence
from reidops.parts import Part
from reidops.progress_bar import progress_bar

_CACHE = Path(".cache") / "file_digests"
# of a file that changed less than this before it was hashed, another change may leave the times as they are
_SETTLED_NS = 2_000_000_000


class FileDigests:
    """The SHA-256 of files in a folder, or of one file; of a file whose size and times are as before it is not computed
    again.

    They are kept in `.cache/file_digests` of the repository, in one file for each `place`: name → [[size, mtime,
    ctime], digest].
    """

    def __init__(self, place: Path) -> None:
        name = hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:32]
        self._place, self._path = place, repository_root() / _CACHE / f"{name}.json"
        self._kept = self._read()

    def of(self, paths: list[Path]) -> list[str]:
        """Return the digest of each file, in order."""
        now = time.time_ns()
        states = {path: _state(path) for path in paths}
        known = {path: self._kept.get(self._name(path), [[], ""]) for path in paths}
        digests = {path: digest for path, (state, digest) in known.items() if state == states[path]}
        waiting = [path for path in paths if path not in digests]
        with ThreadPoolExecutor() as pool:
            hashing = progress_bar(
                pool.map(sha256, waiting), desc=f"hash {self._place.name}", total=len(waiting), unit="files"
            )
            digests.update(zip(waiting, hashing, strict=True))
        settled = [path for path in paths if max(states[path][1:]) < now - _SETTLED_NS]
        self._keep({self._name(path): [states[path], digests[path]] for path in settled})
        return [digests[path] for path in paths]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._place).as_posix()

    def _read(self) -> dict[str, list[Any]]:
        try:
            return json.loads(self._path.read_text())
        except (OSError, ValueError):  # nothing is kept yet, or it is damaged: everything is hashed again
            return {}

    def _keep(self, digests: dict[str, list[Any]]) -> None:
        if digests != self._kept:
            with whole_file(self._path) as partial:
                partial.write_text(json.dumps(digests))


def _state(path: Path) -> list[int]:
    """Return size [bytes] and the times of the last change of content and of the entry [ns]."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def write_inventory(parts: list[Part], raw: Path, sources: dict[str, str]) -> None:
    """Write `raw/inventory.json`: per set where it came from, files, bytes and a digest of what its parts use."""
    entries = {
        dataset: {"source": sources[dataset], **take_inventory(places)} for dataset, places in _places(parts).items()
    }
    write_json(entries, raw / "inventory.json")


def check_inventory(parts: list[Part], raw: Path) -> None:
    """Refuse local sets that changed after `download` looked at them.

    Raises:
        ReidopsError: names the set, its folder and what changed.
    """
    entries = read_json(raw / "inventory.json")
    for dataset, places in _places(parts).items():
        noted = entries.get(dataset)
        if noted is None:
            raise ReidopsError(
                f"{raw}/inventory.json: knows no set {dataset}, which parts.csv names; run `dvc repro -f download`"
            )
        if noted["source"].startswith("local:"):
            _compare(take_inventory(places), noted, f"{dataset} in {places[0].parent}")


def take_inventory(places: list[Path]) -> dict[str, Any]:
    """Return number of files, bytes, and a digest over the path and the content of every file."""
    digest = hashlib.sha256()
    num_files = num_bytes = 0
    for place in places:
        paths = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
        for path, content in zip(paths, FileDigests(place).of(paths), strict=True):
            num_files, num_bytes = num_files + 1, num_bytes + path.stat().st_size
            digest.update(os.fsencode(f"{place.name}/{path.relative_to(place).as_posix()}\0{content}\0"))
    return {"num_files": num_files, "num_bytes": num_bytes, "digest": digest.hexdigest()}


def _places(parts: list[Part]) -> dict[str, list[Path]]:
    """Return the files and folders that each set's parts use, sorted."""
    places: dict[str, set[Path]] = defaultdict(set)
    for part in parts:
        if part.layout == "mot":
            places[part.dataset].update(_of_sequence(part.folder))
        else:
            known = LAYOUTS[part.layout]
            editions = (name for name in known.also_reads if (part.folder / name).is_dir())
            places[part.dataset].update(
                part.folder / name for name in (*known.reads(part.part, part.protocol), *editions)
            )
    return {dataset: sorted(found) for dataset, found in sorted(places.items())}


def _of_sequence(folder: Path) -> set[Path]:
    """Return a sequence's folder, and that of its frames where they lie elsewhere."""
    frames = read_sequence(folder).frames_dir if (folder / "seqinfo.ini").is_file() else folder
    return {folder} if frames.is_relative_to(folder) else {folder, frames}


def _compare(now: dict[str, Any], noted: dict[str, Any], where: str) -> None:
    changed = [
        f"{name} {noted[name]:,} → {now[name]:,}" for name in ("num_files", "num_bytes") if noted[name] != now[name]
    ]
    if changed or now["digest"] != noted["digest"]:
        what = ", ".join(changed) or "the content or the name of a file changed"
        raise ReidopsError(f"{where}: changed after download took its inventory ({what}); run `dvc repro -f download`")
