"""stages/adapt.py: off it copies the model; on it adapts, continues after a kill, and reads no label."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops
from made_tracklets import write_tracklets
from safetensors.torch import load_file, save_file

from reidops.datasets.origin import check_tracked, read_origin
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.tables import CROPS, TRACKLET_TRUTH, read_table, write_table
from reidops.training.training import Trainer
from stages.adapt import adapt
from stages.params.adapt import AdaptParams

TINY = {
    "rounds": 2, "epochs": 1, "k1": 3, "k2": 2, "held_out": 0.34, "people_per_batch": 4, "crops_per_person": 2,
    "threads": 1, "precision": "32-true", "track": None, "learning_rate": 0.001, "ema": 0.0,
}  # fmt: skip
BACKBONE = {"backbone": "mobilenetv4_conv_small_050", "embedding_dim": 16, "pooling": "avg", "last_stride": 2}

KILLED = """
import os, signal, sys
from pathlib import Path
from reidops.training.training import Trainer
from stages.adapt import adapt
from stages.params.adapt import AdaptParams
save, saves = Trainer._save, []
def save_and_die(trainer):
    save(trainer)
    saves.append(1)
    if len(saves) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
Trainer._save = save_and_die
data = Path(sys.argv[1])
adapt(data / "trained", data / "tracklets", data / "crops", data / "killed", AdaptParams(**eval(sys.argv[2])))
"""


def params_of(**changes: object) -> AdaptParams:
    return default_params(AdaptParams, **TINY | changes)


def run(data: Path, name: str = "model", **changes: object) -> Path:
    adapt(data / "trained", data / "tracklets", data / "crops", data / name, params_of(**changes))
    return data / name


def write_trained(folder: Path) -> None:
    """Write an embedder that was not trained, with the curves that a training leaves."""
    torch.manual_seed(0)
    network = EmbeddingNetwork(**BACKBONE)
    trained_on = {"started_from": "random weights", "scenes": [], "unknown_start": "", "epoch": 0}
    Embedder(network, describe(network, **BACKBONE, height=64, width=32, num_classes=0)).save(
        folder, trained_on=trained_on
    )
    (folder / "history.csv").write_text("epoch,loss\n")


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first | second)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    data = write_crops(tmp_path_factory.mktemp("data"))
    write_trained(data / "trained")
    write_tracklets(data / "tracklets", runs=3, crops_per_tracklet=3)
    return data


@pytest.fixture(autouse=True)
def _own_checkpoints(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture(scope="module")
def undisturbed(data) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(data))
        return run(data, "undisturbed")


def test_without_rounds_the_model_is_copied_to_the_last_bit(data):
    copied = run(data, "copy", rounds=0)
    files = {path.name: path.read_bytes() for path in (data / "trained").iterdir()}
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == files


def test_without_rounds_a_share_of_the_norm_statistics_is_adapted_alone(data):
    adapted = run(data, "norms", rounds=0, norm_share=0.5)
    before, after = (load_file(folder / "model.safetensors") for folder in (data / "trained", adapted))
    changed = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}
    report, known = read_json(adapted / "adaptation.json"), Embedder.load(adapted).description.trained_on
    assert report["norm_share"] == 0.5 and report["rounds"] == 0 and report["kept_round"] == 0 and report["changed"]
    assert known["adaptation"]["norm_share"] == 0.5 and known["scenes"]


def test_rounds_without_tracklets_are_an_error_that_names_the_params(data, tmp_path):
    write_json({"num_tracklets": 0, "transductive": False}, tmp_path / "report.json")
    with pytest.raises(
        ReidopsError, match=r"crops.parquet: no such file.*download.adapt.*download.videos.*set both to 0"
    ):
        adapt(data / "trained", tmp_path, data / "crops", tmp_path / "model", params_of())
    assert not (tmp_path / "model").exists()


def test_a_model_whose_weights_do_not_fit_its_description_is_refused(data, tmp_path):
    write_trained(tmp_path / "trained")
    weights = load_file(tmp_path / "trained" / "model.safetensors")
    weights["neck.weight"] = weights["neck.weight"][:8]
    save_file(weights, tmp_path / "trained" / "model.safetensors")
    with pytest.raises(ReidopsError, match="do not fit the network"):
        adapt(tmp_path / "trained", data / "tracklets", data / "crops", tmp_path / "model", params_of())


@pytest.mark.parametrize("transductive", [False, True])
def test_tested_frames_are_not_adapted_to_unless_a_param_allows_it(data, tmp_path, transductive):
    """The refusal comes before the first round, which the allowed case reaches and the fast lane refuses."""
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    table["split"], table["track_id"], table["dataset"], table["scene"] = "query", 1, "videos", "street0"
    (tmp_path / "crops").mkdir()
    write_table(table, tmp_path / "crops" / "crops.parquet", CROPS)
    write_tracklets(tmp_path / "tracklets", crops_per_tracklet=1)
    report = read_json(tmp_path / "tracklets" / "report.json") | {"transductive": transductive}
    write_json(report, tmp_path / "tracklets" / "report.json")
    expected = (
        (AssertionError, "no training") if transductive else (ReidopsError, "query and gallery crops are of these")
    )
    with pytest.raises(expected[0], match=expected[1]):
        adapt(data / "trained", tmp_path / "tracklets", tmp_path / "crops", tmp_path / "model", params_of())


def test_one_tracklet_cannot_be_clustered_and_leaves_the_model_unchanged(data, tmp_path):
    write_tracklets(tmp_path / "tracklets", num_people=1, num_cameras=1, runs=1)
    adapt(data / "trained", tmp_path / "tracklets", data / "crops", tmp_path / "model", params_of(held_out=0.0))
    assert same_weights(data / "trained", tmp_path / "model")
    report = read_json(tmp_path / "model" / "adaptation.json")
    assert report["kept_round"] == 0 and not report["changed"] and "no clusters to train on" in report["ended"]
    assert read_json(tmp_path / "model" / "embedder.json") == read_json(data / "trained" / "embedder.json")
    assert {"adaptation.csv", "adaptation.png", "clusters.jpg"} <= {
        path.name for path in (tmp_path / "model").iterdir()
    }


@pytest.mark.slow
def test_an_adaptation_writes_the_model_its_report_and_its_origin(data, undisturbed):
    names = {path.name for path in undisturbed.iterdir()}
    assert names == {
        "model.safetensors", "embedder.json", "history.csv", "adaptation.json", "adaptation.csv", "adaptation.png",
        "clusters.jpg",
    }  # fmt: skip
    report, rows = read_json(undisturbed / "adaptation.json"), pd.read_csv(undisturbed / "adaptation.csv")
    assert rows["round"].tolist() == [0, 1, 2] and report["kept_round"] in (1, 2) and report["changed"]
    assert (rows["clusters"] >= 2).all() and rows["purity"].between(0, 1).all()
    assert not same_weights(data / "trained", undisturbed)
    trained_on = read_json(undisturbed / "embedder.json")["trained_on"]
    assert trained_on["adaptation"] == {
        "datasets": ["videos"], "num_crops": 108, "num_tracklets": 36, "transductive": False, "norm_share": 0.0,
        "rounds": 2, "kept_round": report["kept_round"],
    }  # fmt: skip
    Embedder.load(undisturbed)
    with pytest.raises(ReidopsError, match="was adapted to frames 1 … "):
        check_tracked(read_origin(trained_on, ""), "street1", "videos", "street1", (100, 200))


@pytest.mark.slow
def test_a_round_without_enough_memory_names_the_params_of_adapt(data, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(Trainer, "_count_step", lambda trainer, losses: torch.empty(2**60))
    with pytest.raises(ReidopsError, match=r"out of memory with batches of 8 crops .*Lower adapt\.people_per_batch"):
        run(data, "large")
    assert not (data / "large").exists() and "no held-out people" not in caplog.text


@pytest.mark.slow
def test_the_same_params_give_the_same_folder_to_the_last_bit_and_few_tracklets_are_told(data, undisturbed, caplog):
    again = run(data, "again")
    assert "held-out tracklets can be divided: their re-association hardly distinguishes the rounds" in caplog.text
    assert {f.name: f.read_bytes() for f in again.iterdir()} == {f.name: f.read_bytes() for f in undisturbed.iterdir()}


@pytest.mark.slow
def test_recomputed_activations_give_the_same_folder_to_the_last_bit(data, undisturbed):
    recomputed = run(data, "recomputed", checkpoint_activations=True)
    files = {f.name: f.read_bytes() for f in undisturbed.iterdir()}
    assert {f.name: f.read_bytes() for f in recomputed.iterdir()} == files


@pytest.mark.slow
def test_the_annotated_people_change_no_weight_and_no_choice(data, undisturbed, tmp_path):
    truth = read_table(data / "tracklets" / "truth.parquet", TRACKLET_TRUTH)
    shuffled = truth.assign(pid=np.random.default_rng(0).permutation(truth["pid"]))
    write_tracklets(tmp_path / "tracklets", runs=3, crops_per_tracklet=3)
    write_table(shuffled, tmp_path / "tracklets" / "truth.parquet", TRACKLET_TRUTH)
    adapt(data / "trained", tmp_path / "tracklets", data / "crops", tmp_path / "model", params_of())
    assert same_weights(tmp_path / "model", undisturbed)
    own, other = (read_json(folder / "adaptation.json") for folder in (tmp_path / "model", undisturbed))
    assert own["kept_round"] == other["kept_round"] and own["after"]["purity"] < other["after"]["purity"]


@pytest.mark.slow
def test_an_adaptation_killed_in_a_round_goes_on_to_the_same_weights(data, undisturbed, tmp_path):
    """The state within the second round is saved, that after it is not."""
    command = [sys.executable, "-c", KILLED, str(data), repr(vars(params_of())), "2"]
    killed = subprocess.run(command, env=os.environ | {"DVC_ROOT": str(tmp_path)}, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (data / "killed").exists()
    assert same_weights(run(data, "killed"), undisturbed)
    assert not list((tmp_path / "data" / "checkpoints").glob("*"))


@pytest.mark.slow
def test_labelled_crops_and_single_outliers_may_train_too(data):
    model = run(data, "source", rounds=1, source_share=0.3, outliers="instance", rival_weight=2.0, update="hard")
    assert len(pd.read_csv(model / "adaptation.csv")) == 2
