"""The files of an evaluation: result files, events, tables of the arms and of the scorers; and the printed table."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from pathlib import Path

import pandas as pd

from reidops.files import whole_file, write_json
from reidops.mot.sequences import write_results
from reidops.tracking.evaluation.arm_names import APPEARANCE, ARMS, COMBINED, NO_APPEARANCE
from reidops.tracking.evaluation.arm_results import SCORERS, ArmResult, by_arm, score_table, score_tree
from reidops.tracking.evaluation.gaps import gap_table
from reidops.tracking.evaluation.proof import CONTROLS, prove
from reidops.tracking.evaluation.rivals import write_windows
from reidops.tracking.evaluation.tracking_report import METRICS, PROOF, Difference, Headroom, TrackingReport

_SHOWN = ("IDF1", "HOTA", "MOTA", "IDSW")
_OF_ARMS = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")
_EVENTS_OF = (APPEARANCE, NO_APPEARANCE)

# Why the two scorers may differ.
_REASONS = {
    "MOTA": "follows from IDSW, FP and FN",
    "IDF1": "same definition: the largest IDTP of a one-to-one assignment over the whole sequence",
    "HOTA": "motmetrics does not compute it: both are TrackEval's",
    "DetA": "motmetrics does not compute it: both are TrackEval's",
    "AssA": "motmetrics does not compute it: both are TrackEval's",
    "MOTP": "the mean IoU of the matches, which differ",
    "IDSW": "motmetrics keeps a person's last match, however old; TrackEval only the match of the frame before",
    "FP": "the kept matches differ (IDSW), so the number of unmatched boxes may differ",
    "FN": "the kept matches differ (IDSW), so the number of unmatched boxes may differ",
    "MT": "motmetrics counts people matched in at least 80 % of their frames, TrackEval in more than 80 %",
    "ML": "same definition, less than 20 %; the matches may differ",
    "Frag": "motmetrics counts a person missed and found again; TrackEval also one who was out of the ground truth in "
    "between, but passes over "
    "frames without any track",
}


def write_report(arms: Rows[ArmResult], folder: Path, window: int = 30, say: str = "") -> TrackingReport:
    """Write every table and file of an evaluation but the pictures; return the report.

    Args:
        window: frames of a window of the confidence intervals.
        say: the statement for embeddings that changed no track, see `decided.appearance_statement`.
    """
    scores = score_table(arms)
    tree = score_tree(scores)
    proof = prove(arms, tree, window) | {"say": say, "zeros": [line for result in arms for line in result.zeros]}
    write_json(tree, folder / METRICS)
    write_json(headline(tree), folder / "headline.json")
    write_json(proof, folder / PROOF)
    _write_csv(scores, folder / "sequences.csv")
    _write_csv(scorer_table(scores), folder / "scorers.csv")
    _write_csv(gap_table_of_arms(arms), folder / "gaps.csv")
    write_arms(arms, folder)
    report = TrackingReport.of(tree, proof)
    reported = by_arm(arms)[report.reported_arm]
    write_windows([(result.sequence, result.of_frames) for result in reported], window, folder / "windows.npz")
    return report


def gap_table_of_arms(arms: Rows[ArmResult]) -> pd.DataFrame:
    """Return the table of gaps of all arms; see `gaps.gap_table`."""
    return gap_table({arm: [result.gaps for result in of_arm] for arm, of_arm in by_arm(arms).items()})


def headline(tree: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return each arm's combined IDF1, HOTA, MOTA and IDSW, and the differences that appearance makes."""
    return {arm: {name: sequences[COMBINED][name] for name in _SHOWN} for arm, sequences in tree.items()}


def write_arms(arms: Rows[ArmResult], folder: Path) -> None:
    """Write the result files in MOTChallenge's format, and the events of the model and its control.

    The files are `results/<arm>/<sequence>.txt` and `events/<arm>/<sequence>.csv`.
    """
    for result in arms:
        write_results(result.tracks, folder / "results" / result.arm / f"{result.sequence}.txt")
        if result.arm in _EVENTS_OF:
            _write_csv(result.events, folder / "events" / result.arm / f"{result.sequence}.csv", float_format="%.4f")


def scorer_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how motmetrics differs from TrackEval on the combined scores of the reported arm.

    Columns: figure, motmetrics, trackeval, difference, why. Every score that is reported elsewhere is TrackEval's.
    """
    arm = APPEARANCE if (scores["arm"] == APPEARANCE).any() else NO_APPEARANCE
    combined = scores[(scores["arm"] == arm) & (scores["sequence"] == COMBINED)].set_index("scorer")
    figures = list(_REASONS)
    reported, second = (combined.loc[scorer, figures].astype(float) for scorer in SCORERS)
    return pd.DataFrame(
        {
            "figure": figures,
            "motmetrics": second.to_numpy(),
            "trackeval": reported.to_numpy(),
            "difference": (second - reported).to_numpy(),
            "why": list(_REASONS.values()),
        }
    )


def format_report(report: TrackingReport) -> str:
    """Return the table of the arms as lines, then the model's gain and its share of the headroom."""
    lines = [f"{'arm':<16}" + "".join(f"{name:>8}" for name in _OF_ARMS)]
    lines += [
        f"{arm:<16}" + "".join(_figure(report.combined(arm), name) for name in _OF_ARMS)
        for arm in ARMS
        if arm in report.scores
    ]
    if not report.uses_appearance:
        return "\n".join([*lines, report.no_gain_reason, *report.zeros])
    gain, lead = report.over_no_appearance[COMBINED], report.over_random[COMBINED]
    for name in ("IDF1", "HOTA"):
        lines.append(f"{name}: {_gain(gain[name])} over no appearance, {_gain(lead[name])} over random embeddings")
        lines.append(f"{name}: {_headroom(report.headroom[name])}")
    lines.append(f"in brackets: {report.level:.0%} confidence intervals and their units")
    decided = report.decided[COMBINED]
    lines.append(
        f"appearance decided {decided.decided:,} of {decided.pairs:,} associations, {decided.share:.1%};"
        f" in {decided.reordered:,} it preferred another track than the control"
    )
    return "\n".join([*lines, *filter(None, [report.statement]), *report.zeros])


def _figure(scores: Mapping[str, float], name: str) -> str:
    return f"{scores[name]:>8.0f}" if name == "IDSW" else f"{scores[name]:>8.3f}"


def _gain(row: Difference) -> str:
    """Return a difference with its interval and its units."""
    bounds = "too few to say" if row.interval is None else "{:+.3f}, {:+.3f}".format(*row.interval)
    return f"{row.difference:+.3f} [{bounds}; {row.num_units} {row.unit}]"


def _headroom(row: Headroom) -> str:
    if row.share is None:
        return row.reason
    return f"{row.share:.0%} of what the oracle adds to the tracker {CONTROLS[row.control]}"


def _write_csv(table: pd.DataFrame, path: Path, float_format: str = "%.6f") -> None:
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format=float_format, lineterminator="\n")
