"""A person as a picture: a walking skeleton with shaded limbs and wrapped textures.

The skeleton is turned to the walking direction, put on the street and projected joint by joint, so that front, side and
back views and their foreshortening come by themselves.
"""

import math

import cv2
import numpy as np

from reidops.mot.synthetic.camera import Camera
from reidops.mot.synthetic.people import Appearance, Colour, garment_texture, head_texture
from reidops.mot.synthetic.skeleton import Stance, skeleton
from reidops.mot.synthetic.sprite import Sprite, trimmed
from reidops.mot.synthetic.wrapping import TILE, wrapped

SUPERSAMPLING = 2
SHIFT = 4  # OpenCV's fixed-point bits for coordinates
FACING_STEP = np.pi / 36


class Figure:
    """One person ready to be drawn: appearance and the textures that are made of it once."""

    def __init__(self, appearance: Appearance, light: float = 0.5) -> None:
        """Dress the person; `light` is the sun's direction around the body as seen by the camera, rad, positive from
        the right.
        """
        self.appearance = appearance
        self.light = light
        self.textures = {
            "top": garment_texture(appearance.top),
            "bottom": garment_texture(appearance.bottom),
            "head": head_texture(appearance),
        }
        self._tiles: dict[tuple[str, str, int], np.ndarray] = {}

    def tile(self, texture: str, shape: str, facing: float) -> np.ndarray:
        """Return a texture wrapped round a shape as seen from `facing` [rad], in steps of 5°; wrapped once, then
        kept.
        """
        key = (texture, shape, round(facing / FACING_STEP))
        if key not in self._tiles:
            self._tiles[key] = wrapped(self.textures[texture], shape, key[2] * FACING_STEP, self.light)
        return self._tiles[key]

    def draw(self, stance: Stance, camera: Camera) -> Sprite:
        """Draw the person in this stance."""
        return _Drawing(self, stance, camera).sprite()


class _Drawing:
    """One figure in one stance on its way to a sprite."""

    def __init__(self, figure: Figure, stance: Stance, camera: Camera) -> None:
        self.figure, self.appearance, self.camera = figure, figure.appearance, camera
        self.forward = np.array([stance.heading[0], stance.heading[1]])
        joints = skeleton(stance, self.appearance.height, self.appearance.girth)
        names, body = list(joints), np.array(list(joints.values()))
        world = self._world(stance, body)
        pixels = camera.project(world)
        self.scale = camera.pixels_per_metre(stance.z) * SUPERSAMPLING
        margin = 0.16 * self.appearance.height * camera.pixels_per_metre(stance.z)
        self.left, self.top = (int(value) for value in np.floor(pixels.min(axis=0) - margin))
        width, height = (int(value) for value in np.ceil(pixels.max(axis=0) + margin))
        self.canvas = np.zeros(((height - self.top) * SUPERSAMPLING, (width - self.left) * SUPERSAMPLING, 4), np.uint8)
        self.pixel = dict(zip(names, (pixels - (self.left, self.top)) * SUPERSAMPLING, strict=True))
        self.depth = dict(zip(names, world[:, 2], strict=True))
        self.facing = self._facing(stance)
        self.across = abs(np.cos(self.facing))

    def _world(self, stance: Stance, body: np.ndarray) -> np.ndarray:
        """Return body points [n, 3] on the street."""
        right = np.array([self.forward[1], -self.forward[0]])
        ground = body[:, :1] * right + body[:, 2:] * self.forward + (stance.x, stance.z)
        return np.stack([ground[:, 0], body[:, 1], ground[:, 1]], axis=1)

    def _facing(self, stance: Stance) -> float:
        """Return the angle around the body under which the camera sees it: 0 from the front, positive from its
        right.
        """
        towards = -np.array([stance.x, stance.z]) / np.hypot(stance.x, stance.z)
        right = np.array([self.forward[1], -self.forward[0]])
        return float(np.arctan2(towards @ right, towards @ self.forward))

    def sprite(self) -> Sprite:
        """Draw the far parts first and return the picture at the frame's own resolution."""
        near, far = sorted(("left", "right"), key=lambda side: self.depth[f"{side}_shoulder"])
        seen_from_behind = np.cos(self.facing) < 0
        self._bag(behind=True) if not seen_from_behind else None
        self._hair_fall() if not seen_from_behind else None
        self._arm(far)
        for side in sorted(("left", "right"), key=lambda side: -self.depth[f"{side}_knee"]):
            self._leg(side)
        self._trunk()
        self._head()
        self._hair_fall() if seen_from_behind else None
        self._bag(behind=True) if seen_from_behind else None
        self._arm(near)
        self._bag(behind=False)
        return self._reduced()

    def _reduced(self) -> Sprite:
        """Return the supersampled picture, averaged down to the frame's resolution."""
        size = (self.canvas.shape[1] // SUPERSAMPLING, self.canvas.shape[0] // SUPERSAMPLING)
        small = cv2.resize(self.canvas, size, interpolation=cv2.INTER_AREA)
        return trimmed(small, self.left, self.top)

    def _limb(self, start: str, end: str, widths: tuple[float, float], colour: Colour) -> None:
        """Draw a tapered limb between two joints, lit from one side; `widths` in parts of the body's height, at both
        ends.
        """
        half = self.appearance.height * self.scale / 2
        a, b, radii = self.pixel[start], self.pixel[end], (widths[0] * half, widths[1] * half)
        mean = (radii[0] + radii[1]) / 2
        if mean < 5.5:  # a taper of less than a pixel is not seen
            self._stroke(a, b, 2 * mean, _tone(colour, 0.7))
        else:
            self._capsule(a, b, radii, _tone(colour, 0.7))
        lit = np.array([np.sin(self.figure.light), -0.25]) * mean * 0.42
        self._stroke(a + lit, b + lit, 1.3 * mean, _tone(colour, 1.0))
        if mean > 3:
            self._stroke(a + 1.5 * lit, b + 1.5 * lit, 0.6 * mean, _tone(colour, 1.12))

    def _stroke(self, a: np.ndarray, b: np.ndarray, width: float, colour: tuple[int, ...]) -> None:
        """Draw a line with round ends, `width` in px of the canvas."""
        cv2.line(self.canvas, _fixed(a), _fixed(b), colour, max(1, round(width)), cv2.LINE_8, SHIFT)

    def _dot(self, centre: np.ndarray, radius: float, colour: tuple[int, ...]) -> None:
        """Fill a circle, `radius` in px of the canvas."""
        cv2.circle(self.canvas, _fixed(centre), int(radius * 2**SHIFT), colour, -1, cv2.LINE_8, SHIFT)

    def _capsule(self, a: np.ndarray, b: np.ndarray, radii: tuple[float, float], colour: tuple[int, ...]) -> None:
        """Fill the hull of two circles."""
        (ax, ay), (bx, by) = a.tolist(), b.tolist()
        length = max(1e-6, math.hypot(bx - ax, by - ay))
        nx, ny = (ay - by) / length, (bx - ax) / length
        p, q = radii
        corners = (
            (ax + nx * p, ay + ny * p),
            (bx + nx * q, by + ny * q),
            (bx - nx * q, by - ny * q),
            (ax - nx * p, ay - ny * p),
        )
        fixed = np.array([(round(x * 2**SHIFT), round(y * 2**SHIFT)) for x, y in corners], np.int32)
        cv2.fillConvexPoly(self.canvas, fixed, colour, cv2.LINE_8, SHIFT)
        self._dot(a, p, colour)
        self._dot(b, q, colour)

    def _leg(self, side: str) -> None:
        appearance, girth = self.appearance, self.appearance.girth
        cloth = appearance.bottom.colour
        thigh = appearance.skin if appearance.bottom.cut == "skirt" else cloth
        shin = cloth if appearance.bottom.cut == "trousers" else appearance.skin
        self._limb(f"{side}_ankle", f"{side}_toe", (0.05, 0.034), appearance.shoes)
        self._limb(f"{side}_knee", f"{side}_ankle", (0.072 * girth, 0.05), shin)
        self._limb(f"{side}_hip", f"{side}_knee", (0.108 * girth, 0.078 * girth), thigh)

    def _arm(self, side: str) -> None:
        appearance, girth = self.appearance, self.appearance.girth
        short = appearance.top.cut == "shirt"
        self._limb(
            f"{side}_elbow", f"{side}_hand", (0.05 * girth, 0.036), appearance.skin if short else appearance.top.colour
        )
        self._dot(self.pixel[f"{side}_hand"], 0.02 * appearance.height * self.scale, _tone(appearance.skin, 0.9))
        self._limb(f"{side}_shoulder", f"{side}_elbow", (0.068 * girth, 0.056 * girth), appearance.top.colour)
        if appearance.top.pattern == "stripes":
            self._sleeve_stripes(side)

    def _sleeve_stripes(self, side: str) -> None:
        a, b = self.pixel[f"{side}_shoulder"], self.pixel[f"{side}_elbow"]
        along = b - a
        normal = (
            np.array([-along[1], along[0]])
            / max(1e-6, float(np.hypot(*along)))
            * 0.028
            * self.appearance.height
            * self.scale
        )
        for share in (0.2, 0.5, 0.8):
            centre = a + share * along
            self._stroke(centre - normal, centre + normal, self.scale * 0.035, _tone(self.appearance.top.second, 0.9))

    def _trunk(self) -> None:
        """Draw neck, skirt, torso and the long part of a coat."""
        appearance = self.appearance
        unit = appearance.height * self.scale * appearance.girth
        self._limb("neck", "head", (0.055, 0.05), appearance.skin)
        neck, hips = self.pixel["neck"], self.pixel["hips"]
        shoulders = unit * np.hypot(0.116 * np.cos(self.facing), 0.08 * np.sin(self.facing))
        if appearance.bottom.cut == "skirt":
            self._wrap("bottom", "flare", hips - (0, 0.03 * unit), self._hem(0.42), shoulders * 1.05)
        if appearance.top.cut == "coat":
            self._wrap("top", "flare", hips - (0, 0.06 * unit), self._hem(0.3), shoulders * 1.0)
        self._wrap("top", "torso", neck - (0, 0.008 * unit), hips + (0, 0.035 * unit), shoulders)

    def _hem(self, share: float) -> np.ndarray:
        """Return the middle of a hem that hangs `share` of the leg below the hips."""
        knees = (self.pixel["left_knee"] + self.pixel["right_knee"]) / 2
        hips = self.pixel["hips"]
        return hips + (knees - hips) * (share / 0.5)

    def _head(self) -> None:
        unit = self.appearance.height * self.scale
        centre = self.pixel["head"]
        half = unit * (0.05 + 0.006 * abs(np.sin(self.facing)))
        self._wrap("head", "ball", centre - (0, 0.078 * unit), centre + (0, 0.062 * unit), half)
        if self.appearance.haircut == "bun" and self.appearance.hat == "none":
            self._bun(unit)
        if self.appearance.hat in ("cap", "brim"):
            self._brim(unit, half)

    def _bun(self, unit: float) -> None:
        aside = np.sin(self.facing) * 0.055 * unit  # the bun sits at the back: seen from the right, it lies to the left
        self._dot(self.pixel["head"] + (-aside, -0.06 * unit), 0.03 * unit, _tone(self.appearance.hair, 0.85))

    def _brim(self, unit: float, half: float) -> None:
        """Draw a hat's brim: all round, or a cap's shade at the front only."""
        colour = _tone(self.appearance.hat_colour, 0.72)
        centre = self.pixel["head"] - (0, 0.026 * unit)
        if self.appearance.hat == "brim":
            self._oval(centre, (half * 1.75, half * 0.42), colour)
        elif np.cos(self.facing) > -0.35:
            aside = np.sin(self.facing) * half * 1.1
            self._oval(centre + (aside, 0), (half * 0.8, half * 0.26), colour)

    def _oval(self, centre: np.ndarray, half: tuple[float, float], colour: tuple[int, ...]) -> None:
        """Fill a level ellipse with half axes `half`, px of the canvas."""
        cv2.ellipse(self.canvas, _fixed(centre), _fixed(np.array(half)), 0, 0, 360, colour, -1, cv2.LINE_8, SHIFT)

    def _hair_fall(self) -> None:
        """Draw long hair down to the shoulders."""
        if self.appearance.haircut != "long":
            return
        unit = self.appearance.height * self.scale
        aside = np.sin(self.facing) * 0.03 * unit
        top, end = self.pixel["head"] + (-aside, -0.01 * unit), self.pixel["neck"] + (-aside * 1.3, 0.045 * unit)
        self._capsule(top, end, (0.05 * unit, 0.042 * unit), _tone(self.appearance.hair, 0.85))
        self._capsule(top, end, (0.024 * unit, 0.02 * unit), _tone(self.appearance.hair, 1.15))

    def _bag(self, behind: bool) -> None:
        """Draw a backpack (`behind`), or else a shoulder bag or hand bag."""
        unit, colour = self.appearance.height * self.scale, self.appearance.bag_colour
        if self.appearance.bag == "backpack" and behind:
            self._backpack(unit, colour)
        elif self.appearance.bag == "shoulder" and not behind:
            self._strap_and_pouch(unit, colour)
        elif self.appearance.bag == "hand" and not behind:
            hand = self.pixel["right_hand"]
            self._box(
                hand + (0, 0.07 * unit),
                np.array([0.05 * max(0.35, abs(np.sin(self.facing))) + 0.01, 0.055]) * unit,
                colour,
            )

    def _backpack(self, unit: float, colour: Colour) -> None:
        aside = np.sin(self.facing) * 0.09 * unit
        middle = 0.62 * self.pixel["neck"] + 0.38 * self.pixel["hips"] + (-aside, 0)
        self._box(middle, np.array([0.045 + 0.045 * self.across, 0.115]) * unit, colour)

    def _strap_and_pouch(self, unit: float, colour: Colour) -> None:
        seen = np.sin(self.facing)  # the pouch hangs at the right hip
        hips, neck = self.pixel["hips"], self.pixel["neck"]
        aside = -np.cos(self.facing) * 0.11 * unit
        if self.across > 0.3:
            self._stroke(neck - (aside * 0.8, -0.02 * unit), hips + (aside, 0), unit * 0.012, _tone(colour, 0.6))
        if seen > -0.5:
            self._box(hips + (aside, 0.02 * unit), np.array([0.03 + 0.03 * max(0.0, seen), 0.05]) * unit, colour)

    def _box(self, centre: np.ndarray, half: np.ndarray, colour: Colour) -> None:
        """Draw a bag: a rounded box with a lit inside and a flap."""
        radius = float(half.min()) * 0.4
        for share, factor in ((1.0, 0.62), (0.8, 1.0)):
            inner = np.maximum(half * share - radius, 0.5)
            corner_radius = max(radius, inner[0] * 0.6)
            for aside in (-inner[0], 0, inner[0]):
                top, bottom = centre + (aside, -inner[1]), centre + (aside, inner[1])
                self._capsule(top, bottom, (corner_radius, corner_radius), _tone(colour, factor))
        flap = half * (0.7, 0.1)
        self._stroke(centre - flap, centre + flap * (1, -1), 1, _tone(colour, 0.5))

    def _wrap(self, texture: str, shape: str, top: np.ndarray, bottom: np.ndarray, half: float) -> None:
        """Wrap a texture round a body part between two points and draw its visible side; `half` is half its width in
        px.
        """
        tile = self.figure.tile(texture, shape, self.facing)
        corner = 2 * half / TILE
        down = (bottom - top) / TILE
        origin = top - (half, 0)
        low = np.floor(np.minimum(origin, origin + down * TILE)).astype(int)
        high = np.ceil(np.maximum(origin + (2 * half, 0), origin + (2 * half, 0) + down * TILE)).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, self.canvas.shape[1::-1])
        matrix = np.array([[corner, down[0], origin[0] - low[0]], [0, down[1], origin[1] - low[1]]])
        warped = cv2.warpAffine(tile, matrix, tuple(int(v) for v in high - low), flags=cv2.INTER_LINEAR)
        region = self.canvas[low[1] : high[1], low[0] : high[0]]
        _, covered = cv2.threshold(warped[..., 3], 127, 255, cv2.THRESH_BINARY)
        warped[..., 3] = 255
        cv2.copyTo(warped, covered, region)


def _tone(colour: Colour, factor: float) -> tuple[int, int, int, int]:
    """Return an opaque BGRA colour, `factor` times as bright."""
    b, g, r = colour
    return min(255, int(b * factor)), min(255, int(g * factor)), min(255, int(r * factor)), 255


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """Return a pixel's coordinates [2] in OpenCV's fixed point."""
    x, y = point.tolist()
    return round(x * 2**SHIFT), round(y * 2**SHIFT)
