"""Score another model with the same detections, tracker and windows, to compare it with an evaluation."""

import logging
from collections.abc import Sequence as Rows
from dataclasses import replace
from pathlib import Path

from reidops.boxes.box_embedding import CropEmbedder, embed_sequence_boxes
from reidops.boxes.embeddings import read_embeddings, write_embeddings
from reidops.datasets.origin import check_tracked, read_origin
from reidops.files import read_json
from reidops.mot.sequences import read_sequence
from reidops.parts import Part
from reidops.tracking.evaluation.arm_names import APPEARANCE, NO_APPEARANCE
from reidops.tracking.evaluation.arm_results import evaluate_parts, score_table, score_tree
from reidops.tracking.evaluation.arms import arms_of
from reidops.tracking.evaluation.rivals import write_windows
from reidops.tracking.evaluation.setups import TrackingSettings, build_setup

log = logging.getLogger(__name__)

WINDOWS = "windows.npz"


def check_unseen(parts: Rows[Part], model: Path) -> None:
    """Refuse a model that was trained on tracked frames, as its embedder.json records: its scores would be too high.

    Raises:
        ReidopsError: names the frames and the scene.
    """
    origin = read_origin(read_json(model / "embedder.json").get("trained_on") or {}, "the champion")
    for part in parts:
        check_tracked(origin, part.sequence, part.dataset, part.scene, (part.first_frame, part.last_frame))


def embed_again(
    parts: Rows[Part], embeddings: Path, embedder: CropEmbedder, folder: Path, *, batch_size: int = 64
) -> None:
    """Write each part's detections with the embeddings of another model to `folder`.

    Raises:
        ReidopsError: a file of `embeddings` or a frame is missing or broken.
    """
    for part in parts:
        detected = read_embeddings(embeddings / f"{part.sequence}.npz")
        rows = embed_sequence_boxes(
            read_sequence(part.folder), detected.frame, detected.box_ltwh, embedder, batch_size=batch_size
        )
        write_embeddings(
            replace(detected, embeddings=rows, weights_sha256=embedder.weights_sha256), folder / f"{part.sequence}.npz"
        )


def score_again(
    parts: Rows[Part], settings: TrackingSettings, embeddings: Path, calibration: Path, folder: Path
) -> dict[str, dict[str, float]]:
    """Return the scores of the model's arm by sequence, and `combined`; write its windows to `folder`/windows.npz.

    Args:
        embeddings: folder of the files that the model made.
        calibration: the model's calibration.json.

    Raises:
        ReidopsError: embeddings or the calibrated gate are missing, broken or of another model.
    """
    arm = APPEARANCE if APPEARANCE in arms_of(settings.tracker) else NO_APPEARANCE
    results = evaluate_parts(parts, build_setup(settings, embeddings, calibration), arms=(arm,))
    write_windows([(result.sequence, result.of_frames) for result in results], settings.window, folder / WINDOWS)
    return score_tree(score_table(results))[arm]
