"""Retrain three times with `python -m flows.retrain`: a first champion, a worse model, a better one, and a rollback.

    python benchmarks/three_retrainings.py --folder /tmp/three

It works in a clone of the last commit with a smaller drawn data set and a small network. One street proves little, so
the params decide by the difference of IDF1 alone (`register.evidence: point`) and without the controls. The script
fails if the first model is not champion, the untrained second one is not refused, the longer trained third one is not
promoted, or the rollback does not make the first one champion again.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "download": {
        "sequences": ["04"],
        "synthetic": {"scenes": 4, "frames": 100, "width": 480, "height": 270, "min_people": 12, "max_people": 12},
    },
    "convert": {"min_per_person": 4, "workers": 1},
    "validate": {"image_sample": 2, "contact_sheet_people": 6},
    "train": {"backbone": "mobilenetv4_conv_small_050", "height": 64, "width": 32, "precision": "32-true"},
    "register": {"evidence": "point", "require_gain": False, "beat_random": False, "beat_histogram": False},
}
RUNS = {
    "first": {"train": {"epochs": 3, "warmup_epochs": 1, "val_every": 1}},
    "worse": {"train": {"epochs": 1, "warmup_epochs": 0, "learning_rate": 1e-7}},
    "better": {"train": {"epochs": 16, "warmup_epochs": 1, "learning_rate": 0.001, "val_every": 2}},
}
EXPECTED = {"first": True, "worse": False, "better": True}


def main() -> None:
    """Run the three retrainings and the rollback; exit 1 at the first unexpected decision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for the clone")
    folder = parser.parse_args().folder.resolve()
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT)
    defaults = change(yaml.safe_load((folder / "params.yaml").read_text()), SMALL)
    for name, changes in RUNS.items():
        (folder / "params.yaml").write_text(yaml.safe_dump(change(defaults, changes), sort_keys=False))
        start = time.monotonic()
        run([sys.executable, "-m", "flows.retrain"], folder)
        decision = json.loads((folder / "data" / "registration" / "version.json").read_text())["decision"]
        print(f"\n{name} ({time.monotonic() - start:.0f} s): {'champion' if decision['champion'] else 'refused'}")
        print(f"  {decision['reason']}", flush=True)
        if decision["champion"] is not EXPECTED[name]:
            sys.exit(f"three_retrainings: {name} was expected to be {'champion' if EXPECTED[name] else 'refused'}")
    reidops = [sys.executable, "-m", "reidops", "registry"]
    rolled_back = run([*reidops, "rollback", "--why", "trial"], folder).strip()
    print(f"\nrollback: {rolled_back}\n{run([*reidops, 'list'], folder)}")
    if "version 1 is the champion again" not in rolled_back:
        sys.exit("three_retrainings: the rollback was expected to make version 1 champion")


def change(sections: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with some of them replaced."""
    replaced = {
        name: change(sections[name], value) if isinstance(value, Mapping) else value for name, value in changes.items()
    }
    return {**sections, **replaced}


def run(command: Sequence[str], folder: Path) -> str:
    """Return the output of a command; exit with its last lines if it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
    ended = subprocess.run(command, cwd=folder, env=kept | {"PATH": path}, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"three_retrainings: {' '.join(command)} failed:\n{(ended.stdout + ended.stderr)[-3000:]}")
    return ended.stdout


if __name__ == "__main__":
    main()
