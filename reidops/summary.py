"""Print the results of a pipeline run: `python -m reidops.summary`.

Only the JSON files of the stages are read, so that no heavy library is imported.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root
from reidops.skipped import skipped_reason
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, RANDOM
from reidops.tracking.evaluation.tracking_report import Difference, Headroom, TrackingReport, has_report

REID_SCORES = ("mAP", "rank1", "rank5", "mINP")
TRACKING_SCORES = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")
ARMS = {
    "no_appearance": "without appearance",
    "random": "random embeddings",
    "appearance": "with appearance",
    "oracle": "an oracle's embeddings",
}
SEQUENCE_ARMS = (NO_APPEARANCE, APPEARANCE)
COLOUR_HISTOGRAM = "colour_histogram"


def render_summary(data: Path) -> Group:
    """Return the tables and lines of all finished stages in `data`.

    Raises:
        ReidopsError: the folder has no result.
    """
    known = {name: data / place for name, place in _PLACES.items() if (data / place).is_file()}
    if not known and not has_report(data / TRACKING):
        raise ReidopsError(f"{data}: there is no result yet; run `dvc repro`")
    sections: list[RenderableType] = []
    for name in (REID, TRACKING):
        if reason := skipped_reason(data / name):
            sections.append(Text(f"{_TITLES[name]}: left out, because {reason}"))
    if "reid" in known and not skipped_reason(data / REID):
        sections.append(reid_table(read_json(known["reid"])))
    if has_report(data / TRACKING):
        report = TrackingReport.read(data / TRACKING)
        sections += [tracking_table(report), *gain_lines(report)]
        sections += [Text(f"  {line}", style="yellow") for line in report.zeros]
    if "registration" in known:
        sections.extend(_registration_lines(read_json(known["registration"])))
    links = [Text(f"  {label:<22}{link}") for label, link in list_links(data).items()]
    return Group(*sections, Text("\nOutputs", style="bold"), *links)


REID, TRACKING = "reid", "tracking"
_TITLES = {REID: "ReID evaluation", TRACKING: "Tracking evaluation"}
_PLACES = {
    "reid": Path("reid/metrics.json"),
    "registration": Path("registration/version.json"),
}


def reid_table(metrics: Mapping[str, Any]) -> Table:
    """Return the table of retrieval scores of each test set, with the colour histogram as baseline in the last row."""
    closed = {name for name, scores in metrics.items() if isinstance(scores, Mapping) and _is_closed(scores)}
    title = "ReID; the people of a closed set also train" if closed else "ReID on people never trained on"
    table = Table(title=title, title_justify="left")
    table.add_column("test set")
    for score in REID_SCORES:
        table.add_column(score, justify="right")
    table.add_column("queries", justify="right")
    for name, scores in sorted(metrics.items(), key=lambda row: row[0] == COLOUR_HISTOGRAM):
        if isinstance(scores, Mapping) and "mAP" in scores:  # re-association is not a test set
            label = "a colour histogram" if name == COLOUR_HISTOGRAM else name
            label += " (closed set)" if name in closed else ""
            table.add_row(label, *(_figure(scores, s) for s in REID_SCORES), _figure(scores, "num_query"))
    return table


def _is_closed(scores: Mapping[str, Any]) -> bool:
    return bool(scores.get("num_trained_people"))


def tracking_table(report: TrackingReport) -> Table:
    """Return the table of tracking scores: of each sequence with and without appearance, then combined of all arms."""
    arms = report.scores
    table = Table(title="Tracking the held-out sequences", title_justify="left")
    table.add_column("sequence")
    table.add_column("the same tracker")
    for score in TRACKING_SCORES:
        table.add_column(score, justify="right")
    for name in sorted(arms[NO_APPEARANCE], key=lambda sequence: (sequence == COMBINED, sequence)):
        shown = [arm for arm in (ARMS if name == COMBINED else SEQUENCE_ARMS) if arm in arms]
        for arm in shown:
            cells = [_figure(arms[arm].get(name, {}), score) for score in TRACKING_SCORES]
            table.add_row(
                name if arm == shown[0] else "", ARMS[arm], *cells, style="bold" if name == COMBINED else None
            )
        table.add_section()
    return table


def gain_lines(report: TrackingReport) -> Iterator[Text]:
    """Yield the model's gain over both controls with intervals, its share of the oracle's gain, and decision counts."""
    if not report.uses_appearance:
        yield Text(f"  {report.no_gain_reason}")
        return
    gain, lead = report.over_no_appearance[COMBINED], report.over_random[COMBINED]
    for score in ("IDF1", "HOTA"):
        yield Text(f"  {score} {_gain(gain[score])} over no appearance")
        yield Text(f"  {score} {_gain(lead[score])} over random embeddings")
        yield Text(f"  {score} {_headroom(report.headroom[score])}")
    row = gain["IDF1"]
    windows = f"{_bounds(row.over_windows)}; {row.num_windows} windows of about {report.window_frames} frames"
    sequences = f"{_bounds(row.over_sequences)}; {row.num_sequences} sequences" if row.num_sequences > 1 else ""
    yield Text(f"  IDF1 over no appearance by other units: [{windows}]" + (f", [{sequences}]" if sequences else ""))
    yield Text(f"  in brackets: {report.level:.0%} confidence intervals and the number of units that they come from")
    decided = report.decided[COMBINED]
    reordered = f"in {decided.reordered:,} it preferred another track than the control"
    yield Text(f"  appearance decided {decided.share:.1%} of {decided.pairs:,} associations; {reordered}")
    if report.statement:
        yield Text(f"  {report.statement}", style="yellow")


def _gain(row: Difference) -> str:
    """Return a difference with its interval and the number of units."""
    return f"{_signed(row.difference)} [{_bounds(row.interval)}; {row.num_units} {row.unit}]"


def _bounds(interval: Sequence[float] | None) -> str:
    return "too few to say" if interval is None else f"{_signed(interval[0])}, {_signed(interval[1])}"


def _headroom(row: Headroom) -> str:
    """Return the fraction of the oracle's gain that the model reaches, relative to the better control."""
    if row.share is None:
        return f"share of the oracle's gain: –, {row.reason}"
    return f"{row.share:.0%} of what the oracle adds to the better control, {ARMS[row.control]}"


def _signed(value: float) -> str:
    """Return a difference with its sign and a typographic minus."""
    return f"{value:+.3f}".replace("-", "−")


def _figure(scores: Mapping[str, Any], name: str) -> str:
    """Return a fraction with three decimals, a count as an integer, or a dash if the value is missing."""
    value = scores.get(name)
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) and name != "IDSW" else f"{value:.0f}"


def _registration_lines(registration: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the registered version, whether it is champion, and the reason."""
    if "skipped" in registration:
        yield Text(f"\nNo version is registered, because {registration['skipped']}", style="bold")
        return
    decision = registration["decision"]
    standing = "champion" if decision["champion"] else "not champion"
    yield Text(f"\n{registration['name']} version {registration['version']}: {standing}", style="bold")
    yield Text(f"  because {decision['reason']}")
    missing = store_missing(registration["tracking_uri"])
    if missing:
        yield Text(f"  {missing}; register again with `dvc repro --force --single-item register`", style="yellow")


def store_missing(registered_in: str) -> str | None:
    """Return why the registered version cannot be found with the current settings, or None."""
    wanted = os.environ.get("MLFLOW_TRACKING_URI")
    if wanted and wanted != registered_in:
        return f"the version was registered in {registered_in}, but MLFLOW_TRACKING_URI is now {wanted}"
    if registered_in.startswith("sqlite:///") and not Path(registered_in.removeprefix("sqlite:///")).is_file():
        return f"the store {registered_in} does not exist any more"
    return None


def headline_figures(data: Path) -> dict[str, float]:
    """Return the main scores by their metric names in MLflow; {} if there are none."""
    figures: dict[str, float] = {}
    if (data / _PLACES["reid"]).is_file():
        for name, scores in read_json(data / _PLACES["reid"]).items():
            figures |= {f"reid/{name}/{score}": scores[score] for score in ("mAP", "rank1") if score in scores}
    if has_report(data / TRACKING):
        report = TrackingReport.read(data / TRACKING)
        for score in ("IDF1", "HOTA", "MOTA"):
            figures |= {
                f"tracking/{arm}/{score}": report.combined(arm)[score] for arm in SEQUENCE_ARMS if arm in report.scores
            }
            if report.uses_appearance:
                model = report.combined(APPEARANCE)[score]
                figures[f"tracking/gain/{score}"] = model - report.combined(NO_APPEARANCE)[score]
                figures[f"tracking/gain_over_random/{score}"] = model - report.combined(RANDOM)[score]
    return figures


@dataclass(frozen=True)
class Output:
    """Something to open after a run: a file with `num_more` similar files beside it, or else a link or a command."""

    text: str
    path: Path | None = None
    num_more: int = 0


def list_outputs(data: Path) -> dict[str, Output]:
    """Return the existing outputs to open after a run, by label."""
    outputs = {}
    for label, pattern in _PICTURES.items():
        found = sorted(path for path in data.glob(pattern) if path.is_file())
        if found:
            outputs[label] = Output(os.path.relpath(found[0]), found[0], len(found) - 1)
    if (data / _PLACES["registration"]).is_file():
        kept = read_json(data / _PLACES["registration"]).get("links", {})
        outputs |= {f"MLflow {label}": Output(_short_uri(link)) for label, link in kept.items()}
    return outputs


def list_links(data: Path) -> dict[str, str]:
    """Return the existing outputs to open after a run as text, by label."""
    return {
        label: f"{output.text} and {output.num_more} more beside it" if output.num_more else output.text
        for label, output in list_outputs(data).items()
    }


_PICTURES = {
    "Data Docs": "validation/docs/index.html",
    "people, as cut": "validation/contact_sheet.jpg",
    "training curves": "model/curves.png",
    "adaptation curves": "model/adaptation.png",
    "clusters": "model/clusters.jpg",
    "ranked galleries": "reid/gallery_*.png",
    "distances and gate": "reid/distances.png",
    "people out of sight": "tracking/gaps.png",
    "timelines": "tracking/timelines/*.png",
    "identity switches": "tracking/switches/*.png",
    "worst moments": "tracking/clips/*.mp4",
}


def _short_uri(link: str) -> str:
    """Return a link or a command relative to this folder, if it is the repository's root."""
    return (
        link.replace(f"sqlite:///{repository_root().resolve()}/", "sqlite:///")
        if Path.cwd() == repository_root().resolve()
        else link
    )


def print_summary(data: Path) -> None:
    """Print the summary of a folder; 120 characters wide if the output is not a terminal.

    Raises:
        ReidopsError: the folder has no result.
    """
    Console(width=None if sys.stdout.isatty() else 120).print(render_summary(data))


def main() -> None:
    """Print the summary of `--data` (default: data/)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        print_summary(arguments.data)
    except ReidopsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
