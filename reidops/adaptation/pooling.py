"""Average the embeddings of cameras and of tracklets."""

import numpy as np
from scipy import sparse


def centre_cameras(embeddings: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """Return unit embeddings [N, dim] without the mean of their camera; with one camera they are unchanged.

    An embedding that equals the mean of its camera is unchanged, too, because nothing would be left of it.

    Args:
        embeddings: unit rows, float32 [N, dim].
        cameras: the camera of each crop, [N].
    """
    if len(np.unique(cameras)) < 2:
        return embeddings
    centred = embeddings - group_means(embeddings, cameras)[cameras]
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, centred / np.maximum(lengths, 1e-6), embeddings).astype(np.float32)


def pool(embeddings: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the unit mean embedding of each group, float32 [max(groups) + 1, dim]; groups below 0 are left out.

    Every number 0 … max(groups) has a member.
    """
    kept = groups >= 0
    means = group_means(embeddings[kept], groups[kept])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def group_means(embeddings: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the mean of the rows of each group, float32 [max(groups) + 1, dim]; 0 for a number without rows."""
    counts = np.bincount(groups)
    shares = 1 / counts[groups]
    averaging = sparse.csr_array((shares, (groups, np.arange(len(groups)))), shape=(len(counts), len(groups)))
    return (averaging @ embeddings).astype(np.float32)
