"""reidops/training/draws.py: ranks draw their shares of one batch, and global generators are restored."""

import random

import numpy as np
import pytest
import torch

from reidops.training.draws import Draws, preserved_global_generators


@pytest.mark.parametrize(
    "draw",
    [
        lambda d: d.uniform(-1, 1, 2),
        lambda d: d.coins(0.5, 1),
        lambda d: d.shifts(5).T,
        lambda d: torch.tensor(d.seeds()),
    ],
)
def test_the_concatenated_draws_of_the_ranks_equal_those_of_one_rank(draw):
    whole = draw(Draws(torch.Generator().manual_seed(0), 12))
    shares = [draw(Draws(torch.Generator().manual_seed(0), 4, rank, 3)) for rank in range(3)]
    assert torch.equal(torch.cat(shares), whole)


def test_the_seed_of_the_batch_is_equal_on_all_ranks():
    assert len({Draws(torch.Generator().manual_seed(0), 4, rank, 3).seed() for rank in range(3)}) == 1


def test_values_are_within_their_bounds():
    draws = Draws(torch.Generator().manual_seed(0), 1000)
    values, shifts = draws.uniform(2, 5), draws.shifts(3)
    assert 2 <= values.min() < 2.1 and 4.9 < values.max() <= 5
    assert sorted(set(shifts.flatten().tolist())) == list(range(-3, 4))
    assert 0.2 < draws.coins(0.25).float().mean() < 0.3


def test_the_global_generators_of_python_and_numpy_are_restored():
    random.seed(5)
    np.random.seed(5)
    with preserved_global_generators():
        random.seed(1)
        np.random.rand(7)
    assert random.random() == random.Random(5).random()
    assert np.random.rand() == np.random.RandomState(5).rand()
