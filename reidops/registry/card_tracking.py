"""The sections of a model card about tracking: arms, intervals, switches."""

from collections.abc import Iterator
from pathlib import Path

from reidops.files import read_json
from reidops.registry import card_page as html
from reidops.tracking.evaluation.arm_names import ARMS, COMBINED, NO_APPEARANCE, RANDOM
from reidops.tracking.evaluation.tracking_report import Difference, TrackingReport

SCORES = ("IDF1", "HOTA", "AssA", "MOTA")
_ARM_NAMES = {
    "no_appearance": "without appearance",
    "random": "random vectors",
    "appearance": "this model",
    "oracle": "an oracle's vectors",
}
_MOST_SWITCHES = 4  # pictures of sequences


def tracking_html(tracking: Path) -> str:
    """Return the scores of all arms, the gains over both controls with intervals, and the scores of each sequence."""
    report, trial = TrackingReport.read(tracking), read_json(tracking / "trial.json")
    arms = [
        (_ARM_NAMES[arm], *(_score(report.combined(arm), score) for score in (*SCORES, "IDSW")))
        for arm in ARMS
        if arm in report.scores
    ]
    note = html.text(
        f"The tracker is {trial['tracker']}, its gate is {trial['gate']}, and all arms have the same detections. The "
        "oracle knows who each person is."
    )
    shown = note + html.table(("the same tracker with", *SCORES, "identity switches"), arms)
    if not report.uses_appearance:
        return shown + html.text(report.no_gain_reason)
    head = ("score", "gain over", "difference", "95 % interval", "units", "over windows", "over sequences")
    decided = report.decided[COMBINED]
    shown += html.heading("Gain of the model") + html.table(head, _gains(report))
    shown += html.text(
        f"Appearance decided {decided.share:.1%} of {decided.pairs:,} associations; in {decided.reordered:,} it "
        "preferred another track than the control."
    )
    if report.statement:
        shown += html.text(report.statement)
    pictures = html.pictures([(tracking / "gaps.png", "People who come back, and IDF1, by the frames out of sight")])
    return shown + html.heading("Each sequence") + html.table(_SEQUENCE_HEAD, _sequences(report)) + pictures


_SEQUENCE_HEAD = ("sequence", "arm", *SCORES, "identity switches")


def _gains(report: TrackingReport) -> Iterator[tuple[str, ...]]:
    for score in ("IDF1", "HOTA"):
        for name, rows in ((NO_APPEARANCE, report.over_no_appearance), (RANDOM, report.over_random)):
            row = rows[COMBINED][score]
            yield score, _ARM_NAMES[name], f"{row.difference:+.3f}".replace("-", "−"), *_intervals(row)


def _intervals(row: Difference) -> tuple[str, ...]:
    return (
        _bounds(row.interval),
        f"{row.num_units} {row.unit}",
        f"{_bounds(row.over_windows)}, {row.num_windows} windows",
        f"{_bounds(row.over_sequences)}, {row.num_sequences} sequences",
    )


def _bounds(interval: tuple[float, float] | None) -> str:
    return "too few to say" if interval is None else f"[{interval[0]:+.3f}, {interval[1]:+.3f}]".replace("-", "−")


def _sequences(report: TrackingReport) -> Iterator[tuple[str, ...]]:
    arms = [arm for arm in (NO_APPEARANCE, report.reported_arm) if arm in report.scores]
    for sequence in sorted(name for name in report.scores[NO_APPEARANCE] if name != COMBINED):
        for arm in dict.fromkeys(arms):
            scores = report.scores[arm].get(sequence, {})
            yield sequence, _ARM_NAMES[arm], *(_score(scores, score) for score in (*SCORES, "IDSW"))


def _score(scores: object, name: str) -> str:
    value = scores.get(name) if hasattr(scores, "get") else None
    if value is None:
        return "–"
    return f"{value:.0f}" if name == "IDSW" else f"{value:.3f}"


def switches_html(tracking: Path) -> str:
    """Return pictures of identity switches and timelines of the first sequences."""
    timelines = [(path, f"{path.stem}: tracks of each person over time") for path in _first(tracking / "timelines")]
    switches = [
        (path, f"{path.stem}: identity switches, with the costs and the gate that decided")
        for path in _first(tracking / "switches")
    ]
    return html.pictures(timelines) + html.folded("Show the switches with their costs", html.pictures(switches))


def _first(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.png"))[:_MOST_SWITCHES]
