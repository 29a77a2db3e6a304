"""The Kalman motion model of the evidence tracker: a velocity in seconds that decays to zero with time.

The velocity of the foot point is an Ornstein–Uhlenbeck process: it keeps its direction for about `decay` seconds and
has the standard deviation of a pedestrian's velocity at any time. After a short gap the model is one of constant
velocity; after a long gap the position spreads as in a random walk, so a lost track is not carried out of the picture.
The equations are those of the integrated Ornstein–Uhlenbeck process (Gillespie 1996, "Exact numerical simulation of the
Ornstein-Uhlenbeck process and its integral").
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reidops.tracking.motion import MEASURED, BoxMotion, State

LARGEST_ASPECT_STD = 0.3  # bounds the growth of the uncertainty of the log aspect ratio: the shape of a person is known


@dataclass(frozen=True)
class DecayingMotion(BoxMotion):
    """The state is (x, y, log a, log h, ẋ, ẏ): the foot point [px], the aspect ratio width / height, the height [px],
    and the velocity of the foot point [px/s].

    Lengths and velocities are in fractions of the height of the box, so the same values hold at any distance from the
    camera.

    Attributes:
        seconds: time from the previous frame to the current one.
        speed_std: standard deviation of the velocity in x and in y, heights per second.
        decay: correlation time of the velocity, s.
        aspect_std, height_std: growth of the uncertainty of log a and log h, per square root of a second.
        measured_std: standard deviation of a detection's x, y (heights), log a and log h.
    """

    _num_velocities: ClassVar[int] = 2

    seconds: float
    speed_std: tuple[float, float]
    decay: float
    aspect_std: float
    height_std: float
    measured_std: tuple[float, float, float, float]

    def predict(self, state: State, keeps_size: np.ndarray | None = None) -> State:
        """Return the state `seconds` later; `keeps_size` has no effect, as sizes have no velocity."""
        kept = np.exp(-self.seconds / self.decay)
        transition = np.eye(MEASURED + 2)
        transition[[0, 1], [4, 5]] = self.decay * (1 - kept)
        transition[[4, 5], [4, 5]] = kept
        covariances = transition @ state.covariances @ transition.T + self._process_covariances(state.means)
        covariances[:, 2, 2] = np.minimum(covariances[:, 2, 2], LARGEST_ASPECT_STD**2)
        return State(state.means @ transition.T, covariances)

    def log_densities(self, state: State, measured: np.ndarray, freedom: float) -> tuple[np.ndarray, np.ndarray]:
        """Return squared Mahalanobis distances and log densities of the boxes given each track, both [n, num_boxes].

        The density is a multivariate Student's t in the units of a measurement, so a sudden move is unlikely but not
        impossible. The four numbers are treated as independent: only a rotation of the camera would correlate them.

        Args:
            measured: [num_boxes, 4], see `measure`.
            freedom: degrees of freedom of the distribution.
        """
        variances = np.einsum("nii->ni", state.covariances)[:, :MEASURED] + self._measured_variances(state.means)
        distances = np.zeros((len(state), len(measured)))
        for axis in range(MEASURED):  # one at a time: an array [n, num_boxes, 4] of 10,000 boxes exceeds memory
            differences = measured[:, axis] - state.means[:, axis, None]
            distances += differences * differences / variances[:, axis, None]
        volumes = np.log(variances).sum(axis=1) / 2
        tails = (freedom + MEASURED) / 2 * np.log1p(distances / freedom)
        # Γ(ν/2 + 2) / Γ(ν/2) = (ν/2)(ν/2 + 1), for the four dimensions of a measurement
        scale = np.log(freedom / 2 * (freedom / 2 + 1)) - MEASURED / 2 * np.log(freedom * np.pi)
        return distances, scale - volumes[:, None] - tails

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return x, y, log a and log h of boxes, [n, 4]; widths and heights must be positive."""
        left, top, width, height = np.asarray(box_ltwh, dtype=float).T
        return np.array([left + width / 2, top + height, np.log(width / height), np.log(height)]).T

    def warp(self, state: State, affine: np.ndarray) -> State:
        """Apply camera motion [2, 3]: foot points and velocities are transformed, heights scaled."""
        moved = super().warp(state, affine)
        moved.means[:, 3] += np.log(np.sqrt(abs(np.linalg.det(np.asarray(affine, dtype=float)[:, :2]))))
        return moved

    def _process_covariances(self, means: np.ndarray) -> np.ndarray:
        """Return the covariance that is added in `seconds`, [n, 6, 6]."""
        ratio, kept = self.seconds / self.decay, np.exp(-self.seconds / self.decay)
        added = np.zeros((len(means), MEASURED + 2, MEASURED + 2))
        for place, speed_std in enumerate(self.speed_std):
            variance, velocity = (speed_std * np.exp(means[:, 3])) ** 2, MEASURED + place
            added[:, place, place] = variance * self.decay**2 * (2 * ratio - 3 + 4 * kept - kept**2)
            added[:, place, velocity] = added[:, velocity, place] = variance * self.decay * (1 - kept) ** 2
            added[:, velocity, velocity] = variance * (1 - kept**2)
        added[:, 2, 2], added[:, 3, 3] = self.seconds * self.aspect_std**2, self.seconds * self.height_std**2
        return added

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        x, y, log_aspect, log_height = measured.T
        height = np.exp(log_height)
        width = height * np.exp(log_aspect)
        return np.array([x - width / 2, y - height, width, height]).T

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        speeds = np.exp(measured[:, 3])[:, None] * np.array(self.speed_std)
        return np.concatenate([self._measured_variances(measured), speeds**2], axis=1)

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        lengths = np.exp(means[:, 3])[:, None] * np.array(self.measured_std[:2])
        logarithms = np.broadcast_to(self.measured_std[2:], (len(means), 2))
        return np.concatenate([lengths, logarithms], axis=1) ** 2

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        matrix = np.eye(MEASURED + 2)
        matrix[:2, :2] = matrix[MEASURED:, MEASURED:] = linear
        return matrix
