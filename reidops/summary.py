"""What a finished pipeline found, on one screen: `python -m reidops.summary`.

Reads the stages' JSON files only, so that it costs no import of what made them.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root
from reidops.promotion import COMBINED

REID_SCORES = ("mAP", "rank1", "rank5", "mINP")
TRACKING_SCORES = ("IDF1", "HOTA", "MOTA", "IDSW")
ARMS = {"appearance": "with appearance", "no_appearance": "without appearance"}
COLOUR_HISTOGRAM = "colour_histogram"


def render_summary(data: Path) -> Group:
    """Return the tables and lines of everything under `data` that is finished.

    Raises:
        ReidopsError: nothing is finished yet.
    """
    known = {name: data / place for name, place in _PLACES.items() if (data / place).is_file()}
    if not known:
        raise ReidopsError(f"{data}: there is no result yet; run `dvc repro`")
    parts: list[RenderableType] = []
    if "reid" in known:
        parts.append(reid_table(read_json(known["reid"])))
    if "tracking" in known:
        parts.append(tracking_table(read_json(known["tracking"])))
    if "registration" in known:
        parts.extend(_registration_lines(read_json(known["registration"])))
    looks = [Text(f"  {label:<22}{link}") for label, link in list_links(data).items()]
    return Group(*parts, Text("\nWhere to look", style="bold"), *looks)


_PLACES = {"reid": Path("reid/metrics.json"), "tracking": Path("tracking/metrics.json"), "registration": Path("registration/version.json")}


def reid_table(metrics: Mapping[str, Any]) -> Table:
    """Return the retrieval scores of each test set, the colour histogram's beneath as the mark to beat."""
    table = Table(title="ReID on people never trained on", title_justify="left")
    table.add_column("test set")
    for score in REID_SCORES:
        table.add_column(score, justify="right")
    table.add_column("queries", justify="right")
    for name, scores in sorted(metrics.items(), key=lambda row: row[0] == COLOUR_HISTOGRAM):
        if isinstance(scores, Mapping):
            label = "a colour histogram" if name == COLOUR_HISTOGRAM else name
            table.add_row(label, *(_figure(scores, s) for s in REID_SCORES), _figure(scores, "num_query"))
    return table


def tracking_table(arms: Mapping[str, Any]) -> Table:
    """Return the tracking scores of each sequence and combined, with appearance above the control arm."""
    table = Table(title="Tracking the held-out sequences, with appearance and without", title_justify="left")
    table.add_column("sequence")
    table.add_column("the same tracker")
    for score in TRACKING_SCORES:
        table.add_column(score, justify="right")
    for name in sorted(arms["appearance"], key=lambda sequence: (sequence == COMBINED, sequence)):
        for arm, label in ARMS.items():
            cells = [_figure(arms[arm].get(name, {}), score) for score in TRACKING_SCORES]
            table.add_row(name if arm == "appearance" else "", label, *cells, style="bold" if name == COMBINED else None)
        table.add_section()
    return table


def _figure(scores: Mapping[str, Any], name: str) -> str:
    """Return a fraction with three decimals, a count as it is, a dash where there is none."""
    value = scores.get(name)
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) and name != "IDSW" else f"{value:.0f}"


def _registration_lines(registration: Mapping[str, Any]) -> Iterator[Text]:
    """Yield which version was registered, whether it is champion and why."""
    decision = registration["decision"]
    standing = "champion" if decision["champion"] else "not champion"
    yield Text(f"\n{registration['name']} version {registration['version']}: {standing}", style="bold")
    yield Text(f"  because {decision['reason']}")
    missing = store_missing(registration["tracking_uri"])
    if missing:
        yield Text(f"  {missing}; register again with `dvc repro --force --single-item register`", style="yellow")


def store_missing(registered_in: str) -> str | None:
    """Say why the registered version cannot be found from here any more, None where nothing speaks against it."""
    wanted = os.environ.get("MLFLOW_TRACKING_URI")
    if wanted and wanted != registered_in:
        return f"this was registered in {registered_in}, and MLFLOW_TRACKING_URI now names {wanted}"
    if registered_in.startswith("sqlite:///") and not Path(registered_in.removeprefix("sqlite:///")).is_file():
        return f"the store {registered_in} is gone"
    return None


def headline_figures(data: Path) -> dict[str, float]:
    """Return the figures that people ask for first, under the names that they have in MLflow; empty where nothing is scored."""
    figures: dict[str, float] = {}
    if (data / _PLACES["reid"]).is_file():
        for name, scores in read_json(data / _PLACES["reid"]).items():
            figures |= {f"reid/{name}/{score}": scores[score] for score in ("mAP", "rank1") if score in scores}
    if (data / _PLACES["tracking"]).is_file():
        arms = read_json(data / _PLACES["tracking"])
        for score in ("IDF1", "HOTA", "MOTA"):
            with_it, without = (arms[arm][COMBINED][score] for arm in ARMS)
            figures |= {f"tracking/appearance/{score}": with_it, f"tracking/no_appearance/{score}": without, f"tracking/gain/{score}": with_it - without}
    return figures


def list_links(data: Path) -> dict[str, str]:
    """Return what to open after a run, by what it shows; only what is there."""
    links = {}
    for label, pattern in _PICTURES.items():
        found = sorted(path for path in data.glob(pattern) if path.is_file())
        if found:
            links[label] = os.path.relpath(found[0]) + (f" and {len(found) - 1} more beside it" if len(found) > 1 else "")
    if (data / _PLACES["registration"]).is_file():
        kept = read_json(data / _PLACES["registration"])["links"]
        links |= {f"MLflow {label}": _short_uri(link) for label, link in kept.items()}
    return links


_PICTURES = {
    "Data Docs": "validation/docs/index.html",
    "people, as cut": "validation/contact_sheet.jpg",
    "training curves": "model/curves.png",
    "ranked galleries": "reid/gallery_*.png",
    "distances and gate": "reid/distances.png",
    "tracking pictures": "tracking/*.png",
}


def _short_uri(link: str) -> str:
    """Return a link or a command with this folder's name left out, where that means the same."""
    return link.replace(f"sqlite:///{repository_root().resolve()}/", "sqlite:///") if Path.cwd() == repository_root().resolve() else link


def main() -> None:
    """Print the summary of `--data`, data/ where not given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        Console(width=None if sys.stdout.isatty() else 120).print(render_summary(arguments.data))
    except ReidopsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
