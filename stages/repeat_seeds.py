"""Repeat training, adaptation, embedding, ReID and tracking with other seeds to measure the seed noise; off by default.

Reads:  params.yaml, data/crops, data/validation/report.json, data/generated, data/raw, data/detections, data/tracklets,
        data/tuning,
        and of the first training data/reid/metrics.json, data/tracking/metrics.json
Writes: data/seeds/spread.json (the values of each metric per seed, their mean and standard deviation)

The repetitions run in a temporary folder. They affect neither the model nor the constants of a search.
"""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from reidops.errors import ReidopsError
from reidops.files import whole_folder, write_json
from reidops.params import read_sections
from reidops.registry.seed_spread import describe_spread, read_figures
from stages import run_stage
from stages.params.repeat_seeds import RepeatSeedsParams

log = logging.getLogger(__name__)

NO_PICTURES = {"num_switches": 0, "num_frames": 0, "num_clips": 0}


def repeat_seeds(
    settings: Path,
    crops: Path,
    validation: Path,
    generated: Path,
    raw: Path,
    detections: Path,
    tracklets: Path,
    tuning: Path,
    reid: Path,
    tracking: Path,
    seeds: Path,
    params: RepeatSeedsParams,
) -> None:
    """Write the spread of the metrics over `num` trainings; the first one is that of the pipeline."""
    sections = read_sections(settings)
    first = int(sections["train"]["seed"])
    figures = [read_figures(reid, tracking)]
    inputs = {
        "crops": crops,
        "validation": validation,
        "generated": generated,
        "raw": raw,
        "detections": detections,
        "tracklets": tracklets,
        "tuning": tuning,
    }
    with whole_folder(seeds) as folder:
        for seed in range(first + 1, first + params.num):
            log.info("training %d of %d, seed %d", seed - first + 1, params.num, seed)
            figures.append(_repeat(seed, sections, inputs, folder))
        spread = describe_spread(list(range(first, first + params.num)), figures)
        write_json(spread, folder / "spread.json")
    for name, row in spread["figures"].items():
        scatter = (
            "one training: seed noise is unknown" if row["std"] is None else f"standard deviation {row['std']:.4f}"
        )
        log.info("%s %.4f, %s", name, row["mean"], scatter)


def _repeat(seed: int, sections: dict[str, Any], inputs: dict[str, Path], folder: Path) -> dict[str, float]:
    """Return the metrics of one repetition, which runs in a temporary folder inside `folder`."""
    with TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        changed = sections | {
            "train": sections["train"] | {"seed": seed, "track": None},
            "adapt": sections["adapt"] | {"seed": seed, "track": None},
            "evaluate_tracking": sections["evaluate_tracking"] | NO_PICTURES,
        }
        (scratch / "params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        for stage, paths in commands(inputs, scratch).items():
            run_command(
                stage,
                [*(f"--{option}={path}" for option, path in paths.items()), f"--params={scratch / 'params.yaml'}"],
            )
        return read_figures(scratch / "reid", scratch / "tracking")


def commands(inputs: dict[str, Path], scratch: Path) -> dict[str, dict[str, Path]]:
    """Return the stages of one repetition in order, with their paths by option."""
    made = {name: scratch / name for name in ("trained", "model", "embeddings", "reid", "tracking")}
    options = {
        "train": ("crops", "validation", "generated", "model"),
        "adapt": ("trained", "tracklets", "crops", "model"),
        "embed": ("raw", "detections", "model", "embeddings"),
        "evaluate_reid": ("model", "crops", "raw", "embeddings", "reid"),
        "evaluate_tracking": ("embeddings", "raw", "tuning", "tracking"),
    }
    paths = {stage: {name: (inputs | made)[name] for name in names} for stage, names in options.items()}
    paths["train"]["model"] = made["trained"]
    paths["evaluate_tracking"]["calibration"] = made["reid"] / "calibration.json"
    return paths


def run_command(
    stage: str, options: list[str], run: Callable[..., subprocess.CompletedProcess] = subprocess.run
) -> None:
    """Run a stage in a subprocess that writes to the same terminal.

    Raises:
        ReidopsError: the stage failed.
    """
    ended = run([sys.executable, "-m", f"stages.{stage}", *options])
    if ended.returncode:
        raise ReidopsError(
            f"the stage {stage} failed in a repetition (exit status {ended.returncode}); see its message above"
        )


if __name__ == "__main__":
    run_stage(repeat_seeds)
