"""The one-to-one assignment of tracks to people that IDF1 is based on."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign_identities(num_together: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return people and tracks of the one-to-one assignment with the most boxes in common (the largest IDTP).

    `num_together` counts the boxes that each person and each track have in common, [num_people, num_tracks].
    """
    return linear_sum_assignment(num_together, maximize=True)
