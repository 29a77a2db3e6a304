"""What the camera does to a picture: it moves, exposes by itself, blurs, and adds noise."""

import cv2
import numpy as np

from reidops.mot.synthetic.street import Street


class Lens:
    """One camera's course through a film; it moves only where the scene has a margin to move in."""

    def __init__(self, rng: np.random.Generator, street: Street, num_frames: int, frame_rate: float) -> None:
        """Draw the whole course of pan, shake, exposure and white balance."""
        self.street = street
        clock = np.arange(num_frames) / frame_rate
        self.path = _camera_path(rng, street.margin, clock)
        wander = np.sin(clock[:, None] * rng.uniform(0.5, 1.1, 4) + rng.uniform(0, 6.28, 4))
        self.gain = 1 + street.light.drift * wander[:, :1] + 0.045 * wander[:, 1:]
        grain = rng.standard_normal((street.height + 48, street.width + 48, 3), dtype=np.float32)
        self.grain = cv2.GaussianBlur(grain, (0, 0), 0.55) * 1.6 * street.light.noise
        rows, columns = np.linspace(-1, 1, street.height), np.linspace(-1, 1, street.width)
        self.vignette = cv2.merge([(1 - 0.13 * (rows[:, None] ** 2 + columns[None, :] ** 2)).astype(np.float32)] * 3)

    def offset(self, k: int) -> tuple[float, float]:
        """Return where the frame's corner lies on the canvas, px."""
        return float(self.path[k, 0]), float(self.path[k, 1])

    def expose(self, canvas: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        """Return the photograph of a canvas, uint8 [height, width, 3]."""
        street = self.street
        if street.margin:
            shift = np.array([[1, 0, -self.path[k, 0]], [0, 1, -self.path[k, 1]]])
            canvas = cv2.warpAffine(canvas, shift, (street.width, street.height), flags=cv2.INTER_LINEAR)
        sigma = street.light.blur * street.height / 360
        picture = cv2.GaussianBlur(canvas, (5, 5), sigma) * self.vignette
        y, x = rng.integers(0, 48, 2)
        grain = self.grain[y : y + street.height, x : x + street.width]
        return cv2.add(cv2.multiply(picture, np.array([*self.gain[k], 0.0])), grain, dtype=cv2.CV_8U)


def _camera_path(rng: np.random.Generator, margin: int, clock: np.ndarray) -> np.ndarray:
    """Return the frame's corner on the canvas, float [n, 2]: a slow pan and a hand's shake within `margin`."""
    sway = np.stack([np.sin(clock * 0.9 + rng.uniform(0, 6)), 0.4 * np.sin(clock * 1.3 + rng.uniform(0, 6))], axis=1)
    shake = np.zeros_like(sway)
    kicks = rng.normal(0, 0.035, sway.shape)
    for k in range(1, len(clock)):
        shake[k] = 0.8 * shake[k - 1] + kicks[k]
    return margin * np.clip(1 + 0.75 * sway + shake, 0, 2)
