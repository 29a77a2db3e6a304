"""The stage evaluate_reid: its figures are those of its crops, its files are whole, its rules fit the data."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from drawn_crops import write_crops

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.retrieval.evaluation import find_test_sets
from reidops.retrieval.ranking import score_embeddings
from reidops.tables import CROPS, read_table, write_table
from stages.evaluate_reid import EvaluateReidParams, evaluate_reid

SMALL = EvaluateReidParams(gallery_rows=2, gallery_columns=4, batch_size=5, max_rank=10)
TESTED = range(4, 9)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny embedder that was never trained."""
    torch.manual_seed(0)
    name = "mobilenetv4_conv_small_050"
    network = EmbeddingNetwork(name, embedding_dim=16, last_stride=2)
    folder = tmp_path_factory.mktemp("model")
    described = describe(network, backbone=name, embedding_dim=16, pooling="avg", last_stride=2, height=64, width=32, num_classes=4)
    Embedder(network, described).save(folder)
    return folder


def crops_with_a_test_set(data: Path, *, num_cameras: int) -> Path:
    """Return a crops folder of 4 training, 5 tested and 5 held-out people; each tested one's first two crops are queries."""
    folder = write_crops(data, num_people=9, num_val=5, crops_per_person=8, num_cameras=num_cameras) / "crops"
    table = read_table(folder / "crops.parquet", CROPS)
    tested = table["pid"].isin(TESTED)
    table.loc[tested, "split"] = np.where(table.loc[tested, "frame"] <= 31, "query", "gallery")
    write_table(table, folder / "crops.parquet", CROPS)
    return folder


@pytest.fixture(scope="module")
def evaluated(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the crops folder and the finished reid folder of a set of two cameras."""
    data = tmp_path_factory.mktemp("data")
    crops = crops_with_a_test_set(data, num_cameras=2)
    evaluate_reid(model, crops, data / "reid", EvaluateReidParams(**{**vars(SMALL), "rerank": True}))
    return crops, data / "reid"


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_every_file_is_there_and_every_picture_is_one(evaluated: tuple[Path, Path]) -> None:
    _, reid = evaluated
    assert sorted(os.listdir(reid)) == ["calibration.json", "cmc.csv", "cmc.png", "distances.png", "gallery_drawn.png", "metrics.json",
                                        "people_drawn.png", "queries.csv"]
    for picture in reid.glob("*.png"):
        assert min(cv2.imread(str(picture)).shape[:2]) > 200


def test_the_figures_are_those_of_the_embedded_crops(evaluated: tuple[Path, Path], model: Path) -> None:
    crops, reid = evaluated
    table = read_table(crops / "crops.parquet", CROPS)
    store, embedder = CropStore(crops / "crops.tar", table), Embedder.load(model)
    sides = {side: table[table["split"] == side] for side in ("query", "gallery")}
    query, gallery = (embedder.embed([store.decode(i) for i in rows.index]) for rows in sides.values())
    labels = {f"{side}_{kind}s": rows[kind].to_numpy() for side, rows in sides.items() for kind in ("pid", "camid")}
    expected = score_embeddings(query, gallery, **labels).figures()
    found = read(reid / "metrics.json")
    assert found["drawn"] == pytest.approx(expected, abs=1e-9)
    assert found["drawn"]["num_query"] == 10 and found["drawn"]["num_gallery"] == 30
    assert set(found) == {"drawn", "drawn_reranked", "colour_histogram"}


def test_coloured_clothes_are_found_by_a_colour_histogram(evaluated: tuple[Path, Path]) -> None:
    assert read(evaluated[1] / "metrics.json")["colour_histogram"]["mAP"] > 0.9


def test_the_calibration_names_the_model_and_the_held_out_people(evaluated: tuple[Path, Path], model: Path) -> None:
    calibration = read(evaluated[1] / "calibration.json")
    assert calibration["weights_sha256"] == Embedder.load(model).weights_sha256
    assert calibration["fitted_on"]["num_people"] == 5
    assert calibration["fitted_on"]["num_crops"] == 40
    assert calibration["gates"]["half_cosine"] == calibration["gates"]["cosine"] / 2


def test_curves_and_queries_agree_with_the_figures(evaluated: tuple[Path, Path]) -> None:
    _, reid = evaluated
    figures = read(reid / "metrics.json")["drawn"]
    curves, queries = pd.read_csv(reid / "cmc.csv"), pd.read_csv(reid / "queries.csv")
    assert curves["embedder"][0] == pytest.approx(figures["rank1"], abs=1e-6)
    assert curves["rank"].tolist() == list(range(1, 11))
    assert queries["average_precision"].mean() == pytest.approx(figures["mAP"], abs=1e-5)


def test_the_junk_rule_fits_the_cameras_of_the_data(tmp_path: Path) -> None:
    for num_cameras, rule in ((2, "same-camera"), (1, "none")):
        crops = crops_with_a_test_set(tmp_path / str(num_cameras), num_cameras=num_cameras)
        assert [test.junk for test in find_test_sets(read_table(crops / "crops.parquet", CROPS))] == [rule]


def test_data_sets_are_scored_apart_each_beside_its_colour_histogram(model: Path, tmp_path: Path) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=1)
    table = read_table(crops / "crops.parquet", CROPS)
    table.loc[table["pid"] >= 7, "dataset"] = "other"
    write_table(table, crops / "crops.parquet", CROPS)
    evaluate_reid(model, crops, tmp_path / "reid", SMALL)
    figures = read(tmp_path / "reid" / "metrics.json")
    assert {name: row["num_query"] for name, row in figures.items()} == {
        "drawn": 6, "other": 4, "colour_histogram_drawn": 6, "colour_histogram_other": 4}


def test_two_runs_write_the_same_figures(evaluated: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    crops, reid = evaluated
    evaluate_reid(model, crops, tmp_path / "reid", EvaluateReidParams(**{**vars(SMALL), "rerank": True}))
    for name in ("metrics.json", "calibration.json", "cmc.csv", "queries.csv", "gallery_drawn.png"):
        assert (tmp_path / "reid" / name).read_bytes() == (reid / name).read_bytes(), name


def test_without_a_test_set_the_error_says_where_to_name_one(model: Path, tmp_path: Path) -> None:
    crops = write_crops(tmp_path) / "crops"
    with pytest.raises(ReidopsError, match="name a test set in params.yaml"):
        evaluate_reid(model, crops, tmp_path / "reid", SMALL)
    assert not (tmp_path / "reid").exists()


def test_the_camera_rule_on_one_camera_is_refused_with_a_remedy(model: Path, tmp_path: Path) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=1)
    with pytest.raises(ReidopsError, match="seen by one camera only"):
        evaluate_reid(model, crops, tmp_path / "reid", EvaluateReidParams(**{**vars(SMALL), "junk": "same-camera"}))
