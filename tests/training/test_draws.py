"""reidops/training/draws.py: ranks draw their shares of one batch, and other generators are left alone."""

import random

import numpy as np
import pytest
import torch

from reidops.training.draws import Draws, global_generators_kept


@pytest.mark.parametrize(
    "draw",
    [
        lambda d: d.uniform(-1, 1, 2),
        lambda d: d.coins(0.5, 1),
        lambda d: d.shifts(5).T,
        lambda d: torch.tensor(d.seeds()),
    ],
)
def test_the_ranks_draw_side_by_side_what_one_rank_draws(draw):
    whole = draw(Draws(torch.Generator().manual_seed(0), 12))
    shares = [draw(Draws(torch.Generator().manual_seed(0), 4, rank, 3)) for rank in range(3)]
    assert torch.equal(torch.cat(shares), whole)


def test_the_seed_of_the_batch_is_the_same_on_every_rank():
    assert len({Draws(torch.Generator().manual_seed(0), 4, rank, 3).seed() for rank in range(3)}) == 1


def test_values_stay_within_their_bounds():
    draws = Draws(torch.Generator().manual_seed(0), 1000)
    values, shifts = draws.uniform(2, 5), draws.shifts(3)
    assert 2 <= values.min() < 2.1 and 4.9 < values.max() <= 5
    assert sorted(set(shifts.flatten().tolist())) == list(range(-3, 4))
    assert 0.2 < draws.coins(0.25).float().mean() < 0.3


def test_python_and_numpy_go_on_as_if_nothing_had_been_drawn():
    random.seed(5)
    np.random.seed(5)
    with global_generators_kept():
        random.seed(1)
        np.random.rand(7)
    assert random.random() == random.Random(5).random()
    assert np.random.rand() == np.random.RandomState(5).rand()
