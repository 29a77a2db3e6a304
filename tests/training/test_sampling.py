"""reidops/training/sampling.py: every batch has P people × K crops, also in corner cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops.errors import ReidopsError
from reidops.training.sampling import IdentitySampler


def labels_of(*counts: int) -> np.ndarray:
    """Return shuffled labels with the given numbers of crops of person 0, 1, …."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(1, 13), min_size=1, max_size=9),
    k=st.integers(1, 5),
    epoch=st.integers(0, 3),
    data=st.data(),
)
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


def test_every_crop_is_sampled_once_if_all_people_have_equal_multiples_of_k():
    labels = labels_of(8, 8, 8, 8)
    dealt = np.concatenate(list(IdentitySampler(labels, 2, 4, seed=0)))
    assert sorted(dealt) == list(range(32))


def test_every_crop_is_sampled_before_any_is_repeated_to_fill_a_group():
    dealt = np.concatenate(list(IdentitySampler(labels_of(10), 1, 4, seed=0)))
    assert len(dealt) == 12 and set(dealt) == set(range(10))


def test_a_person_with_fewer_than_k_crops_repeats_them_in_one_group():
    sampler = IdentitySampler(np.array([0, 0, 1, 1, 1, 1]), 2, 4, seed=0)
    (batch,) = list(sampler)
    assert sorted(batch[:4] if batch[0] < 2 else batch[4:])[0] == 0
    few = [i for i in batch if i < 2]
    assert len(few) == 4 and set(few) == {0, 1}


def test_a_single_crop_of_a_person_is_repeated_k_times():
    (batch,) = list(IdentitySampler(np.array([0, 1, 1]), 2, 3, seed=0))
    assert sorted(batch)[:3] == [0, 0, 0]


def test_when_fewer_than_p_people_are_left_others_fill_the_batch():
    labels = labels_of(12, 2, 2)  # 6 + 1 + 1 groups of 2: four batches, but person 0 comes into each
    batches = list(IdentitySampler(labels, 2, 2, seed=0))
    assert len(batches) == 4
    assert all(len(set(labels[batch])) == 2 for batch in batches)


def test_the_number_of_batches_is_the_number_of_groups_over_p():
    assert len(IdentitySampler(labels_of(9, 4, 1), 2, 4, seed=0)) == (3 + 1 + 1) // 2


def test_an_epoch_depends_only_on_its_seed_and_number():
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


def test_the_state_holds_the_epoch():
    sampler = IdentitySampler(labels_of(4, 4), 2, 2, seed=0)
    sampler.epoch = 5
    assert sampler.state_dict() == {"epoch": 5}


def test_more_people_per_batch_than_people_is_an_error_with_both_numbers():
    with pytest.raises(ReidopsError, match="people_per_batch is 4, but the training split has 3 people"):
        IdentitySampler(labels_of(5, 5, 5), 4, 2, seed=0)


def test_an_empty_training_split_is_an_error():
    with pytest.raises(ReidopsError, match="no row with split `train`"):
        IdentitySampler(np.array([], int), 1, 1, seed=0)


@pytest.mark.parametrize(("p", "k"), [(0, 4), (2, 0)])
def test_empty_batches_are_an_error(p, k):
    with pytest.raises(ReidopsError, match="at least 1"):
        IdentitySampler(labels_of(4, 4), p, k, seed=0)


CAMERAS = st.lists(st.integers(1, 13), min_size=1, max_size=4)


@settings(max_examples=50, deadline=None)
@given(counts=CAMERAS, k=st.integers(2, 5))
def test_each_group_has_about_equal_numbers_of_each_camera(counts, k):
    camids = labels_of(*counts)
    groups = list(IdentitySampler(np.zeros(len(camids), int), 1, k, seed=0, camids=camids))
    dealt = np.array([[(camids[group] == camid).sum() for camid in range(len(counts))] for group in groups])
    assert (dealt.max(axis=0) - dealt.min(axis=0) <= 1).all() or len(groups) == 1


@settings(max_examples=50, deadline=None)
@given(counts=CAMERAS, k=st.integers(1, 5))
def test_mixing_cameras_samples_every_crop_and_avoids_repeats_in_a_group(counts, k):
    camids = labels_of(*counts)
    groups = list(IdentitySampler(np.zeros(len(camids), int), 1, k, seed=1, camids=camids))
    assert set(np.concatenate(groups)) == set(range(len(camids)))
    assert all(len(set(group)) == min(k, len(camids)) for group in groups)


def test_a_camera_with_a_crop_for_every_group_is_in_every_group():
    camids = np.array([1] * 12 + [2] * 4)
    for seed in range(20):
        groups = list(IdentitySampler(np.zeros(16, int), 1, 4, seed=seed, camids=camids))
        assert [sorted(camids[group]) for group in groups] == [[1, 1, 1, 2]] * 4


def test_people_of_one_camera_are_sampled_as_without_cameras():
    labels = labels_of(7, 5, 9, 4)
    plain, mixed = (IdentitySampler(labels, 2, 3, seed=1, camids=camids) for camids in (None, labels + 40))
    assert all(np.array_equal(a, b) for a, b in zip(plain, mixed, strict=True))


@pytest.mark.parametrize("num_ranks", [2, 3, 6])
def test_the_concatenated_shares_of_the_ranks_are_the_batch_of_one_rank(num_ranks):
    labels, camids = labels_of(*range(3, 13)), labels_of(*range(12, 2, -1))
    whole = IdentitySampler(labels, 6, 4, seed=2, camids=camids)
    shares = [
        IdentitySampler(labels, 6, 4, seed=2, camids=camids, rank=rank, num_ranks=num_ranks)
        for rank in range(num_ranks)
    ]
    for sampler in (whole, *shares):
        sampler.epoch = 3
    assert len({len(sampler) for sampler in (whole, *shares)}) == 1
    for batch, *parts in zip(whole, *shares, strict=True):
        assert all(len(part) == 24 // num_ranks for part in parts)
        assert np.array_equal(batch, np.concatenate(parts))


def test_people_that_are_not_a_multiple_of_the_ranks_are_an_error():
    with pytest.raises(ReidopsError, match="people_per_batch is 3, .*2 ranks"):
        IdentitySampler(labels_of(5, 5, 5), 3, 2, seed=0, num_ranks=2)
