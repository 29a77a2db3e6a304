"""The values of a promotion: a model's scores on a benchmark, the rule, the comparisons and the decision."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reidops.registry.conditions import Condition
from reidops.tracking.evaluation.arm_names import COMBINED

Score = Literal["IDF1", "HOTA", "MOTA", "AssA", "DetA"]
SCORES: tuple[Score, ...] = ("IDF1", "HOTA", "MOTA", "AssA", "DetA")
"""The tracking scores that a rule can use; higher is better."""

Evidence = Literal["interval", "point"]
CHAMPION = "champion"
"""The name of a comparison with the champion; the other comparisons have the names of the control arms."""


@dataclass(frozen=True)
class Bench:
    """The benchmark of a score; only scores of equal benchmarks are comparable.

    `sequences` maps each tracked sequence to its content (frames, digests of its files). `tracker` holds the settings
    of the tracker. `code` is the digest of the code that tracks and scores, "" if it was not recorded.
    """

    sequences: Mapping[str, str]
    tracker: Mapping[str, Any]
    code: str = ""

    @property
    def digest(self) -> str:
        """Return a content hash of 12 hexadecimal digits."""
        text = json.dumps([dict(self.sequences), dict(self.tracker), self.code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Bounds:
    """The 95 % confidence interval of a difference, over people or windows; `low` and `high` are None for too few."""

    low: float | None
    high: float | None
    units: int
    unit: str = "windows"


@dataclass(frozen=True)
class TrackingResult:
    """One model's tracking scores on a benchmark.

    `appearance`, `no_appearance` and `random` (random vectors) are ablation arms. Each maps a sequence, and `combined`,
    to its scores (fractions 0 … 1 and counts). The first two are equal if the tracker uses no embedding
    (`uses_appearance`). `over_no_appearance` and `over_random` map a score to the interval of the model's combined
    score minus the control's. `run_id` is the run with the files of this evaluation. `reid` maps each test set to the
    mAP, and `reid_bench` is the digest of the test crops and the settings of the ranking.
    """

    version: str
    bench: Bench
    appearance: Mapping[str, Mapping[str, float]]
    no_appearance: Mapping[str, Mapping[str, float]]
    random: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    over_no_appearance: Mapping[str, Bounds] = field(default_factory=dict)
    over_random: Mapping[str, Bounds] = field(default_factory=dict)
    uses_appearance: bool = True
    run_id: str = ""
    reid: Mapping[str, float] = field(default_factory=dict)
    reid_bench: str = ""


@dataclass(frozen=True)
class Rule:
    """The conditions for a promotion.

    `score` is the combined score over all sequences. With the evidence `interval` the lower bound of a difference is
    compared, with `point` the difference itself. The difference from the champion must be above `min_margin` (0 … 1).
    With `require_gain` the difference from the same tracker without appearance must be above 0, with `beat_random` that
    from the same tracker with random vectors.
    """

    score: Score = "IDF1"
    min_margin: float = 0.0
    require_gain: bool = True
    beat_random: bool = True
    evidence: Evidence = "interval"


@dataclass(frozen=True)
class Comparison:
    """One condition of the rule: the model's combined score minus that of `against`, with its interval.

    It is `met` if `low` (evidence `interval`) or `difference` (evidence `point`) is above `above`.
    """

    against: str
    score: float
    other: float
    difference: float
    low: float | None
    high: float | None
    units: int
    above: float
    met: bool
    unit: str = "windows"


@dataclass(frozen=True)
class SeedSpread:
    """The spread of a combined score over `num` trainings that differ only in their seed.

    `std` is the standard deviation, None for one training. `half_width` is the half width of a 95 % interval of one
    training's score: the quantile of Student's distribution times `std`, or 0 for too few trainings.
    """

    num: int = 1
    std: float | None = None
    half_width: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, by which evidence, and the reason in a sentence.

    `comparisons` holds the evaluated conditions. `differences` maps each sequence to challenger minus champion if both
    were scored on one benchmark. `rescored` is true if the champion was scored again. `seeds` is the seed noise that
    widened the intervals. `conditions` are those beside the tracking score. `veto` is the reason why a person, or an
    experiment, keeps the alias where it is, or "".
    """

    champion: bool
    reason: str
    evidence: Evidence
    score: float | None = None
    champion_score: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    differences: Mapping[str, float] | None = None
    rescored: bool = False
    seeds: SeedSpread = SeedSpread()
    conditions: tuple[Condition, ...] = ()
    veto: str = ""


@dataclass(frozen=True)
class Rival:
    """The champion in a comparison with a challenger.

    `lead` is the interval of the challenger's combined score minus the champion's, or None. `rescored` is true if the
    champion was scored again on the challenger's benchmark. `obstacle` is the reason why this failed, or "".
    """

    result: TrackingResult
    lead: Bounds | None = None
    rescored: bool = False
    obstacle: str = ""


def scored(arm: Mapping[str, Mapping[str, float]], score: str, sequence: str = COMBINED) -> float | None:
    """Return a score of one arm, or None if it is missing or NaN."""
    value = arm.get(sequence, {}).get(score)
    return None if value is None or math.isnan(value) else float(value)
