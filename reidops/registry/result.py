"""Read one result of the pipeline from the stages' outputs: params, curves, metrics, pictures and provenance.

This module does not import MLflow; `models.py` logs the result.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from reidops.embedding.description import network_name
from reidops.files import read_json, sha256
from reidops.parts import Part, read_parts
from reidops.registry.comparison import SCORES, Bench
from reidops.registry.lineage import Lineage, dvc_experiment, read_lineage
from reidops.registry.shown_metrics import shown_metrics
from reidops.skipped import skipped_reason
from reidops.tracking.evaluation.arm_names import COMBINED, DIFFERENCE
from reidops.tracking.evaluation.tracking_report import Difference, TrackingReport

ARMS = {DIFFERENCE: "gain"}
"""Names of ablation arms in the metrics of a run; other arms keep their name."""

CURVES = ("loss", "lr", "val_mAP", "val_rank1")
"""Columns of history.csv that are curves of a result's run; the run of the training has all of them."""

ADAPTATION = "adaptation.json"
"""File in the model's folder with the label-free evidence of an adaptation."""

PICTURES = ("*.png", "*.jpg", "*.csv", "*.json")
TRACKING_PICTURES = ("timelines", "switches", "clips", "frames")
MOST_PICTURES = 60
"""Maximum number of pictures of one kind in a run, the first ones by name. data/tracking has all pictures."""

NOT_SETTINGS = (
    "batch_size",
    "annotations",
    "num_switches",
    "num_frames",
    "num_clips",
    "window",
    "resamples",
    "seed",
)
"""Params of `embed`, `tune` and `evaluate_tracking` that change speed or pictures but no score."""


@dataclass(frozen=True)
class Folders:
    """The output folders of the stages."""

    raw: Path
    crops: Path
    validation: Path
    model: Path
    export: Path
    reid: Path
    tracking: Path
    generated: Path | None = None


@dataclass(frozen=True)
class DatasetInput:
    """A data set of a result with its `roles` (train, test, track)."""

    name: str
    digest: str
    source: str
    roles: str
    profile: str


@dataclass(frozen=True)
class Result:
    """The content of one run; `curves` holds (name, step, value).

    `metrics` are all figures. `shown` are those that MLflow gets; the file metrics.json has the others.
    """

    name: str
    description: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    shown: Mapping[str, float]
    curves: tuple[tuple[str, int, float], ...]
    lineage: Lineage
    datasets: tuple[DatasetInput, ...]
    files: Mapping[Path, str]
    weights_sha256: str

    @property
    def digest(self) -> str:
        """Return a content hash of weights, params and metrics, independent of time and place."""
        text = json.dumps([self.weights_sha256, dict(self.params), dict(self.metrics)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tags(self) -> dict[str, str]:
        """Return the few tags that identify a result."""
        origin = self.lineage
        known = {"mlflow.source.git.commit": origin.commit, "dvc.experiment": origin.experiment}
        changed = {"git.uncommitted_changes": str(origin.is_changed).lower()} if origin.commit else {}
        identity = {"weights.sha256": self.weights_sha256, "result.digest": self.digest}
        return identity | changed | {name: value for name, value in known.items() if value}


def read_result(settings: Path, folders: Folders, num_metrics: int = 40) -> Result:
    """Read a result from `settings` (params.yaml) and the stages' folders; `num_metrics` limits the shown metrics."""
    sections = yaml.safe_load(settings.read_text())
    model = read_json(folders.model / "embedder.json")
    metrics, lineage = read_metrics(folders), read_lineage(Path("dvc.lock"))
    parts = read_parts(folders.raw)
    curves = tuple(read_curves(folders.model / "history.csv"))
    return Result(
        name=_run_name(model),
        description="\n\n".join(filter(None, [_description(metrics), lineage.as_markdown()])),
        params=flatten(sections, separator="."),
        metrics=metrics,
        shown=shown_metrics(metrics, num_metrics - len({name for name, _, _ in curves})),
        curves=curves,
        lineage=lineage,
        datasets=(*read_datasets(folders.raw, parts), *_tracked_datasets(lineage)),
        files=dict(find_files(settings, folders)),
        weights_sha256=model["weights_sha256"],
    )


def _tracked_datasets(lineage: Lineage) -> Iterator[DatasetInput]:
    """Yield the data that DVC tracks, with their md5 in dvc.lock."""
    for place in ("data/raw", "data/crops", "data/detections"):
        if lineage.out(place):
            yield DatasetInput(place, lineage.out(place), place, "dvc", "{}")


def read_metrics(folders: Folders) -> dict[str, float]:
    """Return all metrics by flat names, e.g. `reid/synthetic/mAP`, `tracking/appearance/IDF1`, `tracking/gain/IDF1`."""
    calibration = read_json(folders.reid / "calibration.json")
    report = None if skipped_reason(folders.tracking) else TrackingReport.read(folders.tracking)
    figures = {
        "reid": read_json(folders.reid / "metrics.json"),
        "calibration": {name: calibration[name] for name in ("eer", "eer_threshold", "gates") if name in calibration},
        "export": read_json(folders.export / "parity.json"),
        "data": read_json(folders.validation / "report.json").get("counts", {}),
        "tracking": {} if report is None else flatten_tracking(report.scores) | flatten_gains(report),
        "adaptation": read_json(folders.model / ADAPTATION) if (folders.model / ADAPTATION).is_file() else {},
    }
    return numbers(figures)


def flatten_tracking(arms: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return combined scores as `<arm>/<score>`, and the main scores of each sequence as `<arm>/<sequence>/<score>`."""
    shown = (*SCORES, "IDSW")
    flat: dict[str, Any] = {}
    for arm, sequences in arms.items():
        for sequence, scores in sequences.items():
            place = f"{ARMS.get(arm, arm)}" if sequence == COMBINED else f"{ARMS.get(arm, arm)}/{sequence}"
            kept = scores if sequence == COMBINED else {name: scores[name] for name in shown if name in scores}
            flat.update({f"{place}/{name}": value for name, value in kept.items()})
    return flat


def flatten_gains(report: TrackingReport) -> dict[str, Any]:
    """Return the model's differences from the controls, by flat names.

    `gain/<score>_low` and `_high` are the interval of the gain over no appearance. `over_random/<score>`, `_low` and
    `_high` are the lead over random vectors. `headroom/<score>` and `decided/share` are fractions. Missing intervals
    are left out.
    """
    if not report.uses_appearance:
        return {}
    random = report.over_random[COMBINED]
    bounds = _bounds("gain", report.over_no_appearance[COMBINED]) | _bounds("over_random", random)
    leads = {f"over_random/{score}": row.difference for score, row in random.items()}
    shares = {f"headroom/{score}": row.share for score, row in report.headroom.items()}
    return bounds | leads | shares | {"decided/share": report.decided[COMBINED].share}


def _bounds(name: str, rows: Mapping[str, Difference]) -> dict[str, float]:
    known = {score: row.interval for score, row in rows.items() if row.interval is not None}
    return {
        f"{name}/{score}_{side}": pair[place]
        for score, pair in known.items()
        for place, side in enumerate(("low", "high"))
    }


def numbers(tree: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested mapping by names joined by `/`; text, lists and booleans are left out."""
    flat: dict[str, float] = {}
    for name, value in tree.items():
        place = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= numbers(value, f"{place}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[place] = float(value)
    return flat


def flatten(tree: Mapping[str, Any], separator: str, prefix: str = "") -> dict[str, str]:
    """Return the leaves of a nested mapping as text by joined names; a list is one leaf, in JSON."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, separator, f"{prefix}{name}{separator}")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def read_curves(history_csv: Path) -> Iterator[tuple[str, int, float]]:
    """Yield (`train/<column>`, epoch, value) for the loss, the learning rate and the validation in the history."""
    history = pd.read_csv(history_csv)
    steps = history["epoch"] if "epoch" in history else history.index
    for column in history.select_dtypes("number").columns.intersection(CURVES):
        for step, value in zip(steps, history[column], strict=True):
            if pd.notna(value):
                yield f"train/{column}", int(step), float(value)


def read_bench(settings: Path, raw: Path, detections: Path, tracking: Path) -> Bench:
    """Return the benchmark of the tracking scores: sequences with ground truth and detections, settings and code.

    Detections are identified by their content. Tracker constants that a search found are identified by the settings of
    the search: the section `tune` replaces the constants in `evaluate_tracking`.
    """
    sections = yaml.safe_load(settings.read_text())
    sequences = {part.sequence: _sequence_digest(part, detections) for part in read_parts(raw) if part.part == "track"}
    of_search = ("tune",) if (sections.get("tune") or {}).get("trials") else ()
    tracker = flatten(
        {name: sections.get(name) or {} for name in ("embed", "evaluate_tracking", *of_search)}, separator="."
    )
    settings_of_tracker = {name: value for name, value in tracker.items() if _is_setting(name, tracker)}
    kept = {
        n: v
        for n, v in settings_of_tracker.items()
        if not of_search or not n.startswith("evaluate_tracking.constants.")
    }
    return Bench(sequences, kept, read_json(tracking / "trial.json")["code"])


def _is_setting(name: str, tracker: Mapping[str, str]) -> bool:
    """Return whether a param changes a score; constants and searches of trackers that did not run do not."""
    ran = tracker.get("evaluate_tracking.tracker")
    of_others = any(
        name.startswith(place) and not name.startswith(f"{place}{ran}.")
        for place in ("evaluate_tracking.constants.", "tune.search.")
    )
    return name.rpartition(".")[2] not in NOT_SETTINGS and not of_others


def _sequence_digest(part: Part, detections: Path) -> str:
    """Return the frames of a part and the digests of its ground truth and detections."""
    files = (part.folder / "gt" / "gt.txt", detections / f"{part.sequence}.txt")
    digests = [sha256(path)[:12] if path.is_file() else "none" for path in files]
    return ":".join([f"{part.first_frame}-{part.last_frame}", *digests])


def read_datasets(raw: Path, parts: list[Part]) -> Iterator[DatasetInput]:
    """Yield each data set of the inventory with its content hash."""
    for name, entry in read_json(raw / "inventory.json").items():
        roles = sorted({part.part for part in parts if part.dataset == name})
        profile = json.dumps({key: entry[key] for key in ("num_files", "num_bytes") if key in entry})
        yield DatasetInput(name, str(entry["digest"])[:36], str(entry.get("source", "")), ", ".join(roles), profile)


def find_files(settings: Path, folders: Folders) -> Iterator[tuple[Path, str]]:
    """Yield (file, folder in the run) of the pictures and tables, and of the files that reproduce the result."""
    for name in (settings, Path("dvc.yaml"), Path("dvc.lock")):
        if name.is_file():
            yield name, "reproduce"
    pictures = {
        "training": folders.model,
        "data": folders.validation,
        "reid": folders.reid,
        "tracking": folders.tracking,
        "export": folders.export,
    }
    if folders.generated is not None and (folders.generated / "crops.parquet").is_file():
        pictures["generated"] = folders.generated
    for place, folder in pictures.items():
        for path in sorted(p for pattern in PICTURES for p in folder.glob(pattern)):
            yield path, place
    for kind in TRACKING_PICTURES:
        for path in sorted(p for p in (folders.tracking / kind).glob("[!.]*") if p.is_file())[:MOST_PICTURES]:
            yield path, f"tracking/{kind}"
    if (folders.tracking / "windows.npz").is_file():
        yield folders.tracking / "windows.npz", "tracking"
    yield folders.crops / "report.json", "data/crops"
    for folder, place in (
        (folders.validation / "docs", "data/docs"),
        (folders.tracking / "results", "tracking/results"),
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            yield path, f"{place}/{path.parent.relative_to(folder)}".removesuffix("/.")


def _run_name(model: Mapping[str, Any]) -> str:
    trained_on = model.get("trained_on", {})
    datasets = trained_on.get("datasets")  # absent if nothing was trained (train.epochs: 0)
    origin = f"on {'+'.join(datasets)}" if datasets else f"from {trained_on.get('started_from', 'unknown weights')}"
    name = f"{network_name(model)} {model['height']}x{model['width']} {origin} ({model['weights_sha256'][:8]})"
    return f"{name} {dvc_experiment()}".strip()


def _description(metrics: Mapping[str, float]) -> str:
    """Return a Markdown table of the main metrics."""
    names = [n for n in metrics if n.startswith("reid/") and n.endswith(("/mAP", "/rank1"))]
    names += [f"tracking/{arm}/{s}" for s in ("IDF1", "HOTA", "MOTA") for arm in ("appearance", "no_appearance")]
    rows = [f"| {name} | {metrics[name]:.4f} |" for name in names if name in metrics]
    return "\n".join(["| figure | value |", "|---|---|", *rows])
