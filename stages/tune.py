"""Search for a tracker's constants on scenes that are not reported; off by default (`trials: 0`).

A trial tracks all chosen scenes with one set of constants and is scored on them together. The embeddings are computed
once. The scenes are those that are tested and neither tracked nor trained on. If there are none, the scenes that
trained are used. The model separates training people better than new people, so a search on them trusts appearance too
much. With `appearance: auto` such a search uses motion alone. Gates and weights of appearance are searched only if
`search` names them. `evaluate_tracking` uses the constants that were found, records them in protocol.json, and refuses
to report on a scene of the search.

The tracker, its gate, its detections and their embeddings are set in the sections evaluate_tracking, detect and embed.

Reads:  data/raw (parts.csv; gt.txt, det.txt and frames of the scenes of the search), data/model,
        data/reid/calibration.json; nothing if trials is 0
Writes: data/tuning/ constants.json (what was found, and on which frames), metrics.json; with trials also trials.csv and
        trials.png
"""

import logging
from pathlib import Path

from reidops.files import whole_folder, write_json
from stages import run_stage
from stages.params.detect import DetectParams
from stages.params.embed import EmbedParams
from stages.params.evaluate_tracking import EvaluateTrackingParams
from stages.params.tune import TuneParams

log = logging.getLogger(__name__)


def tune(
    raw: Path,
    model: Path,
    calibration: Path,
    tuning: Path,
    *,
    params: TuneParams,
    tracking: EvaluateTrackingParams,
    detect: DetectParams,
    embed: EmbedParams,
) -> None:
    """Write the constants with the best score, and all trials."""
    with whole_folder(tuning) as folder:
        if not params.trials:
            write_json({"tracker": tracking.tracker, "constants": {}, "tuned_on": []}, folder / "constants.json")
            write_json({"num_trials": 0}, folder / "metrics.json")
            log.info("no search for constants: trials is 0")
            return
        # Imported here, because the default does not search, and trackers, scores and figures take seconds to import.
        from reidops.tracking.tuning.scene_search import Budget, Detected, SceneSearch, SearchedTracker, search_scenes

        budget = Budget(params.trials, params.score, params.seed, params.timeout_s)
        space = params.search.get(tracking.tracker, {})
        search_scenes(
            raw,
            model,
            calibration,
            folder,
            search=SceneSearch(params.sequences, space, params.appearance, budget),
            tracker=SearchedTracker(
                tracking.tracker,
                tracking.gate,
                tracking.min_confidence,
                tracking.camera_motion,
                tracking.frame_stride,
            ),
            detected=Detected(detect.source, detect.detector, embed.nms, embed.batch_size, detect.scale),
        )


if __name__ == "__main__":
    run_stage(tune)
