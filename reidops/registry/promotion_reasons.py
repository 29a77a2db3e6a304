"""Write the reasons of a promotion's decision: scores, intervals, numbers of units and remedies."""

from collections.abc import Mapping, Sequence

from reidops.registry.comparison import (
    Bench,
    Comparison,
    Rival,
    Rule,
    SeedSpread,
    TrackingResult,
)
from reidops.tracking.evaluation.arm_names import NO_APPEARANCE, RANDOM

_POINT = "set register.evidence: point, which decides by the difference alone"
_NAMES = {NO_APPEARANCE: "without appearance", RANDOM: "with random vectors"}
_CLAIMS = {NO_APPEARANCE: "help the tracker", RANDOM: "beat random vectors"}
_PARAMS = {NO_APPEARANCE: "register.require_gain", RANDOM: "register.beat_random"}


def control_failure(challenger: TrackingResult, controls: Sequence[Comparison], rule: Rule) -> str | None:
    """Return why the model does not beat a control that the rule requires, or None."""
    required = [
        against for against, needed in ((NO_APPEARANCE, rule.require_gain), (RANDOM, rule.beat_random)) if needed
    ]
    name = f"version {challenger.version}"
    if required and not challenger.uses_appearance:
        return (
            f"{name} cannot be shown to help: the tracker uses no embedding; choose an evaluate_tracking.tracker with "
            f"appearance, or set "
            f"{' and '.join(_PARAMS[against] for against in required)} to false"
        )
    found = {comparison.against: comparison for comparison in controls}
    for against in required:
        if against not in found:
            return (
                f"{name} has no scores of the same tracker {_NAMES[against]} to compare with; run `dvc repro -f "
                f"evaluate_tracking`"
            )
        if not found[against].met:
            return f"{name} is not shown to {_CLAIMS[against]}: {_control_figures(found[against], rule)}"
    return None


def _control_figures(comparison: Comparison, rule: Rule) -> str:
    return (
        f"{rule.score} {comparison.score:.4f} with the model, {comparison.other:.4f} {_NAMES[comparison.against]}: "
        f"{difference_text(comparison)}; {_shortfall(comparison, rule, f'0 ({_PARAMS[comparison.against]})')}"
    )


def champion_text(comparison: Comparison, differences: Mapping[str, float], rival: Rival, rule: Rule) -> str:
    """Return the comparison with the champion as text."""
    verb = "beats" if comparison.met else "is not shown to beat" if comparison.difference > 0 else "does not beat"
    again = ", scored again on the current benchmark" if rival.rescored else ""
    of_sequences = ", ".join(f"{name} {difference:+.4f}" for name, difference in differences.items())
    text = (
        f"{rule.score} {comparison.score:.4f} {verb} the champion's {comparison.other:.4f} (version "
        f"{rival.result.version}{again}): "
        f"{difference_text(comparison)} over the same {_sequences(len(differences))}, better on "
        f"{sum(d > 0 for d in differences.values())} "
        f"({of_sequences})"
    )
    if comparison.met:
        return text
    unknown = f"; the difference has no interval: {rival.obstacle}" if rival.obstacle and comparison.low is None else ""
    return f"{text}{unknown}; {_shortfall(comparison, rule, f'register.min_margin {rule.min_margin:g}')}"


def _shortfall(comparison: Comparison, rule: Rule, required: str) -> str:
    """Return the requirement that is not met, with the remedy if an interval is missing."""
    if rule.evidence == "point":
        return (
            f"a difference above {required} is required"
            if comparison.above == 0
            else f"a difference of at least {required} is required"
        )
    if comparison.low is not None:
        return f"a lower bound above {required} is required"
    few = (
        f"{comparison.units} {comparison.unit} are too few for an interval"
        if comparison.units
        else f"there is no interval of {rule.score}"
    )
    return f"a lower bound above {required} is required, but {few}: track more or longer sequences, or {_POINT}"


def controls_text(controls: Sequence[Comparison], score: str) -> str:
    """Return the differences from both controls as text; "" without controls."""
    found = {comparison.against: difference_text(comparison) for comparison in controls}
    clauses = [f"appearance adds {found[NO_APPEARANCE]} to this tracker's {score}"] if NO_APPEARANCE in found else []
    clauses += [f"the model's lead over random vectors is {found[RANDOM]}"] if RANDOM in found else []
    return "".join(f"; {clause}" for clause in clauses)


def seeds_text(seeds: SeedSpread) -> str:
    """Return the seed noise as text."""
    if seeds.std is None:
        return "; one training: seed noise is unknown (repeat_seeds.num)"
    use = "widens the intervals" if seeds.half_width else "is not used, 3 trainings are needed"
    return f"; seed noise of {seeds.num} trainings, standard deviation {seeds.std:.4f}, {use}"


def difference_text(comparison: Comparison) -> str:
    """Return a difference as text, with its interval and the number of units if they are known."""
    if comparison.low is None:
        return f"{comparison.difference:+.4f}" + (
            f" (no interval from {comparison.units} {comparison.unit})" if comparison.units else ""
        )
    return (
        f"{comparison.difference:+.4f} [{comparison.low:+.4f}, {comparison.high:+.4f}] ({comparison.units} "
        f"{comparison.unit})"
    )


def not_comparable(bench: Bench, rival: Rival) -> str:
    """Return why a champion of another benchmark stays: the difference, and why it was not scored again."""
    champion = rival.result
    return (
        f"not comparable with the champion (version {champion.version}): {bench_difference(bench, champion.bench)}. It "
        f"could not be scored again on the current benchmark: {rival.obstacle or 'there is no referee'}. The champion "
        "stays; correct the cause and run `dvc repro register`, or move the alias by hand"
    )


def bench_difference(ours: Bench, theirs: Bench) -> str:
    """Return the sequences, settings or code in which two benchmarks differ."""
    differences = []
    if dict(ours.sequences) != dict(theirs.sequences):
        differences.append(
            f"scored on {_names(ours)}, the champion on {_names(theirs)}{_changed(ours.sequences, theirs.sequences)}"
        )
    settings = sorted(set(ours.tracker) | set(theirs.tracker))
    pairs = [(name, ours.tracker.get(name), theirs.tracker.get(name)) for name in settings]
    changed = [f"{name} {our!r} against {their!r}" for name, our, their in pairs if our != their]
    if changed:
        differences.append(f"other tracker settings ({', '.join(changed)})")
    if ours.code != theirs.code:
        differences.append(
            f"other code that tracks and scores ({ours.code or 'not recorded'} against {theirs.code or 'not recorded'})"
        )
    return "; ".join(differences)


def _changed(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    changed = [name for name in sorted(set(ours) & set(theirs)) if ours[name] != theirs[name]]
    return f" (other frames or files: {', '.join(changed)})" if changed else ""


def _names(bench: Bench) -> str:
    return ", ".join(sorted(bench.sequences)) or "no sequence"


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count} sequences"
