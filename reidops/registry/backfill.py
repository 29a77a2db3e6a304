"""Score an older version or another model on the current data: the benchmark and the test people of the last result."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reidops.errors import ReidopsError
from reidops.registry.challenger import ChallengerComparer
from reidops.registry.models import pull_model
from reidops.registry.report_run import log_report
from reidops.tracking.evaluation.arm_names import COMBINED

log = logging.getLogger(__name__)

EXPERIMENT = "backfill"


@dataclass(frozen=True)
class Backfill:
    """The figures of a model on the current data.

    `obstacles` has the reason for each part (tracking, ReID) that could not be computed.
    """

    model: str
    tracking: Mapping[str, float] = field(default_factory=dict)
    reid: Mapping[str, float] = field(default_factory=dict)
    obstacles: tuple[str, ...] = ()

    @property
    def figures(self) -> dict[str, float]:
        """Return all figures by name: tracking/<score>, combined over the sequences, and reid/<test set>/mAP."""
        tracking = {f"tracking/{score}": value for score, value in self.tracking.items()}
        return tracking | {f"reid/{test}/mAP": value for test, value in self.reid.items()}


def backfill(model: str, comparer: ChallengerComparer) -> Backfill:
    """Return the figures of a model on the sequences, detections, settings and test people of the last result.

    Args:
        model: models:/NAME/VERSION, models:/NAME@ALIAS, or a folder with embedder.json, weights and, for a calibrated
            gate, calibration.json.
        comparer: of the last result.
    """
    try:
        folder = _find(model)
    except ReidopsError as error:
        return Backfill(model, obstacles=(_one_line(error),))
    obstacles: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        tracking = _attempt(lambda: comparer.score_again(folder, made)[COMBINED], "tracking", obstacles)
        reid = _attempt(lambda: comparer.rank_again(folder), "ReID", obstacles)
    return Backfill(model, tracking, reid, tuple(obstacles))


def log_backfill(found: Backfill) -> str:
    """Log the figures as a run of the experiment `backfill`, and return its id."""
    description = f"{found.model} on the current data. {' '.join(found.obstacles)}".strip()
    return log_report(EXPERIMENT, description, found.figures, {"model": found.model}, run_name=found.model)


def _find(model: str) -> Path:
    if model.startswith("models:/"):
        return pull_model(model)
    if not (Path(model) / "embedder.json").is_file():
        raise ReidopsError(f"{model}: has no embedder.json; expected models:/NAME/VERSION or the folder of a model")
    return Path(model)


def _attempt(compute: Callable[[], Mapping[str, float]], part: str, obstacles: list[str]) -> Mapping[str, float]:
    try:
        return compute()
    except (ReidopsError, OSError) as error:
        obstacles.append(f"{part}: {_one_line(error)}")
        return {}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
