"""A challenger as `evaluate_tracking` reported it, and other models on the same sequences, detections and tracker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropStore
from reidops.params import read_sections
from reidops.parts import tracked_parts
from reidops.registry.comparison import Bench, Bounds, Score, TrackingResult
from reidops.registry.latency import measure_latencies
from reidops.retrieval.evaluation import embed_tests
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.tables import CROPS, read_table
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, RANDOM
from reidops.tracking.evaluation.rescoring import check_unseen, embed_again, score_again
from reidops.tracking.evaluation.rivals import lead_over
from reidops.tracking.evaluation.setups import read_tracking_settings
from reidops.tracking.evaluation.tracking_report import Difference, TrackingReport


def read_result_scores(tracking: Path, version: str, bench: Bench) -> TrackingResult:
    """Return the scores that `evaluate_tracking` reported; a tracker without appearance has one arm for both sides."""
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
    found = {}
    for score, row in rows.items():
        low, high = row.interval or (None, None)
        found[score] = Bounds(low, high, row.num_units, row.unit)
    return found


@dataclass(frozen=True)
class ChallengerComparer:
    """Compares other models with the evaluated one on its bench; see `champion.Referee`."""

    settings: Path
    raw: Path
    crops: Path
    export: Path
    embeddings: Path
    tracking: Path
    score: Score

    def lead_over(self, windows: Path) -> Bounds | None:
        """Return the interval of the lead over the model of these windows; None if they are other windows."""
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
        """Return a model's scores by sequence, tracked with the challenger's settings and its own calibrated gate."""
        parts, settings = tracked_parts(self.raw), read_tracking_settings(self.tracking / "trial.json")
        check_unseen(parts, model)
        embed_again(parts, self.embeddings, Embedder.load(model), folder)
        return score_again(parts, settings, folder, model / "calibration.json", folder)

    def rank_again(self, model: Path) -> dict[str, float]:
        """Return the mAP of a model on each test set, ranked with the settings of the challenger."""
        params = read_sections(self.settings).get("evaluate_reid") or {}
        table = read_table(self.crops / "crops.parquet", CROPS)
        embedder = Embedder.load(model, flip_average=params.get("flip_average"))
        tests = find_ranking_sets(table, params.get("junk", "auto"))
        chosen = {name: params[name] for name in ("pool", "views", "batch_size") if name in params}
        embedded = embed_tests(embedder, CropStore(self.crops / "crops.tar", table), table, tests, **chosen)
        return {test.name: test.score(embedded.embeddings, 1).mAP for test in embedded.tests}

    def latencies(self, model: Path) -> tuple[float, float]:
        """Return the latency of the challenger and of a model, ms per crop."""
        found = measure_latencies({"challenger": self.export, "champion": model})
        return found["challenger"], found["champion"]
