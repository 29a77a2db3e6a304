"""The effect of the ReID model on the tracker: all arms, with differences and confidence intervals.

- differences: each arm minus the tracker without appearance, combined and for each sequence. `interval` is over the
  units that suit the score, people or windows; `over_windows` and `over_sequences` use other units (`bootstrap.py`).
  The copies of a video for several detectors count as one.
- over_random: the model minus random embeddings. Some trackers gain from any vectors, so the model's own effect is the
  gain over both controls.
- headroom: (model − control) / (oracle − control) of combined scores, with the better of the two controls.
- decided: the share of associations that appearance decided, and the number that it reordered (`decided.py`).
"""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Any

from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, ORACLE, RANDOM
from reidops.tracking.evaluation.arm_results import ArmResult, by_arm
from reidops.tracking.evaluation.bootstrap import (
    LEVEL,
    OF_PEOPLE,
    PEOPLE,
    WINDOWS,
    Interval,
    LeaveOneOut,
    best_intervals,
    over_sequences,
    over_windows,
)
from reidops.tracking.evaluation.decided import Decided
from reidops.tracking.evaluation.rivals import add_copies
from reidops.tracking.evaluation.windows import WINDOW_SCORES

HEADROOM_SCORES = ("IDF1", "HOTA", "AssA", "MOTA")
NO_GAIN_POSSIBLE = "this tracker uses no embeddings: it has one arm, and no model can help it"
# The name of a control in a sentence.
CONTROLS = {NO_APPEARANCE: "without appearance", RANDOM: "with random embeddings"}

Tree = Mapping[str, Mapping[str, Mapping[str, float]]]  # arm → sequence → score


def prove(arms: Rows[ArmResult], tree: Tree, window: int = 30) -> dict[str, Any]:
    """Return the content of proof.json.

    Args:
        tree: the reported scores, see `arm_results.score_tree`.
        window: frames of a window.
    """
    ran = by_arm(arms)
    proof: dict[str, Any] = {"arms": {arm: {name: tree[arm][COMBINED][name] for name in WINDOW_SCORES} for arm in ran}}
    if APPEARANCE not in ran:
        return proof | {"uses_appearance": False, "reason": NO_GAIN_POSSIBLE}
    counted = {arm: _Counted.of(results, window) for arm, results in ran.items()}
    videos = counted[NO_APPEARANCE].videos
    return proof | {
        "uses_appearance": True,
        "headroom": {name: headroom(proof["arms"], name) for name in HEADROOM_SCORES},
        "differences": {arm: _differences(arm, NO_APPEARANCE, counted, tree) for arm in ran if arm != NO_APPEARANCE},
        "over_random": _differences(APPEARANCE, RANDOM, counted, tree),
        "decided": _decided(ran[APPEARANCE]),
        # `resamples` and `seed` are constant: the jackknife draws nothing. Earlier readers expect them.
        "bootstrap": {
            "level": LEVEL,
            "window_frames": window,
            "num_windows": sum(map(len, videos)),
            "num_sequences": len(videos),
            "resamples": 0,
            "seed": 0,
        },
    }


def headroom(combined: Mapping[str, Mapping[str, float]], score: str) -> dict[str, Any]:
    """Return the model's share of the oracle's gain over the better control, and the name of that control.

    The share is None, with the reason, if the oracle gains nothing.
    """
    control = max((NO_APPEARANCE, RANDOM), key=lambda arm: combined[arm][score])
    base, model, oracle = (combined[arm][score] for arm in (control, APPEARANCE, ORACLE))
    if oracle > base:
        return {"share": (model - base) / (oracle - base), "control": control}
    reason = (
        f"the oracle's {score} {oracle:.3f} is not above {base:.3f} {CONTROLS[control]}: there is nothing to gain here"
    )
    return {"share": None, "control": control, "reason": reason}


@dataclass(frozen=True)
class _Counted:
    """One arm's counts of each sequence, by name, and of each video."""

    sequences: dict[str, LeaveOneOut]
    videos: list[LeaveOneOut]

    @classmethod
    def of(cls, results: Rows[ArmResult], window: int) -> "_Counted":
        """Return the counts of an arm's results; the copies of a video (MOT17's detectors) are added up.

        Args:
            window: length of the windows of the intervals, frames.
        """
        sequences = {result.sequence: LeaveOneOut.of(result.of_frames, window) for result in results}
        return cls(
            sequences,
            list(
                add_copies(
                    (result.sequence, len(result.of_frames), sequences[result.sequence]) for result in results
                ).values()
            ),
        )


def _differences(arm: str, control: str, counted: Mapping[str, _Counted], tree: Tree) -> dict[str, dict[str, Any]]:
    """Return sequence (and `combined`) → score → difference between two arms and its intervals."""
    ours, theirs = counted[arm], counted[control]
    sides = {name: ([ours.sequences[name]], [theirs.sequences[name]]) for name in ours.sequences} | {
        COMBINED: (ours.videos, theirs.videos)
    }
    return {name: _difference(tree[arm][name], tree[control][name], *pair) for name, pair in sides.items()}


def _difference(
    scores: Mapping[str, float], control: Mapping[str, float], ours: Rows[LeaveOneOut], theirs: Rows[LeaveOneOut]
) -> dict[str, dict[str, Any]]:
    best, windows, sequences = (method(ours, theirs) for method in (best_intervals, over_windows, over_sequences))
    num_units = {PEOPLE: sum(len(video.without_people) for video in ours), WINDOWS: sum(map(len, ours))}
    return {
        score: {
            "difference": scores[score] - control[score],
            "interval": _pair(best[score]),
            "unit": (unit := PEOPLE if score in OF_PEOPLE else WINDOWS),
            "num_units": num_units[unit],
            "over_windows": _pair(windows[score]),
            "num_windows": num_units[WINDOWS],
            "over_sequences": _pair(sequences[score]),
            "num_sequences": len(ours),
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
