"""The crops, batches and memory of a round."""

import numpy as np
import pytest
import torch
from made_tracklets import tables

from reidops.adaptation.clustering import Clusters
from reidops.adaptation.constraints import Rivals, find_rivals
from reidops.adaptation.memory import find_class_rivals, find_proxies, start_memory
from reidops.adaptation.round_crops import JoinedCrops, RoundSampler, SourceCrops, add_source
from reidops.adaptation.tracklet_set import TrackletSet, make_tracklet_set
from reidops.embedding.network import EmbeddingNetwork
from reidops.retrieval.exact_counting import unit_rows


class Numbers:
    """Crops whose only pixel is their row."""

    def decode(self, i: int) -> np.ndarray:
        return np.full((1, 1, 3), i, np.uint8)


def test_joined_crops_are_those_of_both_stores():
    joined = JoinedCrops(Numbers(), 2, Numbers(), np.array([7, 9]))
    assert [int(joined.decode(i)[0, 0, 0]) for i in range(4)] == [0, 1, 7, 9]


def test_whole_people_are_added_until_their_share_is_reached():
    labels, source = np.array([0, 0, 1, 1, -1, 1]), SourceCrops(np.repeat(np.arange(6), 2), np.zeros(12, int))
    found = add_source(labels, source, 0.4, seed=3)
    of_source = found[6:]
    assert found[:6].tolist() == labels.tolist()
    assert (of_source >= 0).sum() == 4 and set(of_source[of_source >= 0]) == {2, 3}  # 4 of 9 is at least .4
    assert all(len(set(of_source[source.labels == person])) == 1 for person in range(6))
    assert (add_source(labels, source, 0.4, seed=3) == found).all()
    assert any((add_source(labels, source, 0.4, seed=seed) != found).any() for seed in range(4, 8))


def test_too_few_labelled_people_are_all_used_and_a_share_of_0_uses_none():
    labels, source = np.arange(50), SourceCrops(np.array([0, 0, 1]), np.zeros(3, int))
    assert add_source(labels, source, 0.5, 0)[50:].tolist() in ([50, 50, 51], [51, 51, 50])
    assert (add_source(labels, source, 0.0, 0)[50:] == -1).all()


def test_batches_hold_only_crops_with_a_class_and_at_most_all_classes():
    labels = np.array([-1, 0, 0, -1, 1, 1, 1, 2])
    sampler = RoundSampler(labels, 16, 2, seed=0, camids=np.zeros(8, int))
    batches = list(sampler)
    assert all(len(batch) == 3 * 2 for batch in batches)
    assert set(np.concatenate(batches)) <= set(np.flatnonzero(labels >= 0))
    assert all((labels[batch].reshape(3, 2)[:, 0] == labels[batch].reshape(3, 2)[:, 1]).all() for batch in batches)


def overlapping_set() -> tuple[TrackletSet, Clusters, np.ndarray]:
    """Return five tracklets of two crops; 0, 1 and 2 overlap, 3 and 4 overlap. Classes: {0, 3}, {1}; 2 and 4 none."""
    intervals = [(1, 9), (5, 14), (8, 20), (30, 40), (35, 45)]
    found = make_tracklet_set(*tables([0] * 5, intervals), 0.0, 0)
    labels = np.array([0, 0, 1, 1, -1, -1, 0, 0, -1, -1])
    clusters = Clusters(labels, 2, 0, Rivals(find_rivals(found.tracklets, found.videos), 5))
    embeddings = unit_rows(np.random.default_rng(0).standard_normal((10, 6)), "crop")
    return found, clusters, embeddings


def test_rivals_of_a_class_are_the_overlapping_classes_and_the_overlapping_tracklets_without_a_class():
    found, clusters, embeddings = overlapping_set()
    rivals, others = find_class_rivals(embeddings, clusters, found)
    assert others.tolist() == [2, 4]
    assert sorted(rivals[0].tolist()) == [1, 2, 3]  # class 1, and the others 2 and 4 after the two classes
    assert sorted(rivals[1].tolist()) == [-1, 0, 2]


def test_held_out_tracklets_are_no_rivals():
    found, clusters, embeddings = overlapping_set()
    held_out = np.array([False, False, True, False, True])
    found = TrackletSet(found.crops, found.tracklets, found.of_crop, found.cameras, found.videos, held_out)
    rivals, others = find_class_rivals(embeddings, clusters, found)
    assert len(others) == 0 and rivals.tolist() == [[1], [0]]


@pytest.mark.parametrize("parts", [0, 2])
def test_a_memory_starts_with_the_mean_embedding_of_each_class_and_branch(parts):
    found, clusters, _ = overlapping_set()
    torch.manual_seed(0)
    network = EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=3, parts=parts)
    embeddings = unit_rows(np.random.default_rng(1).standard_normal((12, network.dim)), "crop")
    labels = np.concatenate([clusters.labels, [2, 2]])  # two labelled crops
    losses = start_memory(embeddings, labels, clusters, found, network=network, temperature=0.1)
    assert len(losses.branches) == network.num_branches
    for number, branch in enumerate(losses.branches):
        memory, columns = branch.losses["cluster-contrast"], slice(3 * number, 3 * number + 3)
        for label in range(3):
            mean = embeddings[labels == label, columns].mean(axis=0)
            np.testing.assert_allclose(memory.entries[label], mean / np.linalg.norm(mean), atol=1e-5)
        assert sorted(memory.rivals[0].tolist()) == [1, 3, 4] and (memory.rivals[2] == -1).all()


def test_proxies_are_the_pairs_of_class_and_camera_and_start_with_their_means():
    found, clusters, _ = overlapping_set()
    camids = np.arange(10) % 2
    proxies = find_proxies(clusters.labels, camids)
    assert proxies.class_of.tolist() == [0, 0, 1, 1] and proxies.camera_of.tolist() == [0, 1, 0, 1]
    assert proxies.labels.tolist() == [0, 1, 2, 3, -1, -1, 0, 1, -1, -1]
    network = EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=6)
    embeddings = unit_rows(np.random.default_rng(0).standard_normal((10, 6)), "crop")
    losses = start_memory(embeddings, clusters.labels, clusters, found, network=network, proxies=proxies)
    memory = losses.branches[0].losses["cluster-contrast"]
    mean = embeddings[[1, 7]].mean(axis=0)
    np.testing.assert_allclose(memory.proxies[1], mean / np.linalg.norm(mean), atol=1e-5)
    assert len(memory.clusters.entries) == 2
