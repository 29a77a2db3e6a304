"""reidops/training/validation.py: held-out people are ranked by the junk rule of their data set."""

import numpy as np
import pandas as pd
import pytest
from drawn_crops import write_crops

from reidops.embedding.images import CropStore
from reidops.retrieval.ranking import score_embeddings
from reidops.tables import CROPS, read_table
from reidops.training.tracklet_sampling import TrackletPooling
from reidops.training.validation import HeldOut, held_out_junk, read_held_out


def crops_table(dataset: str, camids: list[int], frames: list[int], pids: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"dataset": dataset, "camid": camids, "frame": frames, "pid": pids})


CAMERAS = crops_table("Market-1501", [1, 2, 1, 2], [5, 5, 900, 900], [0, 0, 1, 1])
VIDEO = crops_table("MOT17", [3, 3, 3, 3], [1, 25, 26, 60], [2, 2, 2, 3])


def test_people_with_several_cameras_use_the_rule_of_market_1501():
    assert held_out_junk(CAMERAS) == "same-camera"


def test_people_with_one_camera_use_the_time_gap():
    assert held_out_junk(VIDEO) == "time-gap"


def test_each_crop_of_mixed_sets_uses_the_rule_of_its_set():
    both = pd.concat([CAMERAS, VIDEO], ignore_index=True)
    junk = held_out_junk(both)
    for i, query in both.iterrows():
        for j, other in both.iterrows():
            same_camera = query["camid"] == other["camid"]
            if query["dataset"] == "MOT17":
                expected = same_camera and abs(query["frame"] - other["frame"]) < 25
            else:
                expected = same_camera and query["pid"] == other["pid"]
            assert junk[i, j] == expected


def test_perfect_embeddings_score_1_and_a_crop_never_matches_itself():
    pids = np.repeat(np.arange(5), 4)
    crops = pd.DataFrame({"dataset": "MOT17", "camid": 0, "frame": np.tile([1, 50, 100, 150], 5), "pid": pids})
    held_out = HeldOut(np.empty((20, 1, 1, 3), np.uint8), crops, score_embeddings)
    assert held_out.score(np.eye(5, dtype=np.float32)[pids]).mAP == 1
    assert held_out.score(np.random.default_rng(0).standard_normal((20, 8), np.float32)).mAP < 0.9


def test_missing_held_out_people_are_logged_without_an_error(tmp_path, caplog):
    data = write_crops(tmp_path, num_val=0)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    assert read_held_out(CropStore(data / "crops" / "crops.tar", table), table, 64, 32, score_embeddings) is None
    assert "no held-out people" in caplog.text


def test_held_out_people_with_one_crop_cannot_be_ranked_and_that_is_logged(tmp_path, caplog):
    data = write_crops(tmp_path)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    table.loc[table["split"] == "val", ["camid", "frame"]] = 1
    assert read_held_out(CropStore(data / "crops" / "crops.tar", table), table, 64, 32, score_embeddings) is None
    assert "cannot be ranked" in caplog.text


@pytest.mark.parametrize("num_cameras", [1, 2])
def test_held_out_crops_are_read_with_their_rows(tmp_path, num_cameras):
    data = write_crops(tmp_path, num_cameras=num_cameras)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    held_out = read_held_out(CropStore(data / "crops" / "crops.tar", table), table, 64, 32, score_embeddings)
    assert held_out.images.shape == (18, 64, 32, 3) and set(held_out.crops["split"]) == {"val"}


def test_half_of_the_held_out_people_can_choose_the_checkpoint(tmp_path):
    data = write_crops(tmp_path)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    held_out = read_held_out(CropStore(data / "crops" / "crops.tar", table), table, 64, 32, score_embeddings, "half")
    assert set(held_out.crops["pid"]) == {6, 8} and held_out.images.shape == (12, 64, 32, 3)


def test_held_out_people_with_tracklets_are_ranked_by_their_pooled_vectors(tmp_path):
    data = write_crops(tmp_path, crops_per_person=12)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    store, pooling = CropStore(data / "crops" / "crops.tar", table), TrackletPooling(3, "random", "mean")
    held_out = read_held_out(store, table, 64, 32, score_embeddings, pooling=pooling)
    # Three people × two cameras with 6 crops each: two tracklets of 3 crops.
    assert len(held_out.images) == 36 and len(held_out.crops) == 12
    of_people = np.eye(9, dtype=np.float32)[np.repeat(held_out.crops["pid"].to_numpy(), 3)]
    pooled = held_out.pool(of_people)
    assert pooled.shape == (12, 9) and held_out.score(pooled).mAP == 1
