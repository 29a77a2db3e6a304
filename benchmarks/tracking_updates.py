"""Measure frames/s of tracker updates without embeddings, compared with the package `trackers`."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import supervision as sv
from drawn_tracks import draw_frames
from measured import Measured
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker

from reidops.tracking.trackers import TRACKERS

NUM_DETECTIONS = 30  # in a frame
GOAL = 500  # frames/s
RIVALS: dict[str, Callable[[], Any]] = {
    "sort": SORTTracker,
    "bytetrack": ByteTrackTracker,
    "ocsort": OCSORTTracker,
    "botsort": lambda: BoTSORTTracker(enable_cmc=False),
}


def measure(num_frames: int, num_passes: int) -> list[Measured]:
    """Return one row per tracker, of both packages, in frames per CPU second; best of alternating passes."""
    frames = draw_frames(num_frames, NUM_DETECTIONS, np.random.default_rng(0))
    arms = {name: lambda start=start: start().update for name, start in TRACKERS.items()}
    arms |= {f"{name} of trackers": lambda start=start: start().update for name, start in RIVALS.items()}
    rates = dict.fromkeys(arms, 0.0)
    for _ in range(num_passes):
        for name, start in arms.items():
            rates[name] = max(rates[name], _rate(start(), frames))
    own = [_own_row(name, rates[name]) for name in TRACKERS]
    return own + [_rival_row(name, rates[name], rates[f"{name} of trackers"]) for name in RIVALS if name in TRACKERS]


def _rate(update: Callable[[sv.Detections], sv.Detections], frames: list[sv.Detections]) -> float:
    start = time.process_time()
    for detections in frames:
        update(detections)
    return len(frames) / (time.process_time() - start)


def _own_row(name: str, rate: float) -> Measured:
    return Measured(
        f"{name}: update without embeddings, {NUM_DETECTIONS} detections",
        f"≥ {GOAL} frames/s",
        f"{rate:,.0f} frames/s",
        rate >= GOAL,
    )


def _rival_row(name: str, rate: float, rival: float) -> Measured:
    return Measured(
        f"{name} against the `trackers` package's, {rival:,.0f} frames/s",
        "not slower",
        f"{rate / rival:.2f} ×",
        rate >= rival,
    )
