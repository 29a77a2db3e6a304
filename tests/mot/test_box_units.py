"""reidops/mot/box_units.py: one rule tells boxes that cannot be px of their frames."""

import logging

import numpy as np
import pandas as pd
import pytest

from reidops.errors import ReidopsError
from reidops.mot.box_units import CENTERS, CORNERS, RESOLUTION, SHARES, check_boxes, find_misfit

WIDTH, HEIGHT = 320, 180


def walkers(number: int = 60) -> np.ndarray:
    """Return boxes inside the frame, ltwh, 0-based px."""
    rng = np.random.default_rng(0)
    left_top = rng.uniform([0, 0], [WIDTH - 30, HEIGHT - 70], (number, 2))
    return np.column_stack([left_top, np.full(number, 20), np.full(number, 56)])


def corners(boxes: np.ndarray) -> np.ndarray:
    return np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:] + 1])


def shares(boxes: np.ndarray) -> np.ndarray:
    return (boxes + [1, 1, 0, 0]) / [WIDTH, HEIGHT, WIDTH, HEIGHT] - [1, 1, 0, 0]


def test_boxes_inside_their_frame_fit():
    assert find_misfit(walkers(), WIDTH, HEIGHT) is None


def test_boxes_that_leave_the_frame_at_one_edge_fit():
    boxes = walkers()
    boxes[::4, 0] = WIDTH - 12
    assert find_misfit(boxes, WIDTH, HEIGHT) is None


def test_people_who_fill_the_frame_fit():
    boxes = np.tile([2.0, 3.0, WIDTH - 10, HEIGHT - 9], (20, 1))
    assert find_misfit(boxes, WIDTH, HEIGHT) is None


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        (corners(walkers()), CORNERS),
        (corners(walkers(12)), CORNERS),
        (shares(walkers()), SHARES),
        (shares(walkers(3)), SHARES),
        (walkers() * 6, RESOLUTION),
        (walkers() + [1000, 0, 0, 0], RESOLUTION),
        (walkers() - [0, 500, 0, 0], RESOLUTION),
    ],
)
def test_boxes_of_another_unit_are_refused_with_the_unit(boxes, kind):
    misfit = find_misfit(boxes, WIDTH, HEIGHT)
    assert (misfit.kind, misfit.is_certain) == (kind, True)
    with pytest.raises(ReidopsError, match="here: "):
        check_boxes(pd.DataFrame(boxes, columns=["left", "top", "width", "height"]), WIDTH, HEIGHT, "here")


def test_some_boxes_outside_are_a_warning(caplog):
    boxes = walkers()
    boxes[::5, 0] = 2 * WIDTH
    with caplog.at_level(logging.WARNING):
        check_boxes(pd.DataFrame(boxes, columns=["left", "top", "width", "height"]), WIDTH, HEIGHT, "here")
    assert "20% of the boxes" in caplog.text


def test_no_box_is_no_misfit():
    assert find_misfit(np.zeros((0, 4)), WIDTH, HEIGHT) is None


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        (walkers(200) / 2, RESOLUTION),
        (walkers(200) / 6, RESOLUTION),
        (walkers(200) + [10, 28, 0, 0], CENTERS),
        (np.vstack([walkers(100), walkers(100) * [0, 1, 1, 1] + [WIDTH - 20, 0, 0, 0]]) + [10, 28, 0, 0], CENTERS),
    ],
)
def test_boxes_of_a_smaller_resolution_and_centers_are_a_warning(boxes, kind):
    misfit = find_misfit(boxes, WIDTH, HEIGHT)
    assert (misfit.kind, misfit.is_certain) == (kind, False)


@pytest.mark.parametrize("shift", [0, -8, 8])
def test_people_who_are_cut_at_both_edges_are_not_taken_for_centers(shift):
    boxes = walkers(200) + [shift, 0, 0, 0]
    boxes[::9, 0], boxes[1::9, 0] = -8, WIDTH - 12
    assert find_misfit(boxes, WIDTH, HEIGHT) is None
