"""reidops/training/generated.py: the labels of generated crops agree with a plain loop, and bad input is reported."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from reidops.errors import ReidopsError
from reidops.generation.packing import pack_generated
from reidops.training.generated import (
    GeneratedCrops,
    GeneratedSource,
    check_generated,
    check_present,
    generated_loss,
    num_generated,
    read_generated,
    split_generated,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 16, 3), np.uint8)
    pack_generated(images, tmp_path)
    return tmp_path


def plain_loss(logits: np.ndarray, mode: str) -> float:
    losses = []
    for row in logits.reshape(-1, logits.shape[-1]):
        total = sum(math.exp(value) for value in row)
        logs = [value - math.log(total) for value in row]
        targets = {
            "lsro": [1 / len(row)] * len(row),
            "extra-class": [0] * (len(row) - 1) + [1],
            "pseudo": [float(value == max(row)) for value in row],
        }[mode]
        losses.append(-sum(target * log for target, log in zip(targets, logs, strict=True)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("mode", ["lsro", "extra-class", "pseudo"])
def test_the_loss_of_generated_crops_is_the_cross_entropy_with_their_label(mode):
    logits = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    assert generated_loss(logits, mode).item() == pytest.approx(plain_loss(logits.double().numpy(), mode), rel=1e-5)


@pytest.mark.parametrize(
    ("num_real", "share", "num_ranks", "expected"),
    [(32, 0.2, 1, 8), (64, 0.1, 1, 7), (4, 0.01, 1, 1), (32, 0.2, 4, 8), (32, 0.1, 2, 4), (4, 0.01, 2, 2)],
)
def test_generated_crops_are_a_share_of_the_batch_in_whole_numbers_per_rank(num_real, share, num_ranks, expected):
    assert num_generated(num_real, share, num_ranks) == expected


def test_the_generated_crops_are_the_last_ones_of_each_rank():
    values = torch.tensor([0, 1, 2, 90, 3, 4, 5, 91])[:, None]
    real, extra = split_generated(values, num_own=1, num_ranks=2)
    assert real[:, 0].tolist() == [0, 1, 2, 3, 4, 5] and extra[:, 0].tolist() == [90, 91]


def test_a_batch_depends_only_on_its_number_and_ranks_share_it(folder):
    def batches(**ranks: int) -> GeneratedCrops:
        return read_generated(GeneratedSource(folder, "lsro", 0.5), 4, seed=3, **ranks)

    whole = batches().batch(7, 32, 16)
    assert whole.shape == (4, 32, 16, 3) and np.array_equal(whole, batches().batch(7, 32, 16))
    assert not np.array_equal(whole, batches().batch(8, 32, 16))
    shares = [batches(rank=rank, num_ranks=2).batch(7, 32, 16) for rank in (0, 1)]
    assert np.array_equal(np.concatenate(shares), whole)


def test_a_batch_has_different_crops_in_the_size_that_is_asked_for(folder):
    crops = read_generated(GeneratedSource(folder, "pseudo", 0.5), 10, seed=0)
    assert len(np.unique(crops.batch(0, 64, 32).reshape(10, -1), axis=0)) == 10
    assert crops.batch(0, 16, 8).shape == (10, 16, 8, 3)


def test_missing_generated_crops_are_reported_with_the_params_that_make_them(tmp_path):
    with pytest.raises(ReidopsError, match=r"train\.generated is lsro, .*set generate\.epochs above 0"):
        check_present(GeneratedSource(tmp_path, "lsro", 0.2))


def test_too_few_generated_crops_are_reported(folder):
    with pytest.raises(ReidopsError, match=r"has 10 crops, but a batch needs 16; increase generate\.num_crops"):
        read_generated(GeneratedSource(folder, "lsro", 0.5), 16, seed=0)


def test_generated_crops_need_a_cross_entropy():
    check_generated("lsro", 0.5)
    check_generated(None, 0.0)
    with pytest.raises(ReidopsError, match=r"train\.generated is lsro, but train\.losses has no cross-entropy"):
        check_generated("lsro", 0.0)
