"""reidops/training/ranks.py: the number of ranks does not change the trained weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops

from reidops.errors import ReidopsError
from reidops.training.ranks import launched
from stages.params.train import TrainParams

pytestmark = pytest.mark.slow

PARAMS = {
    "backbone": "mobilenetv4_conv_small_050", "height": 64, "width": 32, "embedding_dim": 16, "people_per_batch": 4,
    "crops_per_person": 2,
    "epochs": 2, "warmup_epochs": 1, "val_every": 2, "threads": 1, "ema": 0.9, "track": None, "clip": 5.0,
    "accumulate": 3,
    "losses": {"cross-entropy": 1.0, "triplet": 1.0, "center": 0.01, "arcface": 0.5},
    "flip": 0.5, "pad": 0.1, "erasing": 0.5, "jitter": 0.3,
}  # fmt: skip


def train_on(
    num_ranks: int,
    data: Path,
    params: dict[str, object] = PARAMS,
    *,
    name: str | None = None,
    epochs: int | None = None,
) -> subprocess.Popen[str]:
    """Start a training; a second one of the same `name` continues the first after `epochs` epochs."""
    name = name or str(num_ranks)
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={num_ranks}", "--standalone"]
    script = Path(__file__).parent / "train_on_ranks.py"
    command = [
        *torchrun,
        str(script),
        str(data),
        str(data / f"{name}.pt"),
        repr(
            vars(default_params(TrainParams, **params | {"tracklets": None})) | {"tracklets": params.get("tracklets")}
        ),
        *([str(epochs)] if epochs else []),
    ]
    # The tests' own folders bear the names of packages.
    environment = os.environ | {"DVC_ROOT": str(data / name), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=data)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[int, dict]:
    """Train on one rank and on two at once."""
    data = write_crops(tmp_path_factory.mktemp("data"))
    trainings = {num_ranks: train_on(num_ranks, data) for num_ranks in (1, 2)}
    for training in trainings.values():
        finish(training)
    return {num_ranks: torch.load(data / f"{num_ranks}.pt", weights_only=True) for num_ranks in trainings}


def finish(training: subprocess.Popen[str]) -> None:
    message = training.communicate()[1]
    assert training.returncode == 0, message


def test_two_ranks_have_the_losses_of_one_rank_at_the_same_batch(runs):
    assert len(runs[1]["losses"]) == 2
    assert runs[2]["losses"] == pytest.approx(runs[1]["losses"], rel=1e-5)


def test_weights_that_no_loss_reaches_hold_up_no_rank(tmp_path):
    """OSNet's embedding layer follows the global pooling, which stripes do not use."""
    training = train_on(
        2, write_crops(tmp_path), PARAMS | {"backbone": "osnet_x0_25", "parts": 2, "epochs": 1, "warmup_epochs": 0}
    )
    finish(training)


def test_two_ranks_train_on_the_tracklets_of_one_rank(tmp_path):
    data = write_crops(tmp_path, crops_per_person=12)
    tracklets = {"frames": 3, "sample": "random", "pool": "max"}
    params = PARAMS | {"tracklets": tracklets, "accumulate": 1, "epochs": 1, "warmup_epochs": 0}
    trainings = [train_on(num_ranks, data, params) for num_ranks in (1, 2)]
    for training in trainings:
        finish(training)
    one, two = (torch.load(data / f"{num_ranks}.pt", weights_only=True)["losses"] for num_ranks in (1, 2))
    assert two == pytest.approx(one, rel=1e-5)


def test_more_processes_than_gpus_are_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ReidopsError, match="train.processes is 2, but this host has 1 GPUs"), launched(2, "32-true"):
        pass


def test_two_ranks_train_the_weights_of_one(runs):
    one, two = runs[1]["weights"], runs[2]["weights"]
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(
            two[name], one[name], rtol=1e-4, atol=1e-6, msg=lambda message, name=name: f"{name}: {message}"
        )


def test_two_ranks_can_continue_a_training_of_one(tmp_path, runs):
    data = write_crops(tmp_path)
    finish(train_on(1, data, name="shared", epochs=1))
    finish(train_on(2, data, name="shared"))
    resumed = torch.load(data / "shared.pt", weights_only=True)
    assert (runs[1]["num_saved"], resumed["num_saved"]) == (2, 1)
    assert resumed["losses"] == pytest.approx(runs[1]["losses"], rel=1e-5)
    for name, weights in runs[1]["weights"].items():
        torch.testing.assert_close(resumed["weights"][name], weights, rtol=1e-4, atol=1e-6)
