"""What every tracker does with what a detector should not say, under the name that it has in params.yaml."""

import numpy as np
import pytest
import supervision as sv
from drawn_crowd import draw_crowd

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.errors import ReidopsError
from reidops.tracking import tracks
from reidops.tracking.constants import CONSTANTS, WITHOUT_APPEARANCE
from reidops.tracking.trackers import TRACKERS, new_tracker, track_sequence

LOOKS = np.eye(4, dtype=np.float32)
by_name = pytest.mark.parametrize("name", TRACKERS)
FILTERED = [name for name in TRACKERS if hasattr(CONSTANTS[name](), "boxes")]


def start(name: str):
    return new_tracker(name, None, CONSTANTS[name]())


def people(*lefts: float, top: float = 100.0) -> sv.Detections:
    """Return sure boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, top), left + 40, np.full_like(left, top + 100)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.full(len(left), 0.9))


def sequence(frames: list[int], times: int = 1) -> EmbeddedDetections:
    """Return two people who stand apart, seen `times` times in each of these frames, the rows in this order."""
    frame = np.repeat(np.array(frames * times, dtype=np.int32), 2)
    box_ltwh = np.tile(np.array([[0, 100, 40, 100], [300, 100, 40, 100]], np.float32), (len(frame) // 2, 1))
    return EmbeddedDetections(
        frame, box_ltwh, np.full(len(frame), 0.9, np.float32), np.tile(LOOKS[:2], (len(frame) // 2, 1)), "model"
    )


def tracked(name: str, detected: EmbeddedDetections, num_frames: int = 12):
    return track_sequence(start(name), detected, range(1, num_frames + 1))


@pytest.mark.parametrize("appearance", [True, False])
@pytest.mark.parametrize(("name", "changes"), [*((name, {}) for name in TRACKERS), ("botsort", {"proximity": None})])
def test_tracks_are_the_same_for_any_order_of_a_frames_rows_and_no_two_rows_share_one(name, changes, appearance):
    rng = np.random.default_rng(3)
    plain, shuffled = (new_tracker(name, None, CONSTANTS[name](**changes)) for _ in range(2))
    num_shown = 0
    for boxes, embeddings in draw_crowd(rng, least_score=0.5):
        order = rng.permutation(len(boxes))
        a = plain.update(boxes, embeddings if appearance else None)
        b = shuffled.update(boxes[order], embeddings[order] if appearance else None)
        track_of = {tuple(box): track for box, track in zip(a.xyxy.tolist(), a.tracker_id.tolist(), strict=True)}
        assert track_of == {
            tuple(box): track for box, track in zip(b.xyxy.tolist(), b.tracker_id.tolist(), strict=True)
        }
        assert len(set(track_of.values())) == len(a)
        num_shown += len(a)
    assert num_shown > 60


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "evidence" else ()) for name in TRACKERS]
)
def test_ten_thousand_detections_in_a_frame_change_no_track(name):
    rng, tracker = np.random.default_rng(0), start(name)
    before = [tracker.update(people(0, 300), LOOKS[:2]).tracker_id.tolist() for _ in range(6)][-1]
    crowd = people(*rng.uniform(-4000, 4000, 9_998))
    crowd.xyxy[:, [1, 3]] += rng.uniform(200, 3000, len(crowd))[:, None]  # below the two
    flood = sv.Detections.merge([crowd, people(0, 300)])
    looks = rng.standard_normal((len(flood), 4)).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    looks[-2:] = LOOKS[:2]
    shown = tracker.update(flood, looks)
    assert shown.tracker_id[np.isin(shown.xyxy[:, 1], 100)].tolist() == before == [1, 2]
    assert len(set(shown.tracker_id.tolist())) == len(shown)
    assert tracker.update(people(0, 300), LOOKS[:2]).tracker_id.tolist() == before


@by_name
def test_too_many_pairs_for_the_memory_are_refused_with_the_remedy(name, monkeypatch):
    monkeypatch.setattr(tracks, "MOST_PAIRS", 11)
    tracker = start(name)
    tracker.update(people(0, 100, 200), LOOKS[:3])
    tracker.update(people(0, 100, 200), LOOKS[:3])
    with pytest.raises(
        ReidopsError, match=r"3 tracks against 4 detections .* more than 11 pairs.*min_confidence.*max_age"
    ):
        tracker.update(people(0, 100, 200, 300), LOOKS)


@by_name
def test_a_sequence_without_a_detection_has_no_track(name):
    table = tracked(name, sequence([]))
    assert table.empty and list(table) == [
        "frame",
        "track_id",
        "left",
        "top",
        "width",
        "height",
        "confidence",
        "detection",
    ]


@by_name
def test_frames_without_detections_are_gone_through_and_people_keep_their_tracks(name):
    frames = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]  # 6 and 12 have none
    table = tracked(name, sequence(frames))
    coasts = getattr(CONSTANTS[name](), "coast", 0) > 0
    assert set(table["frame"]) - set(frames) == ({6, 12} if coasts else set())
    assert (table["frame"].isin(frames) == (table["detection"] >= 0)).all()
    assert table.groupby("left")["track_id"].unique().map(list).tolist() == [[1], [2]]


@by_name
def test_rows_of_unsorted_frames_give_the_same_tracks(name):
    detected = sequence(list(range(1, 13)))
    mixed = np.random.default_rng(0).permutation(len(detected))
    again = detected.keep(mixed)
    key = ["frame", "track_id"]
    ours, theirs = (tracked(name, rows).sort_values(key, ignore_index=True) for rows in (again, detected))
    assert np.array_equal(mixed[ours.pop("detection")], theirs.pop("detection"))
    assert ours.equals(theirs)


@by_name
def test_frames_that_a_file_holds_twice_give_no_track_two_boxes_in_a_frame(name):
    table = tracked(name, sequence(list(range(1, 13)), times=2))
    assert not table.duplicated(["frame", "track_id"]).any()
    assert 2 <= table["track_id"].nunique() <= 4
    for _, of_track in table.groupby("track_id"):
        assert of_track["left"].nunique() == 1


@by_name
def test_people_outside_the_frame_are_tracked_like_others(name):
    tracker = start(name)
    outside = people(-500, 1e6, top=-3000)
    shown = [tracker.update(outside, np.zeros((2, 4), np.float32)) for _ in range(6)][-1]
    assert shown.tracker_id.tolist() == [1, 2] and shown.xyxy == pytest.approx(outside.xyxy)


@pytest.mark.parametrize("name", FILTERED)
def test_whose_box_is_returned_is_a_constant_and_each_row_knows_its_detection(name):
    """A person who stops: the filter lags behind, so its box lies ahead of the detection."""
    boxes = {}
    for kind in ("filter", "detections"):
        tracker = new_tracker(name, None, CONSTANTS[name](boxes=kind))
        for step in range(12):
            last = people(400, 10 * min(step, 10))
            shown = tracker.update(last, LOOKS[:2])
        boxes[kind] = dict(zip(shown.data["detection"].tolist(), shown.xyxy.tolist(), strict=True))
    assert np.array_equal([boxes["detections"][row] for row in range(2)], last.xyxy)
    # px; StrongSORT hardly doubts a detection of score 0.9
    assert boxes["filter"][1][0] > boxes["detections"][1][0] + 0.05
    assert boxes["filter"][0] == pytest.approx(boxes["detections"][0])


def test_each_tracker_returns_the_boxes_that_it_was_published_with():
    published = {name: CONSTANTS[name]().boxes for name in FILTERED}
    observation_centric = {"ocsort", "deepocsort", "hybridsort"}
    assert published == {name: "detections" if name in observation_centric else "filter" for name in FILTERED}
    assert set(TRACKERS) - set(FILTERED) == {"cbiou", "evidence"}  # they return the detection's box


@pytest.mark.parametrize("name", ["deepsort", "strongsort"])
@pytest.mark.parametrize(("coast", "num_shown"), [(0, 0), (1, 1), (3, 3)])
def test_a_track_that_is_missed_is_returned_for_coast_frames_where_it_is_predicted(name, coast, num_shown):
    tracker = new_tracker(name, None, CONSTANTS[name](coast=coast))
    for step in range(20):
        tracker.update(people(10 * step), LOOKS[:1])
    unseen = [tracker.update(sv.Detections.empty(), np.zeros((0, 4), np.float32)) for _ in range(5)]
    assert [len(result) for result in unseen] == [1] * num_shown + [0] * (5 - num_shown)
    for step, result in enumerate(unseen[:num_shown]):
        assert result.tracker_id.tolist() == [1] and result.data["detection"].tolist() == [-1]
        assert result.xyxy[0, 0] == pytest.approx(10 * (20 + step), abs=3)


@pytest.mark.parametrize("name", ["deepsort", "strongsort"])
def test_a_removed_or_tentative_track_does_not_coast(name):
    tracker = new_tracker(name, None, CONSTANTS[name](coast=9, max_age=2))
    for _ in range(4):
        tracker.update(people(0), LOOKS[:1])
    rows = [tracker.update(people(300), LOOKS[1:2]).data["detection"].tolist() for _ in range(4)]
    assert rows == [[-1], [-1], [0], [0]]


@by_name
@pytest.mark.parametrize("fault", ["box", "confidence"])
def test_nan_is_refused_with_its_row(name, fault):
    detections = people(0, 100)
    (detections.xyxy if fault == "box" else detections.confidence)[1] = np.nan
    with pytest.raises(ReidopsError, match=f"detection 1: .*{'box' if fault == 'box' else 'NaN'}"):
        start(name).update(detections, LOOKS[:2])


@pytest.mark.parametrize("name", [name for name in TRACKERS if name not in WITHOUT_APPEARANCE])
def test_embeddings_of_another_length_or_with_nan_are_refused(name):
    tracker = start(name)
    for _ in range(3):
        tracker.update(people(0, 100), LOOKS[:2])
    with pytest.raises(ReidopsError, match="embeddings of 3 numbers, where the tracks are remembered by 4"):
        tracker.update(people(0, 100), np.eye(2, 3, dtype=np.float32))
    with pytest.raises(ReidopsError, match="embedding 1 holds NaN"):
        tracker.update(people(0, 100), np.array([[1, 0], [np.nan, 0]], np.float32))
