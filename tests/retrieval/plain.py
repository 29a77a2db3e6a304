"""Reference implementations of the retrieval metrics with loops and dense matrices, easy to check by eye."""

import numpy as np


def plain_ranks(distances: np.ndarray, positives: list[int], negatives: list[int]) -> list[int]:
    """Return the ranks of one query's positives by counting other people's crops that are not farther.

    Equal positives have successive ranks.
    """
    nearest_first = sorted(float(distances[p]) for p in positives)
    return [i + 1 + sum(float(distances[n]) <= d for n in negatives) for i, d in enumerate(nearest_first)]


def plain_scores(
    distances: np.ndarray, query_pids: list, gallery_pids: list, junk: np.ndarray, max_rank: int
) -> dict[str, object]:
    """Return mAP, mINP, cmc and the unmatched queries, by loops over every query and crop; `junk` is a boolean mask."""
    precisions, penalties, firsts, unmatched = [], [], [], []
    for q, pid in enumerate(query_pids):
        kept = [g for g in range(len(gallery_pids)) if not junk[q, g]]
        positives = [g for g in kept if gallery_pids[g] == pid and pid != -1]
        ranks = plain_ranks(distances[q], positives, [g for g in kept if g not in positives])
        if not ranks:
            unmatched.append(q)
            continue
        precisions.append(sum((i + 1) / rank for i, rank in enumerate(ranks)) / len(ranks))
        penalties.append(len(ranks) / ranks[-1])
        firsts.append(ranks[0])
    cmc = [sum(first <= k for first in firsts) / max(len(firsts), 1) for k in range(1, max_rank + 1)]
    mean = lambda values: sum(values) / max(len(values), 1)  # noqa: E731
    return {"mAP": mean(precisions), "mINP": mean(penalties), "cmc": cmc, "unmatched": unmatched}


def dense_rerank(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """Re-rank as in section 3 of the paper, with dense [n, n] matrices and sets."""
    crops = np.concatenate([query, gallery]).astype(np.float64)
    n = len(crops)
    distances = 1 - crops @ crops.T
    distances = distances / distances.max(axis=1, keepdims=True)
    order = np.argsort(distances, axis=1, kind="stable")

    def reciprocal(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    encoded = np.zeros((n, n))
    for i in range(n):
        members = reciprocal(i, k1)
        expanded = set(members)
        for j in members:
            theirs = reciprocal(j, round(k1 / 2))
            if len(theirs & members) > 2 / 3 * len(theirs):
                expanded |= theirs
        expanded = sorted(expanded)
        encoded[i, expanded] = np.exp(-distances[i, expanded])
        encoded[i] /= encoded[i].sum()
    encoded = np.stack([encoded[order[i, :k2]].mean(axis=0) for i in range(n)])
    num_query = len(query)
    jaccard = np.array(
        [
            [1 - (s := np.minimum(encoded[q], encoded[g]).sum()) / (2 - s) for g in range(num_query, n)]
            for q in range(num_query)
        ]
    )
    return (1 - weight) * jaccard + weight * distances[:num_query, num_query:]
