"""Tables and pages that show the versions of a registered model."""

import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from rich.table import Table

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.registry import card_page
from reidops.registry.changes import check_version
from reidops.registry.shown_metrics import shown_metrics
from reidops.registry.store import find_aliases

CARD, METRICS = "card.html", "metrics.json"
_LISTED = ("tracking/appearance/IDF1", "tracking/gain/IDF1")
_MOST_ROWS = 30  # of the differences above two cards
_CHANGES = ("promoted", "rolled_back", "frozen", "unfrozen")


def versions_table(client: mlflow.MlflowClient, name: str) -> Table:
    """Return a table of all versions, the newest first: aliases, scores, last change.

    Raises:
        ReidopsError: there is no such model.
    """
    aliases = find_aliases(client, name)
    table = Table("version", "aliases", "created", "mAP", "IDF1", "gain", "last change", box=None, pad_edge=False)
    found = client.search_model_versions(f"name = '{name}'")
    for version in sorted(found, key=lambda row: int(row.version), reverse=True):
        metrics = read_metrics(client, str(version.run_id))
        maps = [value for metric, value in sorted(metrics.items()) if _is_map(metric)]
        table.add_row(
            str(version.version),
            ", ".join(sorted(alias for alias, target in aliases.items() if target == str(version.version))),
            datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
            " ".join(f"{value:.3f}" for value in maps) or "–",
            *(f"{metrics[metric]:.3f}" if metric in metrics else "–" for metric in _LISTED),
            last_change(version.tags),
        )
    return table


def last_change(tags: Mapping[str, str]) -> str:
    """Return the last change of a version: what, by whom, when and why; "" without one."""
    known = [(tags[f"{action}.when"], action) for action in _CHANGES if f"{action}.when" in tags]
    if not known:
        return ""
    when, action = max(known)
    why = " ".join(tags[f"{action}.why"].split())
    short = why if len(why) < 70 else f"{why[:69]}…"
    return f"{action.replace('_', ' ')} {when[:16].replace('T', ' ')} by {tags[f'{action}.who']}: {short}"


def comparison_table(client: mlflow.MlflowClient, name: str, first: str, second: str) -> Table:
    """Return a table of all combined figures that differ between two versions.

    Raises:
        ReidopsError: there is no such version.
    """
    table = Table("figure", f"version {first}", f"version {second}", "difference", box=None, pad_edge=False)
    for row in compared_rows(*_metrics_of(client, name, (first, second))):
        table.add_row(*row)
    return table


def compared_rows(first: Mapping[str, float], second: Mapping[str, float]) -> list[tuple[str, ...]]:
    """Return name, both values and the difference of each figure that differs, the most important first."""
    names = shown_metrics({**first, **second}, len(first) + len(second))
    pairs = [(name, first.get(name), second.get(name)) for name in names]
    return [
        (
            name,
            "–" if one is None else f"{one:.4f}",
            "–" if other is None else f"{other:.4f}",
            f"{other - one:+.4f}".replace("-", "−") if one is not None and other is not None else "–",
        )
        for name, one, other in pairs
        if one != other
    ]


def _metrics_of(client: mlflow.MlflowClient, name: str, versions: tuple[str, str]) -> list[dict[str, float]]:
    figures = []
    for version in versions:
        check_version(client, name, version)
        figures.append(read_metrics(client, str(client.get_model_version(name, version).run_id)))
    return figures


def read_metrics(client: mlflow.MlflowClient, run_id: str) -> dict[str, float]:
    """Return all figures of a run: those of metrics.json, or else the metrics in the store."""
    if METRICS not in {file.path for file in client.list_artifacts(run_id)}:
        return dict(client.get_run(run_id).data.metrics)
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(Path(client.download_artifacts(run_id, METRICS, folder)).read_text())


def write_comparison(client: mlflow.MlflowClient, name: str, versions: tuple[str, str], html: Path) -> None:
    """Write a page with the model cards of two versions side by side.

    Raises:
        ReidopsError: a version has no card.
    """
    cards = {f"version {version}": _read_card(client, name, version) for version in versions}
    rows = compared_rows(*_metrics_of(client, name, versions))[:_MOST_ROWS]
    differences = card_page.table(("figure", *cards, "difference"), rows)
    lead = f"<section><h2>Differences</h2>{differences or card_page.text('All figures are equal.')}</section>"
    with whole_file(html) as partial:
        partial.write_text(card_page.beside(f"{name}: {' and '.join(cards)}", cards, lead), encoding="utf-8")


def _read_card(client: mlflow.MlflowClient, name: str, version: str) -> str:
    run_id = str(client.get_model_version(name, version).run_id)
    if CARD not in {file.path for file in client.list_artifacts(run_id)}:
        raise ReidopsError(
            f"{name} version {version} has no model card; it was registered by an earlier version. Check out its "
            "params and run `dvc repro -f register`"
        )
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, CARD, folder)).read_text(encoding="utf-8")


def _is_map(metric: str) -> bool:
    return metric.startswith("reid/") and metric.endswith("/mAP") and "colour_histogram" not in metric
