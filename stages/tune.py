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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reidops.boxes.embeddings import choose_detections, confidence_floor, embed_sequence, write_embeddings
from reidops.detection.sources import open_source
from reidops.embedding.embedder import Embedder
from reidops.files import read_json, repository_root, whole_folder, write_json
from reidops.mot.sequences import read_sequence
from reidops.parts import Part, read_parts
from reidops.tracking.constants import GATES, camera_of, constants_of
from reidops.tracking.evaluation.setups import TrackerSetup, choose_gate
from reidops.tracking.tuning.scenes import STRANGERS, choose_scenes, people_of, scene_rows
from reidops.tracking.tuning.search import Budget, search_constants, without_embeddings
from reidops.tracking.tuning.search_report import format_search, write_search
from reidops.tracking.tuning.search_spaces import search_space
from stages import run_stage
from stages.params.detect import DetectParams
from stages.params.embed import EmbedParams
from stages.params.evaluate_tracking import EvaluateTrackingParams
from stages.params.tune import TuneParams

log = logging.getLogger(__name__)

# The camera motion depends on the frames only, so that the cache is shared with evaluate_tracking.
CAMERA_CACHE = Path(".cache") / "camera_motion"


@dataclass(frozen=True)
class Shared:
    """Params of the stages that a search repeats on its scenes."""

    tracking: EvaluateTrackingParams
    detect: DetectParams
    embed: EmbedParams


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
        if params.trials:
            _search(raw, model, calibration, folder, params, Shared(tracking, detect, embed))
        else:
            write_json({"tracker": tracking.tracker, "constants": {}, "tuned_on": []}, folder / "constants.json")
            write_json({"num_trials": 0}, folder / "metrics.json")
            log.info("no search for constants: trials is 0")


def _search(raw: Path, model: Path, calibration: Path, folder: Path, params: TuneParams, shared: Shared) -> None:
    parts, tracking = read_parts(raw), shared.tracking
    chosen = choose_scenes(parts, params.sequences)
    appearance = params.appearance
    if appearance == "auto":
        appearance = all(people_of(part, parts) == STRANGERS for part in chosen)
    space = search_space(tracking.tracker, params.search.get(tracking.tracker, {}))
    budget = Budget(params.trials, params.score, params.seed, params.timeout_s)
    with TemporaryDirectory(dir=folder) as embeddings:
        setup = _tracker_setup(Path(embeddings), calibration, tracking)
        embedder = Embedder.load(model) if appearance and tracking.tracker in GATES else None
        _embed(chosen, embedder, setup, space.floor(tracking.min_confidence), shared)
        trials = search_constants(chosen, setup, space, budget, appearance=appearance)
    write_search(trials, space, params.score, scene_rows(chosen, parts), folder)
    log.info(
        "tuned on %s, %s\n%s",
        ", ".join(part.sequence for part in chosen),
        "with motion only" if embedder is None else "with the embeddings of the model",
        format_search(trials, space, params.score),
    )


def _tracker_setup(embeddings: Path, calibration: Path, tracking: EvaluateTrackingParams) -> TrackerSetup:
    """Return the tracker setup that all trials share."""
    calibrated = read_json(calibration)
    method = camera_of(tracking.camera_motion, tracking.tracker)
    return TrackerSetup(
        embeddings,
        calibrated["weights_sha256"],
        tracking.min_confidence,
        tracking.tracker,
        gate=choose_gate(tracking.gate, tracking.tracker, calibrated, calibration),
        constants=constants_of(tracking.tracker, {}),
        camera=(method, repository_root() / CAMERA_CACHE) if method else None,
        frame_stride=tracking.frame_stride,
    )


def _embed(
    parts: list[Part],
    embedder: Embedder | None,
    setup: TrackerSetup,
    floor: float | dict[str, float] | None,
    shared: Shared,
) -> None:
    """Write the detections of each scene with the model's embeddings, or with zeros without an embedder."""
    source = open_source(shared.detect.source, shared.detect.detector)
    for part in parts:
        sequence = read_sequence(part.folder)
        found = source.detections(sequence, part.frames())
        chosen = choose_detections(
            found, min_confidence=confidence_floor(floor, sequence.detector), nms=shared.embed.nms
        )
        if embedder is None:
            detected = without_embeddings(chosen, setup.weights_sha256)
        else:
            detected = embed_sequence(sequence, chosen, embedder, batch_size=shared.embed.batch_size)
        write_embeddings(detected, setup.embeddings / f"{part.sequence}.npz")


if __name__ == "__main__":
    run_stage(tune)
