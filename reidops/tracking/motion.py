"""Where a track will be: Kalman filters with constant velocity, for all tracks at once.

After Wojke, Bewley and Paulus, "Simple online and realtime tracking with a deep association metric", 2017, section 2.1:
the state is (x, y, a, h, ẋ, ẏ, ȧ, ḣ), the centre [px], the aspect ratio width / height and the height [px] of a box and
their change per frame; a detection measures (x, y, a, h).
"""

from dataclasses import dataclass

import numpy as np

_DIM = 4
_TRANSITION = np.eye(2 * _DIM) + np.eye(2 * _DIM, k=_DIM)


@dataclass(frozen=True)
class State:
    """What is believed of n tracks: means [n, 8] and covariances [n, 8, 8]."""

    means: np.ndarray
    covariances: np.ndarray

    def __len__(self) -> int:
        return len(self.means)

    def __getitem__(self, rows: list[int]) -> "State":
        return State(self.means[rows], self.covariances[rows])

    def split(self) -> list["State"]:
        """Return each track's state by itself."""
        return [State(self.means[i : i + 1], self.covariances[i : i + 1]) for i in range(len(self))]


def stack(states: list[State]) -> State:
    """Return the tracks of all `states` as one."""
    if not states:
        return State(np.zeros((0, 2 * _DIM)), np.zeros((0, 2 * _DIM, 2 * _DIM)))
    return State(np.concatenate([s.means for s in states]), np.concatenate([s.covariances for s in states]))


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
class XyahMotion:
    """DeepSORT's filter. The standard deviations of place and size are shares of a person's height, of the aspect are absolute.

    A filter over other coordinates needs these same five methods: start, predict, correct, gate_distances, boxes.
    """

    position_std: float = 1 / 20  # of the height, per frame and per measurement
    velocity_std: float = 1 / 160  # of the height per frame, per frame
    aspect_std: float = 1e-2
    aspect_velocity_std: float = 1e-5
    measured_aspect_std: float = 1e-1

    def start(self, box_ltwh: np.ndarray) -> State:
        """Return tracks that stand still at the boxes [n, 4], with twice the usual doubt of place and ten times that of speed."""
        measured = ltwh_to_xyah(box_ltwh)
        position = self._spread(2 * self.position_std, self.aspect_std, measured[:, 3])
        velocity = self._spread(10 * self.velocity_std, self.aspect_velocity_std, measured[:, 3])
        means = np.concatenate([measured, np.zeros_like(measured)], axis=1)
        return State(means, _diagonals(np.concatenate([position, velocity], axis=1) ** 2))

    def predict(self, state: State) -> State:
        """Return the state one frame later."""
        height = state.means[:, 3]
        position = self._spread(self.position_std, self.aspect_std, height)
        velocity = self._spread(self.velocity_std, self.aspect_velocity_std, height)
        noise = _diagonals(np.concatenate([position, velocity], axis=1) ** 2)
        covariances = _TRANSITION @ state.covariances @ _TRANSITION.T + noise
        return State(state.means @ _TRANSITION.T, covariances)

    def correct(self, state: State, box_ltwh: np.ndarray) -> State:
        """Return the state after track i was seen at box i, [n, 4]."""
        measured_means, measured_covariances = self._measured(state)
        cross = state.covariances[:, :_DIM, :]  # = (P Hᵀ)ᵀ, for the measurement picks the first four of the state
        gains = np.linalg.solve(measured_covariances, cross).transpose(0, 2, 1)
        innovations = ltwh_to_xyah(box_ltwh) - measured_means
        means = state.means + (gains @ innovations[..., None])[..., 0]
        covariances = state.covariances - gains @ cross
        return State(means, (covariances + covariances.transpose(0, 2, 1)) / 2)

    def gate_distances(self, state: State, box_ltwh: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances of each track to each box, [num_tracks, num_boxes] (paper, equation 1)."""
        measured_means, measured_covariances = self._measured(state)
        innovations = ltwh_to_xyah(box_ltwh)[None] - measured_means[:, None]
        whitened = innovations @ np.linalg.inv(measured_covariances)
        return np.sum(whitened * innovations, axis=2)

    def boxes(self, state: State) -> np.ndarray:
        """Return where the tracks are believed to be, box_ltwh [n, 4]."""
        return xyah_to_ltwh(state.means[:, :_DIM])

    def _measured(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Return mean [n, 4] and covariance [n, 4, 4] of the boxes that the tracks would show."""
        spread = self._spread(self.position_std, self.measured_aspect_std, state.means[:, 3])
        return state.means[:, :_DIM], state.covariances[:, :_DIM, :_DIM] + _diagonals(spread**2)

    @staticmethod
    def _spread(of_height: float, aspect: float, height: np.ndarray) -> np.ndarray:
        """Return standard deviations of (x, y, a, h), [n, 4]."""
        return np.stack([of_height * height, of_height * height, np.full_like(height, aspect), of_height * height], axis=1)


def _diagonals(values: np.ndarray) -> np.ndarray:
    """Return diagonal matrices, [n, d, d] of [n, d]."""
    return values[:, :, None] * np.eye(values.shape[1])
