import numpy as np
import pytest
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.appearance import Ema
from reidops.tracking.motion import XyahMotion
from reidops.tracking.tracks import NO_TRACK, UNCONFIRMED, Tracks, observe, output_detections


def detections(*lefts: float) -> sv.Detections:
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 50), left + 40, np.full_like(left, 150)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.linspace(0.5, 1, len(left)))


def seen_at(*lefts: float, embeddings: np.ndarray | None = None):
    return observe(detections(*lefts), embeddings)


def three_tracks() -> Tracks:
    tracks = Tracks(XyahMotion(), Ema(), columns={"place": (2,), "score": ()})
    tracks.start(seen_at(0, 100, 200, embeddings=np.eye(3, dtype=np.float32)), [0, 1, 2])
    return tracks


def test_new_tracks_stand_behind_the_others_in_the_order_given():
    tracks = three_tracks()
    assert tracks.start(seen_at(300, 400), [1, 0]).tolist() == [3, 4]
    assert tracks.box_ltwh[:, 0].tolist() == [0, 100, 200, 400, 300]
    assert tracks.start(seen_at(1), []).tolist() == []
    assert len(tracks) == len(tracks.memory) == len(tracks["place"]) == 5


def test_a_tracks_counts_follow_what_is_seen():
    tracks = three_tracks()
    for step in range(4):
        tracks.predict()
        pairs = [(0, 0), (2, 1)] if step != 1 else [(0, 0)]  # the second is never seen, the third missed once
        tracks.update(pairs, seen_at(0, 200))
    assert tracks.hits.tolist() == [5, 1, 4]
    assert tracks.age.tolist() == [0, 4, 0]
    assert tracks.streak.tolist() == [5, 1, 2]


def test_seen_tracks_are_corrected_and_others_are_not():
    tracks = three_tracks()
    tracks.predict()
    track_of_detection = tracks.update([(2, 0)], seen_at(190, 500))
    assert track_of_detection.tolist() == [2, NO_TRACK]
    assert tracks.box_ltwh[:2, 0].tolist() == [0, 100]
    assert 190 < tracks.box_ltwh[2, 0] < 200


def test_a_certain_detection_pulls_its_track_wholly():
    tracks = three_tracks()
    tracks.predict()
    tracks.update([(0, 0), (1, 1)], seen_at(10, 110), confidence=np.array([1.0, 0.0]))
    assert tracks.box_ltwh[0, 0] == pytest.approx(10)
    assert tracks.box_ltwh[1, 0] < 109


def test_numbers_are_given_once_in_the_order_asked_and_never_again():
    tracks = three_tracks()
    before = tracks.ids
    tracks.confirm([2, 0])
    tracks.confirm([1, 2])
    assert tracks.ids.tolist() == [2, 3, 1]
    assert before.tolist() == [UNCONFIRMED] * 3
    tracks.keep(np.array([False, True, False]))
    tracks.confirm(tracks.start(seen_at(0), [0]))
    assert tracks.ids.tolist() == [3, 4]


def test_a_track_that_is_given_up_takes_everything_along():
    tracks = three_tracks()
    tracks["place"][:] = [[1, 2], [3, 4], [5, 6]]
    tracks["score"][:] = [7, 8, 9]
    tracks.predict()
    tracks.update([(1, 0)], seen_at(100))
    tracks.keep(tracks.age == 0)
    assert (tracks["place"].tolist(), tracks["score"].tolist()) == ([[3, 4]], [8])
    assert (tracks.hits.tolist(), tracks.age.tolist(), tracks.box_ltwh[:, 0].tolist()) == ([2], [0], [100])
    assert tracks.memory.distances(np.eye(3, dtype=np.float32)).tolist() == [[1, 0, 1]]


def test_a_camera_that_pans_carries_the_tracks_along():
    tracks = three_tracks()
    tracks.warp(np.array([[1, 0, 25], [0, 1, 0]]))
    assert tracks.box_ltrb[:, [0, 2]].tolist() == [[25, 65], [125, 165], [225, 265]]


def test_without_memory_or_embeddings_nothing_is_remembered():
    tracks = Tracks(XyahMotion())
    tracks.start(seen_at(0, embeddings=np.eye(1, dtype=np.float32)), [0])
    tracks.remember([0], np.eye(1, dtype=np.float32))
    assert tracks.memory is None
    looking = three_tracks()
    looking.remember([0], None)
    assert looking.memory.distances(np.eye(3, dtype=np.float32))[0].tolist() == [0, 1, 1]


def test_shown_are_the_rows_with_a_number_in_the_callers_order():
    boxes = detections(300, 100, 200)
    seen = observe(boxes, None)
    assert seen.rows.tolist() == [1, 2, 0]
    result = output_detections(boxes, seen, np.array([7, UNCONFIRMED, 3]))
    assert result.xyxy[:, 0].tolist() == [300, 100]
    assert result.tracker_id.tolist() == [3, 7]
    assert boxes.tracker_id is None


def test_a_part_of_what_is_seen_still_knows_the_callers_rows():
    seen = observe(detections(300, 100, 200), np.eye(3, dtype=np.float32))
    part = seen[seen.box_ltwh[:, 0] > 150]
    assert part.rows.tolist() == [2, 0]
    assert part.embeddings.tolist() == np.eye(3)[[2, 0]].tolist()
    assert part.confidence.tolist() == [1.0, 0.5]


def test_twins_are_told_apart_by_their_embeddings_in_any_order():
    boxes = detections(100, 100, 50)
    boxes.confidence[:] = 1
    looks = np.array([[0.6, 0.8], [0.8, 0.6], [1, 0]], np.float32)
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        assert np.array_equal(observe(boxes[order], looks[order]).embeddings, observe(boxes, looks).embeddings)


def test_a_detector_that_tells_no_confidence_is_certain():
    boxes = detections(0, 100)
    boxes.confidence = None
    assert observe(boxes, None).confidence.tolist() == [1, 1]


def test_a_confidence_that_is_none_is_named():
    boxes = detections(0, 100)
    boxes.confidence[1] = np.nan
    with pytest.raises(ReidopsError, match="detection 1: its confidence is NaN"):
        observe(boxes, None)
