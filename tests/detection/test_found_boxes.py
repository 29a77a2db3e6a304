import numpy as np

from reidops.detection.boxes import found, unsuppressed
from reidops.mot.boxes import iou_matrix

PICTURE = np.zeros((60, 100, 3), np.uint8)


def test_boxes_are_cut_to_the_picture_and_sorted_by_score_and_the_unlikely_left_out():
    boxes = [[-5, 10, 20, 70], [30, 10, 40, 30], [50, 0, 60, 20]]
    people = found(np.array(boxes), np.array([0.4, 0.9, 0.1]), PICTURE, 0.2)
    assert people.xyxy.tolist() == [[30, 10, 40, 30], [0, 10, 20, 60]]
    assert people.confidence.tolist() == [0.9, 0.4] and people.class_id.tolist() == [1, 1]


def test_a_box_outside_the_picture_or_inside_out_is_left_out():
    boxes = np.array([[120, 0, 140, 20], [20, 20, 10, 30], [0, 0, 10, 0]])
    assert len(found(boxes, np.ones(3), PICTURE, 0.0)) == 0


def test_nothing_found_is_no_detection():
    assert len(found(np.zeros((0, 4)), np.zeros(0), PICTURE, 0.5)) == 0
    assert unsuppressed(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


def test_suppression_keeps_what_a_plain_loop_keeps():
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 40, (60, 2))
    boxes, scores = np.hstack([corners, corners + rng.uniform(5, 30, (60, 2))]), rng.uniform(0, 1, 60)
    kept = []
    for row in sorted(range(60), key=lambda row: -scores[row]):
        if all(iou_matrix(boxes[[row]], boxes[[other]])[0, 0] <= 0.5 for other in kept):
            kept.append(row)
    assert 5 < len(kept) < 60
    assert unsuppressed(boxes, scores, 0.5).tolist() == kept
