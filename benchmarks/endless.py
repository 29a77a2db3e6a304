"""Run every tracker on a stream of 100,000 frames, and measure whether its state and the time of a frame grow.

    python benchmarks/endless.py

Groups of three people walk past and never return. The state is the size of the pickled tracker. Prints a Markdown
table, and exits with 1 if the largest state of a tracker is more than 1.3 times that after the first tenth.
"""

import argparse
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import supervision as sv

from reidops.tracking.constants import CONSTANTS
from reidops.tracking.trackers import TRACKERS, Tracker, new_tracker

PERIOD, VISIBLE, PEOPLE = 100, 8, 3  # frames from one group to the next, frames that a group is visible, its size
DIM = 8
GROWTH, SLACK = (
    1.3,
    2_000,
)  # largest allowed state: a factor, and bytes for tracks that are in view at the end of a tenth
Frame = tuple[sv.Detections, np.ndarray]


@dataclass(frozen=True)
class Stretch:
    """A tenth of the stream: bytes of the state at its end, CPU seconds, and number of tracks that were output."""

    state: int
    seconds: float
    num_tracks: int


def main() -> None:
    """Print a row per tracker; exit 1 if a state grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--trackers", nargs="+", choices=sorted(TRACKERS), default=list(TRACKERS))
    options = parser.parse_args()
    print("| tracker | tracks | bytes after the first and the last tenth | largest | CPU time, last ÷ first tenth |")
    print("|---|---|---|---|---|")
    grown = []
    for name in options.trackers:
        stretches = measure_stretches(new_tracker(name, None, CONSTANTS[name]()), options.frames)
        print(describe_row(name, stretches), flush=True)
        if not is_bounded(stretches):
            grown.append(name)
    if grown:
        sys.exit(f"endless: the state of {', '.join(grown)} grows")


def visits(num_frames: int, rng: np.random.Generator) -> Iterator[Frame]:
    """Yield boxes and embeddings of frames in which groups of people walk past once and never return."""
    empty = sv.Detections(xyxy=np.empty((0, 4)), confidence=np.empty(0)), np.empty((0, DIM), np.float32)
    for frame in range(num_frames):
        step = frame % PERIOD
        if step == 0:
            embeddings = rng.standard_normal((PEOPLE, DIM)).astype(np.float32)
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
            start = rng.uniform(0, 900, (PEOPLE, 2))
        if step < VISIBLE:
            left_top = start + (4 * step, 0)
            boxes = np.hstack([left_top, left_top + (40, 100)])
            yield sv.Detections(xyxy=boxes, confidence=np.full(PEOPLE, 0.9)), embeddings
        else:
            yield empty


def measure_stretches(tracker: Tracker, num_frames: int) -> list[Stretch]:
    """Return the ten tenths of a stream of `num_frames` frames."""
    stream, stretches = visits(num_frames, np.random.default_rng(0)), []
    for _ in range(10):
        tracks: set[int] = set()
        start = time.process_time()
        for _ in range(num_frames // 10):
            tracks.update(tracker.update(*next(stream)).tracker_id.tolist())
        stretches.append(Stretch(len(pickle.dumps(tracker)), time.process_time() - start, len(tracks)))
    return stretches


def is_bounded(stretches: list[Stretch]) -> bool:
    """Return whether no state is much larger than that after the first tenth."""
    return max(stretch.state for stretch in stretches) <= GROWTH * stretches[0].state + SLACK


def describe_row(name: str, stretches: list[Stretch]) -> str:
    """Return the row of a tracker in the Markdown table."""
    first, last = stretches[0], stretches[-1]
    return (
        f"| {name} | {sum(stretch.num_tracks for stretch in stretches):,} | {first.state:,}, {last.state:,} | "
        f"{max(stretch.state for stretch in stretches):,} | {last.seconds / first.seconds:.2f} |"
    )


if __name__ == "__main__":
    main()
