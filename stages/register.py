"""Log the result in MLflow, register its model and decide whether it becomes champion.

Reads:  data/raw, data/crops, data/validation, data/model, data/export, data/reid, data/detections, data/tracking,
        and params.yaml as the run's params
Writes: an MLflow run and a version of the registered model; data/registration/version.json
"""

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reidops.files import read_json, sha256, whole_folder, write_json
from reidops.params import params_dataclass
from reidops.promotion import COMBINED, Bench, Rule, Score, TrackingResult
from stages import run_stage

logger = logging.getLogger(__name__)


@params_dataclass
class RegisterParams:
    """Where the result goes and what a challenger has to do.

    Attributes:
        model_name: the registered model's name in MLflow.
        experiment: the MLflow experiment that holds the runs.
        score: the combined tracking score that decides: IDF1, HOTA, MOTA, AssA or DetA.
        min_margin: a challenger beats the champion's score by at least this, 0 … 1.
        require_gain: a champion also beats the same tracker without appearance.
    """

    model_name: Annotated[str, Field(pattern=r"^[\w.\- ]+$")]
    experiment: Annotated[str, Field(min_length=1)]
    score: Score
    min_margin: Annotated[float, Field(ge=0, le=1)]
    require_gain: bool


def register(
    settings: Path, raw: Path, crops: Path, validation: Path, model: Path, export: Path, reid: Path, detections: Path, tracking: Path,
    registration: Path, params: RegisterParams,
) -> None:  # fmt: skip
    """Log, register, compare; write what came of it to `registration/version.json`."""
    from reidops import registry
    from reidops.result import Folders, read_bench, read_result

    rule = Rule(params.score, params.min_margin, params.require_gain)
    result = read_result(settings, Folders(raw, crops, validation, model, export, reid, tracking))
    run_id = registry.log_result(result, params.experiment)
    content = {"weights.sha256": result.weights_sha256, "calibration.sha256": sha256(reid / "calibration.json")}
    registered = registry.register_model(params.model_name, run_id, model_files(model, export, reid), content)
    scores = replace(read_scores(tracking, registered.version, read_bench(settings, raw, detections)), run_id=run_id)
    decision = registry.promote(registered, scores, rule, lambda champions: read_lead(tracking, champions, params.score))
    entry = registry.describe(registered, run_id) | {"decision": {**asdict(decision), "rule": asdict(rule)}}
    with whole_folder(registration) as folder:
        write_json(entry, folder / "version.json")
    standing = "champion" if decision.champion else "not champion"
    logger.info("%s version %s is %s: %s", registered.name, registered.version, standing, decision.reason)


def read_scores(tracking: Path, version: str, bench: Bench) -> TrackingResult:
    """Return what `evaluate_tracking` found; where the tracker looks at no embedding, its one arm stands for both."""
    arms, proof = read_json(tracking / "metrics.json"), read_json(tracking / "proof.json")
    control = arms["no_appearance"]
    if not proof["uses_appearance"]:
        return TrackingResult(version, bench, control, control, uses_appearance=False)
    gains = {score: tuple(row["over_windows"]) for score, row in proof["differences"]["appearance"][COMBINED].items()}
    return TrackingResult(version, bench, arms["appearance"], control, gains)


def read_lead(tracking: Path, champions: Path, score: Score) -> tuple[float, float] | None:
    """Return the 95 % interval of a score less the champion's, over the windows that both kept; None where those are not the same."""
    from reidops.tracking.rivals import lead_over

    drawn = read_json(tracking / "proof.json").get("bootstrap")
    intervals = drawn and lead_over(tracking / "windows.npz", champions, resamples=drawn["resamples"], seed=drawn["seed"])
    return (intervals[score].low, intervals[score].high) if intervals and score in intervals else None


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
