"""A tracklet ends where two people may have been exchanged."""

import numpy as np
import pandas as pd

from reidops.tracklets.overlaps import with_overlaps
from reidops.tracklets.rules import JoinRules
from reidops.tracklets.splitting import split_tracks

RULES = JoinRules(min_length=2, max_gap=1)
TIMES = np.arange(40) / 10


def track(frames, lefts=None, *, track=0, height=40.0, overlap=0.0):
    lefts = [2.0 * frame for frame in frames] if lefts is None else lefts
    return pd.DataFrame(
        {
            "frame": list(frames), "left": lefts, "top": 5.0, "width": 20.0, "height": height, "confidence": 1.0,
            "track": track, "overlap": overlap,
        }
    )  # fmt: skip


def pieces(boxes, rules=RULES, *, times=TIMES, cuts=()):
    split = split_tracks(boxes, times, cuts, rules)
    return [rows["frame"].tolist() for _, rows in split.boxes.groupby("piece")], dict(split.reasons)


def test_a_steady_walk_is_one_tracklet_and_two_tracks_are_two():
    both = pd.concat([track(range(1, 9)), track(range(3, 7), track=4)])
    assert pieces(both) == ([[*range(1, 9)], [3, 4, 5, 6]], {})


def test_boxes_of_no_track_belong_to_no_tracklet():
    assert pieces(track(range(1, 9), track=-1)) == ([], {})


def test_an_overlap_ends_a_tracklet_and_its_boxes_are_left_out_however_short_it_is():
    boxes = track(range(1, 9), overlap=[0.3, 0.3, 0.3, 0.31, 0, 0, 0, 0])
    assert pieces(boxes) == ([[1, 2, 3], [5, 6, 7, 8]], {"overlap": 1})


def test_a_gap_of_more_frames_than_allowed_ends_a_tracklet():
    assert pieces(track([1, 2, 4, 5]))[0] == [[1, 2, 4, 5]]
    assert pieces(track([1, 2, 5, 6])) == ([[1, 2], [5, 6]], {"gap": 1})


def test_a_camera_cut_ends_every_tracklet():
    both = pd.concat([track(range(1, 7)), track(range(1, 7), track=1)])
    assert pieces(both, cuts=[4]) == ([[1, 2, 3], [4, 5, 6]] * 2, {"camera cut": 2})


def test_a_jump_from_the_expected_position_ends_a_tracklet_and_steady_speed_does_not():
    fast = [15.0 * frame for frame in range(1, 9)]  # 15 px per frame, of 40 px of height
    assert pieces(track(range(1, 9), fast)) == ([[*range(1, 9)]], {})
    jumped = [2.0 * frame + (30 if frame > 4 else 0) for frame in range(1, 9)]
    assert pieces(track(range(1, 9), jumped)) == ([[1, 2, 3, 4], [5, 6, 7, 8]], {"jump": 1})


def test_positions_are_expected_by_the_times_of_the_frames():
    """Where a video pauses for a second, a person has gone on; by frame numbers that is a jump."""
    times = np.r_[np.arange(4) / 10, 1.3 + np.arange(4) / 10]
    lefts = (20 * times).tolist()
    assert pieces(track(range(1, 9), lefts), times=times) == ([[*range(1, 9)]], {})
    assert pieces(track(range(1, 9), lefts))[1]["jump"]


def test_a_box_that_grows_too_fast_ends_a_tracklet():
    heights = [40.0, 40, 40, 56, 56, 56]
    assert pieces(track(range(1, 7), height=heights)) == ([[1, 2, 3], [4, 5, 6]], {"growth": 1})


def test_short_pieces_are_left_out_and_counted():
    split = split_tracks(track([1, 2, 3, 9, 12]), TIMES, (), RULES)
    assert split.boxes["frame"].tolist() == [1, 2, 3] and split.num_short == 2


def test_overlap_is_the_largest_iou_and_a_box_in_front_covers_what_is_behind():
    boxes = pd.DataFrame(
        {"frame": [1, 1, 1, 2], "left": [0.0, 10, 60, -10], "top": [0.0, 10, 0, 0], "width": 20.0, "height": 40.0}
    )
    found = with_overlaps(boxes, 100, 60)
    iou = 300 / 1300
    np.testing.assert_allclose(found["overlap"], [iou, iou, 0, 0])
    np.testing.assert_allclose(found["visible"], [1 - 300 / 800, 1, 1, 0.5])
