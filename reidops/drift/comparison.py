"""Compare new scenes with a reference: is each statistic where a new unit of the same kind would be?

A frame is not a unit, because frames of a scene are alike. The units are scenes (or stretches of scenes), and a new
unit of the same kind is expected in the prediction interval of Student's t with as many degrees of freedom as the
reference has units, less one. The energy distance between embeddings is calibrated likewise, on the distance of each
unit of the reference from the others.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from reidops.drift.observations import Observations
from reidops.drift.reference import Reference
from reidops.drift.statistics import DISTANCES, SCALARS, distance_statistics, scalar_statistics
from reidops.errors import ReidopsError

ALPHA = 0.05
"""Probability of at least one false alarm in a comparison; the bound of each statistic is ALPHA ÷ their number."""

_LEAST_SPREAD = 1e-6  # of a statistic that is the same in all units


@dataclass(frozen=True)
class Finding:
    """One statistic: its value in the new scenes and its mean and standard deviation over the reference's units."""

    name: str
    meaning: str
    value: float
    reference_mean: float
    reference_std: float
    p_value: float
    is_drift: bool

    @property
    def deviations(self) -> float:
        """Return the distance from the reference's mean in standard deviations."""
        return (self.value - self.reference_mean) / max(self.reference_std, _LEAST_SPREAD)


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison, with the statistics that moved the most first."""

    findings: tuple[Finding, ...]
    scenes: tuple[str, ...]
    num_boxes: int
    reference_units: tuple[str, ...]
    reference_kind: str
    alpha: float

    @property
    def is_drift(self) -> bool:
        """Return whether a statistic is beyond its bound."""
        return any(finding.is_drift for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of drift.json."""
        return {**asdict(self), "is_drift": self.is_drift}


def compare(scenes: Sequence[Observations], reference: Reference, *, alpha: float = ALPHA) -> Comparison:
    """Return how new scenes differ from the reference.

    Raises:
        ReidopsError: there are no scenes, or their embeddings have another length.
    """
    if not scenes:
        raise ReidopsError("there is no scene to compare with the reference")
    dim = reference.embeddings[0].shape[1]
    if scenes[0].embeddings.shape[1] != dim:
        raise ReidopsError(f"the embeddings have {scenes[0].embeddings.shape[1]} values, the reference's have {dim}")
    rows = [
        scalar_statistics(scene, reference.gate) | distance_statistics(scene.embeddings, reference.embeddings)
        for scene in scenes
    ]
    meanings = SCALARS | DISTANCES
    findings = [
        _finding(name, [row[name] for row in rows], reference.statistics[name], alpha / len(meanings))
        for name in meanings
    ]
    return Comparison(
        tuple(sorted(findings, key=lambda finding: finding.p_value)),
        tuple(scene.scene for scene in scenes),
        sum(map(len, scenes)),
        reference.units,
        reference.kind,
        alpha,
    )


def _finding(name: str, values: Sequence[float], of_reference: np.ndarray, bound: float) -> Finding:
    known, new = of_reference[np.isfinite(of_reference)], np.array(values)[np.isfinite(values)]
    meaning = (SCALARS | DISTANCES)[name]
    if len(known) < 2 or not len(new):
        return Finding(name, meaning, 0.0, 0.0, 0.0, 1.0, is_drift=False)
    mean, std = float(known.mean()), float(known.std(ddof=1))
    # The mean of `n` new units around the mean of the reference's units. Stretches of one scene are alike, so that new
    # scenes count as units only where the reference's units are scenes, and one scene is one unit in both cases.
    error = max(std, _LEAST_SPREAD) * np.sqrt(1 / len(new) + 1 / len(known))
    t = float((new.mean() - mean) / error)
    tail = stats.t.sf(t if name in DISTANCES else abs(t), len(known) - 1)
    p_value = float(tail if name in DISTANCES else 2 * tail)
    return Finding(name, meaning, float(new.mean()), mean, std, p_value, is_drift=p_value < bound)
