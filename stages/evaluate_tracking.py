"""Track the held-out sequences with and without appearance, and score both officially.

Reads:  data/raw (parts.csv; gt.txt and frames of the `track` rows), data/embeddings, data/reid/calibration.json
Writes: data/tracking/ headline.json (the combined scores), metrics.json, sequences.csv,
        results/<arm>/<sequence>.txt, events/<arm>/<sequence>.csv,
        timelines/<sequence>.png, switches/<sequence>.png, frames/<sequence>-<frame>.jpg
"""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from reidops.files import read_json, whole_folder, write_json
from reidops.params import params_dataclass
from reidops.tracking.constants import DeepSortConstants
from stages import run_stage

log = logging.getLogger(__name__)

Count = Annotated[int, Field(ge=0)]


@params_dataclass
class EvaluateTrackingParams:
    """The tracker, its gate and its constants; the control arm has the same ones."""

    tracker: Literal["deepsort"]
    # Largest cosine distance of a detection to a track: `calibrated` to this model, `published` (0.2, another model's), or a number.
    gate: Literal["calibrated", "published"] | Annotated[float, Field(ge=0, le=2)]
    # Least score in the detector's own scale; null = all; or one per detector, {DPM: 0.0, FRCNN: 0.3, SDP: 0.3}.
    min_confidence: float | dict[str, float] | None
    deepsort: DeepSortConstants
    num_switches: Count = 8  # identity switches shown per sequence
    num_frames: Count = 3  # annotated frames shown per sequence


def evaluate_tracking(raw: Path, embeddings: Path, calibration: Path, tracking: Path, params: EvaluateTrackingParams) -> None:
    """Write scores, result files, events and pictures of both arms."""
    from reidops.tracking.embeddings import tracked_parts
    from reidops.tracking.evaluation import Trial, evaluate_parts, score_table, score_tree
    from reidops.tracking.report import choose_gate, format_scores, headline, write_arms, write_pictures

    parts, calibrated = tracked_parts(raw), read_json(calibration)
    gate = choose_gate(params.gate, calibrated, calibration)
    trial = Trial(embeddings, calibrated["weights_sha256"], params.min_confidence, params.tracker, gate, params.deepsort)
    arms = evaluate_parts(parts, trial)
    scores = score_table(arms)
    with whole_folder(tracking) as folder:
        write_json(score_tree(scores), folder / "metrics.json")
        write_json(headline(score_tree(scores)), folder / "headline.json")
        scores.to_csv(folder / "sequences.csv", index=False, float_format="%.6f", lineterminator="\n")
        write_arms(arms, folder)
        for part in parts:
            write_pictures(part, arms, folder, num_switches=params.num_switches, num_frames=params.num_frames)
    num_frames = sum(part.num_frames for part in parts)
    log.info("tracked %s frames of %d sequences, cosine gate %.3f\n%s", f"{num_frames:,}", len(parts), gate, format_scores(scores))


if __name__ == "__main__":
    run_stage(evaluate_tracking, EvaluateTrackingParams)
