"""Compute k-reciprocal re-ranking.

Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal encoding, CVPR 2017.

Two crops are near if they are among each other's nearest neighbours and share neighbours. Every crop is encoded as a
sparse row of weights over its k-reciprocal neighbours, so memory grows with the number of crops times k, not with its
square.
"""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from reidops.errors import ReidopsError
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.neighbours import BLOCK_BYTES, Neighbours, nearest

PAIRS_AT_ONCE = 2**11


def rerank(query: np.ndarray, gallery: np.ndarray, *, k1: int = 20, k2: int = 6, weight: float = 0.3) -> np.ndarray:
    """Return re-ranked distances, float32 [num_query, num_gallery], in 0 … 1.

    Args:
        weight: weight of the original distance (λ in the paper).

    Raises:
        ReidopsError: embeddings are invalid or of different dimensions, or a constant is out of its range.
    """
    return np.concatenate(list(reranked_blocks(query, gallery, k1=k1, k2=k2, weight=weight)))


def reranked_blocks(
    query: np.ndarray, gallery: np.ndarray, *, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> Iterator[np.ndarray]:
    """Yield the result of `rerank` in blocks of queries, in order."""
    query, gallery = unit_rows(query, "query"), unit_rows(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ReidopsError(
            f"query embeddings have {query.shape[1]} dimensions, gallery embeddings {gallery.shape[1]}; embed both "
            f"with one model"
        )
    _check_constants(k1, k2, weight)
    crops = np.concatenate([query, gallery])
    neighbours = nearest(crops, min(k1, len(crops) - 1))
    encoded = _encode(crops, neighbours, k1, k2)
    of_query, of_gallery = encoded[: len(query)], encoded[len(query) :].tocsc()
    block_size = max(1, BLOCK_BYTES // (4 * len(gallery)))
    for start in range(0, len(query), block_size):
        distances = query[start : start + block_size] @ gallery.T
        shares = weight / neighbours.farthest[start : start + len(distances), None]
        distances *= -shares
        distances += shares
        for row, of_row in enumerate(distances, start):
            of_row += (1 - weight) * _jaccard_distances(of_query, row, of_gallery)
        yield distances


def jaccard_graph(embeddings: np.ndarray, *, k1: int = 20, k2: int = 6, radius: float = 0.6) -> sparse.csr_array:
    """Return the k-reciprocal Jaccard distances of all pairs that are at most `radius` apart, symmetric [n, n].

    The diagonal is empty, and a distance of 0 is stored as the smallest positive one, so that every stored entry is a
    pair. Memory grows with the number of such pairs.

    Args:
        embeddings: one per crop or tracklet, [n, dim].
        radius: 0 ≤ radius < 1; pairs that share no neighbour have the distance 1.

    Raises:
        ReidopsError: embeddings are invalid, or a constant is out of its range.
    """
    crops = unit_rows(embeddings, "crop")
    _check_constants(k1, k2, 0)
    if not 0 <= radius < 1:
        raise ReidopsError(f"the radius of the Jaccard graph is {radius}, expected 0 ≤ radius < 1")
    if len(crops) < 2:
        return sparse.csr_array((len(crops), len(crops)), dtype=np.float32)
    encoded = _encode(crops, nearest(crops, min(k1, len(crops) - 1)), k1, k2)
    columns, smallest = encoded.tocsc(), 2 * (1 - radius) / (2 - radius)
    near, distances = [], []
    for row in range(len(crops)):
        overlaps = _overlaps(encoded, row, columns)[row + 1 :]
        later = np.flatnonzero(overlaps >= smallest)
        near.append((later + row + 1).astype(np.int32))
        distances.append((1 - overlaps[later] / (2 - overlaps[later])).astype(np.float32))
    starts = np.concatenate([[0], np.cumsum([len(found) for found in near])])
    values = np.maximum(np.concatenate(distances), np.finfo(np.float32).tiny)
    half = sparse.csr_array((values, np.concatenate(near), starts), shape=encoded.shape)
    return (half + half.T).tocsr()


def _encode(crops: np.ndarray, neighbours: Neighbours, k1: int, k2: int) -> sparse.csr_array:
    """Return each crop's weights over its expanded k-reciprocal neighbours, averaged over its k2 nearest crops.

    Sections 3.2 to 3.4 of the paper.
    """
    sets = _expanded(_reciprocal(neighbours.index), _reciprocal(neighbours.index[:, : round(k1 / 2) + 1]))
    rows = np.repeat(np.arange(len(crops)), np.diff(sets.indptr))
    weights = np.exp(-_pair_distances(crops, rows, sets.indices) / neighbours.farthest[rows])
    sums = np.bincount(rows, weights, minlength=len(crops))
    encoded = sparse.csr_array((weights / sums[rows], sets.indices, sets.indptr), shape=sets.shape)
    if k2 == 1:
        return encoded
    nearest_k2 = neighbours.index[:, :k2]
    starts = np.arange(len(crops) + 1) * nearest_k2.shape[1]
    averaging = sparse.csr_array(
        (np.full(nearest_k2.size, 1 / nearest_k2.shape[1]), nearest_k2.ravel(), starts), shape=sets.shape
    )
    return averaging @ encoded


def _reciprocal(index: np.ndarray) -> sparse.csr_array:
    """Return the pairs that are among each other's nearest neighbours, as ones in an [n, n] matrix."""
    rows, columns = np.repeat(np.arange(len(index)), index.shape[1]), index.ravel()
    near = sparse.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(index), len(index)))
    return near.multiply(near.T).tocsr()


def _expanded(reciprocal: sparse.csr_array, half: sparse.csr_array) -> sparse.csr_array:
    """Return each crop's set, expanded by the half-sized sets of its members.

    A half-sized set is added if more than two thirds of it are in the crop's set (equation 3).
    """
    shared = (reciprocal @ half.T).multiply(reciprocal).tocoo()
    size = np.diff(half.indptr)
    taken = 3 * shared.data > 2 * size[shared.col]
    chosen = sparse.csr_array(
        (np.ones(taken.sum(), np.int32), (shared.row[taken], shared.col[taken])), shape=reciprocal.shape
    )
    expanded = (reciprocal + chosen @ half).tocsr()
    expanded.eliminate_zeros()
    return expanded


def _pair_distances(crops: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return 1 − cosine similarity of pairs of crops, [len(rows)]."""
    distances = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        pairs = slice(start, start + PAIRS_AT_ONCE)
        distances[pairs] = 1 - np.einsum("nd,nd->n", crops[rows[pairs]], crops[columns[pairs]])
    return distances


def _jaccard_distances(queries: sparse.csr_array, row: int, gallery: sparse.csc_array) -> np.ndarray:
    """Return the Jaccard distance of one query to every gallery crop, [num_gallery] (equation 10)."""
    overlap = _overlaps(queries, row, gallery)
    return 1 - overlap / (2 - overlap)


def _overlaps(queries: sparse.csr_array, row: int, gallery: sparse.csc_array) -> np.ndarray:
    """Return the sum of the smaller weights of one query and every gallery crop, [num_gallery]."""
    own = slice(queries.indptr[row], queries.indptr[row + 1])
    members, weights = queries.indices[own], queries.data[own]
    start, stop = gallery.indptr[members], gallery.indptr[members + 1]
    counts = stop - start
    entries = np.arange(counts.sum()) + np.repeat(start - np.cumsum(counts) + counts, counts)
    shared = np.minimum(gallery.data[entries], np.repeat(weights, counts))
    return np.bincount(gallery.indices[entries], shared, minlength=gallery.shape[0])


def _check_constants(k1: int, k2: int, weight: float) -> None:
    if k1 < 1 or not 1 <= k2 <= k1 + 1 or not 0 <= weight <= 1:
        raise ReidopsError(
            f"re-ranking has k1={k1}, k2={k2}, weight={weight}, expected 1 ≤ k1, 1 ≤ k2 ≤ k1 + 1, 0 ≤ weight ≤ 1"
        )
