"""What a user's folder held when the pipeline first saw it, so that a later stage notices that it changed.

Local sets are neither copied nor linked into data/raw: DVC would hash gigabytes. So DVC does not see them change; this does.
"""

import hashlib
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from reidops.datasets.sets import LAYOUTS
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.parts import Part

_TEXT = {".txt", ".ini", ".csv", ".json", ".mat"}
_MOST_TEXT_BYTES = 64 << 20  # CUHK03 keeps all its pictures in one .mat of 1.5 GB


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
            raise ReidopsError(f"{raw}/inventory.json: knows no set {dataset}, which parts.csv names; run `dvc repro -f download`")
        if noted["source"].startswith("local:"):
            _compare(take_inventory(places), noted, f"{dataset} in {places[0].parent}")


def take_inventory(places: list[Path]) -> dict[str, Any]:
    """Return number of files, bytes, and a digest over (relative path, size) and over the content of small lists and tables."""
    digest = hashlib.sha256()
    num_files = num_bytes = 0
    for place in places:
        for path in [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()):
            size = path.stat().st_size
            num_files, num_bytes = num_files + 1, num_bytes + size
            digest.update(os.fsencode(f"{place.name}/{path.relative_to(place).as_posix()}\0{size}\0"))
            if path.suffix in _TEXT and size <= _MOST_TEXT_BYTES:
                digest.update(path.read_bytes())
    return {"num_files": num_files, "num_bytes": num_bytes, "digest": digest.hexdigest()}


def _places(parts: list[Part]) -> dict[str, list[Path]]:
    """Return the files and folders that each set's parts use, sorted."""
    places: dict[str, set[Path]] = defaultdict(set)
    for part in parts:
        if part.layout == "mot":
            places[part.dataset].add(part.folder)
        else:
            known = LAYOUTS[part.layout]
            editions = (name for name in known.also_reads if (part.folder / name).is_dir())
            places[part.dataset].update(part.folder / name for name in (*known.reads(part.part, part.protocol), *editions))
    return {dataset: sorted(found) for dataset, found in sorted(places.items())}


def _compare(now: dict[str, Any], noted: dict[str, Any], where: str) -> None:
    changed = [f"{name} {noted[name]:,} → {now[name]:,}" for name in ("num_files", "num_bytes") if noted[name] != now[name]]
    if changed or now["digest"] != noted["digest"]:
        what = ", ".join(changed) or "a text file or a name changed"
        raise ReidopsError(f"{where}: changed after download took its inventory ({what}); run `dvc repro -f download`")
