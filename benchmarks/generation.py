"""Measure what generated crops bring to a training, beside recolouring.

python benchmarks/generation.py --crops data/crops --generated data/generated [--arms without lsro-0.2 …] [--seeds 0 1]
    [--train height=64 width=32 epochs=4] [--folder DIR] [--colours]

An arm is a change of the params of the training in params.yaml. `data/generated` is the output of the stage `generate`.
The test people of the crops table are ranked. The output is one row per arm and seed. `--colours` prints how far the
colours of the test crops are from those of each kind of training crops, and trains nothing.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

sys.path.append(str(Path(__file__).parents[1]))  # for `stages`, also from another folder

from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropStore, load_images
from reidops.files import write_json
from reidops.generation.frechet import frechet_distance
from reidops.params import check_section
from reidops.retrieval.evaluation import embed_tests, score_tests
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.tables import CROPS, read_table
from reidops.training.draws import Draws
from reidops.training.recolouring import ColourJitter
from stages.params.train import TrainParams
from stages.train import train

NO_COLOUR = {"jitter": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
STRONG_COLOUR = {"jitter": 0.5, "contrast": 0.4, "saturation": 0.4, "hue": 0.03}
ARMS: dict[str, dict[str, Any]] = {
    "without": {},
    "lsro-0.1": {"generated": "lsro", "generated_share": 0.1},
    "lsro-0.2": {"generated": "lsro", "generated_share": 0.2},
    "extra-class-0.2": {"generated": "extra-class", "generated_share": 0.2},
    "pseudo-0.2": {"generated": "pseudo", "generated_share": 0.2},
    "no-recolouring": NO_COLOUR,
    "no-recolouring-lsro-0.2": {**NO_COLOUR, "generated": "lsro", "generated_share": 0.2},
    "strong-recolouring": STRONG_COLOUR,
}
_SIZE, _MOST = (64, 32), 1000


def measure_arm(crops: Path, generated: Path, folder: Path, params: TrainParams) -> dict[str, float]:
    """Train with `params` into `folder` and return the scores of the test people, as means over the test sets."""
    validation = folder / "validation"
    write_json({"passed": True, "errors": []}, validation / "report.json")
    started = time.process_time()
    train(crops, validation, generated, folder / "model", params)
    seconds = time.process_time() - started
    table = read_table(crops / "crops.parquet", CROPS)
    store, embedder = CropStore(crops / "crops.tar", table), Embedder.load(folder / "model")
    scores = score_tests(embed_tests(embedder, store, table, find_ranking_sets(table)), max_rank=50, rerank=False)
    kept = [row for name, row in scores.items() if "histogram" not in name]
    means = {name: float(np.mean([getattr(row, name) for row in kept])) for name in ("mAP", "rank1", "mINP")}
    return {**means, "cpu_s": seconds}


def colour_distances(crops: Path, generated: Path) -> dict[str, float]:
    """Return the Fréchet distance of the colours of the test crops from those of several kinds of training crops.

    The colours of a crop are the means and standard deviations of red, green and blue.
    """
    table = read_table(crops / "crops.parquet", CROPS)
    own = read_table(generated / "crops.parquet", CROPS)
    rng = np.random.default_rng(0)
    read = partial(_read, CropStore(crops / "crops.tar", table), rng)
    training, held_out = read(table["split"] == "train"), read(table["split"].isin(["query", "gallery"]))
    drawn = _read(CropStore(generated / "crops.tar", own), rng, own["size"] > 0)
    target = _colours(held_out)
    kinds = {
        "training crops": training,
        "generated crops": drawn,
        "training crops, jitter 0.5": _recoloured(training, {**NO_COLOUR, "jitter": 0.5}),
        "training crops, strong recolouring": _recoloured(training, STRONG_COLOUR),
    }
    return {name: frechet_distance(_colours(images), target) for name, images in kinds.items()}


def _read(store: CropStore, rng: np.random.Generator, chosen: pd.Series) -> np.ndarray:
    rows = rng.permutation(np.flatnonzero(chosen))[:_MOST]
    return load_images(store, rows, *_SIZE)


def _recoloured(images: np.ndarray, change: dict[str, float]) -> np.ndarray:
    jitter = ColourJitter(change["jitter"], change["contrast"], change["saturation"], change["hue"])
    draws = Draws(torch.Generator().manual_seed(0), len(images))
    return jitter(torch.from_numpy(images), draws).numpy()


def _colours(images: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation of each colour, [N, 6], of images [N, H, W, 3]."""
    pixels = images.reshape(len(images), -1, 3).astype(np.float32)
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)], axis=1)


def _changed(params: TrainParams, changes: dict[str, Any]) -> TrainParams:
    return replace(params, **changes, track=None)


def _run_arms(measure: Callable[[Path, TrainParams], dict[str, float]], params: TrainParams, options: Any) -> None:
    for seed in options.seeds:
        for arm in options.arms:
            with TemporaryDirectory(dir=options.folder) as folder:
                row = measure(Path(folder), _changed(params, {**ARMS[arm], "seed": seed}))
            print("\t".join([arm, str(seed), *(f"{name} {value:.3f}" for name, value in row.items())]), flush=True)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, default=Path("data/crops"))
    parser.add_argument("--generated", type=Path, default=Path("data/generated"))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--train", nargs="*", default=[], metavar="NAME=VALUE", help="changes of all arms")
    parser.add_argument("--folder", type=Path, default=None, help="folder for the models, which are deleted")
    parser.add_argument("--colours", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if options.colours:
        for name, distance in colour_distances(options.crops, options.generated).items():
            print(f"{name}: {distance:.1f}")
        return
    sections = yaml.safe_load(options.params.read_text())
    sections["train"] |= {name: yaml.safe_load(value) for name, value in (row.split("=") for row in options.train)}
    params = check_section(TrainParams, sections, "train", options.params)
    _run_arms(partial(measure_arm, options.crops, options.generated), params, options)


if __name__ == "__main__":
    main()
