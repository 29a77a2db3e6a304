"""Log the result in MLflow, register its model and decide whether it becomes the champion.

Reads:  data/raw, data/crops, data/validation, data/generated, data/model, data/export, data/reid, data/detections,
        data/embeddings, data/tracking, data/seeds, and params.yaml as the run's params
Writes: an MLflow run and a version of the registered model; data/registration/version.json

If the champion was scored on another bench, it is downloaded, and the same detections are embedded, tracked and scored
with it. The rule is described in docs/promotion.md. A model that was adapted without labels is registered without
scores if nothing is tracked: it becomes the challenger and never the champion.
"""

import logging
from dataclasses import asdict, fields, replace
from pathlib import Path

from reidops.embedding.formats import FORMATS, FORMATS_FILE, shipped_formats
from reidops.files import read_json, sha256, whole_folder, write_json
from reidops.registry import models as registry
from reidops.registry.card import CardSource, short_card, write_card
from reidops.registry.challenger import ChallengerComparer, read_result_scores
from reidops.registry.champion import Conditions, Trial, promote
from reidops.registry.comparison import Rule
from reidops.registry.conditions import Limits
from reidops.registry.latency import BATCH, log_latencies, log_times, measure_formats, measure_latencies
from reidops.registry.lineage import dvc_experiment
from reidops.registry.model_facts import digest_ranking, read_model_facts
from reidops.registry.result import ADAPTATION, Folders, Result, read_bench, read_result
from reidops.registry.seed_noise import read_spread
from reidops.skipped import skipped_reason
from stages import run_stage
from stages.params.register import RegisterParams

log = logging.getLogger(__name__)


def register(
    settings: Path, raw: Path, crops: Path, validation: Path, generated: Path, model: Path, export: Path, reid: Path,
    detections: Path, embeddings: Path, tracking: Path, seeds: Path, registration: Path, params: RegisterParams,
) -> None:  # fmt: skip
    """Log, register and compare the model, and write the decision to `registration/version.json`."""
    reason = skipped_reason(tracking)
    folders = Folders(raw, crops, validation, model, export, reid, tracking, generated)
    if reason:
        _register_unscored(settings, folders, registration, params, reason)
        return
    limits = Limits(**{field.name: getattr(params, field.name) for field in fields(Limits)})
    rule = Rule(**{field.name: getattr(params, field.name) for field in fields(Rule)})
    experiment = dvc_experiment()
    result, run_id, registered = _log_model(settings, folders, params)
    facts = read_model_facts(raw, validation, model, export, reid)
    bench = read_bench(settings, raw, detections, tracking)
    scores = replace(
        read_result_scores(tracking, registered.version, bench),
        run_id=run_id,
        reid=facts.reid,
        reid_bench=digest_ranking(settings, crops),
    )
    trial = Trial(
        scores,
        rule,
        ChallengerComparer(settings, raw, crops, export, embeddings, tracking, params.score),
        read_spread(seeds / "spread.json", params.score),
        Conditions(facts, limits),
        experiment,
    )
    decision = promote(registered, trial)
    entry = registry.describe(registered, run_id) | {"decision": {**asdict(decision), "rule": asdict(rule)}}
    latency_ms = measure_latencies({"model": export})["model"]
    latencies = measure_formats(export)
    log_latencies(run_id, latencies)
    log_times(run_id, [detections, embeddings, tracking])
    source = CardSource(folders, settings, entry, result.lineage, latency_ms, BATCH, latencies)
    registry.log_card(registered, run_id, write_card(source), short_card(source))
    with whole_folder(registration) as folder:
        write_json(entry, folder / "version.json")
    status = "champion" if decision.champion else "not champion"
    log.info("%s version %s is %s: %s", registered.name, registered.version, status, decision.reason)


def _log_model(settings: Path, folders: Folders, params: RegisterParams) -> tuple[Result, str, registry.Registered]:
    """Log the result in a run and register its model; return the result, the id of the run and the version."""
    result = read_result(settings, folders, params.num_metrics)
    run_id = registry.log_result(result, params.experiment)
    calibration = folders.reid / "calibration.json"
    content = {"weights.sha256": result.weights_sha256, "calibration.sha256": sha256(calibration)}
    files = model_files(folders.model, folders.export, folders.reid)
    is_experiment = bool(dvc_experiment())
    return (
        result,
        run_id,
        registry.register_model(params.model_name, run_id, files, content, candidate_only=is_experiment),
    )


def _register_unscored(
    settings: Path, folders: Folders, registration: Path, params: RegisterParams, reason: str
) -> None:
    """Register a model without tracking scores as challenger if it was adapted; else write why there is no version."""
    if _was_adapted(folders.model):
        _, run_id, registered = _log_model(settings, folders, params)
        why = (
            f"it was adapted without labels and {reason}: without ground truth there is no score, so that it is never "
            f"promoted by itself; `reidops registry promote {registered.version}` promotes it by hand"
        )
        registry.note(registered, f"Adapted without labels. Not promoted: {why}")
        entry = registry.describe(registered, run_id) | {"decision": {"champion": False, "reason": why}}
        log.info("%s version %s is not champion: %s", registered.name, registered.version, why)
    else:
        entry = {"skipped": reason}
        log.info("%s: there are no tracking scores to compare, so no version is registered", reason)
    with whole_folder(registration) as folder:
        write_json(entry, folder / "version.json")


def _was_adapted(model: Path) -> bool:
    """Return whether an adaptation changed the weights; it may end with those that it started from."""
    path = model / ADAPTATION
    return path.is_file() and bool(read_json(path)["changed"])


def model_files(model: Path, export: Path, reid: Path) -> dict[str, Path]:
    """Return the path of each file of a registered model, with its further formats.

    The drift reference is there if the data allowed one.
    """
    files = {
        "model.safetensors": model / "model.safetensors",
        "embedder.json": export / "embedder.json",
        "model.onnx": export / "model.onnx",
        "calibration.json": reid / "calibration.json",
    }
    formats = [file for name in shipped_formats(export) for file in FORMATS[name].files]
    more = [file for file in (*formats, FORMATS_FILE) if (export / file).is_file()]
    reference = reid / "drift_reference.npz"
    return files | {file: export / file for file in more} | ({reference.name: reference} if reference.is_file() else {})


if __name__ == "__main__":
    run_stage(register)
