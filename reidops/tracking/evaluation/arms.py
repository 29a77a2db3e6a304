"""The arms of the proof: one tracker on the same detections, four times, with another idea of what people look like.

`no_appearance` is the control, `random` shows what the gates do to vectors that mean nothing, `appearance` is the
model, and `oracle` knows who everybody is: what lies between the control and the oracle is all that appearance can be
worth to this tracker on these detections.
"""

import zlib
from dataclasses import replace

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.tracking.constants import WITHOUT_APPEARANCE
from reidops.tracking.evaluation.arm_names import ARMS, NO_APPEARANCE, ORACLE, RANDOM
from reidops.tracking.evaluation.scoring import match_boxes

NOBODY = -1

# Random unit vectors of this length are so near to a right angle (a cosine of 0.06 on average, 0.3 at most among
# thousands) that half the distance of a right angle (`constants.ORACLE_COSINE_GATE`) tells the same person from others
# without fail.
_ORACLE_DIM = 256


def arms_of(tracker: str) -> tuple[str, ...]:
    """Return the arms that a tracker can run: one that looks at no embedding has the control only."""
    return (NO_APPEARANCE,) if tracker in WITHOUT_APPEARANCE else ARMS


def dressed(arm: str, detected: EmbeddedDetections, people: np.ndarray, name: str) -> EmbeddedDetections:
    """Return a sequence's detections with the embeddings of an arm.

    Args:
        people: [n], whom each detection shows, NOBODY = no one; see `people_shown`.
        name: of the sequence; with the arm's it seeds the draw.
    """
    rng = np.random.default_rng([zlib.crc32(arm.encode()), zlib.crc32(name.encode())])
    if arm == RANDOM:
        return replace(detected, embeddings=_unit_vectors(len(detected), detected.embeddings.shape[1], rng))
    if arm == ORACLE:
        return replace(detected, embeddings=_oracle_vectors(people, rng))
    return detected


def people_shown(detected: EmbeddedDetections, annotations: pd.DataFrame) -> np.ndarray:
    """Return the track_id of the ground truth that each detection shows, int [n]; NOBODY where there is none.

    In each frame detections and all ground truth are matched one to one, at IoU ≥ 0.5, as the official preprocessing
    matches tracks.
    """
    people = np.full(len(detected), NOBODY)
    truth = annotations.sort_values("frame", kind="stable")
    frames, ids = truth["frame"].to_numpy(), truth["track_id"].to_numpy()
    box_ltrb = ltwh_to_ltrb(truth[["left", "top", "width", "height"]].to_numpy(dtype=float))
    for frame, rows in detected.rows_by_frame().items():
        of_frame = slice(*np.searchsorted(frames, [frame, frame + 1]))
        there, here = match_boxes(iou_matrix(box_ltrb[of_frame], ltwh_to_ltrb(detected.box_ltwh[rows])))
        people[np.array(rows)[here]] = ids[of_frame][there]
    return people


def _oracle_vectors(people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each person's vector, and a vector of its own for each detection of nobody."""
    known, person = np.unique(people, return_inverse=True)
    embeddings = _unit_vectors(len(known), _ORACLE_DIM, rng)[person]
    alone = people == NOBODY
    embeddings[alone] = _unit_vectors(int(alone.sum()), _ORACLE_DIM, rng)
    return embeddings


def _unit_vectors(num: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Return directions drawn evenly, float32 [num, dim]."""
    rows = rng.standard_normal((num, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
