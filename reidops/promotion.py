"""Champion or not: two models compared on the same tracked sequences, paired sequence by sequence.

Pure: it knows scores, not where they are kept.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Score = Literal["IDF1", "HOTA", "MOTA", "AssA", "DetA"]
SCORES: tuple[Score, ...] = ("IDF1", "HOTA", "MOTA", "AssA", "DetA")
"""The tracking scores that can decide; all are better when higher."""

COMBINED = "combined"


@dataclass(frozen=True)
class Bench:
    """What a score was taken on: two scores compare only when this is equal.

    `sequences` maps each tracked sequence to what makes it the same one (frames, digests of its files);
    `tracker` holds the settings of the tracker that used the embeddings.
    """

    sequences: Mapping[str, str]
    tracker: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Return 12 hexadecimal digits that are equal for equal benches."""
        text = json.dumps([dict(self.sequences), dict(self.tracker)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class TrackingResult:
    """One model's tracking scores on a bench.

    `appearance` and `no_appearance` map a sequence, and `combined`, to its scores (fractions 0 … 1 and counts); they are the same
    where the tracker looks at no embedding (`uses_appearance`). `gains` maps a score to the 95 % interval of what appearance adds to
    the combined one, low and high. `run_id` names the run that holds the files of this evaluation.
    """

    version: str
    bench: Bench
    appearance: Mapping[str, Mapping[str, float]]
    no_appearance: Mapping[str, Mapping[str, float]]
    gains: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    uses_appearance: bool = True
    run_id: str = ""


@dataclass(frozen=True)
class Rule:
    """What a challenger has to do.

    `score` decides, the combined one over all sequences; it has to be better than the champion's and by at least `min_margin`
    (0 … 1); with `require_gain` the model also has to beat the same tracker without appearance.
    """

    score: Score = "IDF1"
    min_margin: float = 0.0
    require_gain: bool = True


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, and why in a sentence.

    `differences` holds challenger minus champion for each sequence where both were scored on one bench, `lead` the 95 % interval of
    the combined difference over windows of these sequences, low and high, where it is known.
    """

    champion: bool
    reason: str
    score: float | None = None
    champion_score: float | None = None
    differences: Mapping[str, float] | None = None
    lead: tuple[float, float] | None = None


def decide_promotion(
    challenger: TrackingResult, champion: TrackingResult | None, rule: Rule, lead: tuple[float, float] | None = None
) -> Decision:
    """Decide by the combined score on the same sequences; without a champion the first model that helps the tracker becomes it.

    The reason ends with what appearance adds on these sequences, and how sure that is.

    Args:
        lead: 95 % interval of the challenger's combined score less the champion's, told beside the difference.
    """
    decision = _decide(challenger, champion, rule, lead)
    return replace(decision, reason=decision.reason + _told_gain(challenger, rule.score))


def _decide(challenger: TrackingResult, champion: TrackingResult | None, rule: Rule, lead: tuple[float, float] | None) -> Decision:
    score = _scored(challenger.appearance, rule.score)
    if score is None:
        return Decision(False, f"{_name(challenger)} has no combined {rule.score} to be judged by")
    hindrance = _no_gain(challenger, score, rule) if rule.require_gain else None
    if hindrance:
        return Decision(False, hindrance, score=score)
    if champion is None:
        return Decision(True, f"there was no champion; {_name(challenger)} is the first, {rule.score} {score:.4f}", score=score)
    if champion.version == challenger.version:
        return Decision(True, f"{_name(challenger)} is the champion already, {rule.score} {score:.4f}", score, score)
    if champion.bench.digest != challenger.bench.digest:
        return Decision(False, _not_comparable(challenger.bench, champion), score=score)
    return _compare(challenger, champion, score, rule, lead)


def _compare(challenger: TrackingResult, champion: TrackingResult, score: float, rule: Rule, lead: tuple[float, float] | None) -> Decision:
    """Compare two models on one bench."""
    other = _scored(champion.appearance, rule.score)
    if other is None:
        return Decision(False, f"{_name(champion)}, the champion, has no combined {rule.score} to compare with", score=score)
    differences = paired_differences(challenger, champion, rule.score)
    margin = score - other
    wins = margin > 0 and margin >= rule.min_margin
    verb = "beats" if wins else "does not beat"
    asked = f" by the {rule.min_margin:g} asked for" if rule.min_margin and not wins else ""
    reason = (
        f"{rule.score} {score:.4f} {verb} the champion's (version {champion.version}) {other:.4f}{asked}: {margin:+.4f}{_interval(lead)} over the same "
        f"{_sequences(len(differences))}, better on {sum(d > 0 for d in differences.values())} "
        f"({', '.join(f'{name} {d:+.4f}' for name, d in differences.items())})"
    )
    return Decision(wins, reason, score, other, differences, lead)


def paired_differences(challenger: TrackingResult, champion: TrackingResult, score: Score) -> dict[str, float]:
    """Return challenger minus champion for each sequence that both were scored on, in the order of their names."""
    pairs = {
        name: (_scored(challenger.appearance, score, name), _scored(champion.appearance, score, name))
        for name in sorted(challenger.appearance) if name != COMBINED
    }
    return {name: a - b for name, (a, b) in pairs.items() if a is not None and b is not None}


def _no_gain(challenger: TrackingResult, score: float, rule: Rule) -> str | None:
    """Return why appearance did not help, None when it did."""
    if not challenger.uses_appearance:
        return (
            f"{_name(challenger)} cannot be shown to help: the tracker looks at no embedding (register.require_gain asks for a gain; choose "
            "an evaluate_tracking.tracker with appearance)"
        )
    control = _scored(challenger.no_appearance, rule.score)
    if control is None:
        return f"{_name(challenger)} has no control arm to beat (the same tracker without appearance)"
    if score > control:
        return None
    return (
        f"{_name(challenger)} does not help the tracker: {rule.score} {score:.4f} with appearance, {control:.4f} without "
        "(register.require_gain asks for a gain)"
    )


def _told_gain(result: TrackingResult, score: str) -> str:
    """Return what appearance adds to a score, with its interval where it is known; empty where there is no control to compare with."""
    ours, control = _scored(result.appearance, score), _scored(result.no_appearance, score)
    if ours is None or control is None or not result.uses_appearance:
        return ""
    return f"; appearance adds {ours - control:+.4f}{_interval(result.gains.get(score))} to this tracker's {score}"


def _interval(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else " [{:+.4f}, {:+.4f}]".format(*bounds)


def _not_comparable(bench: Bench, champion: TrackingResult) -> str:
    return (
        f"not comparable with the champion (version {champion.version}): {_bench_difference(bench, champion.bench)}. The champion stays; "
        "register the champion's own result on this bench first, or move the alias by hand"
    )


def _bench_difference(ours: Bench, theirs: Bench) -> str:
    """Name the sequences or settings in which two benches differ."""
    parts = []
    if dict(ours.sequences) != dict(theirs.sequences):
        parts.append(f"scored on {_names(ours)}, the champion on {_names(theirs)}{_changed(ours.sequences, theirs.sequences)}")
    settings = sorted(set(ours.tracker) | set(theirs.tracker))
    changed = [f"{s} {ours.tracker.get(s)!r} against {theirs.tracker.get(s)!r}" for s in settings if ours.tracker.get(s) != theirs.tracker.get(s)]
    if changed:
        parts.append(f"other tracker settings ({', '.join(changed)})")
    return "; ".join(parts)


def _changed(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    changed = [name for name in sorted(set(ours) & set(theirs)) if ours[name] != theirs[name]]
    return f" (other frames or files: {', '.join(changed)})" if changed else ""


def _names(bench: Bench) -> str:
    return ", ".join(sorted(bench.sequences)) or "no sequence"


def _scored(arm: Mapping[str, Mapping[str, float]], score: str, sequence: str = COMBINED) -> float | None:
    """Return a score of one arm, None where it is missing or not a number."""
    value = arm.get(sequence, {}).get(score)
    return None if value is None or math.isnan(value) else float(value)


def _name(result: TrackingResult) -> str:
    return f"version {result.version}"


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count} sequences"
