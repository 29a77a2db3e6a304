import numpy as np
import pandas as pd
import pytest
from test_linking import track

from reidops.tracking.interpolation import SmoothingConstants, interpolate_tracks, smooth_series

LINES = SmoothingConstants(noise=0.0)
BOX = ["left", "top", "width", "height"]


def without(table: pd.DataFrame, *frames: int) -> pd.DataFrame:
    return table[~table["frame"].isin(frames)]


def test_a_gap_is_filled_along_a_line():
    whole = track(1, range(1, 11), 0)
    filled = interpolate_tracks(without(whole, 4, 5, 6), LINES)
    pd.testing.assert_frame_equal(filled, whole)


@pytest.mark.parametrize(("num_missing", "num_rows"), [(18, 30), (19, 11)])
def test_gsi_of_interval_20_fills_gaps_of_at_most_18_frames(num_missing, num_rows):
    gap = range(6, 6 + num_missing)
    assert len(interpolate_tracks(without(track(1, range(1, 31), 0), *gap), LINES)) == num_rows


def test_a_filled_row_has_the_other_columns_of_the_row_before_the_gap():
    seen = without(track(1, range(1, 5), 0), 3).assign(confidence=[0.5, 0.6, 0.9])
    assert interpolate_tracks(seen, LINES)["confidence"].tolist() == [0.5, 0.6, 0.6, 0.9]


def test_a_filled_row_has_no_detection():
    table = track(1, [1, 2, 5], 0).assign(detection=[7, 8, 9])
    assert interpolate_tracks(table)["detection"].tolist() == [7, 8, -1, -1, 9]


def test_each_track_is_filled_by_itself_and_all_come_ordered_by_frame():
    table = pd.concat([without(track(2, range(1, 6), 500), 3), without(track(1, range(2, 7), 0), 4)])
    result = interpolate_tracks(table.sample(frac=1, random_state=1), LINES)
    expected = pd.concat([track(2, range(1, 6), 500), track(1, range(2, 7), 0)]).sort_values(["frame", "track_id"])
    assert (
        result[["frame", "track_id", "left"]].to_numpy().tolist()
        == expected[["frame", "track_id", "left"]].to_numpy().tolist()
    )


def test_a_straight_walk_is_not_bent():
    walk = track(1, range(1, 60), 0)
    assert interpolate_tracks(walk)[BOX].to_numpy() == pytest.approx(walk[BOX].to_numpy(), abs=1e-6)


def test_a_shaken_walk_comes_nearer_to_the_true_one():
    rng = np.random.default_rng(0)
    frames = np.arange(1, 101)
    true = track(1, range(1, 101), 0).assign(left=100 * np.sin(frames / 25), top=2.0 * frames)
    shaken = true.assign(**{name: true[name] + rng.normal(0, 2, 100) for name in BOX})
    before, after = (
        np.std(table[BOX].to_numpy() - true[BOX].to_numpy()) for table in (shaken, interpolate_tracks(shaken))
    )
    assert after < 0.6 * before


def test_the_smoothed_series_is_the_mean_of_a_gaussian_process_written_out_plainly():
    rng = np.random.default_rng(1)
    times, noise, tau = np.array([1.0, 2, 3, 5, 6, 9]), 0.5, 10.0
    values = rng.normal(0, 3, (6, 1))
    length = tau * np.log(tau**3 / 6)
    slope, start = np.polyfit(times, values[:, 0], 1)
    trend = start + slope * times
    variance = np.mean((values[:, 0] - trend) ** 2)
    kernel = [[variance * np.exp(-((a - b) ** 2) / (2 * min(length, tau**2) ** 2)) for b in times] for a in times]
    expected = trend + kernel @ np.linalg.inv(kernel + noise**2 * np.eye(6)) @ (values[:, 0] - trend)
    assert smooth_series(times, values, noise, tau)[:, 0] == pytest.approx(expected)


def test_short_tracks_long_tracks_and_none_are_left_as_they_are():
    rng = np.random.default_rng(2)
    for num_frames in (1, 2, 1000):
        walk = track(1, range(1, num_frames + 1), 0)
        walk["left"] += rng.normal(0, 2, num_frames)
        assert interpolate_tracks(walk)[BOX].to_numpy() == pytest.approx(walk[BOX].to_numpy())
    assert len(interpolate_tracks(track(1, range(1, 3), 0)[:0])) == 0


def test_a_box_keeps_an_area_and_what_came_in_is_left():
    jumpy = track(1, range(1, 30), 0).assign(width=[40.0, 1.0, 1.0] * 9 + [1.0, 40.0])
    before = jumpy.copy()
    assert (interpolate_tracks(jumpy, SmoothingConstants(noise=5.0))[["width", "height"]] >= 1).all().all()
    pd.testing.assert_frame_equal(jumpy, before)
