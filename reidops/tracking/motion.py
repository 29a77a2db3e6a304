"""Where a track will be: Kalman filters with constant velocity, for all tracks at once.

Every filter here measures a box in four numbers and believes in them and in their change per frame; which numbers, and with
how much doubt, is what tells one from another: `XyahMotion` here, `XywhMotion` and `XysrMotion` in files of their own.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

MEASURED = 4


@dataclass(frozen=True)
class State:
    """What is believed of n tracks: means [n, d] and covariances [n, d, d]."""

    means: np.ndarray
    covariances: np.ndarray

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, rows: np.ndarray | list[int] | slice) -> "State":
        """Return the tracks of these rows (numbers or a mask)."""
        return State(self.means[rows], self.covariances[rows])

    def replaced(self, rows: np.ndarray | list[int], state: "State") -> "State":
        """Return the same tracks but for `rows`, of which `state` tells."""
        means, covariances = self.means.copy(), self.covariances.copy()
        means[rows], covariances[rows] = state.means, state.covariances
        return State(means, covariances)


def stack(states: list[State]) -> State:
    """Return the tracks of all `states`, at least one, in one; `motion.start(np.zeros((0, 4)))` is a state of no tracks."""
    return State(np.concatenate([s.means for s in states]), np.concatenate([s.covariances for s in states]))


class BoxMotion:
    """A Kalman filter over boxes: its arithmetic, once. A state is the four numbers of a box, then how the first of them change.

    A filter says which numbers they are (`_measure`, `_unmeasure`), how much is doubted (three methods of variances) and what a
    camera's turn does to them (`_warp_matrix`); `_num_velocities` of the numbers change.
    """

    _num_velocities: ClassVar[int] = MEASURED
    # The rates of a box's size: a track that nobody sees keeps its size where a tracker asks for it.
    _size_velocities: ClassVar[tuple[int, ...]] = ()

    def start(self, box_ltwh: np.ndarray) -> State:
        """Return tracks that stand still at the boxes [n, 4]."""
        measured = self._measure(box_ltwh)
        means = np.concatenate([measured, np.zeros((len(measured), self._num_velocities))], axis=1)
        return State(means, _diagonals(self._start_variances(measured)))

    def predict(self, state: State, keeps_size: np.ndarray | None = None) -> State:
        """Return the state one frame later.

        Args:
            keeps_size: mask [n] of tracks whose size is believed not to change any more, as ByteTrack and BoT-SORT do with those
                that were not seen in the frame before; None = none of them.
        """
        means, covariances, moving = state.means.copy(), state.covariances.copy(), self._num_velocities
        if keeps_size is not None:
            means[np.ix_(keeps_size, self._size_velocities)] = 0
        self._guard(means)
        means[:, :moving] += means[:, MEASURED:]
        # F P Fᵀ, where F adds the rates to what they change: first the rows, then the columns.
        covariances[:, :moving] += covariances[:, MEASURED:]
        covariances[:, :, :moving] += covariances[:, :, MEASURED:]
        return State(means, _with_diagonals(covariances, self._process_variances(state.means)))

    def correct(self, state: State, box_ltwh: np.ndarray, confidence: np.ndarray | None = None) -> State:
        """Return the state after track i was seen at box i, [n, 4].

        Args:
            confidence: [n], in 0 … 1 (clipped); a confident detection is believed more: its noise is (1 − c) of the usual
                (NSA Kalman, Du et al., "GIAOTracker", 2021, and StrongSORT, equation 1). None = all alike.
        """
        noise = self._measured_variances(state.means)
        if confidence is not None:
            noise = noise * (1 - np.clip(confidence, 0, 1))[:, None]
        cross = state.covariances[:, :MEASURED, :]  # = (P Hᵀ)ᵀ, for the measurement picks the first four of the state
        gains = np.linalg.solve(_with_diagonals(cross[:, :, :MEASURED].copy(), noise), cross)  # transposed, [n, 4, d]
        innovations = self._measure(box_ltwh) - state.means[:, :MEASURED]
        means = state.means + (innovations[:, None, :] @ gains)[:, 0]
        covariances = state.covariances - gains.transpose(0, 2, 1) @ cross
        return State(means, (covariances + covariances.transpose(0, 2, 1)) / 2)

    def gate_distances(self, state: State, box_ltwh: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances of each track to each box, [num_tracks, num_boxes] (DeepSORT, equation 1)."""
        noise = self._measured_variances(state.means)
        scatter = np.linalg.cholesky(_with_diagonals(state.covariances[:, :MEASURED, :MEASURED].copy(), noise))
        whiteners, measured = np.linalg.inv(scatter), self._measure(box_ltwh)
        distances = np.zeros((len(state), len(measured)))
        for whitener in whiteners.transpose(1, 0, 2):  # one row of each at a time: 10,000 boxes leave no room for [n, n, 4]
            whitened = whitener @ measured.T
            whitened -= np.sum(whitener * state.means[:, :MEASURED], axis=1)[:, None]
            distances += np.square(whitened, out=whitened)
        return distances

    def boxes(self, state: State) -> np.ndarray:
        """Return where the tracks are believed to be, box_ltwh [n, 4]."""
        return self._unmeasure(state.means[:, :MEASURED])

    def warp(self, state: State, affine: np.ndarray) -> State:
        """Return the state in the picture of a camera that moved: a point p of the frame before is at A p + b, affine = [A | b], [2, 3]."""
        matrix = self._warp_matrix(np.asarray(affine, dtype=float)[:, :2])
        means = state.means @ matrix.T
        means[:, :2] += affine[:, 2]
        return State(means, matrix @ state.covariances @ matrix.T)

    def warp_boxes(self, state: State, affine: np.ndarray) -> State:
        """Return the state with the two corners of each box moved by a camera's motion as in `warp`; speeds and covariances stay."""
        left_top, size = np.split(self.boxes(state), 2, axis=1)
        linear, offset = np.asarray(affine, dtype=float)[:, :2], np.asarray(affine, dtype=float)[:, 2]
        near, far = left_top @ linear.T + offset, (left_top + size) @ linear.T + offset
        means = state.means.copy()
        means[:, :MEASURED] = self._measure(np.concatenate([near, np.maximum(far - near, 1e-6)], axis=1))
        return State(means, state.covariances)

    def _guard(self, means: np.ndarray) -> None:
        """Take back what cannot be, in place, before the state is carried one frame on."""

    def _measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return the filter's numbers of boxes, [n, 4]; their sizes must be positive."""
        raise NotImplementedError

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        """Return the boxes of the filter's numbers, [n, 4]."""
        raise NotImplementedError

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        """Return what is doubted of new tracks, [n, d]."""
        raise NotImplementedError

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        """Return the doubt that a frame adds, [n, d]."""
        raise NotImplementedError

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        """Return the noise of a detection, [n, 4]."""
        raise NotImplementedError

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """Return what the linear part [2, 2] of a camera's motion does to a state, [d, d]."""
        raise NotImplementedError


def ltwh_to_xyah(box_ltwh: np.ndarray) -> np.ndarray:
    """Return centre x, centre y, width / height, height, [n, 4]; heights must be positive."""
    left, top, width, height = np.asarray(box_ltwh, dtype=float).T
    return np.stack([left + width / 2, top + height / 2, width / height, height], axis=1)


def xyah_to_ltwh(box_xyah: np.ndarray) -> np.ndarray:
    """Return left, top, width, height, [n, 4]."""
    x, y, aspect, height = np.asarray(box_xyah, dtype=float).T
    width = aspect * height
    return np.stack([x - width / 2, y - height / 2, width, height], axis=1)


@dataclass(frozen=True)
class XyahMotion(BoxMotion):
    """The filter of DeepSORT, StrongSORT and ByteTrack (Wojke, Bewley and Paulus 2017, section 2.1).

    The state is (x, y, a, h, ẋ, ẏ, ȧ, ḣ), the centre [px], the aspect ratio width / height and the height [px] of a box and their
    change per frame. The standard deviations of place and size are shares of a person's height, of the aspect are absolute.
    """

    _size_velocities: ClassVar[tuple[int, ...]] = (7,)

    position_std: float = 1 / 20  # of the height, per frame and per measurement
    velocity_std: float = 1 / 160  # of the height per frame, per frame
    aspect_std: float = 1e-2
    aspect_velocity_std: float = 1e-5
    measured_aspect_std: float = 1e-1

    def _measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        return ltwh_to_xyah(box_ltwh)

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        return xyah_to_ltwh(measured)

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        """Twice the usual doubt of place and ten times that of speed, but for the aspect."""
        place, speed = 2 * self.position_std, 10 * self.velocity_std
        return self._variances(measured[:, 3], (place, self.aspect_std), (speed, self.aspect_velocity_std))

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(means[:, 3], (self.position_std, self.aspect_std), (self.velocity_std, self.aspect_velocity_std))

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        return self._variances(means[:, 3], (self.position_std, self.measured_aspect_std))

    def _warp_matrix(self, linear: np.ndarray) -> np.ndarray:
        """The centre moves with the picture, the height grows as its lengths do on average, the aspect stays."""
        scale = np.sqrt(abs(np.linalg.det(linear)))
        one = np.zeros((MEASURED, MEASURED))
        one[:2, :2], one[2, 2], one[3, 3] = linear, 1, scale
        return np.kron(np.eye(2), one)

    @staticmethod
    def _variances(height: np.ndarray, *stds: tuple[float, float]) -> np.ndarray:
        """Return variances of (x, y, a, h), [n, 4] for each pair (share of the height, std of the aspect), side by side."""
        shares = np.array([value for share, _ in stds for value in (share, share, 0, share)])
        absolute = np.array([value for _, aspect in stds for value in (0, 0, aspect, 0)])
        return (height[:, None] * shares + absolute) ** 2


def _diagonals(values: np.ndarray) -> np.ndarray:
    """Return diagonal matrices, [n, d, d] of [n, d]."""
    return values[:, :, None] * np.eye(values.shape[1])


def _with_diagonals(matrices: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Add values [n, d] to the diagonals of matrices [n, d, d], in place, and return them."""
    each = np.arange(values.shape[1])
    matrices[:, each, each] += values
    return matrices
