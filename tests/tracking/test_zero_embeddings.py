"""The README's loop on boxes outside the frame: their zero embeddings are never matched by appearance."""

import numpy as np
import pytest
import supervision as sv

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
