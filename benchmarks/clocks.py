"""What a clock that jumps during a stage does to its outputs: a trial of benchmarks/conditions.py, with libfaketime."""

import time
from collections.abc import Iterator
from pathlib import Path

from clones import Clone, Row, copied
from disks import forget

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
JUMPS = {"a day forward": "+1d", "a day back": "-1d"}
AFTER_SECONDS = 6.0
STAGES = ("train", "embed", "register")


def try_clocks(base: Clone, folder: Path) -> Iterator[Row]:
    """Yield a row per stage and jump of the clock: the outputs must be those of an undisturbed run."""
    if LIBRARY is None:
        yield Row("a clock that jumps", "not tried: libfaketime is not installed (`apt install libfaketime`)", True)
        return
    with copied(base, folder) as clone:
        for stage in STAGES:
            for name, jump in JUMPS.items():
                yield _jump(clone, stage, name, jump)


def _jump(clone: Clone, stage: str, name: str, jump: str) -> Row:
    before = clone.outs()
    forget(clone, stage)
    offset = clone.folder / "clock"
    offset.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with clone.start(["python", "-m", "dvc", "repro", "--single-item", stage], **faked) as process:
        time.sleep(AFTER_SECONDS)
        offset.write_text(f"{jump}\n")
        text, _ = process.communicate()
    unchanged = "didn't change" in clone.dvc("repro", "--single-item", stage).text
    same = clone.outs() == before
    found = "finished" if process.returncode == 0 else f"failed: {text.strip().splitlines()[-1]}"
    outputs = "the same outputs" if same else "OTHER outputs"
    found += f", {outputs}; the next run {'found nothing to do' if unchanged else 'ran again'}"
    return Row(f"clock set {name} during {stage}", found, process.returncode == 0 and same and unchanged)
