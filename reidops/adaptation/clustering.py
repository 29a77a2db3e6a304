"""Cluster the crops of tracklets by their embeddings, with the constraints of the tracker."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.cluster import DBSCAN, HDBSCAN

from reidops.adaptation.constraints import Rivals, find_rivals, split_rivals
from reidops.adaptation.linkage import average_linkage
from reidops.adaptation.pooling import centre_cameras, pool
from reidops.adaptation.tracklet_set import TrackletSet
from reidops.retrieval.reranking import jaccard_graph

Constraints = Literal["both", "must-link", "cannot-link", "none"]
FARTHEST = 0.999
"""Radius of the graph for average linkage and HDBSCAN, which need more than the nearest pairs."""


@dataclass(frozen=True)
class ClusterSettings:
    """How crops are clustered; see the params of `adapt`."""

    constraints: Constraints = "both"
    centre_cameras: bool = True
    k1: int = 10
    k2: int = 4
    clustering: Literal["average", "dbscan", "hdbscan"] = "average"
    eps: float = 0.7
    min_samples: int = 2
    outliers: Literal["drop", "instance"] = "drop"

    @property
    def must_link(self) -> bool:
        """Return whether the crops of a tracklet are one person."""
        return self.constraints in ("both", "must-link")

    @property
    def cannot_link(self) -> bool:
        """Return whether overlapping tracklets are two people."""
        return self.constraints in ("both", "cannot-link")


@dataclass(frozen=True)
class Clusters:
    """The clusters of the crops that train.

    Attributes:
        labels: the class of each crop of the set, 0 … C − 1; -1 = the crop does not train, [N].
        num_clusters: number of clusters, K ≤ C; the classes from K on are single outliers.
        num_split: number of clusters that held two rivals and were split.
        rivals: the pairs of tracklets that are different people; empty without cannot-link.
    """

    labels: np.ndarray
    num_clusters: int
    num_split: int
    rivals: Rivals

    @property
    def num_classes(self) -> int:
        """Return the number of classes, C."""
        return int(self.labels.max(initial=-1)) + 1

    @property
    def in_cluster(self) -> np.ndarray:
        """Return whether each crop is in a cluster, bool [N]."""
        return (self.labels >= 0) & (self.labels < self.num_clusters)


def find_clusters(embeddings: np.ndarray, tracklets: TrackletSet, settings: ClusterSettings) -> Clusters:
    """Return the clusters of the crops of the tracklets that train.

    With must-link tracklets are clustered by the mean embeddings of their crops, else single crops. Held-out tracklets
    take no part.

    Args:
        embeddings: unit rows, float32 [N, dim].
    """
    crops = tracklets.trains
    of_crop, rows = tracklets.of_crop[crops], embeddings[crops]
    if settings.centre_cameras:
        rows = centre_cameras(rows, tracklets.cameras[of_crop])
    units, unit_of_crop = np.unique(of_crop, return_inverse=True) if settings.must_link else (of_crop, None)
    rows = rows if unit_of_crop is None else pool(rows, unit_of_crop)
    rivals = _rivals(tracklets, settings)
    labels, num_split = cluster_units(rows, units, rivals, settings)
    found, num_clusters = _number(labels, settings)
    of_all = np.full(len(tracklets.of_crop), -1)
    of_all[crops] = found if unit_of_crop is None else found[unit_of_crop]
    return Clusters(of_all, num_clusters, num_split, rivals)


def cluster_units(
    embeddings: np.ndarray, of_unit: np.ndarray, rivals: Rivals, settings: ClusterSettings
) -> tuple[np.ndarray, int]:
    """Return the cluster of each unit (crop or tracklet), -1 = none, [U], and the number of split clusters.

    Args:
        embeddings: unit rows, float32 [U, dim].
        of_unit: the tracklet of each unit, [U].
    """
    radius = settings.eps if settings.clustering == "dbscan" else FARTHEST
    k1 = min(settings.k1, max(1, len(embeddings) - 1))
    graph = jaccard_graph(embeddings, k1=k1, k2=min(settings.k2, k1 + 1), radius=radius)
    graph = rivals.without_rivals(graph, of_unit)
    if settings.clustering == "average":
        return average_linkage(graph, rivals.between(of_unit), settings.eps), 0
    labels = _dbscan(graph, settings) if settings.clustering == "dbscan" else _hdbscan(graph, settings)
    return split_rivals(labels, of_unit, rivals, graph)


def _rivals(tracklets: TrackletSet, settings: ClusterSettings) -> Rivals:
    pairs = find_rivals(tracklets.tracklets, tracklets.videos) if settings.cannot_link else np.empty((0, 2), np.int64)
    return Rivals(pairs, len(tracklets.tracklets))


def _dbscan(graph: sparse.csr_array, settings: ClusterSettings) -> np.ndarray:
    return DBSCAN(eps=settings.eps, min_samples=settings.min_samples, metric="precomputed").fit_predict(
        sparse.csr_matrix(graph)
    )


def _hdbscan(graph: sparse.csr_array, settings: ClusterSettings) -> np.ndarray:
    """Return the labels of HDBSCAN, which needs a connected graph with at least min_samples entries per row.

    Pairs that are missing for that get the distance 1, that of units without a common neighbour.
    """
    num, size = graph.shape[0], max(2, settings.min_samples)
    if num <= size:
        return np.full(num, -1)
    rows = np.repeat(np.arange(num), size)
    columns = (rows + np.tile(np.arange(1, size + 1), num)) % num
    ring = sparse.csr_array((np.ones(len(rows), graph.dtype), (rows, columns)), shape=graph.shape)
    missing = (ring + ring.T).astype(bool).astype(graph.dtype)
    missing = missing - missing.multiply(graph.astype(bool))
    joined = sparse.csr_matrix(graph.maximum(1e-6 * graph.astype(bool)) + missing)
    joined.eliminate_zeros()
    model = HDBSCAN(min_cluster_size=size, min_samples=settings.min_samples, metric="precomputed", copy=True)
    return np.maximum(model.fit_predict(joined.astype(np.float64)), -1)


def _number(labels: np.ndarray, settings: ClusterSettings) -> tuple[np.ndarray, int]:
    """Return labels 0 … K − 1 of clusters with at least two units (min_samples 1: one), and K.

    Other units are -1, or with `instance` a class of their own, from K on.
    """
    counts = np.bincount(labels[labels >= 0], minlength=1)
    is_kept = (labels >= 0) & (counts[labels] >= min(2, settings.min_samples))
    numbered = np.full(len(labels), -1)
    numbered[is_kept] = np.unique(labels[is_kept], return_inverse=True)[1]
    num_clusters = int(numbered.max(initial=-1)) + 1
    if settings.outliers == "instance":
        numbered[~is_kept] = num_clusters + np.arange((~is_kept).sum())
    return numbered, num_clusters
