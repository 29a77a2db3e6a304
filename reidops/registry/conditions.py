"""The conditions for a promotion beside the tracking score: ReID, export, latency, and the data.

The functions are pure. docs/promotion.md describes the conditions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """What is required of a champion; None switches a limit off.

    `max_loss` is the largest loss of mAP (0 … 1) against the champion on each test set. `max_latency_ratio` is the
    largest latency in multiples of the champion's. `allow_withdrawn` names sets that may be used although their
    authors withdrew them.
    """

    max_loss: float | None = None
    max_latency_ratio: float | None = None
    require_parity: bool = True
    require_valid_data: bool = True
    beat_histogram: bool = True
    allow_withdrawn: Collection[str] = ()


@dataclass(frozen=True)
class ModelFacts:
    """What the stages found about a model.

    `reid` and `histogram` map each test set to the mAP of the model and of the colour histogram. `max_difference` is
    the largest difference of an embedding value between torch and ONNX. `withdrawn` maps each used set that its authors
    withdrew to the reason. `transductive` are the scenes whose scored frames were used without labels.
    """

    reid: Mapping[str, float]
    histogram: Mapping[str, float]
    max_difference: float
    tolerance: float
    num_errors: int = 0
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    transductive: Sequence[str] = ()


@dataclass(frozen=True)
class RivalFacts:
    """The champion's mAP on the challenger's test sets and the latency of both, ms per crop; obstacles explain None."""

    version: str
    reid: Mapping[str, float] | None = None
    latency_ms: float | None = None
    own_latency_ms: float | None = None
    reid_obstacle: str = ""
    latency_obstacle: str = ""


@dataclass(frozen=True)
class Condition:
    """One condition with its figure; `found` and `required` are texts for readers, `param` is its switch."""

    name: str
    param: str
    found: str
    required: str
    met: bool
    value: float | None = None
    bound: float | None = None


def check_alone(facts: ModelFacts, limits: Limits) -> tuple[Condition, ...]:
    """Return the conditions that need no champion."""
    conditions = [_histogram(name, facts) for name in sorted(facts.histogram)] if limits.beat_histogram else []
    if limits.require_parity:
        conditions.append(_parity(facts))
    if limits.require_valid_data:
        conditions.append(_validation(facts))
    return (*conditions, *_withdrawn(facts, limits), *_transductive(facts))


def check_against(facts: ModelFacts, rival: RivalFacts, limits: Limits) -> tuple[Condition, ...]:
    """Return the conditions against the champion."""
    conditions: list[Condition] = []
    if limits.max_loss is not None:
        conditions += _losses(facts, rival, limits.max_loss)
    if limits.max_latency_ratio is not None:
        conditions.append(_latency(rival, limits.max_latency_ratio))
    return tuple(conditions)


def failure_text(conditions: Sequence[Condition]) -> str:
    """Return the conditions that are not met as text, "" if all are met."""
    return "; ".join(
        f"{condition.name}: {condition.found}, required is {condition.required} ({condition.param})"
        for condition in conditions
        if not condition.met
    )


def _histogram(name: str, facts: ModelFacts) -> Condition:
    own, other = facts.reid[name], facts.histogram[name]
    return Condition(
        f"mAP on {name} against the colour histogram",
        "register.beat_histogram",
        f"{own:.4f} against {other:.4f}",
        "a higher mAP",
        own > other,
        own - other,
        0.0,
    )


def _parity(facts: ModelFacts) -> Condition:
    return Condition(
        "parity of the ONNX model",
        "register.require_parity",
        f"a largest difference of {facts.max_difference:.2g}",
        f"at most {facts.tolerance:g}",
        facts.max_difference <= facts.tolerance,
        facts.max_difference,
        facts.tolerance,
    )


def _validation(facts: ModelFacts) -> Condition:
    return Condition(
        "data validation",
        "register.require_valid_data",
        f"{facts.num_errors} errors",
        "0 errors",
        facts.num_errors == 0,
        float(facts.num_errors),
        0.0,
    )


def _withdrawn(facts: ModelFacts, limits: Limits) -> list[Condition]:
    return [
        Condition(
            f"use of {name}",
            "register.allow_withdrawn",
            reason,
            "a set that is available, or its name in the param",
            name in limits.allow_withdrawn,
        )
        for name, reason in sorted(facts.withdrawn.items())
    ]


def _transductive(facts: ModelFacts) -> list[Condition]:
    if not facts.transductive:
        return []
    return [
        Condition(
            "adaptation to scored frames",
            "download.adapt_on_test_frames",
            f"tested or tracked frames were allowed in {', '.join(facts.transductive)}",
            "an adaptation to other frames",
            met=False,
        )
    ]


def _losses(facts: ModelFacts, rival: RivalFacts, max_loss: float) -> list[Condition]:
    required = f"a loss of at most {max_loss:g}"
    if rival.reid is None:
        found = f"the champion, version {rival.version}, has no mAP on these test sets: {rival.reid_obstacle}"
        return [Condition("mAP against the champion", "register.max_loss", found, required, met=False)]
    return [
        Condition(
            f"mAP on {name} against the champion",
            "register.max_loss",
            f"{own:.4f} against {rival.reid[name]:.4f} of version {rival.version}",
            required,
            rival.reid[name] - own <= max_loss,
            rival.reid[name] - own,
            max_loss,
        )
        for name, own in sorted(facts.reid.items())
        if name in rival.reid
    ]


def _latency(rival: RivalFacts, max_ratio: float) -> Condition:
    name, param, required = "latency", "register.max_latency_ratio", f"at most {max_ratio:g} times the champion's"
    if rival.latency_ms is None or rival.own_latency_ms is None:
        return Condition(name, param, f"not measured: {rival.latency_obstacle}", required, met=False)
    ratio = rival.own_latency_ms / rival.latency_ms
    found = (
        f"{rival.own_latency_ms:.2f} ms per crop, {ratio:.2f} times version {rival.version}'s {rival.latency_ms:.2f}"
    )
    return Condition(name, param, found, required, ratio <= max_ratio, ratio, max_ratio)
