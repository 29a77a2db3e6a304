"""Pictures with transparency: where they lie on a canvas, how they are laid over it, and who is seen where
afterwards.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Sprite:
    """A picture with transparency: premultiplied BGR float32 [h, w, 3], alpha float32 [h, w] in 0 … 1, its corner in
    px.
    """

    bgr: np.ndarray
    alpha: np.ndarray
    left: int
    top: int


def trimmed(bgra: np.ndarray, left: int, top: int) -> Sprite:
    """Return a sprite of what is not transparent of a premultiplied picture uint8 [h, w, 4] whose corner is given."""
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(bgra[..., 3]))
    part = bgra[y : y + height, x : x + width].astype(np.float32)
    return Sprite(np.ascontiguousarray(part[..., :3]), part[..., 3] / 255, left + x, top + y)


def overlap(sprite: Sprite, shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of a canvas of `shape` that a sprite lies on, and the part of the sprite that lies there."""
    height, width = sprite.alpha.shape
    top, left = (min(max(edge, 0), size) for edge, size in zip((sprite.top, sprite.left), shape, strict=True))
    bottom, right = max(top, min(sprite.top + height, shape[0])), max(left, min(sprite.left + width, shape[1]))
    own = slice(top - sprite.top, bottom - sprite.top), slice(left - sprite.left, right - sprite.left)
    return (slice(top, bottom), slice(left, right)), own


def paste(
    canvas: np.ndarray, sprite: Sprite, gain: np.ndarray | None = None, through: np.ndarray | None = None
) -> None:
    """Lay a sprite over the canvas float32 [h, w, 3] in place, in its light; `through` [h, w] lets only a share of it
    show.
    """
    there, own = overlap(sprite, canvas.shape[:2])
    region, alpha, bgr = canvas[there], sprite.alpha[own], sprite.bgr[own]
    if region.size == 0:
        return
    if gain is not None:
        bgr = cv2.multiply(bgr, np.array([*gain, 0.0]))
    if through is not None:
        alpha, bgr = alpha * through[there], bgr * through[there][..., None]
    region *= cv2.merge([1 - alpha] * 3)
    region += bgr


class Owners:
    """Who is seen at each pixel of the canvas; sprites are laid down from far to near."""

    def __init__(self, height: int, width: int) -> None:
        """Start without people; −1 is the backdrop, −2 furniture."""
        self.map = np.full((height, width), -1, np.int16)

    def cover(self, sprite: Sprite, owner: int, through: np.ndarray | None = None) -> None:
        """Give the pixels of a sprite to `owner`; `through` [h, w] is a canvas-wide mask it is seen through."""
        canvas, own = overlap(sprite, self.map.shape)
        shown = sprite.alpha[own] > 0.5
        if through is not None:
            shown &= through[canvas] > 0.5
        self.map[canvas][shown] = owner

    def visibility(
        self, sprite: Sprite, owner: int, window: tuple[slice, slice]
    ) -> tuple[float, tuple[float, float, float, float] | None]:
        """Return which share of a sprite its owner shows inside the frame's window of the canvas, and the box of what
        is seen.
        """
        canvas, own = overlap(sprite, self.map.shape)
        seen = (self.map[canvas] == owner) & (sprite.alpha[own] > 0.5)
        rows, columns = (_within(part, frame) for part, frame in zip(canvas, window, strict=True))
        seen = seen[rows, columns]
        share = seen.sum() / max(1, int((sprite.alpha > 0.5).sum()))
        if not seen.any():
            return 0.0, None
        left, top, right, bottom = extent(seen)
        x, y = canvas[1].start + columns.start, canvas[0].start + rows.start
        return float(share), (left + x, top + y, right + x, bottom + y)


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the true part of a mask [h, w], right and bottom exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _within(part: slice, frame: slice) -> slice:
    """Return where `frame` lies inside `part`, counted from the start of `part`."""
    start = max(part.start, frame.start)
    return slice(start - part.start, max(start, min(part.stop, frame.stop)) - part.start)
