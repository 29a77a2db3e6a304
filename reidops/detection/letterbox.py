"""Letterbox a picture to the input size of a network, and map boxes back to the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

_GREY = 114  # padding value of YOLO
_STRIDE = 32  # px; sides of a free input are multiples of it, because most networks halve their maps five times


@dataclass(frozen=True)
class Placement:
    """The transform from a picture to the network's input: scale by `scale_x`, `scale_y`, then shift by `left`, `top`.

    The shift is in px of the input.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int

    def restore(self, box_ltrb: np.ndarray) -> np.ndarray:
        """Convert boxes [n, 4] from px of the network's input to px of the picture."""
        return (np.asarray(box_ltrb, dtype=float) - [self.left, self.top] * 2) / ([self.scale_x, self.scale_y] * 2)


def letterbox(picture: np.ndarray, height: int, width: int) -> tuple[np.ndarray, Placement]:
    """Return a picture uint8 [h, w, 3] scaled and centred on a grey one [height, width, 3], and its placement.

    The aspect ratio is kept.
    """
    old_height, old_width = picture.shape[:2]
    scale = min(height / old_height, width / old_width)
    return _place(picture, height, width, (max(1, round(old_height * scale)), max(1, round(old_width * scale))))


def pad(picture: np.ndarray, stride: int = _STRIDE) -> tuple[np.ndarray, Placement]:
    """Return a picture uint8 [h, w, 3] padded with grey to multiples of `stride` px, and its placement."""
    height, width = (-(-side // stride) * stride for side in picture.shape[:2])
    return _place(picture, height, width, picture.shape[:2])


def _place(picture: np.ndarray, height: int, width: int, size: tuple[int, int]) -> tuple[np.ndarray, Placement]:
    """Return a picture scaled to `size` (height, width) and centred on a grey one [height, width, 3]."""
    (old_height, old_width), (new_height, new_width) = picture.shape[:2], size
    top, left = (height - new_height) // 2, (width - new_width) // 2
    canvas = np.full((height, width, 3), _GREY, dtype=np.uint8)
    same = size == (old_height, old_width)
    canvas[top : top + new_height, left : left + new_width] = (
        picture if same else cv2.resize(picture, (new_width, new_height))
    )
    return canvas, Placement(new_width / old_width, new_height / old_height, left, top)
