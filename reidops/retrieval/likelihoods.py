"""Fit the likelihood table of the evidence tracker: what the distance of a crop to a track says."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from reidops.retrieval.crop_distances import Distances

# Used if there are no held-out returns: the log likelihood ratio falls from 4 to −4 around a cosine distance of 0.5.
PUBLISHED_ROWS = [[0.5 - 4 / 12, 4.0], [0.5 + 4 / 12, -4.0]]
MOST_DISTANCES = 20_000
_STEP = 0.05  # of the cosine distance, between two rows of a table
_LARGEST = 2.0


def fit_likelihoods(distances: Distances) -> list[list[float]]:
    """Return the rows [cosine distance, log likelihood ratio] of a table.

    The ratio is that of a logistic regression of genuine against impostor distances with equal prior weight, so it is
    linear in the distance. It is limited to ± log n for n distances: rarer events were not observed. If the distances
    of one person are not smaller than those of two people, all ratios are 0.

    Args:
        distances: of crops and tracks of held-out people, at least one of each kind.
    """
    genuine, impostor = (_thinned(values) for values in (distances.genuine, distances.impostor))
    values = np.concatenate([genuine, impostor])
    weights = np.repeat([0.5 / len(genuine), 0.5 / len(impostor)], [len(genuine), len(impostor)]) * len(values)
    is_genuine = np.arange(len(values)) < len(genuine)
    fitted = LogisticRegression(C=1000.0).fit(values[:, None], is_genuine, sample_weight=weights)
    slope = min(float(fitted.coef_[0, 0]), 0.0)
    limit = float(np.log(len(distances.genuine) + len(distances.impostor)))
    places = np.arange(0, _LARGEST + _STEP / 2, _STEP)
    ratios = np.clip(float(fitted.intercept_[0]) + slope * places, -limit, limit) if slope < 0 else 0 * places
    return [[round(float(place), 3), round(float(ratio), 4)] for place, ratio in zip(places, ratios, strict=True)]


def _thinned(values: np.ndarray) -> np.ndarray:
    """Return at most `MOST_DISTANCES` of the ascending values, evenly spread."""
    kept = min(MOST_DISTANCES, len(values))
    return values[np.linspace(0, len(values) - 1, kept).round().astype(int)].astype(float)
