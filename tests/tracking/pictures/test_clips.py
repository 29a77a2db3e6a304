import cv2
import numpy as np
import pandas as pd
import pytest
from mot_factory import write_mot_sequence
from test_tracking_pictures import events, held

from reidops.boxes.box_crops import read_frame
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.tracking.pictures.clips import (
    Clip,
    _read_small,
    clip_length,
    marks_by_frame,
    shrink,
    worst_windows,
    write_clip,
)
from reidops.tracking.pictures.frames import caption_height

# Person 1 loses a long track in frame 21; person 2 is another's for one frame in 61.
TABLE = events(*held(1, *[5] * 20, *[6] * 60), *held(2, *[7] * 60, 8, *[7] * 19))


def test_the_worst_window_holds_the_switch_that_tore_most():
    first, second, *more = worst_windows(TABLE, range(1, 81), 5, 20)
    assert 21 in first and 61 in second and len(first) == 20


def test_windows_do_not_overlap_and_stay_among_the_frames():
    windows = worst_windows(TABLE, range(1, 81), 9, 15)
    shown = [frame for window in windows for frame in window]
    assert len(shown) == len(set(shown)) and 1 <= min(shown) and max(shown) <= 80 and len(windows) > 1


def test_a_window_is_no_longer_than_the_sequence():
    assert worst_windows(TABLE, range(1, 81), 3, 500) == [range(1, 81)]


@pytest.mark.parametrize("table", [events(), events(*held(1, 5, 5, 5)), events((1, "MISS", 1, -1))])
def test_where_nobody_was_mistaken_there_is_no_worst_moment(table):
    assert worst_windows(table, range(1, 4), 2, 2) == []


def test_frames_count_from_the_first_that_was_tracked():
    late = events(*held(1, 5, 5, 6, 6, first=101))
    assert 103 in worst_windows(late, range(101, 105), 1, 2)[0]


def test_a_mistaken_person_is_marked_with_their_identity():
    assert marks_by_frame(TABLE)[61] == {8: "= person 2"} and marks_by_frame(TABLE)[3] == {5: "= person 1"}


@pytest.mark.parametrize(
    ("size", "expected", "scale"),
    [((1920, 1080), (960, 540), 0.5), ((641, 481), (640, 480), 1.0), ((96, 64), (96, 64), 1.0)],
)
def test_pictures_are_at_most_960_px_wide_with_even_sides(size, expected, scale):
    small, found = shrink(np.zeros((size[1], size[0], 3), np.uint8))
    assert (small.shape[1::-1], found) == (expected, scale)


@pytest.mark.parametrize(("width", "scale"), [(3840, 0.25), (1920, 0.5), (1280, 0.75), (160, 1.0)])
def test_a_frame_that_is_decoded_small_shows_what_the_whole_one_shows(tmp_path, width, scale):
    sequence = read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=1, width=width, height=width // 2))
    coarse = np.random.default_rng(0).integers(0, 255, (8, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(sequence.frame_path(1)), cv2.resize(coarse, (width, width // 2), interpolation=cv2.INTER_CUBIC))
    small, found = _read_small(sequence, 1)
    whole, _ = shrink(read_frame(sequence, 1))
    assert found == scale and small.shape == whole.shape
    assert np.abs(small.astype(float) - whole).mean() < 2


def test_a_clip_shows_two_seconds():
    assert [clip_length(rate) for rate in (0.1, 10, 25, 120)] == [2, 20, 50, 60]


def test_a_clip_has_the_frames_of_its_window_a_caption_and_stands_still_at_a_switch(tmp_path):
    sequence = read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=6, num_people=1))
    boxes = read_annotations(sequence).assign(confidence=1.0)
    tracks = pd.concat([boxes[:3].assign(track_id=5), boxes[3:].assign(track_id=6)])
    write_clip(Clip(sequence, tracks, events(*held(1, 5, 5, 5, 6, 6, 6)), range(2, 6)), tmp_path / "clip.mp4")
    stream, shown = cv2.VideoCapture(str(tmp_path / "clip.mp4")), []
    while (step := stream.read())[0]:
        shown.append(step[1])
    assert len(shown) == 4 + 4  # the set has ten frames in a second
    assert shown[0].shape == (96 + caption_height(np.zeros((96, 160, 3))), 160, 3)
    red = [picture[100:, :, 2].mean() - picture[100:, :, 1].mean() > 80 for picture in shown]
    assert red == [False] * 2 + [True] * 5 + [False]
