"""The crops of a tracklet are spread in time, visible and sharp."""

import pandas as pd

from reidops.tracklets.choosing import choose_crops
from reidops.tracklets.rules import CropRules


def boxes(number, **columns):
    table = {"frame": range(1, number + 1), "height": 60.0, "visible": 1.0, "sharpness": 10.0, "piece": 0}
    return pd.DataFrame({**table, **columns})


def chosen(table, **rules):
    return choose_crops(table, CropRules(**rules))["frame"].tolist()


def test_crops_are_spread_over_the_whole_tracklet():
    assert chosen(boxes(12), number=3) == [1, 5, 9]
    assert chosen(boxes(3), number=16) == [1, 2, 3]


def test_visible_boxes_come_before_sharp_ones_and_sharp_ones_before_the_first():
    visible, sharpness = [0.75, 0.95, 0.75, 1.0], [90.0, 10.0, 20.0, 5.0]
    assert chosen(boxes(4, visible=visible, sharpness=sharpness), number=2) == [2, 4]
    assert chosen(boxes(4, sharpness=sharpness), number=2) == [1, 3]


def test_low_covered_and_blurred_boxes_and_those_that_were_not_read_become_no_crops():
    table = boxes(4, height=[47.0, 60, 60, 60], visible=[1, 0.5, 1, 1], sharpness=[10, 10, 1, float("nan")])
    assert chosen(table, min_sharpness=2.0) == []
    assert chosen(table) == [3]


def test_each_tracklet_has_its_own_crops():
    table = boxes(6, piece=[0, 0, 1, 1, 1, 1])
    assert chosen(table, number=2) == [1, 2, 3, 5]
