"""Measure the false-alarm rate of `reidops drift` and what it finds, on synthetic streets of other seeds.

    python benchmarks/drift.py --model data/export --streets FOLDER --draw 101 102 103 104

Draws the streets of each seed (minutes on two cores) below FOLDER unless they are there. Every set of six streets is a
reference once; every single street of the other seeds is compared with it, as drawn and with changed frames.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from reidops.boxes.box_crops import read_frame
from reidops.drift import observations
from reidops.drift.comparison import compare
from reidops.drift.observations import Observations
from reidops.drift.reference import make_reference
from reidops.drift.scenes import observe_sequences
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic
from reidops.serving.onnx_embedder import OnnxEmbedder

GATE = 0.5
Change = Callable[[np.ndarray], np.ndarray]


def at_night(picture: np.ndarray) -> np.ndarray:
    """Return a picture with a quarter of the light, bluish."""
    return (picture * np.array([0.35, 0.25, 0.2])).astype(np.uint8)


def other_camera(picture: np.ndarray) -> np.ndarray:
    """Return a picture of a camera with a soft lens, a warm white balance and low contrast."""
    soft = cv2.GaussianBlur(picture, (0, 0), 2.5)
    return np.clip(soft * np.array([0.6, 0.75, 0.9]) + 70, 0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "the same kind": lambda picture: picture,
    "at night": at_night,
    "another camera": other_camera,
}


def main() -> None:
    """Print how many comparisons of each kind are drift, with one new street and with three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/export"))
    parser.add_argument("--streets", type=Path, required=True)
    parser.add_argument("--draw", type=int, nargs="+", required=True, metavar="SEED")
    options = parser.parse_args()
    embedder = OnnxEmbedder(options.model)
    for seed in options.draw:
        draw(options.streets / str(seed), seed)
    folders = {seed: options.streets / str(seed) for seed in options.draw}
    observed = {
        name: {seed: observe_changed(folder, embedder, change) for seed, folder in folders.items()}
        for name, change in CHANGES.items()
    }
    print_rates(observed, embedder.weights_sha256)


def draw(folder: Path, seed: int) -> None:
    """Draw the streets of a seed with one detector, unless they are there."""
    if (folder / "train").is_dir():
        return
    write_synthetic(folder, SyntheticParams(seed=seed))
    for copy in [*folder.rglob("*-DPM"), *folder.rglob("*-SDP")]:
        shutil.rmtree(copy)


def observe_changed(folder: Path, embedder: OnnxEmbedder, change: Change) -> list[Observations]:
    """Return the observations of a data set whose frames are changed when they are read."""
    with mock.patch.object(observations, "read_frame", lambda *arguments: change(read_frame(*arguments))):
        return observe_sequences([folder], embedder)


def print_rates(observed: dict[str, dict[int, list[Observations]]], weights_sha256: str) -> None:
    """Print one row per kind: drift in comparisons of one street and of three, and the statistics that moved."""
    plain = observed["the same kind"]
    references = {seed: make_reference(scenes, GATE, weights_sha256) for seed, scenes in plain.items()}
    for name, of_seeds in observed.items():
        counts: Counter[int] = Counter()
        totals: Counter[int] = Counter()
        moved: Counter[str] = Counter()
        for known, reference in references.items():
            for seed, scenes in of_seeds.items():
                for size in (1, 3) if seed != known else ():
                    for start in range(0, len(scenes), size):
                        comparison = compare(scenes[start : start + size], reference)
                        totals[size] += 1
                        counts[size] += comparison.is_drift
                        moved.update(finding.name for finding in comparison.findings if finding.is_drift)
        rates = ", ".join(f"{size} street(s) {counts[size]} of {totals[size]}" for size in totals)
        print(f"{name}: drift in {rates}; {dict(moved.most_common(5))}")


if __name__ == "__main__":
    main()
