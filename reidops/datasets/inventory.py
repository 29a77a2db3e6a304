"""Record the content of local data sets, so that later stages detect a change.

Local sets are neither copied nor linked to data/raw, because DVC would hash gigabytes; so DVC does not detect changes.
The content of every file is hashed, and the digests are cached by the file's size and times (`FileDigests`).
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
# A file that changed less than this time before hashing may change again without a change of its times.
_SETTLED_NS = 2_000_000_000


class FileDigests:
    """Cached SHA-256 digests of the files in a folder, or of one file.

    A digest is computed again only if the size or the times of the file changed. The digests of each `place` are in one
    file in `.cache/file_digests` of the repository: name → [[size, mtime, ctime], digest].
    """

    def __init__(self, place: Path) -> None:
        name = hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:32]
        self._place, self._path = place, repository_root() / _CACHE / f"{name}.json"
        self._kept = self._read()

    def of(self, names: list[str]) -> list[tuple[int, str]]:
        """Return the size [bytes] and the digest of each file, in order; names are those of `_files_of`."""
        now = time.time_ns()
        states = {name: _state(self._place, name) for name in names}
        known = {name: self._kept.get(name, [[], ""]) for name in names}
        digests = {name: digest for name, (state, digest) in known.items() if state == states[name]}
        waiting = [name for name in names if name not in digests]
        with ThreadPoolExecutor() as pool:
            hashing = progress_bar(
                pool.map(sha256, [self._place / name for name in waiting]),
                desc=f"hash {self._place.name}",
                total=len(waiting),
                unit="files",
            )
            digests.update(zip(waiting, hashing, strict=True))
        settled = [name for name in names if max(states[name][1:]) < now - _SETTLED_NS]
        self._keep({name: [states[name], digests[name]] for name in settled})
        return [(states[name][0], digests[name]) for name in names]

    def _read(self) -> dict[str, list[Any]]:
        try:
            return json.loads(self._path.read_text())
        except (OSError, ValueError):  # the cache is missing or damaged: all files are hashed again
            return {}

    def _keep(self, digests: dict[str, list[Any]]) -> None:
        if digests != self._kept:
            with whole_file(self._path) as partial:
                partial.write_text(json.dumps(digests))


def _files_of(place: Path) -> list[str]:
    """Return the files below a folder, relative to it, in the order of paths; "." if `place` is a file.

    Names are strings, because the paths of pathlib take several times as long for sets of many frames.
    """
    if place.is_file():
        return ["."]
    root = str(place)
    below = [
        f"{folder[len(root) + 1 :]}/{name}".lstrip("/")
        for folder, _, names in os.walk(root)
        for name in names
        if os.path.isfile(f"{folder}/{name}")
    ]
    return sorted(below, key=lambda name: name.split("/"))


def _state(place: Path, name: str) -> list[int]:
    """Return size [bytes], mtime and ctime [ns]."""
    found = os.stat(place if name == "." else f"{place}/{name}")
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def write_inventory(parts: list[Part], raw: Path, sources: dict[str, str]) -> None:
    """Write `raw/inventory.json`: source, number of files, bytes and a digest of the used files per set."""
    entries = {
        dataset: {"source": sources[dataset], **take_inventory(places)} for dataset, places in _places(parts).items()
    }
    write_json(entries, raw / "inventory.json")


def check_inventory(parts: list[Part], raw: Path) -> None:
    """Check that local sets did not change after `download`.

    Raises:
        ReidopsError: a set changed; the message has its name, its folder and the change.
    """
    entries = read_json(raw / "inventory.json")
    for dataset, places in _places(parts).items():
        noted = entries.get(dataset)
        if noted is None:
            raise ReidopsError(
                f"{raw}/inventory.json: has no entry for {dataset} of parts.csv; run `dvc repro -f download`"
            )
        if noted["source"].startswith("local:"):
            _compare(take_inventory(places), noted, f"{dataset} in {places[0].parent}")


def take_inventory(places: list[Path]) -> dict[str, Any]:
    """Return the number of files, the bytes, and a digest over the path and content of every file."""
    digest = hashlib.sha256()
    num_files = num_bytes = 0
    for place in places:
        names = _files_of(place)
        for name, (size, content) in zip(names, FileDigests(place).of(names), strict=True):
            num_files, num_bytes = num_files + 1, num_bytes + size
            digest.update(os.fsencode(f"{place.name}/{name}\0{content}\0"))
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
                part.folder / name
                for name in (*known.reads("train" if part.is_learnt else part.part, part.protocol), *editions)
            )
    return {dataset: sorted(found) for dataset, found in sorted(places.items())}


def _of_sequence(folder: Path) -> set[Path]:
    """Return the folder of a sequence, and that of its frames if it is elsewhere."""
    frames = read_sequence(folder).frames_dir if (folder / "seqinfo.ini").is_file() else folder
    return {folder} if frames.is_relative_to(folder) else {folder, frames}


def _compare(now: dict[str, Any], noted: dict[str, Any], where: str) -> None:
    changed = [
        f"{name} {noted[name]:,} → {now[name]:,}" for name in ("num_files", "num_bytes") if noted[name] != now[name]
    ]
    if changed or now["digest"] != noted["digest"]:
        what = ", ".join(changed) or "the content or the name of a file changed"
        raise ReidopsError(f"{where}: changed after download took its inventory ({what}); run `dvc repro -f download`")
