"""Kill DVC at random moments of every stage, and compare the final result with an undisturbed one.

    python benchmarks/faults.py --folder /tmp/faults --kills-per-stage 4

Both results are made in clones of the last commit with a small drawn data set and a small network, each with a cache of
its own. In the second clone each stage is killed several times, at random moments of the time that it took in the first
one: in turn DVC alone with SIGTERM and with SIGKILL, and DVC with its stage with SIGKILL. After each kill no process of
the stage may remain. Files of DVC that the kill left truncated are put aside, as the flows do. Then the stage runs to
its end, and at last `dvc repro`. The digests of all outputs must be equal, and there must be one version of the model.
Prints a Markdown table.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from three_retrainings import ROOT, change, run

sys.path.insert(0, str(ROOT))  # flows are not installed; they belong to the repository

from flows.damaged_files import put_damaged_aside

SMALL = ROOT / "deploy" / "small_params.yaml"
DVC = (sys.executable, "-m", "dvc")
KINDS = ("SIGTERM to DVC", "SIGKILL to DVC", "SIGKILL to all")
START_SECONDS, END_SECONDS = 900.0, 30.0
MOST_TOO_LATE = 8  # a stage that ends before the kill is started again, and is killed earlier
OWN_RECORD = ("store", "register")  # their outputs name the clone's own MLflow store


@dataclass
class Count:
    """What came out of the kills of a stage."""

    kills: int = 0
    left: int = 0
    too_late: int = 0
    damaged: int = 0


def main() -> None:
    """Run the trial; exit 1 if a process remained or the results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for both clones")
    parser.add_argument("--kills-per-stage", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    undisturbed, killed = (new_clone(options.folder.resolve() / name) for name in ("undisturbed", "killed"))
    stages = run([*DVC, "stage", "list", "--name-only"], undisturbed).split()
    draw, counts = random.Random(options.seed), {stage: Count() for stage in stages}
    for stage in stages:
        start = time.monotonic()
        run([*DVC, "repro", "--single-item", stage], undisturbed)
        seconds = time.monotonic() - start
        count = counts[stage]
        while count.kills < options.kills_per_stage and count.too_late < MOST_TOO_LATE:
            kill(stage, killed, KINDS[count.kills % len(KINDS)], draw.uniform(0, seconds / (1 + count.too_late)), count)
        run([*DVC, "repro", "--single-item", stage], killed)
        print(f"{stage} ({seconds:.0f} s): {counts[stage]}", file=sys.stderr, flush=True)
    run([*DVC, "repro"], killed)
    print_table(counts, read_outs(undisturbed), read_outs(killed))
    version = json.loads((killed / "data" / "registration" / "version.json").read_text())["version"]
    print(f"\nversions of the model: {version}")
    remained = any(count.left for count in counts.values())
    if remained or version != "1" or read_outs(undisturbed) != read_outs(killed):
        sys.exit("faults: a process remained, the results differ, or there are several versions")


def new_clone(folder: Path) -> Path:
    """Return a clone with the params of deploy/small_params.yaml and an empty cache."""
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT)
    params = change(yaml.safe_load((folder / "params.yaml").read_text()), yaml.safe_load(SMALL.read_text()))
    params["convert"]["workers"] = 2  # so that a kill also meets worker processes
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def read_outs(folder: Path) -> dict[str, dict[str, str]]:
    """Return stage → path → md5 of dvc.lock, without the stages that name the store."""
    stages: Mapping[str, Any] = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {
        name: {out["path"]: out["md5"] for out in stage["outs"]}
        for name, stage in stages.items()
        if name not in OWN_RECORD
    }


def kill(stage: str, folder: Path, kind: str, delay: float, count: Count) -> None:
    """Start a stage, kill it `delay` seconds after DVC started it, and wait until no process of it is left."""
    log = folder.parent / "killed.log"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
    command = [*DVC, "repro", "--single-item", "--force", stage]  # again, even if an earlier run was not killed in time
    environment = kept | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    with open(log, "w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while "Running stage" not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    if process.returncode is not None:
        count.too_late += 1
        return
    count.kills += 1
    below = psutil.Process(process.pid).children(recursive=True)
    if kind == "SIGKILL to all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.send_signal(signal.SIGTERM if kind.startswith("SIGTERM") else signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=END_SECONDS)
    count.left += len(alive)
    count.damaged += len(put_damaged_aside(folder))


def print_table(
    counts: dict[str, Count], expected: dict[str, dict[str, str]], found: dict[str, dict[str, str]]
) -> None:
    """Print what was tried, how often, and what came out."""
    heads = ("stage", "kills", "ended before the kill", "processes left after 30 s", "DVC's files damaged")
    print(f"| {' | '.join(heads)} | outputs as undisturbed |")
    print("|---|---|---|---|---|---|")
    for stage, count in counts.items():
        same = "not compared" if stage in OWN_RECORD else "yes" if expected[stage] == found.get(stage) else "no"
        print(f"| {stage} | {count.kills} | {count.too_late} | {count.left} | {count.damaged} | {same} |")


if __name__ == "__main__":
    main()
