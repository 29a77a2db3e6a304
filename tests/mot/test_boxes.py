import numpy as np
import pytest

from reidops.mot.boxes import areas_ltrb, clip_ltrb, iou_matrix, ltrb_to_ltwh, ltwh_to_ltrb, unsuppressed


def plain_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_ltwh_becomes_ltrb_and_returns():
    box_ltwh = np.array([[10.0, 20, 30, 40]])
    assert ltwh_to_ltrb(box_ltwh).tolist() == [[10, 20, 40, 60]]
    assert ltrb_to_ltwh(ltwh_to_ltrb(box_ltwh)).tolist() == box_ltwh.tolist()


def test_conversion_leaves_its_argument_alone():
    box_ltwh = np.array([[1.0, 2, 3, 4]])
    ltwh_to_ltrb(box_ltwh)
    assert box_ltwh.tolist() == [[1, 2, 3, 4]]


def test_iou_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    a, b = (ltwh_to_ltrb(rng.uniform(1, 50, size=(n, 4))) for n in (7, 5))
    expected = [[plain_iou(p, q) for q in b] for p in a]
    assert iou_matrix(a, b) == pytest.approx(np.array(expected))


def test_iou_of_halves_and_strangers():
    a = [[0, 0, 10, 10]]
    assert iou_matrix(a, [[0, 0, 10, 10], [0, 0, 10, 5], [10, 0, 20, 10]]).tolist() == [[1, 0.5, 0]]


def test_a_box_without_area_overlaps_nothing():
    assert iou_matrix([[5, 5, 5, 5]], [[5, 5, 5, 5], [0, 0, 9, 9]]).tolist() == [[0, 0]]


@pytest.mark.parametrize(("num_a", "num_b"), [(0, 3), (3, 0), (0, 0)])
def test_iou_of_no_boxes_has_its_shape(num_a, num_b):
    assert iou_matrix(np.zeros((num_a, 4)), np.zeros((num_b, 4))).shape == (num_a, num_b)


def test_a_box_turned_inside_out_has_no_area():
    assert areas_ltrb(np.array([[5.0, 5, 1, 9], [5, 5, 1, 1], [0, 0, 2, 3]])).tolist() == [0, 0, 6]


def test_clipping_keeps_what_lies_in_the_frame():
    boxes = [[-5, -5, 5, 5], [90, 40, 120, 60], [200, 200, 210, 210]]
    assert clip_ltrb(boxes, 100, 50).tolist() == [[0, 0, 5, 5], [90, 40, 100, 50], [100, 50, 100, 50]]


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


def test_nothing_is_left_of_nothing():
    assert unsuppressed(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []
