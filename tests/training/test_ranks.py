"""reidops/training/ranks.py: the number of ranks does not change the trained weights."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops

from reidops.errors import ReidopsError
from reidops.training.ranks import launched
from stages.params.train import TrainParams

pytestmark = pytest.mark.slow

PARAMS = {
    "backbone": "test_efficientnet", "height": 64, "width": 32, "embedding_dim": 16, "people_per_batch": 4,
    "crops_per_person": 2,
    "epochs": 2, "warmup_epochs": 1, "val_every": 2, "threads": 1, "ema": 0.9, "track": None, "clip": 5.0,
    "accumulate": 3,
    "losses": {"cross-entropy": 1.0, "triplet": 1.0, "center": 0.01, "arcface": 0.5},
    "flip": 0.5, "pad": 0.1, "erasing": 0.5, "jitter": 0.3,
}  # fmt: skip
TRACKLETS = PARAMS | {
    "tracklets": {"frames": 3, "sample": "random", "pool": "max"}, "accumulate": 1, "epochs": 1, "warmup_epochs": 0
}  # fmt: skip
# OSNet's embedding layer follows the global pooling, which stripes do not use: no loss reaches its weights.
IDLE_WEIGHTS = PARAMS | {"backbone": "osnet_x0_25", "parts": 2, "epochs": 1, "warmup_epochs": 0}


def new_job(
    data: Path, name: str, params: dict[str, object] = PARAMS, *, root: str | None = None, epochs: int | None = None
) -> tuple[Any, ...]:
    """Return a job of `train_on_ranks.py`; one with the same `root` as an earlier job continues its training."""
    values = vars(default_params(TrainParams, **params | {"tracklets": None})) | {"tracklets": params.get("tracklets")}
    return str(data), str(data / f"{name}.pt"), values, str(data / (root or name)), epochs


def run_jobs(num_ranks: int, jobs: Sequence[tuple[Any, ...]], folder: Path) -> None:
    """Run the jobs in turn on so many ranks."""
    listed = folder / f"jobs_{num_ranks}.txt"
    listed.write_text(repr(jobs))
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={num_ranks}", "--standalone"]
    launcher = torchrun if num_ranks > 1 else []  # one rank needs none, and the import of torch takes seconds
    command = [sys.executable, *launcher, str(Path(__file__).parent / "train_on_ranks.py"), str(listed)]
    # The tests' own folders bear the names of packages.
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=folder, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Train on one rank, then on two, and return the folder of the results; those of whole jobs are 1.pt and 2.pt."""
    folder = tmp_path_factory.mktemp("ranks")
    crops, tracklets = folder / "single", folder / "tracklets"
    write_crops(crops)
    write_crops(tracklets, crops_per_person=12)
    begun = new_job(crops, "begun", root="shared", epochs=1)
    run_jobs(1, [new_job(crops, "1"), begun, new_job(tracklets, "1", TRACKLETS)], folder)
    continued = new_job(crops, "continued", root="shared")
    idle = new_job(crops, "idle", IDLE_WEIGHTS)
    recomputed = new_job(crops, "recomputed", PARAMS | {"checkpoint_activations": True})
    run_jobs(2, [new_job(crops, "2"), continued, idle, recomputed, new_job(tracklets, "2", TRACKLETS)], folder)
    return folder


def result(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / f"{name}.pt", weights_only=True)


def test_two_ranks_have_the_losses_of_one_rank_at_the_same_batch(folder):
    one, two = (result(folder / "single", name) for name in "12")
    assert len(one["losses"]) == 2
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)


def test_two_ranks_train_the_weights_of_one(folder):
    one, two = (result(folder / "single", name)["weights"] for name in "12")
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(
            two[name], one[name], rtol=1e-4, atol=1e-6, msg=lambda message, name=name: f"{name}: {message}"
        )


def test_two_ranks_that_recompute_activations_train_the_same_weights(folder):
    plain, recomputed = (result(folder / "single", name) for name in ("2", "recomputed"))
    assert recomputed["losses"] == pytest.approx(plain["losses"], rel=1e-9)
    for name, weights in plain["weights"].items():
        torch.testing.assert_close(recomputed["weights"][name], weights, rtol=1e-9, atol=1e-12)


def test_two_ranks_can_continue_a_training_of_one(folder):
    whole, continued = (result(folder / "single", name) for name in ("1", "continued"))
    assert not (folder / "single" / "begun.pt").exists()
    assert (whole["num_saved"], continued["num_saved"]) == (2, 1)
    assert continued["losses"] == pytest.approx(whole["losses"], rel=1e-5)
    for name, weights in whole["weights"].items():
        torch.testing.assert_close(continued["weights"][name], weights, rtol=1e-4, atol=1e-6)


def test_two_ranks_train_on_the_tracklets_of_one_rank(folder):
    one, two = (result(folder / "tracklets", name)["losses"] for name in "12")
    assert two == pytest.approx(one, rel=1e-5)


def test_weights_that_no_loss_reaches_hold_up_no_rank(folder):
    assert len(result(folder / "single", "idle")["losses"]) == 1


def test_more_processes_than_gpus_are_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ReidopsError, match="train.processes is 2, but this host has 1 GPUs"), launched(2, "32-true"):
        pass
