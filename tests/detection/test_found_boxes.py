import numpy as np

from reidops.detection.boxes import found

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
