"""What the ReID model is worth to the tracker: the arms beside each other, in figures that can be doubted with method.

- headroom: (appearance − no_appearance) / (oracle − no_appearance), of combined scores, where the oracle is better than the control.
- differences: each arm less the control, combined and for each sequence, with bootstrap intervals (`bootstrap.py`) of what windows of
  the sequences add to the scores (`windows.py`). The copies of a video for several detectors are drawn together.
- decided: the share of associations that appearance decided, and the number that it reordered (`decided.py`).
"""

from collections.abc import Mapping, Sequence as Rows
from dataclasses import dataclass
from typing import Any

import numpy as np

from reidops.tracking.arms import APPEARANCE, NO_APPEARANCE, ORACLE
from reidops.tracking.bootstrap import LEVEL, Interval, over_sequences, over_windows
from reidops.tracking.decided import Decided
from reidops.tracking.evaluation import COMBINED, ArmResult, by_arm
from reidops.tracking.windows import WINDOW_SCORES, window_counts, windows_by_video

HEADROOM_SCORES = ("IDF1", "HOTA", "AssA", "MOTA")
NO_GAIN_POSSIBLE = "this tracker looks at no embedding: it has one arm, and no model can help it"

Tree = Mapping[str, Mapping[str, Mapping[str, float]]]  # arm → sequence → score


@dataclass(frozen=True)
class Draws:
    """How a bootstrap draws: windows of about `window` frames, `resamples` times, from a seed."""

    window: int = 30
    resamples: int = 1000
    seed: int = 0


def prove(arms: Rows[ArmResult], tree: Tree, draws: Draws = Draws()) -> dict[str, Any]:
    """Return everything about the arms that proof.json holds.

    Args:
        tree: the reported scores, see `evaluation.score_tree`.
    """
    ran = by_arm(arms)
    proof: dict[str, Any] = {"arms": {arm: {name: tree[arm][COMBINED][name] for name in WINDOW_SCORES} for arm in ran}}
    if APPEARANCE not in ran:
        return proof | {"uses_appearance": False, "reason": NO_GAIN_POSSIBLE}
    control = ran.pop(NO_APPEARANCE)
    videos = _by_video(control, draws.window)
    return proof | {
        "uses_appearance": True,
        "headroom": {name: headroom(proof["arms"], name) for name in HEADROOM_SCORES},
        "differences": {arm: _differences(arm, results, control, tree, draws) for arm, results in ran.items()},
        "decided": _decided(ran[APPEARANCE]),
        "bootstrap": {"level": LEVEL, "window_frames": draws.window, "resamples": draws.resamples, "seed": draws.seed,
                      "num_windows": sum(map(len, videos)), "num_sequences": len(videos)},
    }  # fmt: skip


def headroom(combined: Mapping[str, Mapping[str, float]], score: str) -> dict[str, Any]:
    """Return the share of what the oracle gains that the model gains; None with the reason where the oracle gains nothing."""
    none, model, oracle = (combined[arm][score] for arm in (NO_APPEARANCE, APPEARANCE, ORACLE))
    if oracle > none:
        return {"share": (model - none) / (oracle - none)}
    reason = f"the oracle's {score} {oracle:.3f} is not above {none:.3f} without appearance: there is nothing to gain here"
    return {"share": None, "reason": reason}


def _differences(arm: str, results: Rows[ArmResult], control: Rows[ArmResult], tree: Tree, draws: Draws) -> dict[str, dict[str, Any]]:
    """Return sequence (and `combined`) → score → difference to the control and its intervals."""
    ours, theirs = ([window_counts(result.of_frames, draws.window) for result in side] for side in (results, control))
    names = [result.sequence for result in results]
    rows = {name: _difference(arm, name, [a], [b], tree, draws) for name, a, b in zip(names, ours, theirs, strict=True)}
    ours, theirs = (_by_video(side, draws.window) for side in (results, control))
    return rows | {COMBINED: _difference(arm, COMBINED, ours, theirs, tree, draws)}


def _by_video(results: Rows[ArmResult], length: int) -> list[np.ndarray]:
    return list(windows_by_video(((result.sequence, result.of_frames) for result in results), length).values())


def _difference(arm: str, sequence: str, ours: list[np.ndarray], theirs: list[np.ndarray], tree: Tree, draws: Draws) -> dict[str, Any]:
    settings = {"resamples": draws.resamples, "seed": draws.seed}
    windows, sequences = over_windows(ours, theirs, **settings), over_sequences(ours, theirs, **settings) or {}
    return {
        score: {
            "difference": tree[arm][sequence][score] - tree[NO_APPEARANCE][sequence][score],
            "over_windows": _pair(windows[score]),
            "over_sequences": _pair(sequences.get(score)),
        }
        for score in WINDOW_SCORES
    }


def _decided(results: Rows[ArmResult]) -> dict[str, dict[str, float]]:
    counted = {result.sequence: result.decided for result in results}
    counted[COMBINED] = sum(counted.values(), Decided())
    return {
        name: {"pairs": of.num_pairs, "decided": of.num_decided, "share": of.share, "reordered": of.num_reordered}
        for name, of in counted.items()
    }


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
