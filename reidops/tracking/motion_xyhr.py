"""The Kalman motion model of BoostTrack: centre, height and aspect ratio of a box, with the same noise for every box.

After Stanojević and Todorović, "BoostTrack: boosting the similarity measure and detection confidence for improved
multiple object tracking", 2024. It is SORT's filter with the height in place of the area; the paper gives no variances,
so those of SORT are used, with a smaller one for the measured aspect ratio.
"""

from typing import ClassVar

import numpy as np

from reidops.tracking.motion import ConstantNoiseMotion

_HEIGHT, _HEIGHT_VELOCITY, _ASPECT, _ASPECT_VELOCITY = 2, 6, 3, 7


class XyhrMotion(ConstantNoiseMotion):
    """The state is (x, y, h, r, ẋ, ẏ, ḣ, ṙ): the centre [px], the height [px] and the ratio width / height.

    If the predicted height or ratio is not positive, its velocity is set to 0.
    """

    _size_velocities: ClassVar[tuple[int, ...]] = (_HEIGHT_VELOCITY,)
    _START: ClassVar[tuple[float, ...]] = (10, 10, 10, 10, 1e4, 1e4, 1e4, 1e4)
    _PROCESS: ClassVar[tuple[float, ...]] = (1, 1, 1, 1, 1e-2, 1e-2, 1e-2, 1e-2)
    _NOISE: ClassVar[tuple[float, ...]] = (1, 1, 10, 1e-2)

    def _keep_valid(self, means: np.ndarray) -> None:
        size, growth = means[:, _HEIGHT : _ASPECT + 1], means[:, _HEIGHT_VELOCITY : _ASPECT_VELOCITY + 1]
        growth[size + growth <= 0] = 0

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return centre x, centre y, height, width / height, [n, 4]; heights must be positive."""
        left, top, width, height = np.asarray(box_ltwh, dtype=float).T
        return np.array([left + width / 2, top + height / 2, height, width / height]).T

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        x, y, height, aspect = measured.T
        width = height * aspect
        return np.array([x - width / 2, y - height / 2, width, height]).T

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Transform the centre linearly, scale the height by the root of the determinant, keep the aspect ratio."""
        one = np.eye(4)
        one[:2, :2], one[_HEIGHT, _HEIGHT] = linear, np.sqrt(abs(np.linalg.det(linear)))
        return np.kron(np.eye(2), one)
