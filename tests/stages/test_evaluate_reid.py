"""The stage evaluate_reid: its figures are those of its crops, its files are whole, its rules fit the data."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops
from matplotlib.figure import Figure
from mot_factory import write_mot_set

from reidops.boxes.embeddings import embed_with_people, write_embeddings
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.parts import Part, find_tracked_parts, write_parts
from reidops.retrieval import report
from reidops.retrieval.evaluation import embed_tests, score_tests
from reidops.retrieval.matches import Labels
from reidops.retrieval.ranking import score_embeddings
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.retrieval.reranking import rerank
from reidops.retrieval.single_shot import SingleShot, draw_shots, find_identities
from reidops.skipped import skipped_reason
from reidops.tables import CROPS, read_table, write_table
from stages.evaluate_reid import EvaluateReidParams, evaluate_reid

pytestmark = pytest.mark.slow

SMALL = default_params(
    EvaluateReidParams, num_candidates=3.0, gallery_rows=2, gallery_columns=4, batch_size=5, max_rank=10
)
TESTED = range(4, 9)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny embedder that was never trained."""
    torch.manual_seed(0)
    name = "mobilenetv4_conv_small_050"
    network = EmbeddingNetwork(name, embedding_dim=16, last_stride=2)
    folder = tmp_path_factory.mktemp("model")
    described = describe(
        network, backbone=name, embedding_dim=16, pooling="avg", last_stride=2, height=64, width=32, num_classes=4
    )
    Embedder(network, described).save(folder)
    return folder


def write_raw(data: Path, *, tracked: bool) -> Path:
    """Return data/raw with a training sequence TOY-01 and, where wanted, the tracked sequence TOY-02."""
    folder = write_mot_set(data / "raw" / "TOY", num_frames=20)
    plays = {"train": "TOY-01", "track": "TOY-02"} if tracked else {"train": "TOY-01"}
    write_parts(
        [Part(play, "TOY", "mot", folder / "train" / name, name, name[-2:], 1, 20) for play, name in plays.items()],
        data / "raw",
    )
    return data / "raw"


def evaluate(model: Path, crops: Path, params: EvaluateReidParams = SMALL, *, tracked: bool = False) -> Path:
    """Embed the tracked sequence, run `evaluate_reid` beside the crops folder and return the finished reid folder."""
    data = crops.parent
    raw = data / "raw" if (data / "raw").is_dir() else write_raw(data, tracked=tracked)
    for part in find_tracked_parts(raw):
        sequence = read_sequence(part.folder)
        embedded = embed_with_people(
            sequence, read_detections(sequence), read_annotations(sequence), Embedder.load(model)
        )
        for boxes, folder in zip(embedded, (data / "embeddings", data / "embeddings" / "annotations"), strict=True):
            write_embeddings(boxes, folder / f"{part.sequence}.npz")
    evaluate_reid(model, crops, raw, data / "embeddings", data / "reid", params)
    return data / "reid"


def changed(**values: object) -> EvaluateReidParams:
    return EvaluateReidParams(**{**vars(SMALL), **values})


def crops_with_a_test_set(data: Path, *, num_cameras: int) -> Path:
    """Return a crops folder of 4 training, 5 tested and 5 held-out people; each tested one's first two crops are
    queries.
    """
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
    return crops, evaluate(model, crops, changed(rerank=True), tracked=True)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures, which take most of the time."""
    for name in ("draw_curves", "draw_test_set"):
        monkeypatch.setattr(report, name, lambda *_, **__: None)
    monkeypatch.setattr(report, "draw_reassociation", lambda _: Figure(figsize=(1, 1)))


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_every_file_is_there_and_every_picture_is_one(evaluated: tuple[Path, Path]) -> None:
    _, reid = evaluated
    assert sorted(os.listdir(reid)) == [
        "calibration.json",
        "calibration_tables.png",
        "cmc.csv",
        "cmc.png",
        "distances.png",
        "drift_reference.npz",
        "gallery_drawn.png",
        "headline.json",
        "metrics.json",
        "people_drawn.png",
        "queries.csv",
        "reassociation.csv",
        "reassociation.png",
    ]
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
    assert set(found) == {"drawn", "drawn_reranked", "colour_histogram", "reassociation"}
    shown = {
        name: {"mAP": scores["mAP"], "rank1": scores["rank1"]}
        for name, scores in found.items()
        if name != "reassociation"
    }
    assert read(reid / "headline.json") == shown


def test_coloured_clothes_are_found_by_a_colour_histogram(evaluated: tuple[Path, Path]) -> None:
    assert read(evaluated[1] / "metrics.json")["colour_histogram"]["mAP"] > 0.9


def test_the_calibration_names_the_model_and_the_held_out_people(evaluated: tuple[Path, Path], model: Path) -> None:
    calibration = read(evaluated[1] / "calibration.json")
    assert calibration["weights_sha256"] == Embedder.load(model).weights_sha256
    assert calibration["fitted_on"]["num_people"] == 5
    assert calibration["fitted_on"]["num_crops"] == 40
    assert calibration["fitted_on"]["boxes"] == "crops"
    assert calibration["gates"]["half_cosine"] == calibration["gates"]["ema_cosine"] / 2


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
        assert [test.junk for test in find_ranking_sets(read_table(crops / "crops.parquet", CROPS))] == [rule]


@pytest.mark.usefixtures("no_pictures")
def test_data_sets_are_scored_apart_each_beside_its_colour_histogram(model: Path, tmp_path: Path) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=1)
    table = read_table(crops / "crops.parquet", CROPS)
    table.loc[table["pid"] >= 7, "dataset"] = "other"
    write_table(table, crops / "crops.parquet", CROPS)
    figures = read(evaluate(model, crops) / "metrics.json")
    assert {name: row["num_query"] for name, row in figures.items()} == {
        "drawn": 6,
        "other": 4,
        "colour_histogram_drawn": 6,
        "colour_histogram_other": 4,
    }


def galleries_of_one_crop(model: Path, crops: Path, *, reranked: bool) -> float:
    """Return rank1 over ten galleries of one crop per person, drawn for each query, by a plain loop."""
    table = read_table(crops / "crops.parquet", CROPS)
    store, embedder = CropStore(crops / "crops.tar", table), Embedder.load(model)
    query, gallery = (table[table["split"] == side].reset_index() for side in ("query", "gallery"))
    of_query, of_gallery = (embedder.embed([store.decode(i) for i in rows["index"]]) for rows in (query, gallery))
    distances = rerank(of_query, of_gallery) if reranked else 1 - of_query.astype(float) @ of_gallery.T
    identities = find_identities(Labels(gallery["pid"].to_numpy(), gallery["camid"].to_numpy()), of_gallery)
    hits = []
    for number, asked in query.iterrows():
        is_own = gallery["pid"] == asked["pid"]
        junk = np.flatnonzero(is_own & (gallery["camid"] == asked["camid"]))
        for drawn in draw_shots(identities, junk, number, SingleShot(10, seed=0)):
            assert sorted(gallery["pid"][drawn]) == list(TESTED)
            hits.append(distances[number, is_own & drawn].item() <= distances[number, drawn].min())
    return float(np.mean(hits))


@pytest.mark.usefixtures("no_pictures")
def test_a_classic_split_of_cuhk03_is_ranked_in_galleries_of_one_crop_per_person(
    evaluated: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    crops, reid = evaluated
    ordinary = read(reid / "metrics.json")
    parts = [
        Part("test", "drawn", "cuhk03", tmp_path / "raw" / "drawn", "", "drawn", 0, 0, protocol)
        for protocol in ("labeled-classic-3", "labeled")
    ]
    found = {}
    for part, setting in ((parts[0], "auto"), (parts[0], False), (parts[1], "auto"), (parts[1], True)):
        write_parts([part], tmp_path / "raw")
        evaluate_reid(
            model,
            crops,
            tmp_path / "raw",
            tmp_path / "none",
            tmp_path / "reid",
            changed(rerank=True, single_gallery_shot=setting),
        )
        found[part.protocol, setting] = read(tmp_path / "reid" / "metrics.json")
    ordinary.pop("reassociation")
    assert found["labeled", "auto"] == found["labeled-classic-3", False] == ordinary
    assert found["labeled", True] == found["labeled-classic-3", "auto"]
    for name, reranked in (("drawn", False), ("drawn_reranked", True)):
        figures = found["labeled-classic-3", "auto"][name]
        assert figures["rank1"] == pytest.approx(galleries_of_one_crop(model, crops, reranked=reranked), abs=1e-9)
        assert figures["rank1"] != ordinary[name]["rank1"] and figures["mAP"] == ordinary[name]["mAP"]
    assert found["labeled", True]["colour_histogram"]["rank5"] == 1.0  # five people, five crops


def test_two_runs_write_the_same_figures(evaluated: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    crops, reid = evaluated
    data = crops.parent
    evaluate_reid(model, crops, data / "raw", data / "embeddings", tmp_path / "reid", changed(rerank=True))
    for name in (
        "metrics.json",
        "calibration.json",
        "cmc.csv",
        "queries.csv",
        "reassociation.csv",
        "gallery_drawn.png",
    ):
        assert (tmp_path / "reid" / name).read_bytes() == (reid / name).read_bytes(), name


def test_lost_people_are_looked_for_on_both_kinds_of_boxes(evaluated: tuple[Path, Path]) -> None:
    _, reid = evaluated
    found = read(reid / "metrics.json")["reassociation"]
    curves = pd.read_csv(reid / "reassociation.csv").set_index("gap")
    for boxes in ("annotations", "detections"):
        assert list(found[boxes]["rank1"]) == list(found[boxes]["MRR"]) == ["1", "10", "15", "2", "5"]  # of 20 frames
        for gap, rank1 in found[boxes]["rank1"].items():
            assert curves.loc[int(gap), f"rank1_{boxes}"] == pytest.approx(rank1, abs=1e-6)
            assert curves.loc[int(gap), f"chance_rank1_{boxes}"] == pytest.approx(1 / 3, abs=1e-6)
            assert curves.loc[int(gap), f"num_query_{boxes}"] == 3 * (20 - int(gap))
    assert curves.loc[30].filter(like="rank1").isna().all()
    assert found["annotations"] == found["detections"]  # the drawn detector is faultless


@pytest.mark.usefixtures("no_pictures")
def test_without_a_tracked_set_there_is_nobody_to_re_associate(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "reidops")
    reid = evaluate(model, crops_with_a_test_set(tmp_path, num_cameras=2))
    assert "reassociation" not in read(reid / "metrics.json")
    assert pd.read_csv(reid / "reassociation.csv")["rank1_annotations"].isna().all()
    assert "re-association is not evaluated" in caplog.text


def test_embeddings_of_another_model_are_refused(evaluated: tuple[Path, Path], model: Path, tmp_path: Path) -> None:
    data = evaluated[0].parent
    shutil.copytree(data / "embeddings", tmp_path / "embeddings")
    for path in (tmp_path / "embeddings").rglob("*.npz"):
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **arrays | {"weights_sha256": np.array("0" * 64)})
    with pytest.raises(ReidopsError, match="made by the model 000000000000"):
        evaluate_reid(model, evaluated[0], data / "raw", tmp_path / "embeddings", tmp_path / "reid", SMALL)


@pytest.mark.usefixtures("no_pictures")
def test_a_set_of_tracklets_is_ranked_tracklet_by_tracklet(model: Path, tmp_path: Path) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=1)
    table = read_table(crops / "crops.parquet", CROPS)
    tested = table["pid"].isin(TESTED)
    table.loc[tested, "tracklet"] = table["pid"] + np.where(table["split"] == "query", 0, 100)  # of 2 and of 6 crops
    write_table(table, crops / "crops.parquet", CROPS)
    embedder, store, tests = Embedder.load(model), CropStore(crops / "crops.tar", table), find_ranking_sets(table)
    scores = {
        pool: score_tests(embed_tests(embedder, store, table, tests, pool=pool), max_rank=5, rerank=False)["drawn"]
        for pool in ("mean", "max", "none")
    }
    assert read(evaluate(model, crops) / "metrics.json")["drawn"] == pytest.approx(scores["mean"].figures())
    assert [(scores[pool].num_query, scores[pool].num_gallery) for pool in ("mean", "max", "none")] == [
        (5, 5),
        (5, 5),
        (10, 30),
    ]
    for pool, together in (("mean", np.mean), ("max", np.max)):
        sides = {
            side: [
                together(embedder.embed([store.decode(i) for i in rows.index]), axis=0)
                for _, rows in of_side.groupby("tracklet")
            ]
            for side, of_side in table[tested].groupby("split")
        }
        expected = score_embeddings(
            *(np.array(sides[side]) for side in ("query", "gallery")),
            query_pids=list(TESTED),
            gallery_pids=list(TESTED),
            junk="none",
        )
        assert scores[pool].mAP == pytest.approx(expected.mAP, abs=1e-9)


@pytest.mark.usefixtures("no_pictures")
def test_five_views_are_another_embedding_of_the_same_crops(
    evaluated: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    crops, reid = evaluated
    data = crops.parent
    evaluate_reid(model, crops, data / "raw", data / "embeddings", tmp_path / "reid", changed(rerank=True, views=5))
    one, five = (read(folder / "metrics.json") for folder in (reid, tmp_path / "reid"))
    assert one["drawn"] != five["drawn"]
    assert one["colour_histogram"] == five["colour_histogram"]
    assert read(reid / "calibration.json") == read(tmp_path / "reid" / "calibration.json")  # trackers see one view


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("trained_on", "num_people", "chose"),
    [
        ({"epoch": 3, "checkpoint_people": "half"}, 2, False),
        ({"epoch": 3, "checkpoint_people": "all"}, 5, True),
        ({"epoch": 0}, 5, False),
    ],
)
def test_the_gate_is_fitted_on_people_who_did_not_choose_the_checkpoint_where_half_chose_it(
    model: Path, tmp_path: Path, trained_on: dict, num_people: int, chose: bool
) -> None:
    embedder = Embedder.load(model)
    embedder.save(tmp_path / "model", trained_on=trained_on)
    fitted_on = read(evaluate(tmp_path / "model", crops_with_a_test_set(tmp_path, num_cameras=2)) / "calibration.json")[
        "fitted_on"
    ]
    assert (fitted_on["num_people"], fitted_on["chose_checkpoint"]) == (num_people, chose)


@pytest.mark.usefixtures("no_pictures")
def test_gates_may_be_fitted_on_the_training_scenes_detections(
    evaluated: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=2)
    table = read_table(crops / "crops.parquet", CROPS)
    table.loc[table["pid"] == 9, ["dataset", "scene", "track_id"]] = ["TOY", "01", 1]
    table.loc[table["pid"] == 10, ["dataset", "scene", "track_id"]] = ["TOY", "01", 3]
    write_table(table, crops / "crops.parquet", CROPS)
    fitted_on = read(evaluate(model, crops, changed(calibrate_on="detections")) / "calibration.json")["fitted_on"]
    assert (fitted_on["boxes"], fitted_on["num_people"], fitted_on["num_crops"]) == ("detections", 2, 2 * 20)


@pytest.mark.usefixtures("no_pictures")
def test_without_detections_of_held_out_people_gates_are_fitted_on_crops(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=2)
    assert (
        read(evaluate(model, crops, changed(calibrate_on="detections")) / "calibration.json")["fitted_on"]["boxes"]
        == "crops"
    )
    assert "no training set has detections of held-out people" in caplog.text


def test_without_a_test_set_only_the_gates_are_written(model: Path, tmp_path: Path) -> None:
    crops = write_crops(tmp_path) / "crops"
    evaluate(model, crops)
    assert skipped_reason(tmp_path / "reid") == "download.test is []"
    assert (tmp_path / "reid" / "calibration.json").is_file()


@pytest.mark.parametrize("left", [0.0, 1e-3])
def test_a_collapsed_model_fails_instead_of_scoring(model: Path, tmp_path: Path, left: float) -> None:
    embedder = Embedder.load(model)
    torch.manual_seed(1)
    embedder.network.projection.weight.data *= left
    embedder.network.projection.bias.data.normal_()
    embedder.save(tmp_path / "collapsed")
    with pytest.raises(ReidopsError, match=r"drawn: .*collapsed \(the 40 embeddings.*train\.learning_rate"):
        evaluate(tmp_path / "collapsed", crops_with_a_test_set(tmp_path, num_cameras=2))
    assert not (tmp_path / "reid").exists()


def test_the_camera_rule_on_one_camera_is_refused_with_a_remedy(model: Path, tmp_path: Path) -> None:
    crops = crops_with_a_test_set(tmp_path, num_cameras=1)
    with pytest.raises(ReidopsError, match="one camera only"):
        evaluate(model, crops, changed(junk="same-camera"))
