"""Find where a model is weak: sequences that it makes worse, and crops whose people it confuses."""

from collections.abc import Iterator
from pathlib import Path

from reidops.files import read_json
from reidops.tracking.evaluation.arm_names import COMBINED, NO_APPEARANCE
from reidops.tracking.evaluation.tracking_report import TrackingReport

_WORSE = {"IDF1": -1, "MOTA": -1, "IDSW": 1}  # score → sign of a change for the worse
_TITLES = {"IDF1": "IDF1", "MOTA": "MOTA", "IDSW": "the number of identity switches"}
_FACTOR = 2.0  # of the equal error rate of the best crops
_PROPERTIES = {
    "visibility": "visible share of crops",
    "height": "height of crops, px",
    "frame_gap": "frames between crops",
}


def weak_sequences(tracking: Path) -> Iterator[str]:
    """Yield a sentence for each score that is worse with the model than without appearance, by sequence."""
    report = TrackingReport.read(tracking)
    if not report.uses_appearance:
        return
    for sequence, without in sorted(report.scores[NO_APPEARANCE].items()):
        own = report.scores[report.reported_arm].get(sequence, {})
        worse = [name for name, sign in _WORSE.items() if name in own and sign * (own[name] - without[name]) > 0]
        if worse:
            changes = ", ".join(f"{_TITLES[name]} {_shown(without[name])} → {_shown(own[name])}" for name in worse)
            where = "On all sequences together" if sequence == COMBINED else f"On {sequence}"
            yield f"{where} the tracker is worse with appearance than without in: {changes}."


def weak_crops(reid: Path) -> Iterator[str]:
    """Yield a sentence for each property of crops whose worst crops have at least twice the error of the best ones."""
    for name, rows in (read_json(reid / "calibration.json").get("by") or {}).items():
        known = [row for row in rows if row.get("eer") is not None]
        if name not in _PROPERTIES or len(known) < 2:
            continue
        worst, best = max(known, key=lambda row: row["eer"]), min(known, key=lambda row: row["eer"])
        if worst["eer"] >= _FACTOR * best["eer"]:
            yield (
                f"The equal error rate depends on the {_PROPERTIES[name]}: {worst['eer']:.3f} from "
                f"{worst['at_least']:g} on, {best['eer']:.3f} from {best['at_least']:g} on."
            )


def _shown(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"
