"""What a damaged object of DVC's cache does to the next run: a trial of benchmarks/conditions.py."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from clones import Clone, Row, copied

FILES = {"detect": "data/detections/SYN-03-FRCNN.txt", "export": "data/export/model.onnx"}
DAMAGES = ("half of it is lost", "one bit is flipped")


def try_damaged_caches(base: Clone, folder: Path) -> Iterator[Row]:
    """Yield two rows per file and damage: what `dvc repro` makes of it alone, and after flows.damaged_cache."""
    with copied(base, folder) as clone:
        for stage, name in FILES.items():
            for damage in DAMAGES:
                yield _try(clone, stage, clone.folder / name, damage, is_checked=False)
                yield _try(clone, stage, clone.folder / name, damage, is_checked=True)


def _try(clone: Clone, stage: str, file: Path, damage: str, *, is_checked: bool) -> Row:
    """Damage the object of a file, remove its output, and let DVC bring it back."""
    whole = file.read_bytes()
    md5 = hashlib.md5(whole).hexdigest()
    stored = clone.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    _damage(stored, whole, damage)
    shutil.rmtree(file.parent)
    if is_checked:
        clone.run([sys.executable, "-m", "flows.damaged_cache"])
    ended = clone.dvc("repro", "--single-item", stage)
    is_whole = file.is_file() and file.read_bytes() == whole
    how = "restored it from the cache" if "is cached" in ended.text else "ran the stage again"
    found = f"{how}: the file is {'whole' if is_whole else 'DAMAGED and `dvc status` says up to date'}"
    _put_back(stored, whole, file)
    command = "`flows.damaged_cache`, then `dvc repro`" if is_checked else "`dvc repro` alone"
    return Row(f"cache object of {file.name}: {damage}; {command}", found, is_whole or not is_checked)


def _damage(stored: Path, whole: bytes, damage: str) -> None:
    """Change the content of an object; its mode stays, and its time, too, if only a bit changed."""
    state = stored.stat()
    stored.chmod(0o644)
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    stored.write_bytes(whole[:middle] if damage == DAMAGES[0] else flipped)
    stored.chmod(0o444)
    if damage == DAMAGES[1]:
        os.utime(stored, ns=(state.st_atime_ns, state.st_mtime_ns))


def _put_back(stored: Path, whole: bytes, file: Path) -> None:
    """Make the object and the file of the workspace whole again."""
    for path in (stored, file):
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
    stored.chmod(0o444)
