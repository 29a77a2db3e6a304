from dataclasses import replace

import numpy as np
import pytest
import supervision as sv
from drawn_crowd import draw_crowd

from reidops.errors import ReidopsError
from reidops.tracking.botsort import PROXIMITY, BotSort
from reidops.tracking.bytetrack import FIRST, SECOND
from reidops.tracking.camera_motion import NoMotion, identity
from reidops.tracking.constants import BotSortConstants
from reidops.tracking.decisions import APPEARANCE

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
NO_EMBEDDING = np.zeros(3, dtype=np.float32)
NO_PROXIMITY = BotSortConstants(proximity=None)


def detections(*lefts: float, scores: float | list[float] = 0.9, top: float = 50) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, top), left + 40, np.full_like(left, top + 100)]).reshape(-1, 4)
    return sv.Detections(xyxy=box_ltrb, confidence=np.broadcast_to(np.array(scores, dtype=float), left.shape))


def ids(
    tracker: BotSort, lefts: list[float], looks: list[np.ndarray] | None = None, scores: float | list[float] = 0.9
) -> list[int]:
    embeddings = None if looks is None else np.array(looks, dtype=np.float32).reshape(len(lefts), 3)
    return tracker.update(detections(*lefts, scores=scores), embeddings).tracker_id.tolist()


def hide(tracker: BotSort, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty(), np.zeros((0, 3), np.float32))


def standing(lefts: list[float], looks: list[np.ndarray] | None, tracker: BotSort | None = None) -> BotSort:
    """Return a tracker that has seen people stand for a while."""
    tracker = tracker or BotSort()
    for _ in range(10):
        ids(tracker, lefts, looks)
    return tracker


def cosine(looks: np.ndarray, cosine_distance: float) -> np.ndarray:
    """Return a unit vector at a cosine distance, towards blue."""
    similarity = 1 - cosine_distance
    return similarity * looks + np.sqrt(1 - similarity**2) * BLUE


@pytest.mark.parametrize(("looks", "expected"), [([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])])
def test_looks_tell_who_is_who_where_two_overlap(looks, expected):
    """Detections half way between two tracks that stand 16 px apart: by overlap each could be either's."""
    assert ids(standing([0, 16], [RED, GREEN]), [7, 9], looks) == expected


def test_without_embeddings_overlap_alone_tells():
    assert ids(standing([0, 16], None), [7, 9]) == [1, 2]


def test_looks_bring_nobody_back_from_where_they_do_not_overlap_by_half_unless_the_proximity_gate_is_lifted():
    for constants, expected in ((BotSortConstants(), []), (NO_PROXIMITY, [1])):
        tracker = standing([0], [RED], BotSort(constants))
        hide(tracker, 3)
        assert ids(tracker, [300], [RED]) == expected


@pytest.mark.parametrize(("distance", "expected"), [(0.48, [1]), (0.52, [])])
def test_the_gate_is_half_the_cosine_distance(distance, expected):
    tracker = standing([0], [RED], BotSort(NO_PROXIMITY))
    assert ids(tracker, [300], [cosine(RED, distance)]) == expected


@pytest.mark.parametrize(("gate", "expected"), [(0.1, []), (0.2, [1])])
def test_a_gate_that_is_given_takes_the_place_of_the_published_one(gate, expected):
    tracker = standing([0], [RED], BotSort(NO_PROXIMITY, gate))
    assert ids(tracker, [300], [cosine(RED, 0.3)]) == expected


@pytest.mark.parametrize("looks", [(RED, NO_EMBEDDING), (NO_EMBEDDING, RED), (NO_EMBEDDING, NO_EMBEDDING)])
def test_who_has_no_embedding_is_never_matched_by_looks_however_wide_the_gate(looks):
    known, now = looks
    tracker = standing([0], [known], BotSort(replace(NO_PROXIMITY, match=0.99), gate=2.0))
    assert ids(tracker, [300], [now]) == []
    assert tracker.decisions.terms[APPEARANCE].tolist() == [[1.0]]


def test_a_detection_without_embedding_is_matched_by_overlap():
    assert ids(standing([0], [RED]), [5], [NO_EMBEDDING]) == [1]


def test_looks_that_differ_do_not_part_what_overlaps():
    """As published: the cost is the lesser of the two."""
    assert ids(standing([0], [RED]), [5], [GREEN]) == [1]


def test_unsure_detections_are_matched_by_overlap_and_not_remembered():
    tracker = standing([0], [RED], BotSort(NO_PROXIMITY))
    for _ in range(20):
        assert ids(tracker, [0], [GREEN], scores=0.3) == [1]
        assert tracker.decisions.pairs == ((0, 0, SECOND),)
    assert np.isnan(tracker.decisions.terms[APPEARANCE]).all()
    hide(tracker, 1)
    assert ids(tracker, [300], [RED]) == [1]


def test_looks_are_remembered_by_a_moving_average():
    """After one frame of green a red track is at (0.9, 0.1), made unit: 1 − 0.9 / 0.906 from red."""
    tracker = standing([0], [RED])
    ids(tracker, [0], [GREEN])
    ids(tracker, [0], [RED])
    assert tracker.decisions.terms[APPEARANCE][0, 0] == pytest.approx((1 - 0.9 / np.hypot(0.9, 0.1)) / 2, abs=1e-6)


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, [])])
def test_looks_bring_a_track_back_within_the_buffer_and_not_after(num_hidden, expected):
    tracker = standing([0], [RED], BotSort(replace(NO_PROXIMITY, max_age=4)))
    hide(tracker, num_hidden)
    assert ids(tracker, [300], [RED]) == expected


class Pan:
    """A camera under which everything moves to the right; it keeps the frames that it was asked for."""

    def __init__(self, step: float) -> None:
        self._step = step
        self.asked: list[tuple[int, np.ndarray | None]] = []

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        self.asked.append((frame_number, picture))
        return identity() + [[0, 0, self._step if frame_number == 11 else 0], [0, 0, 0]]


def test_a_jerk_of_the_camera_is_made_up_for():
    for camera, expected in ((None, []), (NoMotion(), []), (Pan(60), [1])):
        assert ids(standing([0], None, BotSort(camera=camera)), [60]) == expected


def test_the_camera_is_asked_once_for_each_frame_with_its_picture_also_for_those_without_detections():
    camera, picture = Pan(0), np.zeros((4, 4, 3), np.uint8)
    tracker = BotSort(camera=camera)
    tracker.update(detections(0), frame=picture)
    tracker.update(sv.Detections.empty(), frame=picture)
    tracker.update(detections(0))
    assert [number for number, _ in camera.asked] == [1, 2, 3]
    assert [p is picture for _, p in camera.asked] == [True, True, False]


def test_without_embeddings_it_is_the_same_as_with_embeddings_of_nobody():
    plain, nobody = BotSort(NO_PROXIMITY), BotSort(NO_PROXIMITY)
    for boxes, embeddings in draw_crowd(np.random.default_rng(4)):
        assert (
            plain.update(boxes).tracker_id.tolist()
            == nobody.update(boxes, np.zeros_like(embeddings)).tracker_id.tolist()
        )


def test_what_was_weighed_names_the_gate_that_blanks_looks():
    tracker = standing([0, 200], [RED, GREEN])
    ids(tracker, [0, 200], [RED, GREEN])
    decisions = tracker.decisions
    assert sorted(decisions.pairs) == [(0, 0, FIRST), (1, 1, FIRST)]
    assert (decisions.limits[PROXIMITY], decisions.limits[APPEARANCE]) == (0.5, 0.25)
    assert decisions.terms[PROXIMITY] == pytest.approx(np.array([[0, 1], [1, 0]]), abs=1e-9)
    assert decisions.terms[APPEARANCE] == pytest.approx(np.array([[0, np.nan], [np.nan, 0]]), abs=1e-6, nan_ok=True)


def test_without_the_proximity_gate_looks_are_weighed_everywhere():
    tracker = standing([0, 200], [RED, GREEN], BotSort(NO_PROXIMITY))
    assert tracker.decisions.terms[APPEARANCE] == pytest.approx(np.array([[0, 0.5], [0.5, 0]]), abs=1e-6)
    assert PROXIMITY not in tracker.decisions.terms


def test_a_frame_or_a_video_without_detections_has_no_tracks():
    tracker = BotSort(camera=NoMotion())
    for embeddings in (None, np.zeros((0, 3), np.float32), None):
        assert len(tracker.update(sv.Detections.empty(), embeddings)) == 0


def test_bad_boxes_and_embeddings_are_named():
    boxes = detections(0, 100)
    with pytest.raises(ReidopsError, match="one row for each of 2"):
        BotSort().update(boxes, np.ones((3, 4), np.float32))
    with pytest.raises(ReidopsError, match="embedding 1 holds NaN"):
        BotSort().update(boxes, np.array([[1.0, 0], [np.nan, 0]]))
    boxes.xyxy[1, 2] = np.nan
    with pytest.raises(ReidopsError, match="detection 1: box"):
        BotSort().update(boxes)
