"""Check new sequences against a model's drift reference, write the report and log it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from reidops.drift.comparison import ALPHA, Comparison, compare
from reidops.drift.reference import REFERENCE, read_reference
from reidops.drift.report import describe, write_report
from reidops.drift.samples import is_sample_log, read_samples
from reidops.drift.scenes import observe_sequences
from reidops.errors import ReidopsError
from reidops.registry.models import pull_model
from reidops.registry.report_run import log_report
from reidops.serving.onnx_embedder import OnnxEmbedder

log = logging.getLogger(__name__)

IS_DRIFT = 3
"""Exit code of `reidops drift` if a statistic is beyond its bound; 0 without drift, 1 on an error."""


def check_drift(
    sequences: Sequence[Path], model: str, output: Path, *, alpha: float = ALPHA, experiment: str | None = None
) -> Comparison:
    """Compare sequences with the reference of a model, and write drift.json and drift.html into `output`.

    Args:
        sequences: folders of sequences with det/det.txt, of data sets with such sequences in `train`, or sampled logs
            of the service.
        model: models:/NAME@ALIAS, or a folder with model.onnx (and `reid` beside it).
        alpha: probability of a false alarm.
        experiment: of MLflow, to which the comparison is logged; None = it is not logged.

    Raises:
        ReidopsError: the model has no reference or another one's, or a sequence cannot be read.
    """
    folder = pull_model(model) if model.startswith("models:/") else Path(model)
    path = next((p for p in (folder / REFERENCE, folder.parent / "reid" / REFERENCE) if p.is_file()), None)
    reference = read_reference(path or folder / REFERENCE)
    embedder = OnnxEmbedder(folder)
    if reference.weights_sha256 != embedder.weights_sha256:
        raise ReidopsError(
            f"{path}: made for the model {reference.weights_sha256[:12]}, and {folder} holds "
            f"{embedder.weights_sha256[:12]}; run `dvc repro evaluate_reid`"
        )
    logs = [folder for folder in sequences if is_sample_log(folder)]
    scenes = [camera for folder in logs for camera in read_samples(folder, embedder.weights_sha256)]
    if len(logs) < len(sequences):
        scenes += observe_sequences([folder for folder in sequences if folder not in logs], embedder)
    comparison = compare(scenes, reference, alpha=alpha)
    output.mkdir(parents=True, exist_ok=True)
    write_report(comparison, reference, output)
    log.info("%s; wrote %s", describe(comparison), output)
    if experiment is not None:
        log_report(experiment, describe(comparison), _figures(comparison), {"model": model}, output)
    return comparison


def _figures(comparison: Comparison) -> dict[str, float]:
    """Return the metrics of a comparison: the p value and the deviation of each statistic."""
    p_values = {f"p_value/{finding.name}": finding.p_value for finding in comparison.findings}
    deviations = {f"deviations/{finding.name}": finding.deviations for finding in comparison.findings}
    return {"is_drift": float(comparison.is_drift), **p_values, **deviations}
