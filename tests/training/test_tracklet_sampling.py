"""reidops/training/tracklet_sampling.py: tracklets of a crops table, batches of them, and their pooling."""

import numpy as np
import pandas as pd
import pytest

from reidops.training.sampling import IdentitySampler
from reidops.training.tracklet_sampling import TrackletPooling, TrackletSampler, find_tracklets


def crops_of(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"dataset": "MOT17", "scene": "02", "camid": 0, "pid": 0, "tracklet": -1, **columns})


def sampler_of(
    tracklets: list[np.ndarray], people: list[int], pooling: TrackletPooling, **more: int
) -> TrackletSampler:
    """Return a sampler of 2 people × 2 tracklets."""
    return TrackletSampler(tracklets, IdentitySampler(np.array(people), 2, 2, seed=3, **more), pooling, seed=3)


EVENLY = TrackletPooling(3, "evenly", "mean")
RANDOM = TrackletPooling(3, "random", "mean")
# Two tracklets of 7 crops of each of three people.
TRACKLETS = [np.arange(7 * i, 7 * i + 7) for i in range(6)]
PEOPLE = [0, 0, 1, 1, 2, 2]


def test_published_tracklets_stay_whole_and_are_in_the_order_of_time():
    crops = crops_of(tracklet=[5, 4, 5, 4, 5], frame=[900, 2, 1, 1, 500])
    assert [t.tolist() for t in find_tracklets(crops, 2)] == [[3, 1], [2, 4, 0]]


def test_a_long_track_of_mot_data_is_cut_into_pieces_of_about_the_number_of_frames():
    found = find_tracklets(crops_of(frame=range(1, 32)), 15)
    assert [len(t) for t in found] == [16, 15]
    assert np.array_equal(np.concatenate(found), np.arange(31))


def test_a_gap_a_camera_and_a_person_begin_another_tracklet():
    crops = crops_of(frame=[1, 2, 103, 1, 1], camid=[0, 0, 0, 1, 0], pid=[0, 0, 0, 0, 1])
    assert [t.tolist() for t in find_tracklets(crops, 15)] == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize("pooling", [EVENLY, RANDOM])
def test_a_batch_has_p_people_k_tracklets_and_t_frames_of_each(pooling):
    for batch in sampler_of(TRACKLETS, PEOPLE, pooling):
        tracklets = batch.reshape(4, 3) // 7
        assert (tracklets == tracklets[:, :1]).all() and len(np.unique(tracklets)) == 4
        people = np.array(PEOPLE)[tracklets[:, 0]]
        assert people[0] == people[1] != people[2] == people[3]
        assert (np.diff(batch.reshape(4, 3)) > 0).all()


def test_evenly_takes_the_first_the_middle_and_the_last_frame():
    batch = next(iter(sampler_of(TRACKLETS, PEOPLE, EVENLY)))
    assert (batch.reshape(4, 3) % 7 == [0, 3, 6]).all()


def test_random_frames_differ_between_epochs_and_are_repeated_by_a_resumed_training():
    sampler = sampler_of(TRACKLETS, PEOPLE, RANDOM)
    first = np.concatenate(list(sampler))
    sampler.epoch = 1
    second = np.concatenate(list(sampler))
    resumed = sampler_of(TRACKLETS, PEOPLE, RANDOM)
    resumed.load_state_dict(sampler.state_dict())
    assert np.array_equal(np.concatenate(list(resumed)), second) and not np.array_equal(first % 7, second % 7)


@pytest.mark.parametrize("pooling", [EVENLY, RANDOM])
def test_the_shares_of_two_ranks_are_the_batch_of_one(pooling):
    whole = list(sampler_of(TRACKLETS, PEOPLE, pooling))
    shares = zip(*(sampler_of(TRACKLETS, PEOPLE, pooling, rank=rank, num_ranks=2) for rank in (0, 1)), strict=True)
    assert all(np.array_equal(np.concatenate(share), batch) for share, batch in zip(shares, whole, strict=True))


@pytest.mark.parametrize("pooling", [EVENLY, RANDOM])
def test_a_short_tracklet_repeats_crops_but_uses_each(pooling):
    short = [np.array([2 * i, 2 * i + 1]) for i in range(4)]
    for batch in sampler_of(short, [0, 0, 1, 1], pooling):
        assert all(len(set(frames)) == 2 for frames in batch.reshape(4, 3).tolist())


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_tracklets_are_pooled_to_unit_vectors(pool):
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1], [1, 0]], np.float32)
    pooled = TrackletPooling(3, "evenly", pool).pool_unit(embeddings, np.array([0, 2]))
    by_hand = {"mean": [[1.6, 0.8], [1, 1]], "max": [[1, 0.8], [1, 1]]}[pool]
    np.testing.assert_allclose(pooled, by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True), rtol=1e-6)
