import numpy as np
import pandas as pd
import pytest
from mot_factory import write_mot_sequence

from reidops.mot.sequences import read_annotations, read_sequence
from reidops.tracking.pictures import Sighting, annotate_frame, draw_switches, draw_timeline, find_switches, held_runs


def events(*rows):
    """Return an event table of rows (frame, event, track_id, tracker_id)."""
    return pd.DataFrame(rows, columns=["frame", "event", "track_id", "tracker_id"]).assign(iou=1.0)


SWAP = events(
    (1, "MATCH", 1, 7), (1, "MATCH", 2, 8),
    (2, "MATCH", 1, 7), (2, "MISS", 2, -1),
    (3, "MISS", 1, -1), (3, "FP", -1, 9),
    (4, "SWITCH", 1, 8), (4, "SWITCH", 2, 10), (4, "TRANSFER", 1, 8),
)  # fmt: skip


def test_a_run_ends_where_the_track_changes_or_a_frame_is_missed():
    assert held_runs(SWAP) == [(1, 7, 1, 2), (1, 8, 4, 4), (2, 8, 1, 1), (2, 10, 4, 4)]


def test_nobody_held_gives_no_runs():
    assert held_runs(events((1, "MISS", 1, -1))) == []


def test_a_switch_names_who_was_seen_before_and_whom_the_new_track_held():
    stolen, fresh = find_switches(SWAP)
    assert (stolen.before, stolen.after, stolen.owner) == (Sighting(2, 7, 1), Sighting(4, 8, 1), Sighting(1, 8, 2))
    assert (fresh.before, fresh.after, fresh.owner) == (Sighting(1, 8, 2), Sighting(4, 10, 2), None)


@pytest.fixture
def sequence(tmp_path):
    return read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=4, num_people=2))


def test_pictures_are_drawn_also_of_nothing(sequence, tmp_path):
    boxes = read_annotations(sequence)
    tracks = pd.concat([boxes.assign(track_id=boxes["track_id"] + 6), boxes.assign(track_id=boxes["track_id"] + 8)])
    sheet = draw_switches(sequence, tracks, find_switches(SWAP))
    assert [axes.get_title() for axes in sheet.axes][2::3] == ["was: frame 1\nperson 2, track 8", "a new track"]
    for number, figure in enumerate([sheet, draw_timeline({"a": SWAP, "b": SWAP}, "TOY"), draw_timeline({"a": events()}, "TOY")]):
        figure.savefig(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 1000


def test_an_annotated_frame_is_a_copy_with_boxes(sequence):
    picture = np.zeros((96, 160, 3), dtype=np.uint8)
    boxes = read_annotations(sequence)
    assert annotate_frame(picture, boxes[boxes["frame"] == 1]).any()
    assert not annotate_frame(picture, boxes[:0]).any()
    assert not picture.any()
