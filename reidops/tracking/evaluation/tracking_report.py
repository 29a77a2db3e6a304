"""What `evaluate_tracking` reports, read from metrics.json and proof.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE

Scores = Mapping[str, float]
Interval = tuple[float, float]

METRICS, PROOF = "metrics.json", "proof.json"


@dataclass(frozen=True)
class Difference:
    """The score of one arm minus that of its control, with 95 % confidence intervals (None = too few units).

    Attributes:
        interval: over the units that suit the score (`unit`, people or windows).
        over_windows, over_sequences: the interval over other units.
    """

    difference: float
    interval: Interval | None
    unit: str
    num_units: int
    over_windows: Interval | None
    num_windows: int
    over_sequences: Interval | None
    num_sequences: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Difference":
        """Return the difference that a row of proof.json describes."""
        pairs = {name: _pair(row[name]) for name in ("interval", "over_windows", "over_sequences")}
        return cls(**{**row, **pairs})


@dataclass(frozen=True)
class Headroom:
    """The share of the oracle's gain over the better control that the model reaches; None with the reason if the oracle
    gains nothing.
    """

    share: float | None
    control: str
    reason: str = ""


@dataclass(frozen=True)
class AppearanceShare:
    """Associations of the arm `appearance`: all, decided by appearance, their share 0 … 1, and reordered ones."""

    pairs: int
    decided: int
    share: float
    reordered: int


@dataclass(frozen=True)
class TrackingReport:
    """Scores of all arms and, where the tracker uses embeddings, what the model adds.

    Attributes:
        scores: arm → sequence, or `combined` → score.
        no_gain_reason: why no model can help; empty if `uses_appearance`.
        headroom: score → share of the oracle's gain.
        over_no_appearance, over_random: sequence, or `combined` → score → the arm `appearance` minus the control.
        decided: sequence, or `combined` → associations that appearance decided.
        window_frames: frames of a window; None without appearance.
        level: level of the confidence intervals; None without appearance.
        statement: what the report states if the embeddings changed no track; else empty.
        zeros: counts of tracked sequences that are zero, with reasons and remedies.
    """

    scores: Mapping[str, Mapping[str, Scores]]
    uses_appearance: bool
    no_gain_reason: str = ""
    headroom: Mapping[str, Headroom] = field(default_factory=dict)
    over_no_appearance: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    over_random: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    decided: Mapping[str, AppearanceShare] = field(default_factory=dict)
    window_frames: int | None = None
    level: float | None = None
    statement: str = ""
    zeros: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> "TrackingReport":
        """Return the report of a folder that `evaluate_tracking` wrote.

        Raises:
            ReidopsError: a file is missing or lacks an entry.
        """
        metrics, proof = read_json(folder / METRICS), read_json(folder / PROOF)
        try:
            return cls.of(metrics, proof)
        except (KeyError, TypeError) as error:
            raise ReidopsError(
                f"{folder / PROOF}: is not the report of an evaluation ({error}); make it again with "
                "`dvc repro -f evaluate_tracking`"
            ) from None

    @classmethod
    def of(cls, metrics: Mapping[str, Any], proof: Mapping[str, Any]) -> "TrackingReport":
        """Return the report that the contents of metrics.json and proof.json describe."""
        zeros = tuple(proof.get("zeros", ()))
        if not proof["uses_appearance"]:
            return cls(metrics, uses_appearance=False, no_gain_reason=proof["reason"], zeros=zeros)
        return cls(
            metrics,
            uses_appearance=True,
            headroom={score: Headroom(**row) for score, row in proof["headroom"].items()},
            over_no_appearance=_differences(proof["differences"][APPEARANCE]),
            over_random=_differences(proof["over_random"]),
            decided={name: AppearanceShare(**row) for name, row in proof["decided"].items()},
            window_frames=proof["bootstrap"]["window_frames"],
            level=proof["bootstrap"]["level"],
            statement=proof.get("say", ""),
            zeros=zeros,
        )

    @property
    def reported_arm(self) -> str:
        """Return the arm whose scores are the result: the model's, or the only one of a tracker without appearance."""
        return APPEARANCE if self.uses_appearance else NO_APPEARANCE

    def combined(self, arm: str) -> Scores:
        """Return the scores of an arm over all sequences."""
        return self.scores[arm][COMBINED]


def has_report(folder: Path) -> bool:
    """Tell whether a folder holds both files of a report."""
    return (folder / METRICS).is_file() and (folder / PROOF).is_file()


def _differences(sequences: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Difference]]:
    return {name: {score: Difference.of(row) for score, row in rows.items()} for name, rows in sequences.items()}


def _pair(interval: list[float] | None) -> Interval | None:
    return None if interval is None else (interval[0], interval[1])
