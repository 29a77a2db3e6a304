"""stages/train.py on tracklets: MARS's layout, made of drawn crops."""

from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from converted import convert_set
from default_params import default_params
from mars_factory import write_mars
from safetensors.torch import load_file

from reidops.datasets.mars import SET
from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropStore
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.retrieval.evaluation import embed_tests
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.tables import CROPS, read_table, write_table
from reidops.training.identity import lasting_params
from reidops.training.training import Trainer
from stages.params.train import TrackletParams, TrainParams
from stages.train import train

pytestmark = pytest.mark.slow

TRACKLETS = TrackletParams(frames=3, sample="random", pool="mean")
TINY = {
    "backbone": "test_efficientnet",
    "height": 64,
    "width": 32,
    "embedding_dim": 16,
    "people_per_batch": 2,
    "crops_per_person": 2,
    "epochs": 2,
    "warmup_epochs": 1,
    "val_every": 1,
    "precision": "32-true",
    "threads": 1,
    "track": None,
    "tracklets": TRACKLETS,
}


def params_of(**changes: object) -> TrainParams:
    return default_params(TrainParams, **TINY | changes)


def run(data: Path, name: str, **changes: object) -> Path:
    train(data / "crops", data / "validation", data / "generated", data / name, params_of(**changes))
    return data / name


@pytest.fixture(autouse=True)
def _own_checkpoints(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Write and convert six people in two cameras with two tracklets of 2 to 6 crops each; two are held out."""
    data = tmp_path_factory.mktemp("data")
    lengths = np.random.default_rng(0).integers(2, 7, 100).tolist()
    train_people = [(f"{p:04d}", c, lengths.pop()) for p, c, _ in product(range(1, 7), (1, 2), range(2))]
    test_people = [(f"{p:04d}", c, lengths.pop()) for p, c in product(range(11, 15), (3, 4))]
    write_mars(data / "crops" / "MARS", train_people, test_people, [1, 3, 5, 7])
    table = convert_set(SET, data / "crops" / "MARS")
    table.loc[(table["split"] == "train") & (table["pid"] < 2), "split"] = "val"
    write_table(table, data / "crops" / "crops.parquet", CROPS)
    write_json({"passed": True, "errors": [], "warnings": [], "counts": {}}, data / "validation" / "report.json")
    return data


@pytest.fixture(scope="module")
def undisturbed(data) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(data))
        return run(data, "undisturbed")


def test_the_held_out_figures_are_those_of_tracklets_and_the_model_states_the_pooling(undisturbed):
    history = pd.read_csv(undisturbed / "history.csv")
    assert history["val_mAP"].between(0, 1).all() and len(history) == 2
    trained_on = read_json(undisturbed / "embedder.json")["trained_on"]
    assert trained_on["tracklets"] == {"frames": 3, "sample": "random", "pool": "mean"}


def test_a_training_on_tracklets_that_dies_continues_to_the_same_weights(data, undisturbed, monkeypatch):
    class Death(BaseException):
        pass

    count = Trainer._count_step

    def count_and_die(trainer, losses):
        count(trainer, losses)
        if trainer._progress.step == 5:
            raise Death

    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr(Trainer, "_count_step", count_and_die)
        run(data, "died")
    before, after = (load_file(folder / "model.safetensors") for folder in (undisturbed, run(data, "died")))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_batch_has_people_times_tracklets_times_frames_and_one_label_per_tracklet(data, monkeypatch):
    shapes = []
    backward = Trainer._backward

    def note(trainer, batch, weight):
        shapes.append((len(batch.inputs), len(batch.labels)))
        return backward(trainer, batch, weight)

    monkeypatch.setattr(Trainer, "_backward", note)
    run(data, "shapes", epochs=1)
    assert set(shapes) == {(2 * 2 * 3, 2 * 2)}


def test_a_teacher_of_single_crops_teaches_tracklets(data, undisturbed):
    history = pd.read_csv(run(data, "student", epochs=1, teacher=str(undisturbed)) / "history.csv")
    assert history["loss_teacher_similarity"].notna().all()


def test_evaluation_pools_the_test_tracklets_as_the_model_was_trained(data, undisturbed):
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    store, tests = CropStore(data / "crops" / "crops.tar", table), find_ranking_sets(table)
    embedder = Embedder.load(undisturbed)
    by_max = Embedder.load(undisturbed)
    by_max.description = replace(by_max.description, trained_on={"tracklets": {"pool": "max"}})
    pooled = {
        (name, pool): embed_tests(model, store, table, tests, pool=pool).embeddings
        for name, model, pool in (("mean", embedder, "auto"), ("max", by_max, "auto"), ("max", embedder, "max"))
    }
    assert np.array_equal(pooled["max", "auto"], pooled["max", "max"])
    assert not np.array_equal(pooled["max", "auto"], pooled["mean", "auto"])


def test_other_tracklets_are_another_training():
    other = TrackletParams(frames=3, sample="random", pool="max")
    names = [
        lasting_params(asdict(params_of(**changes))) for changes in ({}, {"tracklets": other}, {"tracklets": None})
    ]
    assert names[0] != names[1] != names[2]


def test_generated_crops_and_tracklets_exclude_each_other(data):
    with pytest.raises(ReidopsError, match=r"train\.generated is set, but generated crops are in no tracklet"):
        run(data, "never", generated="lsro")
