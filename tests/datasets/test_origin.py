"""What trained an embedder's weights is recorded beside them, and what is not recorded is unknown."""

from pathlib import Path

import pandas as pd
import pytest

from reidops.datasets.origin import Origin, check_start, origin_of_start, read_origin, with_training
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
