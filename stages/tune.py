"""Search for a tracker's constants on scenes that are not reported; off by default (`trials: 0`).

A setup tracks all chosen scenes with some constants, from embeddings made once, and is scored on them together. The
scenes are those that are tested and neither tracked nor trained on, whose people the model has not seen; where there
are none, those that trained it. To the model their people look better than strangers will: what is found with them
trusts looks too much and is worth less in the report, so that such a search goes by motion alone (`appearance: auto`).
Nor are gates and shares of appearance searched unless they are named: what is searched is how long a track lives, and
how boxes and their scores are weighed. `evaluate_tracking` takes what was found, says so in protocol.json, and refuses
to report on a scene of the search.

Reads:  data/raw (parts.csv; gt.txt, det.txt and frames of the scenes that are tuned on), data/model,
        data/reid/calibration.json; nothing if trials is 0
Writes: data/tuning/ constants.json (what was found, and on which frames), metrics.json, trials.csv and trials.png if
    there were trials
"""

import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root, whole_folder, write_json
from reidops.params import params_dataclass
from reidops.tracking.constants import GATES, camera_of, constants_of
from reidops.tracking.tuning.search_spaces import check_search, search_space
from stages import run_stage

if TYPE_CHECKING:
    from reidops.parts import Part
    from reidops.tracking.evaluation.setups import TrackerSetup

log = logging.getLogger(__name__)

# as of evaluate_tracking: how a camera moved depends on the frames alone
CAMERA_CACHE = Path(".cache") / "camera_motion"

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@params_dataclass
class TuneParams:
    """The search; the tracker and its setting are those of evaluate_tracking."""

    trials: Count = 0  # 0 = no search
    tracker: Literal["sort", "deepsort", "strongsort", "bytetrack", "botsort", "ocsort", "deepocsort"] = "deepsort"
    score: Literal["IDF1", "HOTA", "MOTA", "AssA"] = "IDF1"  # of all scenes together, by TrackEval
    sequences: tuple[str, ...] = ()  # scenes or sequences to tune on; none = chosen here, see above
    # tracker → knob → [least, most], choices, or one value that is held
    search: dict[str, dict[str, Any]] = Field(default_factory=dict)
    source: str = "public"  # of detections: public, a file or folder, or a detector by name, as detect.source
    min_confidence: float | dict[str, float] | None = None  # least score, as evaluate_tracking.min_confidence
    nms: Share | None = None  # as embed.nms
    # false = search with motion alone; auto = true where all scenes show strangers to the model
    appearance: Literal["auto"] | bool = "auto"
    # as evaluate_tracking.gate
    gate: Literal["calibrated", "published"] | Annotated[float, Field(ge=0, le=2)] = "calibrated"
    camera_motion: Literal["published", "none", "sparse_flow", "ecc"] = "none"  # as evaluate_tracking.camera_motion
    # no setup begins later; what is found then depends on the machine
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    seed: Count = 0
    batch_size: Annotated[int, Field(ge=1)] = 64  # crops per forward pass, of which a CPU has up to 8 at a time

    @field_validator("search")
    @classmethod
    def _check_search(cls, search: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            check_search(search)
        except ReidopsError as error:
            raise ValueError(str(error)) from None  # what pydantic knows to put a name to
        return search


def tune(raw: Path, model: Path, calibration: Path, tuning: Path, params: TuneParams) -> None:
    """Write the constants that scored best, and every setup."""
    with whole_folder(tuning) as folder:
        if params.trials:
            _search(raw, model, calibration, folder, params)
        else:
            write_json({"tracker": params.tracker, "constants": {}, "tuned_on": []}, folder / "constants.json")
            write_json({"num_trials": 0}, folder / "metrics.json")
            log.info("no search for constants: trials is 0")


def _search(raw: Path, model: Path, calibration: Path, folder: Path, params: TuneParams) -> None:
    from reidops.parts import read_parts
    from reidops.tracking.tuning.scenes import STRANGERS, choose_scenes, people_of, scene_rows
    from reidops.tracking.tuning.search import Budget, search_constants
    from reidops.tracking.tuning.search_report import format_search, write_search

    parts = read_parts(raw)
    chosen = choose_scenes(parts, params.sequences)
    if params.appearance == "auto":
        params = replace(params, appearance=all(people_of(part, parts) == STRANGERS for part in chosen))
    space = search_space(params.tracker, params.search.get(params.tracker, {}))
    budget = Budget(params.trials, params.score, params.seed, params.timeout_s)
    with TemporaryDirectory(dir=folder) as embeddings:
        setup = _tracker_setup(Path(embeddings), calibration, params)
        _embed(chosen, model, setup, space.floor(params.min_confidence), params)
        trials = search_constants(chosen, setup, space, budget, appearance=params.appearance is True)
    write_search(trials, space, params.score, scene_rows(chosen, parts), folder)
    looks = "with the model's appearance" if params.appearance and params.tracker in GATES else "by motion alone"
    log.info(
        "tuned on %s, %s\n%s",
        ", ".join(part.sequence for part in chosen),
        looks,
        format_search(trials, space, params.score),
    )


def _tracker_setup(embeddings: Path, calibration: Path, params: TuneParams) -> "TrackerSetup":
    """Return what all trials have in common."""
    from reidops.tracking.evaluation.setups import TrackerSetup, choose_gate

    calibrated = read_json(calibration)
    method = camera_of(params.camera_motion, params.tracker)
    return TrackerSetup(
        embeddings,
        calibrated["weights_sha256"],
        params.min_confidence,
        params.tracker,
        gate=choose_gate(params.gate, params.tracker, calibrated, calibration),
        constants=constants_of(params.tracker, {}),
        camera=(method, repository_root() / CAMERA_CACHE) if method else None,
    )


def _embed(
    parts: list["Part"], model: Path, setup: "TrackerSetup", floor: float | dict[str, float] | None, params: TuneParams
) -> None:
    """Write each scene's detections with the model's embeddings, or with zeros where the tracker is not shown any."""
    from reidops.boxes.embeddings import choose_detections, confidence_floor, embed_sequence, write_embeddings
    from reidops.detection.sources import open_source
    from reidops.embedding.embedder import Embedder
    from reidops.mot.sequences import read_sequence
    from reidops.tracking.tuning.search import without_embeddings

    source = open_source(params.source)
    embedder = Embedder.load(model) if params.appearance and params.tracker in GATES else None
    for part in parts:
        sequence = read_sequence(part.folder)
        found = source.detections(sequence, range(part.first_frame, part.last_frame + 1))
        chosen = choose_detections(found, min_confidence=confidence_floor(floor, sequence.detector), nms=params.nms)
        if embedder is None:
            detected = without_embeddings(chosen, setup.weights_sha256)
        else:
            detected = embed_sequence(sequence, chosen, embedder, batch_size=params.batch_size)
        write_embeddings(detected, setup.embeddings / f"{part.sequence}.npz")


if __name__ == "__main__":
    run_stage(tune, TuneParams)
