import numpy as np
import pandas as pd
import pytest

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.boxes.identities import NO_PERSON, people_of_boxes
from reidops.tracking.constants import CONSTANTS, GATES, ORACLE_COSINE_GATE, WITHOUT_APPEARANCE, oracle_gate
from reidops.tracking.evaluation.arm_names import ARMS
from reidops.tracking.evaluation.arms import arms_of, with_arm_embeddings


def detected(*rows: tuple[int, float, float]) -> EmbeddedDetections:
    """Return detections of rows (frame, left, top), boxes of 40 × 100 px, whose embeddings are all one vector."""
    frame, left, top = (np.array(column) for column in zip(*rows, strict=True))
    size = np.tile([40.0, 100.0], (len(rows), 1))
    look = np.tile(np.array([1, 0, 0], np.float32), (len(rows), 1))
    return EmbeddedDetections(
        frame.astype(np.int32), np.column_stack([left, top, size]), np.ones(len(rows)), look, "model"
    )


def annotated(*rows: tuple[int, int, float]) -> pd.DataFrame:
    """Return ground truth of rows (frame, track_id, left)."""
    table = pd.DataFrame(rows, columns=["frame", "track_id", "left"])
    return table.assign(top=0.0, width=40.0, height=100.0)


def people_shown(found: EmbeddedDetections, truth: pd.DataFrame) -> np.ndarray:
    return people_of_boxes(found.frame, found.box_ltwh, truth, among="all")


def test_a_detection_shows_the_person_whom_it_overlaps_by_half_and_no_two_show_one():
    truth = annotated((1, 7, 0), (1, 8, 30), (2, 7, 0))
    found = detected((2, 2, 0), (1, 4, 0), (1, 12, 0), (1, 300, 0), (3, 0, 0))
    # In frame 1 the second detection is nearest to 7; the third overlaps 7 by half, too, and 8 by less.
    assert people_shown(found, truth).tolist() == [7, 7, NO_PERSON, NO_PERSON, NO_PERSON]


def test_a_pairing_is_the_best_of_all_not_the_best_of_each():
    truth = annotated((1, 7, 0), (1, 8, 10))
    assert people_shown(detected((1, 5, 0), (1, 12, 0)), truth).tolist() == [7, 8]


def test_the_oracle_gives_each_person_one_vector_and_everybody_else_one_of_their_own():
    people = np.array([7, 8, 7, NO_PERSON, NO_PERSON, 8])
    looks = with_arm_embeddings("oracle", detected(*[(1, 0, 0)] * 6), people, "SEQ").embeddings
    same = looks @ looks.T > 1 - ORACLE_COSINE_GATE
    assert same.astype(int).tolist() == [
        [1, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 1],
        [1, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 0, 1],
    ]


def test_the_oracles_gate_parts_a_thousand_people_without_an_error():
    people = np.repeat(np.arange(1000), 2)
    looks = with_arm_embeddings("oracle", detected(*[(1, 0, 0)] * 2000), people, "SEQ").embeddings
    passes = 1 - looks @ looks.T <= ORACLE_COSINE_GATE
    assert (passes == (people[:, None] == people)).all()


def test_random_vectors_are_unit_as_long_as_the_models_and_the_same_each_time():
    found = detected(*[(1, 0, 0)] * 50)
    first, again, other = (
        with_arm_embeddings("random", found, np.zeros(50), name).embeddings for name in ("A", "A", "B")
    )
    assert first.shape == found.embeddings.shape and np.allclose(np.linalg.norm(first, axis=1), 1)
    assert (first == again).all() and not (first == other).any()


@pytest.mark.parametrize("arm", ["no_appearance", "appearance"])
def test_the_model_and_the_control_are_left_as_they_are(arm):
    found = detected((1, 0, 0))
    assert with_arm_embeddings(arm, found, np.zeros(1), "SEQ") is found


def test_every_tracker_has_a_gate_of_its_own_cost_or_one_arm():
    for tracker in CONSTANTS:
        assert (tracker in GATES) != (tracker in WITHOUT_APPEARANCE)
        assert arms_of(tracker) == (ARMS if tracker in GATES else ("no_appearance",))
    assert oracle_gate("deepsort") == 2 * oracle_gate("botsort")  # half the cosine distance
