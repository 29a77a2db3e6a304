"""The drawn data set: its layout, its repeatability, and that its annotations say what the pictures show."""

import filecmp
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from reidops.errors import ReidopsError
from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.mot.sequences import find_sequences, read_annotations, read_detections
from reidops.mot.synthetic.camera import Camera
from reidops.mot.synthetic.figure import Figure
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.people import draw_appearance, draw_crowd
from reidops.mot.synthetic.skeleton import Stance, skeleton
from reidops.mot.synthetic.sprite import Owners, Sprite
from reidops.mot.synthetic.street import plan_street
from reidops.mot.synthetic.walks import follow, plan_routes
from reidops.mot.synthetic.writing import write_synthetic

pytestmark = pytest.mark.slow

TINY = SyntheticParams(scenes=2, frames=12, width=320, height=180)
BOX = ["left", "top", "width", "height"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "synthetic"
    write_synthetic(folder, TINY, workers=1)
    return folder


@pytest.fixture(scope="module")
def long_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn_long") / "synthetic"
    write_synthetic(folder, SyntheticParams(scenes=1, frames=110, width=320, height=180), workers=1)
    return folder


def _files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _same_bytes(a: Path, b: Path) -> bool:
    return _files(a) == _files(b) and all(filecmp.cmp(a / name, b / name, shallow=False) for name in _files(a))


def test_the_layout_is_that_of_mot17(tiny: Path) -> None:
    names = [f"SYN-0{scene}-{detector}" for scene in (1, 2) for detector in ("DPM", "FRCNN", "SDP")]
    assert sorted(p.name for p in (tiny / "train").iterdir()) == names
    for name in names:
        folder = tiny / "train" / name
        assert sorted(p.name for p in (folder / "img1").glob("*")) == [f"{k:06d}.jpg" for k in range(1, 13)]
        assert sorted(p.name for p in folder.iterdir()) == ["det", "gt", "img1", "seqinfo.ini"]
        assert cv2.imread(str(folder / "img1" / "000001.jpg")).shape == (180, 320, 3)
    info = (tiny / "train" / "SYN-01-SDP" / "seqinfo.ini").read_text()
    assert info.startswith(
        "[Sequence]\nname=SYN-01-SDP\nimDir=img1\nframeRate=12\nseqLength=12\nimWidth=320\nimHeight=180\nimExt=.jpg\n"
    )


def test_ground_truth_lines_have_nine_fields_and_come_track_by_track(tiny: Path) -> None:
    for path in tiny.glob("train/*/gt/gt.txt"):
        rows = np.array([[float(field) for field in line.split(",")] for line in path.read_text().splitlines()])
        assert rows.shape[1] == 9
        assert np.array_equal(np.lexsort((rows[:, 0], rows[:, 1])), np.arange(len(rows)))
        assert rows[:, 0].min() >= 1 and rows[:, 0].max() <= 12
        assert (rows[:, 4:6] > 0).all() and (rows[:, 8] >= 0).all() and (rows[:, 8] <= 1).all()


def test_only_pedestrians_are_considered_and_the_other_classes_are_there(tiny: Path) -> None:
    tables = pd.concat([read_annotations(s) for s in find_sequences(tiny) if s.detector == "DPM"])
    assert set(tables["class_id"]) == {1, 7, 8, 12}
    assert (tables["considered"] == (tables["class_id"] == 1)).all()


def test_annotated_boxes_lie_in_the_frame_at_least_in_part(tiny: Path) -> None:
    for sequence in find_sequences(tiny):
        boxes = ltwh_to_ltrb(read_annotations(sequence)[BOX].to_numpy())
        assert (boxes[:, :2] < (320, 180)).all() and (boxes[:, 2:] > 0).all()


def test_the_three_copies_share_frames_and_ground_truth_and_differ_in_detections(tiny: Path) -> None:
    first, *others = (tiny / "train" / f"SYN-02-{detector}" for detector in ("DPM", "FRCNN", "SDP"))
    for other in others:
        assert _same_bytes(first / "gt", other / "gt") and _same_bytes(first / "img1", other / "img1")
        assert not _same_bytes(first / "det", other / "det")


def test_detections_are_sorted_by_frame_and_score_in_the_detectors_range(tiny: Path) -> None:
    ranges = {"DPM": (-0.5, 3.0), "FRCNN": (0.05, 1.0), "SDP": (0.4, 1.0)}
    for sequence in find_sequences(tiny):
        found = read_detections(sequence)
        expected = found.sort_values(["frame", "confidence"], ascending=[True, False], kind="stable")
        assert expected.index.equals(found.index)
        assert found["confidence"].between(*ranges[sequence.detector]).all()
        assert (found[["width", "height"]] > 0).all(axis=None)


def test_the_same_seed_gives_the_same_bytes_on_one_worker_and_on_two(tiny: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "again", TINY, workers=2)
    assert _same_bytes(tiny, tmp_path / "again")


def test_another_seed_gives_other_frames_and_other_annotations(tiny: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "other", SyntheticParams(seed=8, scenes=1, frames=2, width=320, height=180), workers=1)
    for name in ("img1/000001.jpg", "gt/gt.txt", "det/det.txt"):
        a, b = (folder / "train" / "SYN-01-DPM" / name for folder in (tiny, tmp_path / "other"))
        assert a.read_bytes() != b.read_bytes()


def test_visibility_is_the_share_that_nobody_nearer_covers() -> None:
    def rectangle(left: int, top: int, width: int, height: int) -> Sprite:
        return Sprite(np.zeros((height, width, 3), np.float32), np.ones((height, width), np.float32), left, top)

    owners, window = Owners(100, 100), (slice(0, 100), slice(0, 100))
    far, near, outside = rectangle(10, 10, 20, 40), rectangle(20, 10, 20, 20), rectangle(90, 50, 20, 10)
    for owner, sprite in ((1, far), (2, near), (3, outside)):
        owners.cover(sprite, owner)
    assert owners.visibility(far, 1, window) == (0.75, (10, 10, 30, 50))
    assert owners.visibility(near, 2, window) == (1.0, (20, 10, 40, 30))
    assert owners.visibility(outside, 3, window) == (0.5, (90, 50, 100, 60))
    assert owners.visibility(far, 1, (slice(0, 100), slice(20, 100))) == (0.25, (20, 30, 30, 50))
    owners.cover(rectangle(0, 0, 100, 100), -2)
    assert owners.visibility(near, 2, window) == (0.0, None)


def test_one_person_right_behind_another_is_hardly_visible() -> None:
    camera = Camera(focal=600, centre=320, horizon=80, height=2.8)
    figure = Figure(draw_appearance(np.random.default_rng(0)))
    near, far = (figure.draw(Stance(0.0, z, (1.0, 0.0), 0.3, 1.0), camera) for z in (7.0, 7.4))
    owners = Owners(360, 640)
    owners.cover(far, 1)
    owners.cover(near, 2)
    window = (slice(0, 360), slice(0, 640))
    assert owners.visibility(far, 1, window)[0] < 0.35
    assert owners.visibility(near, 2, window)[0] == 1.0


def test_people_vanish_stay_annotated_and_return(long_scene: Path) -> None:
    annotations = read_annotations(find_sequences(long_scene)[0])
    returns = 0
    for _, track in annotations[annotations["class_id"] == 1].groupby("track_id"):
        visible = track.sort_values("frame")["visibility"].to_numpy()
        hidden = np.flatnonzero(visible < 0.1)
        returns += any(visible[:k].max(initial=0) > 0.5 and visible[k:].max() > 0.5 for k in hidden)
    assert returns >= 3


def test_people_leave_the_frame_and_come_back(long_scene: Path) -> None:
    annotations = read_annotations(find_sequences(long_scene)[0])
    gaps = (
        annotations[annotations["class_id"] == 1]
        .groupby("track_id")["frame"]
        .agg(lambda frames: np.diff(sorted(frames)).max(initial=1))
    )
    assert (gaps > 6).any()


def test_detectors_find_seen_people_in_the_order_of_their_rank(long_scene: Path) -> None:
    recalls = [_recall(sequence) for sequence in find_sequences(long_scene)]  # DPM, FRCNN, SDP
    assert 0.4 < recalls[0] < recalls[1] < recalls[2] < 1


def _recall(sequence: object) -> float:
    people = read_annotations(sequence)
    people, found = people[(people["class_id"] == 1) & (people["visibility"] > 0.5)], read_detections(sequence)
    hits = 0
    for frame, boxes in people.groupby("frame"):
        others = ltwh_to_ltrb(found.loc[found["frame"] == frame, BOX].to_numpy())
        hits += int((iou_matrix(ltwh_to_ltrb(boxes[BOX].to_numpy()), others).max(axis=1, initial=0) >= 0.5).sum())
    return hits / len(people)


def test_the_box_of_a_person_in_the_open_is_where_the_picture_changes() -> None:
    camera = Camera(focal=600, centre=320, horizon=80, height=2.8)
    figure = Figure(draw_appearance(np.random.default_rng(3)))
    near, far = (figure.draw(Stance(0.5, z, (0.0, -1.0), 0.0, 0.0), camera) for z in (7.0, 14.0))
    assert near.alpha.shape[0] == pytest.approx(2 * far.alpha.shape[0], rel=0.06)
    height = figure.appearance.height * camera.pixels_per_metre(7.0)
    assert near.alpha.shape[0] == pytest.approx(height, rel=0.08)
    assert near.top + near.alpha.shape[0] == pytest.approx(camera.project(np.array([[0.5, 0.0, 7.0]]))[0, 1], abs=8)


def test_a_walking_skeleton_keeps_a_foot_on_the_ground_and_its_legs_apart() -> None:
    for phase in np.linspace(0, 2 * np.pi, 9):
        joints = skeleton(Stance(0.0, 8.0, (1.0, 0.0), phase, 1.0), height=1.75, girth=1.0)
        assert min(joints["left_ankle"][1], joints["right_ankle"][1]) == pytest.approx(0.07)
    stride = skeleton(Stance(0.0, 8.0, (1.0, 0.0), np.pi / 2, 1.0), height=1.75, girth=1.0)
    assert stride["right_knee"][2] > 0.1 > -0.1 > stride["left_knee"][2]
    assert stride["right_hand"][2] < 0.2 < stride["left_hand"][2]


def test_every_crowd_holds_people_in_the_same_clothes() -> None:
    for seed in range(5):
        tops = [person.top for person in draw_crowd(np.random.default_rng(seed), 10)]
        assert len(set(tops)) < len(tops) == 10


def test_people_walk_no_faster_than_they_run_and_look_where_they_go() -> None:
    rng = np.random.default_rng(1)
    routes = plan_routes(rng, plan_street(rng, 0, 640, 360), count=16, seconds=12.5)
    assert len(routes) == 16
    for route in routes:
        walk = follow(route, num_frames=150, frame_rate=12)
        steps = np.diff(walk.place, axis=0) * 12
        assert np.hypot(*steps.T).max() < 3.5
        moving = np.hypot(*steps.T) > 0.7
        towards = (steps * walk.heading[1:]).sum(axis=1)[moving] / np.hypot(*steps.T)[moving]
        assert np.mean(towards > 0.8) > 0.85


def test_only_the_sixth_scene_has_a_moving_camera() -> None:
    assert [plan_street(np.random.default_rng(k), k, 640, 360).margin > 0 for k in range(6)] == [False] * 5 + [True]


@pytest.mark.parametrize("wrong", [{"scenes": 0}, {"min_people": 9, "max_people": 8}, {"width": 40}])
def test_a_set_that_cannot_be_drawn_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises((ReidopsError, ValidationError), match=f"synthetic|{next(iter(wrong))}"):
        SyntheticParams(**wrong)
