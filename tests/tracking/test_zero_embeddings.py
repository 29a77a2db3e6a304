"""The README's loop on boxes outside the frame: their zero embeddings are never matched by appearance."""

import numpy as np
import pytest
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.deepsort import DeepSort


def detections(*lefts: float) -> sv.Detections:
    box_ltrb = np.array([[left, 10, left + 20, 60] for left in lefts], float)
    return sv.Detections(xyxy=box_ltrb, confidence=np.full(len(lefts), 0.9), class_id=np.ones(len(lefts), int))


@pytest.mark.parametrize("num_frames", [6])
def test_a_box_outside_the_frame_stops_no_loop_and_takes_no_track(num_frames):
    tracker, frame = DeepSort(gate=0.3), np.zeros((96, 160, 3), np.uint8)
    seen = []
    for number in range(num_frames):
        boxes = detections(30 + number, 300 + number)
        crops = [sv.crop_image(frame, box) for box in boxes.xyxy]
        assert crops[1].size == 0
        vectors = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
        tracked = tracker.update(boxes, vectors)
        seen.append(
            {round(float(left)): int(track) for left, track in zip(tracked.xyxy[:, 0], tracked.tracker_id, strict=True)}
        )
    people = {track for row in seen for left, track in row.items() if left < 100}
    outside = {track for row in seen for left, track in row.items() if left > 200}
    assert len(people) == 1 and not people & outside


FRAME = np.zeros((96, 160, 3), np.uint8)
OUTSIDE = {
    "right": (300, 10, 320, 60),
    "left": (-50, 10, -20, 60),
    "above": (30, -80, 50, -10),
    "below": (30, 120, 50, 160),
    "at the edge": (160, 10, 180, 60),
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_a_box_of_any_side_is_an_empty_crop_with_a_zero_embedding_that_matches_nothing(place):
    tracker = DeepSort(gate=0.3)
    boxes = np.array([(30, 10, 50, 60), OUTSIDE[place]], float)
    crops = [sv.crop_image(FRAME, box) for box in boxes]
    assert crops[0].size and not crops[1].size
    for number in range(5):
        found = sv.Detections(xyxy=boxes + [number, 0, number, 0], confidence=np.full(2, 0.9), class_id=np.ones(2, int))
        vectors = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
        tracked = tracker.update(found, vectors)
    assert len(set(tracked.tracker_id)) == len(tracked.tracker_id)


@pytest.mark.parametrize("places", [["right"], ["right", "left", "below"], []])
def test_frames_without_a_person_inside_stop_no_loop(places):
    tracker = DeepSort(gate=0.3)
    boxes = np.array([OUTSIDE[place] for place in places], float).reshape(-1, 4)
    for _ in range(4):
        found = sv.Detections(xyxy=boxes, confidence=np.full(len(boxes), 0.9), class_id=np.ones(len(boxes), int))
        tracked = tracker.update(found, np.zeros((len(boxes), 2), np.float32))
    assert len(tracked) <= len(boxes)


def test_a_box_without_area_is_refused_with_the_remedy():
    found = sv.Detections(xyxy=np.array([[30.0, 10, 30, 60]]), confidence=np.ones(1), class_id=np.ones(1, int))
    with pytest.raises(ReidopsError, match="expected finite px and a positive size; drop such boxes before tracking"):
        DeepSort(gate=0.3).update(found, np.zeros((1, 2), np.float32))
