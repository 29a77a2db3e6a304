from dataclasses import dataclass, field

import cv2
import numpy as np
import pandas as pd
import pytest
import supervision as sv
from mot_factory import write_mot_sequence

from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parts import Part
from reidops.tracking.decisions import Decisions
from reidops.tracking.evaluation.held import held_runs, mistaken_rows
from reidops.tracking.evaluation.moments import Moment
from reidops.tracking.evaluation.reasons import Reason, explain
from reidops.tracking.evaluation.switches import Sighting, find_switches, switch_frames
from reidops.tracking.pictures.frames import (
    MISTAKE,
    add_caption,
    annotate,
    annotate_frame,
    caption_height,
    colour_of,
    wrap,
)
from reidops.tracking.pictures.sequence_pictures import PictureBounds, write_pictures
from reidops.tracking.pictures.switch_sheet import draw_switches
from reidops.tracking.pictures.timelines import MAX_PEOPLE, choose_people, draw_timeline


def events(*rows):
    """Return an event table of rows (frame, event, track_id, tracker_id)."""
    return pd.DataFrame(rows, columns=["frame", "event", "track_id", "tracker_id"]).assign(iou=1.0)


def held(person, *tracker_ids, first=1):
    """Return the events of a person who is held by these tracks, frame by frame; 0 = missed."""
    rows, last = [], None
    for frame, tracker_id in enumerate(tracker_ids, start=first):
        event = "MISS" if not tracker_id else "MATCH" if last in (None, tracker_id) else "SWITCH"
        rows.append((frame, event, person, tracker_id or -1))
        last = tracker_id or last
    return rows


SWAP = events(
    (1, "MATCH", 1, 7),
    (1, "MATCH", 2, 8),
    (2, "MATCH", 1, 7),
    (2, "MISS", 2, -1),
    (3, "MISS", 1, -1),
    (3, "FP", -1, 9),
    (4, "SWITCH", 1, 8),
    (4, "SWITCH", 2, 10),
    (4, "TRANSFER", 1, 8),
)


def test_a_run_ends_where_the_track_changes_or_a_frame_is_missed():
    assert held_runs(SWAP) == [(1, 7, 1, 2), (1, 8, 4, 4), (2, 8, 1, 1), (2, 10, 4, 4)]


def test_nobody_held_gives_no_runs_no_mistakes_and_no_switches():
    nobody = events((1, "MISS", 1, -1))
    assert held_runs(nobody) == [] and mistaken_rows(nobody).empty and find_switches(nobody) == []


def test_a_track_belongs_to_whom_it_held_longest_and_each_person_has_one():
    both = events(*held(1, 5, 5, 5, 6), *held(2, 6, 6, 5, 5))
    wrong = mistaken_rows(both)
    assert list(zip(wrong["frame"], wrong["track_id"], wrong["tracker_id"], strict=True)) == [
        (4, 1, 6),
        (3, 2, 5),
        (4, 2, 5),
    ]


def test_a_switch_names_who_was_seen_before_and_whom_the_new_track_held():
    stolen, fresh = find_switches(SWAP)
    assert (stolen.before, stolen.after, stolen.owner) == (Sighting(2, 7, 1), Sighting(4, 8, 1), Sighting(1, 8, 2))
    assert (fresh.before, fresh.after, fresh.owner) == (Sighting(1, 8, 2), Sighting(4, 10, 2), None)


def test_of_too_many_switches_those_are_shown_that_tore_most_in_order_of_frames():
    flicker = events(*held(1, 5, 5, 5, 6, 5, 5), *held(2, 7, 7, 0, 8, 8, 8))
    assert [(switch.after.frame, switch.num_torn) for switch in find_switches(flicker)] == [(4, 1), (4, 2), (5, 1)]
    assert [(switch.after.track_id, switch.num_torn) for switch in find_switches(flicker, 2)] == [(1, 1), (2, 2)]
    assert switch_frames(flicker, 1) == {4} and switch_frames(flicker) == {4, 5} and switch_frames(flicker, 0) == set()


def test_a_track_has_one_colour_and_neighbours_differ():
    assert len({colour_of(track_id) for track_id in range(16)}) == 16
    assert colour_of(3) == colour_of(19) and MISTAKE not in {colour_of(track_id) for track_id in range(16)}


@pytest.fixture
def sequence(tmp_path):
    return read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=4, num_people=2))


@pytest.fixture
def tracks(sequence):
    """Return the boxes of both people, each as several tracks."""
    boxes = read_annotations(sequence)
    copies = [boxes.assign(track_id=boxes["track_id"] + number) for number in (6, 8)]
    table = pd.concat(copies, ignore_index=True)
    return table.assign(confidence=1.0, detection=np.arange(len(table)))


def test_an_annotated_frame_is_a_copy_with_boxes(tracks):
    picture = np.zeros((96, 160, 3), dtype=np.uint8)
    assert annotate_frame(picture, tracks[tracks["frame"] == 1]).any()
    assert not annotate_frame(picture, tracks[:0]).any()
    assert not picture.any()


def test_only_a_mistaken_person_is_framed_in_red():
    picture = np.zeros((200, 300, 3), dtype=np.uint8)
    detections = sv.Detections(xyxy=np.array([[20.0, 60, 60, 150], [200, 60, 240, 150]]), tracker_id=np.array([1, 2]))
    red = (annotate(picture, detections, {2: "= person 9"}) == MISTAKE[::-1]).all(axis=2)
    assert red[:, 150:].sum() > 300 and not red[:, :150].any()


def test_boxes_outside_and_larger_than_the_picture_are_drawn_where_they_can_be():
    picture = np.zeros((20, 24, 3), dtype=np.uint8)
    box_ltrb = np.array([[-500.0, -500, -400, -400], [-50, -50, 100, 100], [23, 19, 900, 900]])
    scene = annotate(picture, sv.Detections(xyxy=box_ltrb, tracker_id=np.array([1, 22, 123456789])), {1: "= person 1"})
    assert scene.shape == picture.shape and scene.any()


def test_labels_of_boxes_in_one_place_do_not_hide_each_other():
    picture = np.zeros((200, 300, 3), dtype=np.uint8)
    together = sv.Detections(xyxy=np.tile([100.0, 60, 160, 150], (3, 1)), tracker_id=np.array([1, 2, 3]))
    alone = [
        (annotate(picture, together[[row]])[30:60] == colour_of(row + 1)[::-1]).all(axis=2).sum() for row in range(3)
    ]
    scene = annotate(picture, together)
    for row in range(3):
        assert (scene == colour_of(row + 1)[::-1]).all(axis=2).sum() >= 0.9 * alone[row] > 50


def test_a_caption_is_below_the_picture_and_as_high_for_every_text():
    picture = np.full((90, 160, 3), 7, dtype=np.uint8)
    long = add_caption(picture, "person 1: track 7 → 12, " * 20)
    assert long.shape == add_caption(picture, "").shape == (90 + caption_height(picture), 160, 3)
    assert (long[:90] == 7).all() and long[90:].max() > 200


def test_no_line_is_wider_than_the_bar_but_for_a_word_that_is():
    lines = wrap("frame 12  SWITCH person 3: track 7 → 12 Donaudampfschifffahrtsgesellschaft", 11, 90)
    assert " ".join(lines) == "frame 12 SWITCH person 3: track 7 → 12 Donaudampfschifffahrtsgesellschaft"
    assert len(lines) > 3 and lines[-1] == "Donaudampfschifffahrtsgesellschaft"


def test_a_sheet_shows_crops_terms_and_the_reason_of_every_switch(sequence, tracks, tmp_path):
    switches = find_switches(SWAP)
    moment = moment_of(tracks[(tracks["frame"] == 4) & (tracks["track_id"] == 8)])
    sheet = draw_switches(
        sequence, tracks, switches, [explain(switches[0], {4: moment}, tracks), Reason("Nothing is known.")]
    )
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in sheet.axes]
    assert titles[:3] == [
        "before: frame 2\nperson 1, track 7",
        "after: frame 4\nperson 1, track 8",
        "had held: frame 1\nperson 2, track 8",
    ]
    head, sentence = titles[3].split("\n", maxsplit=1)
    assert head == "Frame 4: person 1 from track 7 to 8 (1 frame cut off)"
    assert sentence.replace("\n", " ").startswith(
        "Track 7 was seen in the frame before: overlap 0.80 > gate 0.70 blocked it, and appearance was not"
    )
    assert [label.get_text() for label in sheet.axes[3].get_yticklabels()] == [
        "overlap, track 7",
        "overlap, track 8",
        "appearance, track 7",
        "appearance, track 8",
    ]
    assert [text.get_text() for text in sheet.axes[3].texts] == [
        "0.80 > gate 0.70",
        "0.10 ≤ gate 0.70",
        "not weighed",
        "not weighed",
    ]
    assert "no person" in sheet.axes[6].texts[0].get_text() and titles[7].endswith("\nNothing is known.")
    sheet.savefig(tmp_path / "sheet.png")


def moment_of(box):
    """Return a moment in which the box, the only detection, goes to track 8 and not to track 7."""
    nothing = np.full((2, 1), np.nan)
    terms = {"overlap": np.array([[0.8], [0.1]]), "motion": nothing, "appearance": nothing}
    decisions = Decisions(np.array([7, 8]), np.array([0]), terms, {"overlap": 0.7}, ((1, 0, "overlap"),))
    return Moment(decisions, box["detection"].to_numpy())


def test_a_timeline_has_a_panel_per_arm_that_tells_its_switches(tmp_path):
    figure = draw_timeline({"no_appearance": SWAP, "appearance": events(*held(1, 5, 5)), "oracle": events()}, "TOY")
    assert [axes.get_title() for axes in figure.axes] == [
        "no appearance: 2 identity switches",
        "appearance: 0 identity switches",
        "oracle: 0 identity switches",
    ]
    figure.savefig(tmp_path / "timeline.png")


def test_a_timeline_of_nothing_is_drawn(tmp_path):
    draw_timeline({"a": events()}, "TOY").savefig(tmp_path / "timeline.png")


def test_of_too_many_people_those_who_were_mistaken_most_are_drawn():
    steady = [row for person in range(1, 61) for row in held(person, person, person, person)]
    table = events(*steady, *held(99, 201, 201, 202), *held(98, 203, 0, 204))
    people, num_all = choose_people({"a": table})
    assert num_all == 62 and len(people) == MAX_PEOPLE and people[-2:] == [98, 99] and people == sorted(people)
    assert draw_timeline({"a": table}, "TOY").get_figheight() < 14


@dataclass(frozen=True)
class Arm:
    arm: str
    tracks: pd.DataFrame
    events: pd.DataFrame
    sequence: str = "TOY-01"
    moments: dict = field(default_factory=dict)


@pytest.mark.parametrize("arms", [("no_appearance", "random", "appearance", "oracle"), ("no_appearance",)])
def test_every_kind_of_picture_is_written_for_a_sequence(sequence, tracks, tmp_path, arms):
    part = Part("track", "TOY", "mot", sequence.folder, "TOY-01", "01", 1, 4)
    made = [Arm(arm, tracks, SWAP) for arm in arms]
    write_pictures(
        part, [*made, Arm("appearance", tracks, SWAP, "TOY-02")], tmp_path / "out", PictureBounds(num_frames=2)
    )
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {
        "timelines/TOY-01.png",
        "switches/TOY-01.png",
        "frames/TOY-01-000002.jpg",
        "frames/TOY-01-000003.jpg",
        "clips/TOY-01-000001.mp4",
    }
    assert cv2.imread(str(tmp_path / "out" / "frames" / "TOY-01-000002.jpg")).shape == (96, 160, 3)


def test_a_sequence_without_mistakes_has_neither_switches_nor_clips(sequence, tracks, tmp_path):
    part = Part("track", "TOY", "mot", sequence.folder, "TOY-01", "01", 1, 4)
    write_pictures(
        part, [Arm("appearance", tracks, events(*held(1, 7, 7, 7, 7)))], tmp_path / "out", PictureBounds(num_frames=0)
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["timelines"]
