"""reidops/embedding/sampling.py: every batch is P people × K crops, and the corner cases do as they are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops.embedding.sampling import IdentitySampler
from reidops.errors import ReidopsError


def labels_of(*counts: int) -> np.ndarray:
    """Return labels with so many crops of person 0, 1, …, mixed up."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(1, 13), min_size=1, max_size=9), k=st.integers(1, 5), epoch=st.integers(0, 3), data=st.data())
def test_every_batch_holds_exactly_p_people_with_k_crops_each(counts, k, epoch, data):
    p = data.draw(st.integers(1, len(counts)))
    labels = labels_of(*counts)
    sampler = IdentitySampler(labels, p, k, seed=3)
    sampler.epoch = epoch
    batches = list(sampler)
    assert len(batches) == len(sampler) >= 1
    for batch in batches:
        people = labels[batch].reshape(p, k)
        assert (people == people[:, :1]).all() and len(set(people[:, 0])) == p


def test_an_epoch_of_even_people_deals_every_crop_once():
    labels = labels_of(8, 8, 8, 8)
    dealt = np.concatenate(list(IdentitySampler(labels, 2, 4, seed=0)))
    assert sorted(dealt) == list(range(32))


def test_every_crop_comes_before_any_comes_twice_when_the_last_group_is_filled_up():
    dealt = np.concatenate(list(IdentitySampler(labels_of(10), 1, 4, seed=0)))
    assert len(dealt) == 12 and set(dealt) == set(range(10))


def test_a_person_with_fewer_than_k_crops_repeats_them_in_one_group():
    sampler = IdentitySampler(np.array([0, 0, 1, 1, 1, 1]), 2, 4, seed=0)
    (batch,) = list(sampler)
    assert sorted(batch[:4] if batch[0] < 2 else batch[4:])[0] == 0
    few = [i for i in batch if i < 2]
    assert len(few) == 4 and set(few) == {0, 1}


def test_a_person_with_one_crop_gives_it_k_times():
    (batch,) = list(IdentitySampler(np.array([0, 1, 1]), 2, 3, seed=0))
    assert sorted(batch)[:3] == [0, 0, 0]


def test_when_fewer_than_p_people_are_left_others_fill_the_batch():
    labels = labels_of(12, 2, 2)  # 6 + 1 + 1 groups of 2: four batches, but person 0 comes into each
    batches = list(IdentitySampler(labels, 2, 2, seed=0))
    assert len(batches) == 4
    assert all(len(set(labels[batch])) == 2 for batch in batches)


def test_the_number_of_batches_is_the_number_of_groups_over_p():
    assert len(IdentitySampler(labels_of(9, 4, 1), 2, 4, seed=0)) == (3 + 1 + 1) // 2


def test_an_epoch_depends_on_seed_and_number_alone():
    labels = labels_of(7, 5, 9, 4)
    straight = IdentitySampler(labels, 2, 3, seed=1)
    epochs = []
    for straight.epoch in range(3):
        epochs.append(np.concatenate(list(straight)))
    resumed = IdentitySampler(labels, 2, 3, seed=1)
    resumed.load_state_dict({"epoch": 2})
    assert np.array_equal(np.concatenate(list(resumed)), epochs[2])
    assert not np.array_equal(epochs[1], epochs[2])
    assert not np.array_equal(np.concatenate(list(IdentitySampler(labels, 2, 3, seed=2))), epochs[0])


def test_the_state_says_the_epoch():
    sampler = IdentitySampler(labels_of(4, 4), 2, 2, seed=0)
    sampler.epoch = 5
    assert sampler.state_dict() == {"epoch": 5}


def test_more_people_per_batch_than_people_is_refused_with_the_number_there_is():
    with pytest.raises(ReidopsError, match="people_per_batch is 4, but the training split has 3 people"):
        IdentitySampler(labels_of(5, 5, 5), 4, 2, seed=0)


def test_an_empty_training_split_is_refused():
    with pytest.raises(ReidopsError, match="no training crop"):
        IdentitySampler(np.array([], int), 1, 1, seed=0)


@pytest.mark.parametrize(("p", "k"), [(0, 4), (2, 0)])
def test_batches_of_nothing_are_refused(p, k):
    with pytest.raises(ReidopsError, match="at least 1"):
        IdentitySampler(labels_of(4, 4), p, k, seed=0)
