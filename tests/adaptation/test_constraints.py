"""What a tracker knows: overlapping tracklets are never in one cluster, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tracklets import tables
from scipy import sparse

from reidops.adaptation.clustering import ClusterSettings, find_clusters
from reidops.adaptation.constraints import Rivals, broken_clusters, find_rivals, split_rivals
from reidops.adaptation.linkage import average_linkage
from reidops.adaptation.tracklet_set import TrackletSet, make_tracklet_set
from reidops.retrieval.exact_counting import unit_rows

INTERVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 9)), min_size=2, max_size=14)


def pairs_of(rivals: np.ndarray) -> set[tuple[int, int]]:
    return {(int(one), int(other)) for one, other in rivals}


def drawn_rivals(rng: np.random.Generator, num: int) -> np.ndarray:
    above = np.triu(rng.random((num, num)) < 0.2, k=1)
    return np.argwhere(above | above.T)


def drawn_graph(rng: np.random.Generator, num: int) -> sparse.csr_array:
    """Return distances of some pairs, without equal means, because the order of equal ones is not defined."""
    distances = np.triu(rng.uniform(1e-3, 1, (num, num)), k=1)
    distances[rng.random((num, num)) < 0.3] = 0
    return sparse.csr_array(distances + distances.T)


@settings(max_examples=50, deadline=None)
@given(INTERVALS)
def test_rivals_are_the_pairs_of_one_video_that_share_a_frame(rows):
    views, intervals = [view for view, *_ in rows], [(first, first + length) for _, first, length in rows]
    _, tracklets = tables(views, intervals)
    expected = {
        (i, j)
        for i, (a, b) in enumerate(intervals)
        for j, (c, d) in enumerate(intervals)
        if i != j and views[i] == views[j] and max(a, c) <= min(b, d)
    }
    assert pairs_of(find_rivals(tracklets, np.array(views))) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.integers(1, 3))
def test_a_split_cluster_holds_no_rivals_and_others_keep_their_members(seed, num, num_labels):
    rng = np.random.default_rng(seed)
    pairs, labels = drawn_rivals(rng, num), rng.integers(-1, num_labels, num)
    labels[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)[1]
    rivals = Rivals(pairs, num)
    broken = broken_clusters(labels, np.arange(num), rivals)
    found, num_split = split_rivals(labels, np.arange(num), rivals, drawn_graph(rng, num))
    assert num_split == len(broken)
    assert all(found[i] != found[j] for i, j in pairs if labels[i] >= 0)
    for label in set(found[found >= 0].tolist()):
        assert len(set(labels[found == label])) == 1  # a refinement
    kept = ~np.isin(labels, broken)
    np.testing.assert_array_equal(found[kept], labels[kept])


def test_the_nearest_tracklets_of_a_broken_cluster_stay_together():
    distances = np.array([[0, 0.1, 0.5], [0.1, 0, 0.2], [0.5, 0.2, 0]])
    rivals = Rivals(np.array([[0, 2], [2, 0]]), 3)
    labels, num_split = split_rivals(np.zeros(3, int), np.arange(3), rivals, sparse.csr_array(distances))
    assert labels.tolist() == [0, 0, 1] and num_split == 1


def plain_average_linkage(distances: np.ndarray, forbidden: np.ndarray, limit: float) -> list[set[int]]:
    """Join the two nearest clusters, one pair after another; the mean over all pairs decides."""
    clusters = [{i} for i in range(len(distances))]
    while True:
        nearest = [
            (distances[np.ix_(sorted(one), sorted(other))].mean(), i, j)
            for i, one in enumerate(clusters)
            for j, other in enumerate(clusters)
            if i < j and not forbidden[np.ix_(sorted(one), sorted(other))].any()
        ]
        if not nearest or min(nearest)[0] > limit:
            return clusters
        _, i, j = min(nearest)
        clusters = [c for k, c in enumerate(clusters) if k not in (i, j)] + [clusters[i] | clusters[j]]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.floats(0.2, 0.9))
def test_average_linkage_agrees_with_joining_one_pair_after_another(seed, num, limit):
    rng = np.random.default_rng(seed)
    graph, pairs = drawn_graph(rng, num), drawn_rivals(rng, num)
    forbidden = np.zeros((num, num), bool)
    forbidden[pairs[:, 0], pairs[:, 1]] = True
    distances = graph.toarray()
    distances[distances == 0] = 1
    labels = average_linkage(graph, sparse.csr_array(forbidden.astype(np.float32)), limit)
    found = {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}
    assert found == {frozenset(cluster) for cluster in plain_average_linkage(distances, forbidden, limit)}


def people_set(
    num_people: int, *, overlapping: bool, spread: float = 0.02, seed: int = 0
) -> tuple[TrackletSet, np.ndarray, np.ndarray]:
    """Return tracklets of four runs of each person in one video, their embeddings, and the people of the crops."""
    rng, runs, each = np.random.default_rng(seed), 4, 3
    people = np.repeat(np.arange(num_people), runs)
    starts = np.tile(np.arange(runs) * 20, num_people) + (0 if overlapping else people * 100)
    crops, tracklets = tables([0] * len(people), [(int(s) + 1, int(s) + 10) for s in starts], each)
    of_crop = np.repeat(people, each)
    centres = rng.standard_normal((num_people, 16))
    embeddings = unit_rows(centres[of_crop] + spread * rng.standard_normal((len(of_crop), 16)), "crop")
    return make_tracklet_set(crops, tracklets, 0.0, 0), embeddings, of_crop


@pytest.mark.parametrize("clustering", ["average", "dbscan", "hdbscan"])
@pytest.mark.parametrize("constraints", ["both", "must-link", "cannot-link", "none"])
def test_clusters_of_clear_people_mix_no_people_with_each_algorithm_and_constraint(clustering, constraints):
    found, embeddings, people = people_set(5, overlapping=True)
    eps = 0.7 if clustering == "average" else 0.5
    k1 = 3 if constraints in ("both", "must-link") else 11
    options = ClusterSettings(constraints, k1=k1, k2=2, clustering=clustering, eps=eps)
    clusters = find_clusters(embeddings, found, options)
    members = [set(people[clusters.labels == label]) for label in range(clusters.num_clusters)]
    assert all(len(own) == 1 for own in members) and set().union(*members) == set(range(5))
    assert clusters.in_cluster.mean() > 0.6
    if options.must_link:
        assert clusters.num_clusters == 5


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["average", "dbscan", "hdbscan"]),
    st.sampled_from(["both", "cannot-link", "must-link"]),
    st.sampled_from(["drop", "instance"]),
)
def test_no_class_breaks_a_constraint_however_alike_all_people_are(seed, clustering, constraints, outliers):
    found, embeddings, _ = people_set(3, overlapping=True, spread=2.0, seed=seed)
    options = ClusterSettings(constraints, k1=6, k2=2, clustering=clustering, eps=0.9, outliers=outliers)
    labels = find_clusters(embeddings, found, options).labels
    if options.must_link:
        assert all(len(set(labels[found.of_crop == tracklet])) == 1 for tracklet in range(12))
    if options.cannot_link:
        for one, other in find_rivals(found.tracklets, found.videos):
            own = set(labels[found.of_crop == one]) - {-1}
            assert not own & set(labels[found.of_crop == other])


def test_without_cannot_link_people_who_look_alike_are_one_cluster():
    found, embeddings, _ = people_set(2, overlapping=True, spread=0.0)
    embeddings[:] = embeddings[0] + 0.01 * np.random.default_rng(0).standard_normal(embeddings.shape)
    embeddings = unit_rows(embeddings, "crop")
    options = {"k1": 7, "k2": 1, "eps": 0.9}
    assert find_clusters(embeddings, found, ClusterSettings("must-link", **options)).num_clusters == 1
    assert find_clusters(embeddings, found, ClusterSettings("both", **options)).num_clusters >= 2


def test_held_out_tracklets_are_in_no_cluster():
    found, embeddings, _ = people_set(4, overlapping=False)
    held_out = np.arange(16) % 4 == 0
    found = TrackletSet(found.crops, found.tracklets, found.of_crop, found.cameras, found.videos, held_out)
    labels = find_clusters(embeddings, found, ClusterSettings(k1=3, k2=1)).labels
    assert (labels[held_out[found.of_crop]] == -1).all() and (labels[~held_out[found.of_crop]] >= 0).all()
