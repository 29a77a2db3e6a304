"""The Fréchet distance between two sets of features (Heusel et al. 2017, without the Inception network)."""

import numpy as np


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the squared Fréchet distance of the normal distributions of two sets of features [N, D] and [M, D].

    It is |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). Fewer than two rows have no covariance, so the result is NaN. The
    distance is biased upwards for few rows, so only distances of sets of equal size can be compared.
    """
    if min(len(one), len(other)) < 2:
        return float("nan")
    one, other = one.astype(np.float64), other.astype(np.float64)
    offset = one.mean(axis=0) - other.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(values, rowvar=False)) for values in (one, other)]
    # The trace of (Σ₁ Σ₂)^½ is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose matrix is symmetric.
    root = _square_root(covariances[0])
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(min=0)).sum()
    return float(max(0.0, offset @ offset + sum(np.trace(values) for values in covariances) - 2 * shared))


def _square_root(matrix: np.ndarray) -> np.ndarray:
    """Return the root of a symmetric, positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
