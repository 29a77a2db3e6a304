"""What trained an embedder's weights is recorded beside them, and what is not recorded is unknown."""

from pathlib import Path

import pandas as pd
import pytest

from reidops.datasets.origin import (
    Origin,
    check_adaptation,
    check_start,
    check_tracked,
    origin_of_start,
    read_origin,
    with_adaptation,
    with_training,
)
from reidops.errors import ReidopsError
from reidops.files import sha256, write_json

ROW = {
    "dataset": "MOT17",
    "scene": "09",
    "sequence": "MOT17-09-FRCNN",
    "first_frame": 1,
    "last_frame": 263,
    "num_people": 2,
    "people": [3, 5],
}


def crops(*rows: tuple[str, str, str, int, int, str]) -> pd.DataFrame:
    """Return a crops table of rows (dataset, scene, sequence, track_id, frame, split); a person's pid is the
    track_id.
    """
    columns = ["dataset", "scene", "sequence", "track_id", "frame", "split"]
    table = pd.DataFrame(rows, columns=columns).assign(pid=lambda t: t["track_id"])
    return table.assign(path="imgs/" + table["sequence"] + "_" + table["track_id"].map("{:06d}".format) + "/000000.jpg")


def described(folder: Path, trained_on: dict) -> Path:
    """Write a weights file with an embedder.json beside it and return the file's path."""
    weights = folder / "model.safetensors"
    weights.write_bytes(b"weights")
    write_json({"weights_sha256": sha256(weights), "trained_on": trained_on}, folder / "embedder.json")
    return weights


def test_the_scenes_frames_and_people_that_train_are_recorded():
    table = crops(
        ("MOT17", "09", "MOT17-09-FRCNN", 5, 263, "train"),
        ("MOT17", "09", "MOT17-09-FRCNN", 3, 1, "val"),
        ("MOT17", "09", "MOT17-09-FRCNN", 9, 300, "query"),
    )
    assert with_training(Origin("random weights"), table) == Origin("random weights", (ROW,))


def test_a_reid_set_is_recorded_without_frames():
    table = crops(("Market-1501", "Market-1501", "0002", 0, 0, "train")).assign(track_id=-1)
    (row,) = with_training(Origin("random weights"), table).scenes
    assert (row["dataset"], row["first_frame"], row["num_people"], "people" in row) == ("Market-1501", 0, 1, False)


def test_what_trained_the_weights_before_stays_in_the_record(tmp_path):
    before = described(tmp_path, Origin("random weights", (ROW,)).facts)
    start = origin_of_start(before, pretrained=False)
    table = crops(("MOT20", "01", "MOT20-01", 1, 4, "train"))
    assert [row["dataset"] for row in with_training(start, table).scenes] == ["MOT20", "MOT17"]


def test_weights_without_a_record_of_their_own_are_unknown(tmp_path):
    weights = described(tmp_path, Origin("random weights", (ROW,)).facts)
    assert origin_of_start(weights, pretrained=False).scenes == (ROW,)
    weights.write_bytes(b"other weights")
    assert origin_of_start(weights, pretrained=False) == Origin("model.safetensors", unknown_start="model.safetensors")
    (tmp_path / "embedder.json").unlink()
    assert origin_of_start(weights, pretrained=False).unknown_start == "model.safetensors"
    assert origin_of_start(None, pretrained=True).unknown_start == "published weights of timm"
    assert origin_of_start(None, pretrained=False) == Origin("random weights")


def test_a_record_of_an_earlier_version_names_sets_and_is_unknown_otherwise():
    origin = read_origin({"started_from": "random weights", "datasets": ["Market-1501"]}, "model.safetensors")
    assert ([row["dataset"] for row in origin.scenes], origin.unknown_start) == (["Market-1501"], "model.safetensors")


@pytest.mark.parametrize("row", [("MOT17", 3), ("MOT16", 8)])
def test_weights_that_were_trained_on_tested_people_are_refused(row):
    dataset, track_id = row
    table = crops((dataset, "09", f"{dataset}-09", track_id, 100, "gallery"))
    with pytest.raises(
        ReidopsError, match=r"old\.pt was trained on frames 1 … 263 of MOT17-09-FRCNN of MOT17 .* 1 query and"
    ):
        check_start(Origin("old.pt", (ROW,)), table)


@pytest.mark.parametrize(
    "row", [("09", 3, 264, "query"), ("02", 3, 100, "query"), ("09", 4, 100, "query"), ("09", 3, 100, "train")]
)
def test_weights_may_start_where_other_frames_scenes_or_people_are_tested(row):
    scene, track_id, frame, split = row
    check_start(Origin("old.pt", (ROW,)), crops(("MOT17", scene, f"MOT17-{scene}", track_id, frame, split)))


def test_the_record_states_how_many_people_which_file_left_out():
    table = crops(
        ("MOT17", "09", "MOT17-09-FRCNN", 5, 1, "train"),
        ("MOT17", "02", "MOT17-02-FRCNN", 1, 1, "train"),
        ("MOT20", "01", "MOT20-01", 1, 4, "train"),
    )
    counts = {"MOT17": {"file": "people.csv", "scenes": {"09": {"people": 3, "crops": 40}}}}
    rows = {row["scene"]: row.get("left_out") for row in with_training(Origin("random weights"), table, counts).scenes}
    assert rows == {
        "09": {"num_people": 3, "file": "people.csv"},
        "02": {"num_people": 0, "file": "people.csv"},
        "01": None,
    }


def tracklet_crops(scene: str = "09", first: int = 1, last: int = 100) -> pd.DataFrame:
    """Return two crops of one tracklet of a MOT17 scene."""
    return pd.DataFrame({"dataset": "MOT17", "scene": scene, "frame": [first, last], "tracklet": 5, "track_id": -1})


def test_an_adaptation_adds_its_frames_to_the_origin_without_people():
    origin = with_adaptation(Origin("w.pt", (ROW,), "w.pt"), tracklet_crops("04"), transductive=False)
    assert origin.scenes == (
        {
            "dataset": "MOT17", "scene": "04", "sequence": "04", "first_frame": 1, "last_frame": 100, "num_people": 0,
            "people": [], "num_tracklets": 1, "num_crops": 2, "adapted": True, "transductive": False,
        },
        ROW,
    )  # fmt: skip
    assert (origin.started_from, origin.unknown_start) == ("w.pt", "w.pt")
    assert read_origin(origin.facts, "") == origin


@pytest.mark.parametrize(("frames", "transductive", "refused"), [
    ((90, 300), False, True), ((101, 300), False, False), ((90, 300), True, False),
])  # fmt: skip
def test_tracked_frames_that_were_adapted_to_are_refused_unless_it_was_transductive(frames, transductive, refused):
    origin = with_adaptation(Origin("random weights"), tracklet_crops(), transductive=transductive)
    if not refused:
        check_tracked(origin, "MOT16-09", "MOT16", "09", frames)
        return
    with pytest.raises(ReidopsError, match="frames 90 … 100 of MOT16-09 are tracked.* was adapted to frames 1 … 100"):
        check_tracked(origin, "MOT16-09", "MOT16", "09", frames)


@pytest.mark.parametrize(
    ("frame", "transductive", "refused"), [(50, False, True), (101, False, False), (50, True, False)]
)
def test_tested_frames_are_refused_whoever_is_on_them(frame, transductive, refused):
    origin = with_adaptation(Origin("random weights"), tracklet_crops(), transductive=transductive)
    tested = crops(("MOT17", "09", "MOT17-09-FRCNN", 77, frame, "query"))
    for check in (check_adaptation, check_start):
        if not refused:
            check(origin, tested)
            continue
        with pytest.raises(ReidopsError, match="frames 1 … 100 of 09 of MOT17.*1 query and gallery crops"):
            check(origin, tested)


def test_a_labelled_training_on_tested_frames_is_no_matter_of_the_adaptation():
    tested = crops(("MOT17", "09", "MOT17-09-FRCNN", 3, 5, "query"))
    check_adaptation(Origin("w.pt", (ROW,)), tested)
