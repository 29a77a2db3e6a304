"""A canvas that is painted in world coordinates, supersampled, and handed out as a sprite."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import ArrayLike

from reidops.mot.synthetic.camera import Camera
from reidops.mot.synthetic.figure import SHIFT
from reidops.mot.synthetic.sprite import Sprite, trimmed

SAMPLES = 2  # painted pixels per frame pixel, each way

Colour = tuple[int, int, int]


class Painter:
    """Paints polygons whose corners are points of the street, onto a canvas that covers a rectangle of the frame."""

    def __init__(self, camera: Camera, left: int, top: int, width: int, height: int) -> None:
        """Start with a transparent canvas; all arguments in px of the frame."""
        self.camera, self.left, self.top, self.size = camera, left, top, (width, height)
        self.canvas = np.zeros((height * SAMPLES, width * SAMPLES, 4), np.uint8)

    @classmethod
    def around(cls, camera: Camera, corners: np.ndarray) -> "Painter":
        """Start a canvas that covers the world points [n, 3] and a few px around them."""
        pixels = camera.project(corners)
        low, high = np.floor(pixels.min(axis=0)).astype(int) - 3, np.ceil(pixels.max(axis=0)).astype(int) + 3
        return cls(camera, int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    def pixels(self, points: ArrayLike) -> np.ndarray:
        """Return where world points [n, 3] lie on the canvas, [n, 2]."""
        return (self.camera.project(np.asarray(points, float)) - (self.left, self.top)) * SAMPLES

    def polygon(self, points: list[tuple[float, float, float]] | np.ndarray, colour: Colour) -> None:
        """Fill a polygon of world points."""
        fixed = (self.pixels(points) * 2**SHIFT).round().astype(np.int32)
        cv2.fillPoly(self.canvas, [fixed], (*colour, 255), cv2.LINE_8, SHIFT)

    def rect(self, x: tuple[float, float], y: tuple[float, float], z: float, colour: Colour) -> None:
        """Fill an upright rectangle that faces the camera."""
        self.polygon([(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)], colour)

    def ramp(
        self, x: tuple[float, float], y: tuple[float, float], z: float, colours: tuple[Colour, Colour], steps: int = 12
    ) -> None:
        """Fill an upright rectangle with a colour that changes from left to right."""
        edges = np.linspace(*x, steps + 1)
        for k in range(steps):
            self.rect((edges[k], edges[k + 1]), y, z, mixed(*colours, k / max(1, steps - 1)))

    def disc(self, centre: tuple[float, float, float], radius: float, colour: Colour) -> None:
        """Fill a disc that faces the camera."""
        middle = np.round(self.pixels([centre])[0] * 2**SHIFT).astype(int)
        size = int(radius * self.camera.pixels_per_metre(centre[2]) * SAMPLES * 2**SHIFT)
        cv2.circle(self.canvas, (int(middle[0]), int(middle[1])), size, (*colour, 255), -1, cv2.LINE_8, SHIFT)

    def text(self, words: str, corner: tuple[float, float, float], height: float, colour: Colour) -> None:
        """Write capitals `height` metres high, from the lower left `corner` on."""
        x, y = np.round(self.pixels([corner])[0]).astype(int)
        size = height * self.camera.pixels_per_metre(corner[2]) * SAMPLES
        cv2.putText(
            self.canvas,
            words,
            (int(x), int(y)),
            cv2.FONT_HERSHEY_DUPLEX,
            size / 22,
            (*colour, 255),
            max(1, round(size / 9)),
            cv2.LINE_8,
        )

    def sprite(self, gain: np.ndarray) -> Sprite:
        """Return what was painted at the frame's resolution, every colour multiplied by `gain` [3]."""
        sprite = trimmed(cv2.resize(self.canvas, self.size, interpolation=cv2.INTER_AREA), self.left, self.top)
        return replace(sprite, bgr=sprite.bgr * gain)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Return `a` with `share` of `b` in it."""
    blue, green, red = (int(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return blue, green, red


def toned(colour: Colour, factor: float) -> Colour:
    """Return a colour, `factor` times as bright."""
    blue, green, red = (int(min(255, value * factor)) for value in colour)
    return blue, green, red
