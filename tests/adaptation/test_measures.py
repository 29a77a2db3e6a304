"""What is measured in a round: re-association without labels, and clusters against annotated people."""

import math

import numpy as np
import pytest
from made_tracklets import tables
from sklearn.metrics import f1_score

from reidops.adaptation.pooling import centre_cameras, pool
from reidops.adaptation.reassociation import find_halves, measure_reassociation, num_divided
from reidops.adaptation.tracklet_set import TrackletSet, make_tracklet_set
from reidops.adaptation.truth import score_clusters
from reidops.errors import ReidopsError
from reidops.retrieval.exact_counting import unit_rows


def tracklet_set(cameras: list[int], crops: int = 4, held_out: float = 1.0) -> TrackletSet:
    return make_tracklet_set(*tables(cameras, [(1, 10)] * len(cameras), crops), held_out, 0)


def test_the_halves_of_a_tracklet_are_its_earlier_and_its_later_crops():
    found = tracklet_set([0, 0], crops=3)
    order = [2, 0, 1, 5, 4, 3]  # crops in another order than their frames
    crops = found.crops.iloc[order].reset_index(drop=True)
    halves = find_halves(
        TrackletSet(crops, found.tracklets, found.of_crop, found.cameras, found.videos, found.is_held_out)
    )
    assert halves.tolist() == [1, 0, 1, 3, 3, 2]


def test_the_number_of_divided_tracklets_is_counted():
    assert num_divided(find_halves(tracklet_set([0, 0, 0]))) == 3
    assert num_divided(find_halves(tracklet_set([0, 0], held_out=0.0))) == 0


def test_tracklets_that_train_that_have_one_crop_or_that_are_alone_in_their_camera_are_not_divided():
    assert (find_halves(tracklet_set([0, 0], held_out=0.0)) == -1).all()
    assert (find_halves(tracklet_set([0, 0], crops=1)) == -1).all()
    assert (find_halves(tracklet_set([0, 1])) == -1).all()


def test_reassociation_ranks_the_halves_of_one_camera():
    found = tracklet_set([0, 0, 1, 1], crops=2)
    # in camera 0 each half finds its other half; in camera 1 every half is nearer to one of the other tracklet
    angles = np.array([0, 5, 90, 95, 0, 90, 5, 95]) * math.pi / 180
    embeddings = unit_rows(np.column_stack([np.cos(angles), np.sin(angles)]), "crop")
    measured = measure_reassociation(embeddings, found, find_halves(found))
    assert measured.rank1 == 0.5 and measured.num_tracklets == 4
    assert measured.reciprocal_rank == pytest.approx((4 + 2 / 3 + 2 / 2) / 8)


def test_equal_embeddings_find_nothing():
    found = tracklet_set([0, 0, 0], crops=2)
    measured = measure_reassociation(np.ones((6, 2), np.float32), found, find_halves(found))
    assert measured.rank1 == 0 and measured.reciprocal_rank == pytest.approx(1 / 5)


def test_without_held_out_tracklets_the_figures_are_nan():
    found = tracklet_set([0, 0], held_out=0.0)
    assert math.isnan(measure_reassociation(np.ones((8, 2), np.float32), found, find_halves(found)).rank1)


def test_held_out_tracklets_are_a_share_of_each_camera_and_depend_on_the_seed():
    cameras = [0] * 10 + [1] * 20
    found = make_tracklet_set(*tables(cameras, [(1, 10)] * 30), 0.3, 0)
    assert [found.is_held_out[:10].sum(), found.is_held_out[10:].sum()] == [3, 6]
    again, other = (make_tracklet_set(*tables(cameras, [(1, 10)] * 30), 0.3, seed) for seed in (0, 1))
    assert (again.is_held_out == found.is_held_out).all() and (other.is_held_out != found.is_held_out).any()


def test_pairwise_figures_agree_with_all_pairs_and_untrained_crops_are_in_no_pair():
    rng = np.random.default_rng(0)
    labels, people = rng.integers(-1, 4, 60), rng.integers(0, 5, 60)
    scores = score_clusters(labels, 3, people, np.arange(60))
    upper = np.triu_indices(60, 1)
    same_person = (people[:, None] == people)[upper]
    same_label = ((labels[:, None] == labels) & (labels >= 0))[upper]
    assert scores["pair_f"] == pytest.approx(f1_score(same_person, same_label))
    inside = (labels >= 0) & (labels < 3)
    most = sum(np.bincount(people[inside & (labels == label)]).max() for label in range(3))
    assert scores["purity"] == pytest.approx(most / inside.sum())


def test_figures_of_perfect_clusters_are_1_and_without_clusters_0():
    people = np.repeat(np.arange(3), 4)
    assert set(score_clusters(people, 3, people, np.arange(12)).values()) == {1.0}
    none = score_clusters(np.full(12, -1), 0, people, np.arange(12))
    assert none["purity"] == none["pair_f"] == 0


def test_crops_of_unknown_people_do_not_count():
    people = np.array([0, 0, 1, 1, -1, -1])
    assert score_clusters(np.array([0, 0, 1, 1, 0, 1]), 2, people, np.arange(6))["purity"] == 1


def test_centred_embeddings_of_each_camera_have_no_common_part():
    rng, cameras = np.random.default_rng(0), np.arange(200) % 2
    offset = np.where(cameras[:, None] == 0, 3.0, -3.0) * np.eye(8)[0]
    embeddings = unit_rows(rng.standard_normal((200, 8)) + offset, "crop")
    centred = centre_cameras(embeddings, cameras)
    assert np.abs(embeddings[cameras == 0].mean(axis=0)).max() > 0.5
    assert np.abs(centred[cameras == 0].mean(axis=0)).max() < 0.1
    np.testing.assert_allclose(np.linalg.norm(centred, axis=1), 1, atol=1e-5)


def test_one_camera_and_a_camera_with_one_crop_stay_as_they_are():
    embeddings = unit_rows(np.random.default_rng(0).standard_normal((5, 3)), "crop")
    assert centre_cameras(embeddings, np.zeros(5, int)) is embeddings
    np.testing.assert_allclose(centre_cameras(embeddings, np.array([0, 0, 0, 0, 1]))[4], embeddings[4], atol=1e-6)


def test_a_pooled_embedding_is_the_unit_mean_of_its_crops():
    embeddings = np.array([[1, 0], [0, 1], [0, -1]], np.float32)
    np.testing.assert_allclose(pool(embeddings, np.array([0, 0, -1])), [[0.5**0.5, 0.5**0.5]], atol=1e-6)


def test_a_crop_of_an_unknown_tracklet_and_no_crop_are_refused():
    crops, tracklets = tables([0, 0], [(1, 10)] * 2)
    with pytest.raises(ReidopsError, match="row 2 is of tracklet 1, which tracklets.parquet does not have"):
        make_tracklet_set(crops, tracklets.iloc[:1], 0.0, 0)
    with pytest.raises(ReidopsError, match="no crop.*set adapt.rounds and adapt.norm_share to 0"):
        make_tracklet_set(crops.iloc[:0], tracklets, 0.0, 0)
