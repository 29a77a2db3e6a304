"""The model card of a result: one HTML page that opens offline, and a short form in Markdown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reidops.embedding.description import network_name
from reidops.files import read_json
from reidops.registry import card_page as html
from reidops.registry.card_data import data_html, licence_of, validation_html
from reidops.registry.card_drift import drift_html
from reidops.registry.card_page import Section, Tile
from reidops.registry.card_tracking import switches_html, tracking_html
from reidops.registry.card_weaknesses import weak_crops, weak_sequences
from reidops.registry.latency import LatencyTable
from reidops.registry.lineage import Lineage
from reidops.registry.result import Folders
from reidops.skipped import skipped_reason
from reidops.tracking.evaluation.arm_names import COMBINED
from reidops.tracking.evaluation.tracking_report import TrackingReport

_MARKS = {"yes": "good", "no": "bad"}
_USES = (
    "Embed crops of people, so that a tracker finds a person again after a gap or an occlusion.",
    "Rank a gallery of crops by similarity to a query, on data like those of the tests below.",
)
_LIMITS = (
    "Not for recognizing who a person is: the vectors compare clothes and shape over minutes, not faces or names.",
    "Not for decisions about people without human review, and not where the law forbids biometric tracking.",
    "Not validated on cameras, light, crowds and detectors other than those listed below; measure there first.",
)


@dataclass(frozen=True)
class CardSource:
    """What a card is made from: the stages' folders, params.yaml, version.json, the lineage and a measured latency.

    `latency_ms` is the time per crop on one core in batches of `batch`; `latencies` are those of all formats.
    """

    folders: Folders
    settings: Path
    entry: Mapping[str, Any]
    lineage: Lineage
    latency_ms: float
    batch: int
    latencies: LatencyTable = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the name and the version of the model."""
        return f"{self.entry['name']} version {self.entry['version']}"


def write_card(source: CardSource) -> str:
    """Return the page of a result."""
    return html.page(f"Model card: {source.title}", _head(source), _sections(source))


def short_card(source: CardSource) -> str:
    """Return the card in a few lines of Markdown, for the description of the model version.

    The description is written once, so its decision is that of the registration; the aliases say what holds now.
    """
    decision, facts = source.entry["decision"], _model(source)
    rows = [f"| {tile.label} | {tile.value} ({tile.note}) |" for tile in _tiles(source)]
    conditions = [
        f"| {row['name']} | {row['found']} | {row['required']} | {'yes' if row['met'] else '**no**'} |"
        for row in decision["conditions"]
    ]
    standing = "champion" if decision["champion"] else "not champion"
    parts = [
        f"**At registration: {standing}.** {decision['reason']}",
        "\n".join(["| figure | value |", "|---|---|", *rows]),
        "\n".join(["| condition | found | required | met |", "|---|---|---|---|", *conditions]) if conditions else "",
        f"{network_name(facts)}, input {facts['height']} × {facts['width']} px, {facts['dim']} dimensions, "
        f"{_trained_on(facts)}. The run has the whole card: `card.html`.",
    ]
    return "\n\n".join(filter(None, parts))


def _head(source: CardSource) -> str:
    decision, facts = source.entry["decision"], _model(source)
    standing = '<span class="status good">champion</span>' if decision["champion"] else ""
    if not decision["champion"]:
        standing = '<span class="status">not champion</span>'
    line = (
        f"A person re-identification model: {network_name(facts)}, input {facts['height']} × {facts['width']} px, "
        f"embeddings of {facts['dim']} dimensions, {_trained_on(facts)}."
    )
    title = html.text(source.title)[3:-4]
    return f"<h1>{title}{standing}</h1>{html.text(line)}{html.tiles(_tiles(source))}"


def _tiles(source: CardSource) -> Iterator[Tile]:
    """Yield the main figures."""
    if not skipped_reason(source.folders.reid):
        for name, scores in read_json(source.folders.reid / "metrics.json").items():
            if _is_test(name, scores):
                yield Tile(f"{scores['mAP']:.3f}", f"mAP on {name}", f"rank1 {scores['rank1']:.3f}")
    report = TrackingReport.read(source.folders.tracking)
    combined = report.combined(report.reported_arm)
    yield Tile(f"{combined['IDF1']:.3f}", f"IDF1, {_tracker(source)}", f"HOTA {combined['HOTA']:.3f}")
    if report.uses_appearance:
        row = report.over_no_appearance[COMBINED]["IDF1"]
        interval = "no interval" if row.interval is None else f"95 % [{row.interval[0]:+.3f}, {row.interval[1]:+.3f}]"
        yield Tile(f"{row.difference:+.3f}", "IDF1 gained by appearance", f"{interval}, {row.num_units} {row.unit}")
    yield Tile(f"{source.latency_ms:.1f} ms", "per crop on one core", f"batches of {source.batch}")


def _sections(source: CardSource) -> Iterator[Section]:
    folders = source.folders
    sections = yaml.safe_load(source.settings.read_text()) or {}
    yield Section("use", "Intended use", _use_html(source))
    yield Section("data", "Data and people", data_html(folders.raw, folders.crops, folders.validation))
    yield Section("validation", "Data validation", validation_html(folders.validation))
    yield Section("training", "Training", _training_html(source, sections.get("train") or {}))
    yield Section("reid", "Re-identification", _reid_html(folders.reid))
    yield Section("tracking", "Tracking", tracking_html(folders.tracking))
    yield Section("switches", "Identity switches", switches_html(folders.tracking))
    yield Section("calibration", "Calibration", _calibration_html(folders.reid))
    yield Section("drift", "Drift reference", drift_html(folders.reid))
    yield Section("speed", "Latency and export", _speed_html(source))
    yield Section("promotion", "Promotion", _promotion_html(source.entry["decision"]))
    yield Section("lineage", "Lineage", _lineage_html(source))
    yield Section("load", "How to load it", _load_html(source))


def _use_html(source: CardSource) -> str:
    inventory = read_json(source.folders.raw / "inventory.json")
    research = [name for name in inventory if "research" in licence_of(name) or "academic" in licence_of(name)]
    limits = list(_LIMITS)
    if set(inventory) == {"synthetic"}:
        limits.append(
            "Trained and measured on drawn people only: no figure on this page says how it works on real ones."
        )
    if research:
        limits.append(f"Not for commercial use: the licences of {', '.join(research)} allow research only.")
    weak = [*weak_sequences(source.folders.tracking), *weak_crops(source.folders.reid)]
    return (
        html.heading("For")
        + html.bullets(_USES)
        + html.heading("Not for")
        + html.bullets(limits)
        + (html.heading("Known weaknesses") + html.bullets(weak) if weak else "")
    )


def _training_html(source: CardSource, params: Mapping[str, Any]) -> str:
    facts = _model(source)
    trained = facts.get("trained_on") or {}
    shown = (
        "epochs",
        "optimizer",
        "learning_rate",
        "losses",
        "people_per_batch",
        "crops_per_person",
        "precision",
        "seed",
    )
    rows = [
        ("started from", trained.get("started_from", "unknown")),
        ("checkpoint of epoch", trained.get("epoch", "–")),
    ]
    rows += [(name.replace("_", " "), _plain(params[name])) for name in shown if name in params]
    if trained.get("unknown_start"):
        rows.append(("training data of the initial weights", f"unknown: {trained['unknown_start']}"))
    return html.table(("setting", "value"), rows) + html.pictures(
        [(source.folders.model / "curves.png", "Loss and validation on held-out training people, by epoch")]
    )


def _reid_html(reid: Path) -> str:
    reason = skipped_reason(reid)
    if reason:
        return html.text(f"Not measured: {reason}.")
    names = ("mAP", "rank1", "rank5", "mINP", "num_query", "num_gallery")
    metrics = read_json(reid / "metrics.json")
    rows = [
        (name.replace("_", " "), *(_figure(scores.get(score)) for score in names))
        for name, scores in sorted(metrics.items(), key=_models_first)
        if isinstance(scores, Mapping) and "mAP" in scores
    ]
    galleries = [
        (path, f"Queries of {path.stem.partition('_')[2]} and the gallery crops ranked first: best, median, worst")
        for path in sorted(reid.glob("gallery_*.png"))
    ]
    curves = [
        (reid / "cmc.png", "Share of queries with a match among the first ranks (CMC)"),
        (reid / "reassociation.png", "Lost people found again, by the frames since"),
    ]
    head = ("test set", "mAP", "rank1", "rank5", "mINP", "queries", "gallery crops")
    note = html.text(f"{_trained_people(metrics)} The colour histogram is the baseline.")
    return note + html.table(head, rows) + html.paired(html.pictures(curves)) + html.pictures(galleries)


def _trained_people(metrics: Mapping[str, Any]) -> str:
    """Return a sentence about the people of the tests who also trained the model."""
    closed = {
        name: number
        for name, scores in metrics.items()
        if isinstance(scores, Mapping) and (number := scores.get("num_trained_people"))
    }
    if not closed:
        return "People of the tests never trained the model."
    sets = ", ".join(f"{number} of {name}" for name, number in closed.items())
    return f"Some queried people also trained the model (closed set): {sets}."


def _calibration_html(reid: Path) -> str:
    found = read_json(reid / "calibration.json")
    fitted = found.get("fitted_on") or {}
    rows = [
        (f"gate {name}", f"{value:.4f}", "largest cost of a match") for name, value in found.get("gates", {}).items()
    ]
    if found.get("eer") is not None:
        rows.append(("equal error rate", f"{found['eer']:.4f}", f"at the distance {found['eer_threshold']:.4f}"))
    note = html.text(
        f"Fitted on {fitted.get('num_people', 0)} held-out people, {fitted.get('num_crops', 0):,} crops, "
        f"{fitted.get('num_genuine_returns', 0):,} returns of the same person. Each model needs its own gates."
    )
    curves = [
        (reid / "distances.png", "Distances between crops of the same person and of different people, with the gate"),
        (reid / "calibration_tables.png", "Errors by visibility, height and gap"),
    ]
    return (
        (note if fitted else "") + html.table(("figure", "value", "meaning"), rows) + html.paired(html.pictures(curves))
    )


def _speed_html(source: CardSource) -> str:
    parity = read_json(source.folders.export / "parity.json")
    size = (source.folders.export / "model.onnx").stat().st_size / 1e6
    rows = [
        (
            "time per crop, one core",
            f"{source.latency_ms:.2f} ms",
            f"ONNX, resizing included, batches of {source.batch}",
        ),
        ("size of the ONNX model", f"{size:.1f} MB", ""),
        ("largest difference from torch", f"{parity['max_abs_difference']:.1e}", f"at most {parity['tolerance']:g}"),
    ]
    formats = _latency_table(source.latencies) if source.latencies else ""
    remark = html.text("Measured when the version was registered.")
    return html.table(("figure", "value", "remark"), rows) + formats + remark


def _latency_table(times: LatencyTable) -> str:
    """Return the table of the formats: ms per crop on one core, the network without resizing."""
    sizes = list(next(iter(times.values())))
    head = ("format: ms per crop, network only", *(f"batches of {size}" for size in sizes))
    return html.table(head, [(name, *(f"{row[size]:.2f}" for size in sizes)) for name, row in times.items()])


def _promotion_html(decision: Mapping[str, Any]) -> str:
    conditions = [
        (row["name"], row["found"], row["required"], "yes" if row["met"] else "no") for row in decision["conditions"]
    ]
    comparisons = [
        (
            row["against"].replace("_", " "),
            f"{row['score']:.4f}",
            f"{row['other']:.4f}",
            f"{row['difference']:+.4f}",
            "–" if row["low"] is None else f"[{row['low']:+.4f}, {row['high']:+.4f}]",
            f"{row['units']} {row['unit']}",
            "yes" if row["met"] else "no",
        )
        for row in decision["comparisons"]
    ]
    score = decision["rule"]["score"]
    head = (f"{score} against", "model", "other", "difference", "95 % interval", "units", "met")
    return (
        html.text(decision["reason"])
        + html.table(head, comparisons, _MARKS)
        + html.table(("condition", "found", "required", "met"), conditions, _MARKS)
    )


def _lineage_html(source: CardSource) -> str:
    origin, entry = source.lineage, source.entry
    changed = ", with uncommitted changes" if origin.is_changed else ""
    rows = [("git commit", f"{origin.commit}{changed}" if origin.commit else "no git repository")]
    rows += [("DVC experiment", origin.experiment)] if origin.experiment else []
    rows += [("MLflow run", entry["run_id"]), ("weights, SHA-256", _model(source)["weights_sha256"])]
    outs = [(stage, path, md5) for stage, md5s in origin.outs.items() for path, md5 in md5s.items()]
    return html.table(("item", "value"), rows) + html.table(("stage", "output", "DVC md5"), outs)


def _load_html(source: CardSource) -> str:
    uri = f"models:/{source.entry['name']}/{source.entry['version']}"
    lines = (
        "from reidops import Embedder",
        "",
        f'embedder = Embedder.load("{uri}")',
        "embeddings = embedder.embed(crops)  # list of BGR uint8 [h, w, 3] → float32 [n, dim], unit rows",
        "",
        "# without torch:",
        "import mlflow",
        "",
        f'model = mlflow.pyfunc.load_model("{uri}")',
        "embeddings = model.predict(crops)  # uint8 [n, h, w, 3], BGR",
    )
    return html.code("\n".join(lines)) + html.text("Tracking URI: " + source.entry["tracking_uri"])


def _model(source: CardSource) -> Mapping[str, Any]:
    return read_json(source.folders.model / "embedder.json")


def _tracker(source: CardSource) -> str:
    return str(read_json(source.folders.tracking / "trial.json")["tracker"])


def _trained_on(facts: Mapping[str, Any]) -> str:
    trained = facts.get("trained_on") or {}
    sets = trained.get("datasets")
    start = f"trained on {', '.join(sets)}" if sets else f"from {trained.get('started_from', 'unknown weights')}"
    adapted = trained.get("adaptation", {}).get("datasets", ())
    return f"{start}, adapted without labels to {', '.join(adapted)}" if adapted else start


def _models_first(row: tuple[str, object]) -> tuple[bool, str]:
    return row[0].startswith("colour_histogram"), row[0]


def _is_test(name: str, scores: object) -> bool:
    return isinstance(scores, Mapping) and "mAP" in scores and not name.startswith("colour_histogram")


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {weight}" for name, weight in value.items())
    return str(value)
