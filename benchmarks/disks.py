"""What a full and a read-only data folder do to each stage: trials of benchmarks/conditions.py. Only root may mount."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from clones import Clone, Ended, Row, copied

PAGE_KIB = 4
LARGE = "400m"
SHARES = (0.1, 0.6)  # of the size of a stage's outputs that still fit on the disk
# What DVC says if the disk is full when it copies a finished output from a cache on another disk. It leaves a part.
DVC_COPY = "No possible cache link types"
FULL = ("no space is left", "database or disk is full", "No space left on device", DVC_COPY)
READ_ONLY = "Read-only file system"
STORE = "mlflow.db"
EXTRA_KIB = {"register": 6000}  # its store is on the disk, too


def try_full_disks(base: Clone, folder: Path, stages: list[str]) -> Iterator[Row]:
    """Yield a row per stage: its data folder is a disk that is full before its outputs are written, twice."""
    with copied(base, folder) as clone, small_disk(clone.data):
        shutil.copytree(base.data, clone.data, dirs_exist_ok=True, symlinks=True)
        for stage in stages:
            yield _fill(Clone(clone.folder, _variables(clone, stage)), stage)


def try_read_only_data(base: Clone, folder: Path, stages: list[str]) -> Iterator[Row]:
    """Yield a row per stage: it has to run while its data folder is read-only; then the folder is writable again."""
    with copied(base, folder) as clone:
        for stage in stages:
            outs = out_folders(clone, stage)
            lock = (clone.folder / "dvc.lock").read_text()
            for out in outs:
                out.rename(clone.folder / f"kept_{out.name}")
            forget(clone, stage)
            with _read_only(clone.data):
                ended = clone.dvc("repro", "--single-item", stage)
            left = [out for out in outs if out.exists()]
            for out in outs:
                (clone.folder / f"kept_{out.name}").rename(out)
            (clone.folder / "dvc.lock").write_text(lock)
            told = ended.code != 0 and READ_ONLY in ended.text and not ended.is_traceback
            yield Row(f"read-only `data/`: {stage}", f"{_traceback(ended)}{ended.message}", told and not left)


@contextmanager
def small_disk(folder: Path, size: str = LARGE) -> Iterator[None]:
    """Mount an empty disk in memory at a folder for the length of the block."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only, also for root, for the length of the block."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def resize(folder: Path, size: str) -> None:
    """Change the size of the disk that is mounted at a folder."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def _variables(clone: Clone, stage: str) -> dict[str, str]:
    """Return variables that put the MLflow store of `register` on the small disk, too."""
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{clone.data / STORE}"} if stage == "register" else {}


def _fill(clone: Clone, stage: str) -> Row:
    """Run a stage with too little space for its outputs, then with enough."""
    outs, before = out_folders(clone, stage), clone.outs()
    size, expected = sum(map(_num_kib, outs)) + EXTRA_KIB.get(stage, 0), [_digest(out) for out in outs]
    ends, halves = [], []
    for share in SHARES:
        forget(clone, stage)
        resize(clone.data, f"{_num_kib(clone.data) + int(share * size) // PAGE_KIB * PAGE_KIB}k")
        ends.append(clone.dvc("repro", "--single-item", stage))
        if DVC_COPY not in ends[-1].text:
            halves += [out for out, digest in zip(outs, expected, strict=True) if _is_half(out, digest)]
        halves += clone.data.glob(".*.partial")
        resize(clone.data, LARGE)
    again = clone.dvc("repro", "--single-item", stage)
    same = again.code == 0 and clone.outs() == before
    told = all(ended.code and any(text in ended.text for text in FULL) and not ended.is_traceback for ended in ends)
    found = " / ".join(dict.fromkeys(_sentence(ended, same) for ended in ends))
    left = f"; half-written: {', '.join(sorted({path.name for path in halves}))}" if halves else ""
    return Row(f"full disk: {stage} ({size} KiB of outputs)", found + left, told and same and not halves)


def forget(clone: Clone, stage: str) -> None:
    """Delete the outputs of a stage and what DVC knows of its runs, so that it runs instead of being restored."""
    for out in (*out_folders(clone, stage), clone.folder / ".dvc" / "cache" / "runs"):
        shutil.rmtree(out, ignore_errors=True)
    lock = clone.folder / "dvc.lock"
    content = yaml.safe_load(lock.read_text())
    content["stages"].pop(stage, None)
    lock.write_text(yaml.safe_dump(content))


def out_folders(clone: Clone, stage: str) -> list[Path]:
    """Return the outputs of a stage."""
    outs = yaml.safe_load((clone.folder / "dvc.yaml").read_text())["stages"][stage]["outs"]
    return [clone.folder / (out if isinstance(out, str) else next(iter(out))) for out in outs]


def _num_kib(folder: Path) -> int:
    """Return the KiB that the files and folders of a disk in memory take: whole pages."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(-(-path.stat().st_size // (PAGE_KIB * 1024)) * PAGE_KIB for path in files)


def _digest(folder: Path) -> str:
    """Return a digest of the names and the content of the files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _is_half(out: Path, expected: str) -> bool:
    """Return whether an output lies under its final name and is not whole; `register` names its run, so it differs."""
    return out.exists() and out.name != "registration" and _digest(out) != expected


def _sentence(ended: Ended, same: bool) -> str:
    return f"{_traceback(ended)}{ended.message}; then {'the same outputs' if same else 'NOT the same outputs'}"


def _traceback(ended: Ended) -> str:
    return "a traceback: " if ended.is_traceback else ""
