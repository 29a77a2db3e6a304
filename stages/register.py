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
from typing import Annotated

from pydantic import Field

from reidops.files import sha256, whole_folder, write_json
from reidops.params import params_dataclass
from reidops.registry.comparison import Bench, Bounds, Evidence, Rule, Score, TrackingResult
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, RANDOM
from reidops.tracking.evaluation.tracking_report import Difference, TrackingReport
from stages import run_stage

logger = logging.getLogger(__name__)


@params_dataclass
class RegisterParams:
    """Where the result goes and what a challenger has to do.

    Attributes:
        model_name: the registered model's name in MLflow.
        experiment: the MLflow experiment that holds the runs.
        score: the combined tracking score that decides: IDF1, HOTA, MOTA, AssA or DetA.
        evidence: what has to be above a bound: `interval` = the lower end of the difference's 95 % interval, `point` =
            the difference.
        min_margin: bound of the difference to the champion, 0 … 1.
        require_gain: a champion also beats the same tracker without appearance.
        beat_random: a champion also beats the same tracker with random vectors.
    """

    model_name: Annotated[str, Field(pattern=r"^[\w.\- ]+$")]
    experiment: Annotated[str, Field(min_length=1)]
    score: Score
    min_margin: Annotated[float, Field(ge=0, le=1)]
    require_gain: bool
    evidence: Evidence = "interval"
    beat_random: bool = True


def register(
    settings: Path, raw: Path, crops: Path, validation: Path, model: Path, export: Path, reid: Path, detections: Path,
    embeddings: Path,
    tracking: Path, seeds: Path, registration: Path, params: RegisterParams,
) -> None:  # fmt: skip
    """Log, register, compare; write what came of it to `registration/version.json`."""
    from reidops.registry import models as registry
    from reidops.registry.champion import promote
    from reidops.registry.result import Folders, read_bench, read_result
    from reidops.registry.seed_spread import read_spread

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
    report = TrackingReport.read(tracking)
    control = report.scores[NO_APPEARANCE]
    if not report.uses_appearance:
        return TrackingResult(version, bench, control, control, uses_appearance=False)
    return TrackingResult(
        version,
        bench,
        report.scores[APPEARANCE],
        control,
        random={COMBINED: report.combined(RANDOM)},
        over_no_appearance=_bounds(report.over_no_appearance[COMBINED]),
        over_random=_bounds(report.over_random[COMBINED]),
    )


def _bounds(rows: Mapping[str, Difference]) -> dict[str, Bounds]:
    """Return the interval of each score's difference, and the units behind it."""
    return {score: Bounds(*(row.interval or (None, None)), row.num_units, row.unit) for score, row in rows.items()}


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
        from reidops.tracking.evaluation.rivals import lead_over

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
        from reidops.embedding.embedder import Embedder
        from reidops.parts import tracked_parts
        from reidops.tracking.evaluation.rescoring import check_unseen, embed_again, score_again
        from reidops.tracking.evaluation.trials import read_trial_settings

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
    run_stage(register, RegisterParams)
