"""reidops/training/{teachers,identity,initial_weights}.py: the start of a training, and what identifies it."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from reidops.datasets.origin import Origin
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import sha256
from reidops.training.generated import GeneratedSource
from reidops.training.identity import training_identity
from reidops.training.initial_weights import InitialWeights
from reidops.training.teachers import load_teacher

ROW = {
    "dataset": "MOT17",
    "scene": "09",
    "sequence": "MOT17-09-FRCNN",
    "first_frame": 1,
    "last_frame": 263,
    "num_people": 1,
    "people": [3],
}
TESTED = {"dataset": "MOT17", "scene": "09", "track_id": 3, "frame": 100, "split": "gallery"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    network = EmbeddingNetwork("test_resnet", embedding_dim=16, last_stride=1)
    description = describe(
        network,
        backbone="test_resnet",
        embedding_dim=16,
        pooling="avg",
        last_stride=1,
        height=32,
        width=16,
        num_classes=5,
    )
    folder = tmp_path_factory.mktemp("teacher")
    Embedder(network, description).save(folder, trained_on=Origin("random weights", (ROW,)).facts)
    return folder


def test_loading_a_teacher_draws_no_random_value_of_the_student(folder):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    teacher = load_teacher(str(folder), pd.DataFrame([TESTED]).assign(split="train"))
    assert torch.equal(torch.rand(3), expected)
    assert teacher.origin.scenes == (ROW,)


def test_a_teacher_that_knows_the_tested_people_is_refused_with_the_name_of_its_param(folder):
    with pytest.raises(ReidopsError, match=f"train.teacher: {folder} was trained on frames 1 … 263") as refused:
        load_teacher(str(folder), pd.DataFrame([TESTED]))
    assert "train.weights" not in str(refused.value)


def test_the_identity_has_a_hash_of_each_input_and_no_param_without_effect(folder, tmp_path):
    for name in ("crops.tar", "crops.parquet"):
        (tmp_path / name).write_text(name)
    params = {"seed": 1, "processes": 2, "track": "x", "generated": None, "generated_share": 0.2}
    teacher = load_teacher(str(folder), pd.DataFrame([TESTED]).assign(split="train"))
    plain = training_identity(params, tmp_path, weights=None, generated=None, teacher=None)
    assert plain["params"] == {"seed": 1} and set(plain) == {"params", "tar", "table"}
    whole = training_identity(
        params | {"generated": "lsro"},
        tmp_path,
        weights=folder / "model.safetensors",
        generated=GeneratedSource(tmp_path, "lsro", 0.2),
        teacher=teacher,
    )
    assert whole["teacher"] == whole["weights"] == sha256(folder / "model.safetensors")
    assert whole["generated"] == whole["tar"] and whole["params"]["generated_share"] == 0.2


def test_a_network_keeps_its_weights_without_a_file_and_has_those_of_the_file_with_one(folder):
    network = EmbeddingNetwork("test_resnet", embedding_dim=16, last_stride=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    InitialWeights("test_resnet", False, None, "exact").load_into(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    start = InitialWeights("test_resnet", False, str(folder / "model.safetensors"), "exact")
    start.load_into(network)
    assert all(
        torch.equal(Embedder.load(folder).network.state_dict()[name], value)
        for name, value in network.state_dict().items()
        if name.startswith("backbone") and value.is_floating_point()
    )
    assert start.origin.scenes == (ROW,)
