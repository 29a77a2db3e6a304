"""Log the result in MLflow, register its model and decide whether it becomes champion.

Reads:  data/raw, data/crops, data/validation, data/model, data/export, data/reid, data/detections, data/embeddings,
        data/tracking, data/seeds, and params.yaml as the run's params
Writes: an MLflow run and a version of the registered model; data/registration/version.json

Where the champion was scored on another bench it is pulled, embeds the same detections and is tracked and scored again.
The rule is described in docs/promotion.md.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reidops.embedding.embedder import Embedder
from reidops.files import read_json, sha256, whole_folder, write_json
from reidops.parts import tracked_parts
from reidops.registry import models as registry
from reidops.registry.champion import promote
from reidops.registry.comparison import COMBINED, Bench, Bounds, Rule, Score, TrackingResult
from reidops.registry.result import Folders, read_bench, read_result
from reidops.registry.seed_spread import read_spread
from reidops.tracking.evaluation.rescoring import check_unseen, embed_again, score_again
from reidops.tracking.evaluation.rivals import lead_over
from reidops.tracking.evaluation.trials import read_trial_settings
from stages import run_stage
from stages.params.register import RegisterParams

logger = logging.getLogger(__name__)


def register(
    settings: Path, raw: Path, crops: Path, validation: Path, model: Path, export: Path, reid: Path, detections: Path,
    embeddings: Path,
    tracking: Path, seeds: Path, registration: Path, params: RegisterParams,
) -> None:  # fmt: skip
    """Log, register, compare; write what came of it to `registration/version.json`."""
    rule = Rule(params.score, params.min_margin, params.require_gain, params.beat_random, params.evidence)
    result = read_result(settings, Folders(raw, crops, validation, model, export, reid, tracking))
    run_id = registry.log_result(result, params.experiment)
    content = {"weights.sha256": result.weights_sha256, "calibration.sha256": sha256(reid / "calibration.json")}
    registered = registry.register_model(params.model_name, run_id, model_files(model, export, reid), content)
    scores = replace(
        read_scores(tracking, registered.version, read_bench(settings, raw, detections, tracking)), run_id=run_id
    )
    comparer, spread = (
        Comparer(raw, embeddings, tracking, params.score),
        read_spread(seeds / "spread.json", params.score),
    )
    decision = promote(registered, scores, rule, comparer, spread)
    entry = registry.describe(registered, run_id) | {"decision": {**asdict(decision), "rule": asdict(rule)}}
    with whole_folder(registration) as folder:
        write_json(entry, folder / "version.json")
    standing = "champion" if decision.champion else "not champion"
    logger.info("%s version %s is %s: %s", registered.name, registered.version, standing, decision.reason)


def read_scores(tracking: Path, version: str, bench: Bench) -> TrackingResult:
    """Return what `evaluate_tracking` found; where the tracker uses no embedding, its one arm stands for both."""
    arms, proof = read_json(tracking / "metrics.json"), read_json(tracking / "proof.json")
    control = arms["no_appearance"]
    if not proof["uses_appearance"]:
        return TrackingResult(version, bench, control, control, uses_appearance=False)
    return TrackingResult(
        version,
        bench,
        arms["appearance"],
        control,
        random={COMBINED: proof["arms"]["random"]},
        over_no_appearance=_bounds(proof["differences"]["appearance"]),
        over_random=_bounds(proof["over_random"]),
    )


def _bounds(rows: Mapping[str, Any]) -> dict[str, Bounds]:
    """Return the interval of each combined score's difference, and the units behind it."""
    return {
        score: Bounds(*(row["interval"] or (None, None)), row["num_units"], row["unit"])
        for score, row in rows[COMBINED].items()
    }


@dataclass(frozen=True)
class Comparer:
    """Compares other models with the evaluated one on its bench; see `champion.Referee`."""

    raw: Path
    embeddings: Path
    tracking: Path
    score: Score

    def lead_over(self, windows: Path) -> Bounds | None:
        """Return the interval of the lead over the model whose windows these are; None where they are not the same
        windows.
        """
        intervals = lead_over(self.tracking / "windows.npz", windows)
        if intervals is None:
            return None
        interval = intervals.get(self.score)
        return (
            Bounds(None, None, 0)
            if interval is None
            else Bounds(interval.low, interval.high, interval.units, interval.unit)
        )

    def score_again(self, model: Path, folder: Path) -> Mapping[str, Mapping[str, float]]:
        """Return a model's scores by sequence, tracked as the evaluated one was but for a calibrated gate, which is the
        model's own.
        """
        parts, settings = tracked_parts(self.raw), read_trial_settings(self.tracking / "trial.json")
        check_unseen(parts, model)
        embed_again(parts, self.embeddings, Embedder.load(model), folder)
        return score_again(parts, settings, folder, model / "calibration.json", folder)


def model_files(model: Path, export: Path, reid: Path) -> dict[str, Path]:
    """Return where each file of a registered model lies."""
    return {
        "model.safetensors": model / "model.safetensors",
        "embedder.json": export / "embedder.json",
        "model.onnx": export / "model.onnx",
        "calibration.json": reid / "calibration.json",
    }


if __name__ == "__main__":
    run_stage(register)
