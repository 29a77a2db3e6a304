"""Compute the figures of each round of an adaptation, and compare rounds by them. They need no label.

A row has:
- `round`: its number, from 0 on;
- `clusters`, `share_clustered`: number of clusters, and the share of the training crops that are in one;
- `split_clusters`: clusters that held two people by the tracker's knowledge, and were split;
- `stability`: adjusted Rand index of these clusters and those of the round before, on crops that are in both;
- `reassociation_rank1`, `reassociation_mrr`, `reassociation_error`: see `reassociation.Reassociation`;
- `loss`, `lr`: of the last epoch; NaN in the row of the start.
"""

import math

import numpy as np
from sklearn.metrics import adjusted_rand_score

from reidops.adaptation.clustering import Clusters
from reidops.adaptation.reassociation import Reassociation

Row = dict[str, float]


def round_row(number: int, clusters: Clusters, found: Reassociation, *, num_crops: int, stability: float) -> Row:
    """Return the row of round `number` without `loss` and `lr`; `num_crops` is the number of crops that train."""
    return {
        "round": number,
        "clusters": clusters.num_clusters,
        "share_clustered": float(clusters.in_cluster.sum() / max(1, num_crops)),
        "split_clusters": clusters.num_split,
        "stability": stability,
        "reassociation_rank1": found.rank1,
        "reassociation_mrr": found.reciprocal_rank,
        "reassociation_error": found.error,
        "loss": math.nan,
        "lr": math.nan,
    }


def find_stability(before: np.ndarray | None, clusters: Clusters, num_clusters: list[int]) -> float:
    """Return the adjusted Rand index of two clusterings on crops that are in a cluster of both; NaN without any."""
    if before is None:
        return math.nan
    both = clusters.in_cluster & (before >= 0) & (before < num_clusters[-1])
    return float(adjusted_rand_score(before[both], clusters.labels[both])) if both.any() else math.nan


def is_not_worse(rows: list[Row]) -> bool:
    """Return whether the last round's re-association is within one standard error of the best round's.

    Without held-out tracklets every round counts as not worse.
    """
    last, best = rows[-1], max((row["reassociation_mrr"] for row in rows), default=math.nan)
    error = last["reassociation_error"]
    return not last["reassociation_mrr"] < best - (error if math.isfinite(error) else 0)


def describe_round(row: Row) -> str:
    """Return a round's row as a line of text."""
    shown = [f"round {row['round']:.0f}: {row['clusters']:.0f} clusters with {row['share_clustered']:.0%} of the crops"]
    if math.isfinite(row["stability"]):
        shown.append(f"stability {row['stability']:.3f}")
    if math.isfinite(row["reassociation_mrr"]):
        shown.append(f"re-association rank1 {row['reassociation_rank1']:.3f}, MRR {row['reassociation_mrr']:.3f}")
    return ", ".join(shown)
