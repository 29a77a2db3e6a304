"""Decide whether a challenger becomes champion, from scores and intervals on the same tracked sequences.

The functions are pure and access no store. docs/promotion.md describes the rule.
"""

from dataclasses import replace
from math import hypot, sqrt

from reidops.registry.comparison import (
    CHAMPION,
    SCORES,
    Bench,
    Bounds,
    Comparison,
    Decision,
    Evidence,
    Rival,
    Rule,
    Score,
    SeedSpread,
    TrackingResult,
    scored,
)
from reidops.registry.promotion_reasons import champion_text, control_failure, controls_text, not_comparable, seeds_text
from reidops.tracking.evaluation.arm_names import COMBINED, NO_APPEARANCE, RANDOM

__all__ = [
    "COMBINED",
    "SCORES",
    "Bench",
    "Bounds",
    "Decision",
    "Evidence",
    "Rival",
    "Rule",
    "Score",
    "SeedSpread",
    "TrackingResult",
    "decide_promotion",
]


def decide_promotion(
    challenger: TrackingResult, rival: Rival | None, rule: Rule, seeds: SeedSpread = SeedSpread()
) -> Decision:
    """Return the decision by the combined score on the same sequences.

    Without a champion (`rival`) the first model that passes the controls becomes champion. The reason ends with the
    differences from both controls, their intervals, and the seed noise.

    Args:
        seeds: seed noise that widens each interval, if there are enough trainings. The champion's is assumed equal.
    """
    score = scored(challenger.appearance, rule.score)
    if score is None:
        return Decision(False, f"version {challenger.version} has no combined {rule.score} to decide by", rule.evidence)
    controls = _controls(challenger, score, rule, seeds)
    so_far = Decision(False, "", rule.evidence, score, comparisons=controls, seeds=seeds)
    decision = _decide(challenger, score, rival, rule, so_far)
    ending = f"{controls_text(controls, rule.score)}{seeds_text(seeds)} (register.evidence: {rule.evidence})"
    return replace(decision, reason=decision.reason + ending)


def _decide(challenger: TrackingResult, score: float, rival: Rival | None, rule: Rule, so_far: Decision) -> Decision:
    """Return the decision; `so_far` has the comparisons with the controls."""
    name = f"version {challenger.version}"
    if rival is not None and rival.result.version == challenger.version:
        return replace(
            so_far,
            champion=True,
            reason=f"{name} is the champion already, {rule.score} {score:.4f}",
            champion_score=score,
        )
    failure = control_failure(challenger, so_far.comparisons, rule)
    if failure:
        return replace(so_far, reason=failure)
    if rival is None:
        return replace(
            so_far, champion=True, reason=f"there was no champion; {name} is the first, {rule.score} {score:.4f}"
        )
    if not challenger.uses_appearance:
        return replace(
            so_far,
            reason=f"{name} cannot beat the champion: the tracker uses no embedding, all models give the same tracks",
        )
    if rival.result.bench.digest != challenger.bench.digest:
        return replace(so_far, reason=not_comparable(challenger.bench, rival))
    return _compare(challenger, score, rival, rule, so_far)


def _compare(challenger: TrackingResult, score: float, rival: Rival, rule: Rule, so_far: Decision) -> Decision:
    """Compare two models on one benchmark."""
    other = scored(rival.result.appearance, rule.score)
    if other is None:
        return replace(
            so_far, reason=f"version {rival.result.version}, the champion, has no combined {rule.score} to compare with"
        )
    differences = paired_differences(challenger, rival.result, rule.score)
    lead = _widened(rival.lead, score - other, so_far.seeds, 2)
    comparison = _comparison(CHAMPION, score, other, lead, rule, above=rule.min_margin)
    return replace(
        so_far,
        champion=comparison.met,
        reason=champion_text(comparison, differences, rival, rule),
        champion_score=other,
        comparisons=(comparison, *so_far.comparisons),
        differences=differences,
        rescored=rival.rescored,
    )


def _controls(challenger: TrackingResult, score: float, rule: Rule, seeds: SeedSpread) -> tuple[Comparison, ...]:
    """Return the comparisons with the available controls, including those that the rule does not require."""
    if not challenger.uses_appearance:
        return ()
    arms = (
        (NO_APPEARANCE, challenger.no_appearance, challenger.over_no_appearance),
        (RANDOM, challenger.random, challenger.over_random),
    )
    others = ((against, scored(arm, rule.score), bounds.get(rule.score)) for against, arm, bounds in arms)
    return tuple(
        _comparison(against, score, other, _widened(bounds, score - other, seeds, 1), rule, above=0.0)
        for against, other, bounds in others
        if other is not None
    )


def _widened(bounds: Bounds | None, difference: float, seeds: SeedSpread, num_trained: int) -> Bounds | None:
    """Return the interval widened by seed noise; both are independent, so the squares of their half widths are summed.

    Args:
        num_trained: number of trained models among the two sides, 1 or 2.
    """
    if bounds is None or bounds.low is None or bounds.high is None or seeds.half_width == 0:
        return bounds
    noise = sqrt(num_trained) * seeds.half_width
    return Bounds(
        difference - hypot(difference - bounds.low, noise),
        difference + hypot(bounds.high - difference, noise),
        bounds.units,
        bounds.unit,
    )


def _comparison(
    against: str, score: float, other: float, bounds: Bounds | None, rule: Rule, *, above: float
) -> Comparison:
    difference, known = score - other, bounds or Bounds(None, None, 0)
    if rule.evidence == "interval":
        met = known.low is not None and known.low > above
    else:
        met = difference > 0 and difference >= above
    return Comparison(against, score, other, difference, known.low, known.high, known.units, above, met, known.unit)


def paired_differences(challenger: TrackingResult, champion: TrackingResult, score: Score) -> dict[str, float]:
    """Return challenger minus champion for each sequence with scores of both, sorted by name."""
    pairs = {
        name: (scored(challenger.appearance, score, name), scored(champion.appearance, score, name))
        for name in sorted(challenger.appearance)
        if name != COMBINED
    }
    return {name: a - b for name, (a, b) in pairs.items() if a is not None and b is not None}
