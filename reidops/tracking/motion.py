"""Kalman motion models with constant velocity, vectorized over all tracks.

Each model measures a box as four numbers. Its state holds these numbers and their change per frame. The models differ
in the numbers and in the noise covariances: `XyahMotion` is defined here, `XywhMotion` and `XysrMotion` in files of
their own.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

MEASURED = 4


@dataclass(frozen=True)
class State:
    """The Kalman state of n tracks: means [n, d] and covariances [n, d, d]."""

    means: np.ndarray
    covariances: np.ndarray

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, rows: np.ndarray | list[int] | slice) -> "State":
        """Return the tracks of these rows (numbers or a mask)."""
        return State(self.means[rows], self.covariances[rows])

    def replaced(self, rows: np.ndarray | list[int], state: "State") -> "State":
        """Return a copy in which `state` replaces the tracks of `rows`."""
        means, covariances = self.means.copy(), self.covariances.copy()
        means[rows], covariances[rows] = state.means, state.covariances
        return State(means, covariances)


def stack(states: list[State]) -> State:
    """Concatenate `states`, at least one; `motion.start(np.zeros((0, 4)))` is a state of no tracks."""
    return State(np.concatenate([s.means for s in states]), np.concatenate([s.covariances for s in states]))


class BoxMotion:
    """Base class of the Kalman motion models. A state holds the four numbers of a box, then the velocities of the first
    of them.

    A subclass defines the measurement (`measure`, `_unmeasure`), the initial, process-noise and measurement-noise
    variances, and the effect of camera motion on the state (`_warp_matrix`). The first `_num_velocities` of the four
    numbers have a velocity.
    """

    _num_velocities: ClassVar[int] = MEASURED
    # Indices of the velocities of a box's size. `predict` sets them to 0 for the tracks of its `keeps_size`.
    _size_velocities: ClassVar[tuple[int, ...]] = ()

    def start(self, box_ltwh: np.ndarray) -> State:
        """Return the initial state of tracks at the boxes [n, 4], with velocity 0."""
        measured = self.measure(box_ltwh)
        means = np.concatenate([measured, np.zeros((len(measured), self._num_velocities))], axis=1)
        return State(means, _diagonals(self._start_variances(measured)))

    def predict(self, state: State, keeps_size: np.ndarray | None = None) -> State:
        """Return the state one frame later.

        Args:
            keeps_size: mask [n] of tracks whose size velocity is set to 0. ByteTrack and BoT-SORT do so for tracks that
                were unmatched in the previous frame. None = no track.
        """
        means, covariances, moving = state.means.copy(), state.covariances.copy(), self._num_velocities
        if keeps_size is not None:
            for velocity in self._size_velocities:
                means[:, velocity][keeps_size] = 0
        self._keep_valid(means)
        means[:, :moving] += means[:, MEASURED:]
        # F P Fᵀ, where F adds the velocities to the first four numbers: first the rows, then the columns.
        covariances[:, :moving] += covariances[:, MEASURED:]
        covariances[:, :, :moving] += covariances[:, :, MEASURED:]
        return State(means, _with_diagonals(covariances, self._process_variances(state.means)))

    def correct(self, state: State, box_ltwh: np.ndarray, confidence: np.ndarray | None = None) -> State:
        """Return the state after the update of track i with box i, [n, 4].

        Args:
            confidence: [n], in 0 … 1 (clipped). A confidence c multiplies the measurement-noise variance by 1 − c (NSA
                Kalman, Du et al., "GIAOTracker", 2021, and StrongSORT, equation 1). None = the same noise for all
                detections.
        """
        return self.correct_measured(state, self.measure(box_ltwh), confidence)

    def correct_measured(self, state: State, measured: np.ndarray, confidence: np.ndarray | None = None) -> State:
        """Return the state as `correct` does, from the measurements of the boxes, [n, 4]."""
        noise = self._measured_variances(state.means)
        if confidence is not None:
            noise = noise * (1 - np.clip(confidence, 0, 1))[:, None]
        cross = state.covariances[:, :MEASURED, :]  # = (P Hᵀ)ᵀ, as the measurement selects the first four of the state
        measured_part = cross[:, :, :MEASURED]
        if _are_diagonal(measured_part):
            gains = cross / (_variances(measured_part) + noise)[:, :, None]  # transposed, [n, 4, d]
        else:
            gains = np.linalg.solve(_with_diagonals(measured_part.copy(), noise), cross)
        innovations = measured - state.means[:, :MEASURED]
        means = state.means + (innovations[:, None, :] @ gains)[:, 0]
        covariances = state.covariances - gains.transpose(0, 2, 1) @ cross
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        return State(means, covariances)

    def gate_distances(self, state: State, box_ltwh: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances of each track to each box, [num_tracks, num_boxes] (DeepSORT, equation
        1).
        """
        noise, measured = self._measured_variances(state.means), self.measure(box_ltwh)
        covariances = state.covariances[:, :MEASURED, :MEASURED]
        distances = np.zeros((len(state), len(measured)))
        # one of the four numbers at a time: an array [n, n, 4] of 10,000 boxes exceeds memory
        if _are_diagonal(covariances):
            variances = _variances(covariances) + noise
            for i in range(MEASURED):
                differences = measured[:, i] - state.means[:, i, None]
                differences *= differences
                differences /= variances[:, i, None]
                distances += differences
            return distances
        scatter = np.linalg.cholesky(_with_diagonals(covariances.copy(), noise))
        for whitener in np.linalg.inv(scatter).transpose(1, 0, 2):
            whitened = whitener @ measured.T
            whitened -= np.sum(whitener * state.means[:, :MEASURED], axis=1)[:, None]
            distances += np.square(whitened, out=whitened)
        return distances

    def boxes(self, state: State) -> np.ndarray:
        """Return the estimated boxes of the tracks, box_ltwh [n, 4]."""
        return self._unmeasure(state.means[:, :MEASURED])

    def warp(self, state: State, affine: np.ndarray) -> State:
        """Apply camera motion to the state: a point p of the previous frame moves to A p + b, with affine = [A | b],
        [2, 3].
        """
        matrix = self._warp_matrix(np.asarray(affine, dtype=float)[:, :2])
        means = state.means @ matrix.T
        means[:, :2] += affine[:, 2]
        return State(means, matrix @ state.covariances @ matrix.T)

    def warp_boxes(self, state: State, affine: np.ndarray) -> State:
        """Apply camera motion, as in `warp`, to two corners of each box; velocities and covariances do not change."""
        left_top, size = np.split(self.boxes(state), 2, axis=1)
        linear, offset = np.asarray(affine, dtype=float)[:, :2], np.asarray(affine, dtype=float)[:, 2]
        near, far = left_top @ linear.T + offset, (left_top + size) @ linear.T + offset
        means = state.means.copy()
        means[:, :MEASURED] = self.measure(np.concatenate([near, np.maximum(far - near, 1e-6)], axis=1))
        return State(means, state.covariances)

    def _keep_valid(self, means: np.ndarray) -> None:
        """Correct invalid means in place before the prediction."""

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Convert boxes to measurements, [n, 4]; sizes must be positive."""
        raise NotImplementedError

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        """Convert measurements to boxes, [n, 4]."""
        raise NotImplementedError

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        """Return the diagonal of the initial covariance of new tracks, [n, d]."""
        raise NotImplementedError

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        """Return the diagonal of the process-noise covariance, [n, d], or [d] if all tracks have the same."""
        raise NotImplementedError

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        """Return the diagonal of the measurement-noise covariance, [n, 4], or [4] if all tracks have the same."""
        raise NotImplementedError

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Return the matrix [d, d] that applies the linear part [2, 2] of a camera motion to a state."""
        raise NotImplementedError


class ConstantNoiseMotion(BoxMotion):
    """Base class of models whose variances are the same for every box.

    A subclass sets the diagonals of the initial [d], the process-noise [d] and the measurement-noise covariance [4].
    """

    _START: ClassVar[tuple[float, ...]]
    _PROCESS: ClassVar[tuple[float, ...]]
    _NOISE: ClassVar[tuple[float, ...]]

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        return np.tile(self._START, (len(measured), 1))

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        return np.asarray(self._PROCESS)

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        return np.asarray(self._NOISE)


def ltwh_to_xyah(box_ltwh: np.ndarray) -> np.ndarray:
    """Return centre x, centre y, width / height, height, [n, 4]; heights must be positive."""
    left, top, width, height = np.asarray(box_ltwh, dtype=float).T
    return np.array([left + width / 2, top + height / 2, width / height, height]).T


def xyah_to_ltwh(box_xyah: np.ndarray) -> np.ndarray:
    """Return left, top, width, height, [n, 4]."""
    x, y, aspect, height = np.asarray(box_xyah, dtype=float).T
    width = aspect * height
    return np.array([x - width / 2, y - height / 2, width, height]).T


@dataclass(frozen=True)
class XyahMotion(BoxMotion):
    """The Kalman motion model of DeepSORT, StrongSORT and ByteTrack (Wojke, Bewley and Paulus 2017, section 2.1).

    The state is (x, y, a, h, ẋ, ẏ, ȧ, ḣ): the centre [px], the aspect ratio width / height and the height [px] of a
    box, and their change per frame. The standard deviations of position and height are fractions of the box height.
    Those of the aspect ratio are absolute.
    """

    _size_velocities: ClassVar[tuple[int, ...]] = (7,)

    position_std: float = 1 / 20  # of the height, per frame and per measurement
    velocity_std: float = 1 / 160  # of the height per frame, per frame
    aspect_std: float = 1e-2
    aspect_velocity_std: float = 1e-5
    measured_aspect_std: float = 1e-1

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return centre x, centre y, width / height, height, [n, 4]; heights must be positive."""
        return ltwh_to_xyah(box_ltwh)

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        return xyah_to_ltwh(measured)

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        """Use twice the position and ten times the velocity standard deviation; those of the aspect ratio are not
        scaled.
        """
        place, speed = 2 * self.position_std, 10 * self.velocity_std
        return self._variances(measured[:, 3], (place, self.aspect_std), (speed, self.aspect_velocity_std))

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(
            means[:, 3], (self.position_std, self.aspect_std), (self.velocity_std, self.aspect_velocity_std)
        )

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(means[:, 3], (self.position_std, self.measured_aspect_std))

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Transform the centre linearly, scale the height by the square root of the determinant, keep the aspect
        ratio.
        """
        scale = np.sqrt(abs(np.linalg.det(linear)))
        one = np.zeros((MEASURED, MEASURED))
        one[:2, :2], one[2, 2], one[3, 3] = linear, 1, scale
        return np.kron(np.eye(2), one)

    @staticmethod
    def _variances(height: np.ndarray, *stds: tuple[float, float]) -> np.ndarray:
        """Return variances of (x, y, a, h), [n, 4] for each pair (fraction of the height, std of the aspect ratio),
        concatenated.
        """
        shares, absolute = _xyah_stds(stds)
        return (height[:, None] * shares + absolute) ** 2


@cache
def _xyah_stds(stds: tuple[tuple[float, float], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard deviations in shares of the height and the absolute ones, both [4 · num_pairs]."""
    shares = np.array([value for share, _ in stds for value in (share, share, 0, share)])
    absolute = np.array([value for _, aspect in stds for value in (0, 0, aspect, 0)])
    return shares, absolute


def _diagonals(values: np.ndarray) -> np.ndarray:
    """Return diagonal matrices [n, d, d] from values [n, d]."""
    return values[:, :, None] * np.eye(values.shape[1])


def _variances(covariances: np.ndarray) -> np.ndarray:
    """Return the diagonals of covariances [n, d, d], [n, d]."""
    return covariances.diagonal(axis1=1, axis2=2)


def _are_diagonal(covariances: np.ndarray) -> bool:
    """Return True if covariances [n, d, d] are 0 outside the diagonal: as long as no camera motion correlates them."""
    num, dim, _ = covariances.shape
    return np.count_nonzero(covariances) == num * dim


def _with_diagonals(matrices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Add values, [n, d] or [d], to the diagonals of contiguous matrices [n, d, d], in place, and return them."""
    num, dim, _ = matrices.shape
    matrices.reshape(num, dim * dim)[:, :: dim + 1] += values
    return matrices
