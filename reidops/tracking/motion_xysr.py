"""The Kalman motion model of SORT and OC-SORT: centre, area and aspect ratio of a box, with the same noise for every
box.

After Bewley, Ge, Ott, Ramos and Upcroft, "Simple online and realtime tracking", 2016, section 3.2. The paper gives no
noise values. The variances are those of the published code of SORT and OC-SORT.
"""

from typing import ClassVar

import numpy as np

from reidops.tracking.motion import ConstantNoiseMotion

_AREA, _AREA_VELOCITY = 2, 6


class XysrMotion(ConstantNoiseMotion):
    """The state is (x, y, s, r, ẋ, ẏ, ṡ): the centre [px], the area [px²] and the ratio width / height, which has no
    velocity.

    If the predicted area is not positive, the area velocity is set to 0.
    """

    _num_velocities: ClassVar[int] = 3
    _size_velocities: ClassVar[tuple[int, ...]] = (_AREA_VELOCITY,)
    # The initial variance of the velocities is large. Their process noise is small, that of the area velocity the
    # smallest.
    _START: ClassVar[tuple[float, ...]] = (10, 10, 10, 10, 1e4, 1e4, 1e4)
    _PROCESS: ClassVar[tuple[float, ...]] = (1, 1, 1, 1, 1e-2, 1e-2, 1e-4)
    _NOISE: ClassVar[tuple[float, ...]] = (1, 1, 10, 10)

    def _keep_valid(self, means: np.ndarray) -> None:
        area_velocity = means[:, _AREA_VELOCITY]
        area_velocity[means[:, _AREA] + area_velocity <= 0] = 0

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return centre x, centre y, area, width / height, [n, 4]; heights must be positive."""
        left, top, width, height = np.asarray(box_ltwh, dtype=float).T
        return np.array([left + width / 2, top + height / 2, width * height, width / height]).T

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        x, y, area, aspect = measured.T
        area, aspect = np.maximum(area, 0), np.maximum(aspect, 1e-6)
        width, height = np.sqrt(area * aspect), np.sqrt(area / aspect)
        return np.array([x - width / 2, y - height / 2, width, height]).T

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Transform the centre linearly, scale the area by the determinant, keep the aspect ratio."""
        matrix = np.eye(7)
        matrix[:2, :2] = matrix[4:6, 4:6] = linear
        matrix[_AREA, _AREA] = matrix[_AREA_VELOCITY, _AREA_VELOCITY] = abs(np.linalg.det(linear))
        return matrix
