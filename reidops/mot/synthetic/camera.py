"""The camera of a drawn scene: where a point of the street lies in the picture.

World axes in metres: x to the right, y up from the ground, z away from the camera. The optical axis is level, so that
vertical edges stay vertical; the horizon lies where the camera's height meets infinity.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera above the street; `focal`, `centre` and `horizon` in px, `height` in metres."""

    focal: float
    centre: float
    horizon: float
    height: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return the pixels [n, 2] (x, y) of world points [n, 3] (x, y, z)."""
        scale = self.focal / points[:, 2]
        return np.stack(
            [self.centre + points[:, 0] * scale, self.horizon + (self.height - points[:, 1]) * scale], axis=1
        )

    def ground(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ground's (x, z) in metres under pixels below the horizon; rows nearer than 1 px to it count as 1
        px below.
        """
        z = self.focal * self.height / np.maximum(rows - self.horizon, 1.0)
        return (columns - self.centre) * z / self.focal, z

    def pixels_per_metre(self, z: float) -> float:
        """Return how many px a metre across the view takes at depth `z`."""
        return self.focal / z
