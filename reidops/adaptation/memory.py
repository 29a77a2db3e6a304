"""The memory of a round: the mean embedding of each class, and what is certainly another person."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from reidops.adaptation.clustering import Clusters
from reidops.adaptation.pooling import pool
from reidops.adaptation.tracklet_set import TrackletSet
from reidops.embedding.network import EmbeddingNetwork
from reidops.training.camera_contrast import CameraContrast
from reidops.training.cluster_contrast import ClusterContrast
from reidops.training.losses import BranchLosses, WeightedLosses

NAME = "cluster-contrast"
MOST_RIVALS = 32
"""Number of rivals of a class that are kept, the most similar ones."""


def find_class_rivals(
    embeddings: np.ndarray, clusters: Clusters, tracklets: TrackletSet
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rivals of each class as `ClusterContrast.start` takes them, [C, M], and the others' tracklets, [E].

    A rival is the class of a tracklet that shares a frame with a tracklet of the class, or that tracklet itself if it
    trains in no class. Held-out tracklets are left out.

    Args:
        embeddings: unit rows, float32 [N, dim].
    """
    num_classes, in_class = clusters.num_classes, np.flatnonzero(clusters.labels >= 0)
    members = np.unique(np.column_stack([clusters.labels[in_class], tracklets.of_crop[in_class]]), axis=0)
    classes_of: dict[int, list[int]] = {}
    for label, tracklet in members.tolist():
        classes_of.setdefault(tracklet, []).append(label)
    found: list[set[int]] = [set() for _ in range(num_classes)]
    for label, tracklet in members.tolist():
        for other in clusters.rivals.of(tracklet).tolist():
            if not tracklets.is_held_out[other]:
                found[label].update(classes_of.get(other, [-1 - other]))
    entries = pool(embeddings, clusters.labels)
    of_tracklets = pool(embeddings, tracklets.of_crop) if any(found) else entries
    kept = [
        _hardest(entries[label], sorted(rivals - {label}), entries, of_tracklets) for label, rivals in enumerate(found)
    ]
    others = np.unique([-1 - number for rivals in kept for number in rivals if number < 0]).astype(np.int64)
    return _padded(kept, others, num_classes), others


@dataclass(frozen=True)
class Proxies:
    """The pairs of a class and a camera in which it was seen.

    Attributes:
        labels: the pair of each crop, 0 … Q − 1, −1 = does not train, [N].
        class_of, camera_of: the class and the camera of each pair, [Q].
    """

    labels: np.ndarray
    class_of: np.ndarray
    camera_of: np.ndarray


def find_proxies(labels: np.ndarray, camids: np.ndarray) -> Proxies:
    """Return the proxies of crops with a class (−1 = none) and a camera, [N] each."""
    trains = labels >= 0
    pairs, numbers = np.unique(np.column_stack([labels[trains], camids[trains]]), axis=0, return_inverse=True)
    found = np.full(len(labels), -1)
    found[trains] = numbers.ravel()
    return Proxies(found, pairs[:, 0], pairs[:, 1])


def start_memory(
    embeddings: np.ndarray,
    labels: np.ndarray,
    clusters: Clusters,
    tracklets: TrackletSet,
    *,
    network: EmbeddingNetwork,
    proxies: Proxies | None = None,
    **options: Any,
) -> BranchLosses:
    """Return the contrast of each branch of the network, with the mean embeddings of the classes.

    Args:
        embeddings: unit rows of the tracklets' crops and the labelled crops, float32 [N + S, dim].
        labels: the class of each, −1 = does not train, [N + S].
        proxies: the labels of the training are these pairs in place of the classes.
        options: of `ClusterContrast`.
    """
    num_own, num_classes = len(tracklets.of_crop), int(labels.max()) + 1
    rivals, others = find_class_rivals(embeddings[:num_own], clusters, tracklets)
    # Classes of labelled crops follow, and others are numbered after them.
    rivals[rivals >= clusters.num_classes] += num_classes - clusters.num_classes
    rivals = np.concatenate([rivals, np.full((num_classes - clusters.num_classes, rivals.shape[1]), -1)])
    branches = []
    for branch in np.split(embeddings, network.num_branches, axis=1):
        memory = ClusterContrast(num_classes, network.branch_dim, **options)
        of_others = pool(branch[:num_own], tracklets.of_crop)[others] if len(others) else branch[:0]
        memory.start(*(torch.from_numpy(values) for values in (pool(branch, labels), of_others, rivals)))
        loss = memory if proxies is None else _camera_contrast(memory, branch, proxies)
        branches.append(WeightedLosses({NAME: loss}, {NAME: 1.0}))
    return BranchLosses(branches)


def _camera_contrast(memory: ClusterContrast, embeddings: np.ndarray, proxies: Proxies) -> CameraContrast:
    means = pool(embeddings, proxies.labels)
    return CameraContrast(memory, *map(torch.from_numpy, (means, proxies.class_of, proxies.camera_of)))


def _hardest(entry: np.ndarray, rivals: list[int], entries: np.ndarray, of_tracklets: np.ndarray) -> list[int]:
    """Return the most similar rivals: classes, and tracklets as −1 − tracklet."""
    if len(rivals) <= MOST_RIVALS:
        return rivals
    rows = np.stack([entries[number] if number >= 0 else of_tracklets[-1 - number] for number in rivals])
    order = np.argsort(-(rows @ entry), kind="stable")[:MOST_RIVALS]
    return [rivals[place] for place in sorted(order.tolist())]


def _padded(kept: list[list[int]], others: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the rivals of each class in a row, with −1 in the places that are left, [C, M]."""
    rows = np.full((num_classes, max(map(len, kept), default=0)), -1, np.int64)
    for label, rivals in enumerate(kept):
        numbers = np.array(rivals, np.int64)
        is_other = numbers < 0
        numbers[is_other] = num_classes + np.searchsorted(others, -1 - numbers[is_other])
        rows[label, : len(numbers)] = numbers
    return rows
