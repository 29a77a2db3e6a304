"""The Kalman motion model of BoT-SORT: as DeepSORT's, with width and height, each with noise in proportion to its own
extent.

After Aharon, Orfaig and Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking", 2022, section 3.1 (the
state and its noise, equations 1 to 4) and 3.2 (the camera, equations 5 to 8).
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from reidops.tracking.motion import MEASURED, BoxMotion


@dataclass(frozen=True)
class XywhMotion(BoxMotion):
    """The state is (x, y, w, h, ẋ, ẏ, ẇ, ḣ): the centre, the width and the height of a box [px], and their change per
    frame.

    Standard deviations are fractions of the width for x and w, and of the height for y and h.
    """

    _size_velocities: ClassVar[tuple[int, ...]] = (6, 7)

    position_std: float = 1 / 20  # of the extent, per frame
    velocity_std: float = 1 / 160  # of the extent per frame, per frame
    measured_std: float = 1 / 20  # of the extent

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return centre x, centre y, width, height, [n, 4]."""
        left, top, width, height = np.asarray(box_ltwh, dtype=float).T
        return np.array([left + width / 2, top + height / 2, width, height]).T

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        x, y, width, height = measured.T
        return np.array([x - width / 2, y - height / 2, width, height]).T

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        """Use twice the position and ten times the velocity standard deviation."""
        return self._variances(measured, 2 * self.position_std, 10 * self.velocity_std)

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(means, self.position_std, self.velocity_std)

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(means, self.measured_std)

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Apply the linear part to each pair of the state, as published (equation 6)."""
        return np.kron(np.eye(4), linear)

    @staticmethod
    def _variances(means: np.ndarray, *shares: float) -> np.ndarray:
        """Return variances of (x, y, w, h), [n, 4] for each fraction of the extent, concatenated."""
        stds = means[:, None, 2:MEASURED] * _for_centre_and_extent(shares)
        return (stds * stds).reshape(len(means), MEASURED * len(shares))


@cache
def _for_centre_and_extent(shares: tuple[float, ...]) -> np.ndarray:
    """Return each share twice, [2 · num_shares, 1]: for the centre and for the extent."""
    return np.repeat(shares, 2)[:, None]
