"""What a promotion compares: a model's scores on a bench, the rule, its comparisons and the decision."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reidops.tracking.evaluation.arm_names import COMBINED

Score = Literal["IDF1", "HOTA", "MOTA", "AssA", "DetA"]
SCORES: tuple[Score, ...] = ("IDF1", "HOTA", "MOTA", "AssA", "DetA")
"""The tracking scores that can decide; all are better when higher."""

Evidence = Literal["interval", "point"]
CHAMPION = "champion"
"""What a challenger is compared with, beside the controls `no_appearance` and `random`."""


@dataclass(frozen=True)
class Bench:
    """What a score was taken on: two scores compare only when this is equal.

    `sequences` maps each tracked sequence to its content (frames, digests of its files); `tracker` holds the settings
    of the tracker that used the embeddings; `code` is the digest of the files that track and score, empty where it was
    not recorded.
    """

    sequences: Mapping[str, str]
    tracker: Mapping[str, Any]
    code: str = ""

    @property
    def digest(self) -> str:
        """Return 12 hexadecimal digits that are equal for equal benches."""
        text = json.dumps([dict(self.sequences), dict(self.tracker), self.code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Bounds:
    """The 95 % interval of a difference over people or windows; `low` and `high` are None where there are too few for
    an interval.
    """

    low: float | None
    high: float | None
    units: int
    unit: str = "windows"


@dataclass(frozen=True)
class TrackingResult:
    """One model's tracking scores on a bench.

    `appearance`, `no_appearance` and `random` (vectors that know nobody) map a sequence, and `combined`, to its scores
    (fractions 0 … 1 and counts); the first two are the same where the tracker uses no embedding (`uses_appearance`).
    `over_no_appearance` and `over_random` map a score to the interval of the model's combined score minus the
    control's. `run_id` names the run that holds the files of this evaluation.
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


@dataclass(frozen=True)
class Rule:
    """What a challenger has to do.

    `score` is the combined one over all sequences. With the evidence `interval` the lower bound of a difference
    decides, with `point` the difference itself. It must be above `min_margin` (0 … 1) over the champion; with
    `require_gain` above 0 over the same tracker without appearance, with `beat_random` above 0 over the same tracker
    with random vectors.
    """

    score: Score = "IDF1"
    min_margin: float = 0.0
    require_gain: bool = True
    beat_random: bool = True
    evidence: Evidence = "interval"


@dataclass(frozen=True)
class Comparison:
    """One condition of the rule: the model's combined score minus that of `against`, its interval, and whether it is
    `met`.

    It is met where `low` (evidence `interval`) or `difference` (evidence `point`) is above `above`.
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
    """How much a combined score scatters between `num` trainings that differ in their seed only.

    `std` is the standard deviation, None of one training. `half_width` is that of a 95 % interval of one training's
    score: Student's quantile times `std`; 0 where there are too few trainings for it.
    """

    num: int = 1
    std: float | None = None
    half_width: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, by which evidence, and why in a sentence.

    `comparisons` holds each condition that was looked at, `differences` challenger minus champion for each sequence
    where both were scored on one bench, `rescored` whether the champion was scored again for it, `seeds` the seed noise
    that widened the intervals.
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


@dataclass(frozen=True)
class Rival:
    """The champion as a challenger meets it.

    `lead` is the interval of the challenger's combined score minus the champion's, None where it is unknown. `rescored`
    tells whether the scores were made for this comparison, on the challenger's bench. `obstacle` says why they could
    not be, empty otherwise.
    """

    result: TrackingResult
    lead: Bounds | None = None
    rescored: bool = False
    obstacle: str = ""


def scored(arm: Mapping[str, Mapping[str, float]], score: str, sequence: str = COMBINED) -> float | None:
    """Return a score of one arm, None where it is missing or not a number."""
    value = arm.get(sequence, {}).get(score)
    return None if value is None or math.isnan(value) else float(value)
