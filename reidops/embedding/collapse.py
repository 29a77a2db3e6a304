"""Detect collapsed embeddings, which hold no information about the person.

The measure is the effective rank of the embeddings (the participation ratio of their second moment): 1 / mean squared
cosine over all pairs of different crops. It is 1 if all embeddings are on one line through the origin: if they are
equal, or opposite to each other, as after a batch normalization of constant features. The limit 1.0002 is the effective
rank for a mean cosine of about 1 − 1e-4. It was chosen for two reasons:

- Embeddings that are equal except for rounding to bfloat16 (up to 2⁻⁹ of each value) have an effective rank below
  1.00001.
- Untrained networks have a higher effective rank: ten backbones with random weights had at least 1.0068 on held-out
  crops of the synthetic data.
"""

import numpy as np

MIN_EFFECTIVE_RANK = 1.0002
MAX_ROWS = 1024


def effective_rank(embeddings: np.ndarray) -> float:
    """Return 1 / mean squared cosine over all pairs of different rows, at least 1.

    Args:
        embeddings: non-zero rows [n, dim], n at least 2. Of more than 1,024 rows an evenly spaced sample is used.
    """
    rows = embeddings[:: -(-len(embeddings) // MAX_ROWS)].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    num_pairs = len(rows) * (len(rows) - 1)
    return float(num_pairs / max((cosines**2).sum() - (np.diagonal(cosines) ** 2).sum(), np.finfo(float).tiny))


def find_collapse(embeddings: np.ndarray) -> str | None:
    """Return a description of the collapse of embeddings [n, dim], or None.

    Rows that are NaN, infinite or zero count as collapsed, because they cannot be ranked.
    """
    lengths = np.linalg.norm(embeddings, axis=1)
    num_invalid = int(np.count_nonzero(~np.isfinite(lengths) | (lengths == 0)))
    if num_invalid:
        return f"{num_invalid:,} of {len(embeddings):,} embeddings are NaN, infinite or zero"
    rank = effective_rank(embeddings) if len(embeddings) > 1 else np.inf
    if rank < MIN_EFFECTIVE_RANK:
        return (
            f"the {len(embeddings):,} embeddings are almost equal: effective rank {rank:.6f}, expected at least "
            f"{MIN_EFFECTIVE_RANK}"
        )
    return None
