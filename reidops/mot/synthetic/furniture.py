"""Kiosk, van, advertising column, tree trunk and hoarding, painted piece by piece."""

import itertools

import numpy as np

from reidops.mot.synthetic.painting import Painter, mixed, toned
from reidops.mot.synthetic.sprite import Sprite
from reidops.mot.synthetic.street import Obstacle, Street

DEPTHS = {"kiosk": 1.6, "van": 0.0, "column": 0.0, "trunk": 0.0, "hoarding": 0.1}
POSTERS = ((60, 70, 200), (190, 150, 60), (70, 180, 220), (90, 140, 70), (210, 205, 200), (150, 80, 130))


def paint_obstacle(obstacle: Obstacle, street: Street, rng: np.random.Generator) -> Sprite:
    """Paint one piece of furniture in the light of its place."""
    half = obstacle.width / 2 + (1.7 if obstacle.kind == "trunk" else 0.4)
    top = obstacle.height + (2.4 if obstacle.kind == "trunk" else 0.4)
    sides, depths = (obstacle.x - half, obstacle.x + half), (obstacle.z - 0.7, obstacle.z + DEPTHS[obstacle.kind])
    corners = list(itertools.product(sides, (0.0, top), depths))
    painter = Painter.around(street.camera, np.array(corners))
    _PAINTERS[obstacle.kind](painter, obstacle, rng)
    return painter.sprite(street.light.gains(obstacle.x, obstacle.z))


def _side(painter: Painter, o: Obstacle, y: tuple[float, float], colour: tuple[int, int, int]) -> None:
    """Paint the side wall that the camera sees: the one towards the middle of the view."""
    x = o.x - np.sign(o.x) * o.width / 2
    back = o.z + DEPTHS[o.kind]
    painter.polygon([(x, y[0], o.z), (x, y[0], back), (x, y[1], back), (x, y[1], o.z)], colour)


def _paint_kiosk(painter: Painter, o: Obstacle, rng: np.random.Generator) -> None:
    x0, x1 = o.x - o.width / 2, o.x + o.width / 2
    _side(painter, o, (0, o.height - 0.25), toned(o.colour, 0.6))
    painter.ramp((x0, x1), (0, o.height - 0.2), o.z, (o.colour, toned(o.colour, 0.82)))
    painter.rect((x0, x1), (0, 0.16), o.z, (46, 46, 48))
    painter.rect((x0 + 0.2, x1 - 0.2), (1.0, 1.95), o.z, (34, 38, 44))
    for k, x in enumerate(np.arange(x0 + 0.26, x1 - 0.4, 0.24)):
        for y in (1.06, 1.5):
            painter.rect(
                (x, x + 0.18), (y, y + 0.3 + 0.06 * rng.random()), o.z, POSTERS[int(rng.integers(len(POSTERS)))]
            )
        painter.rect((x, x + 0.2), (0.28, 0.86), o.z, toned(POSTERS[k % len(POSTERS)], 0.8))
    painter.rect((x0 + 0.1, x1 - 0.1), (0.92, 1.0), o.z, (120, 140, 160))
    stripes = np.linspace(x0 - 0.1, x1 + 0.1, 11)
    for k in range(10):
        colour = (214, 216, 220) if k % 2 else (52, 50, 168)
        a, b = stripes[k], stripes[k + 1]
        painter.polygon([(a, 2.32, o.z), (b, 2.32, o.z), (b, 2.02, o.z - 0.6), (a, 2.02, o.z - 0.6)], colour)
    painter.rect((x0 - 0.08, x1 + 0.08), (o.height - 0.32, o.height), o.z, toned(o.colour, 0.7))
    painter.text("NEWS", (o.x - 0.42, o.height - 0.27, o.z), 0.2, (220, 224, 228))


def _paint_van(painter: Painter, o: Obstacle, rng: np.random.Generator) -> None:
    x0, x1 = o.x - o.width / 2, o.x + o.width / 2
    painter.rect((x0 + 0.1, x1 - 0.1), (0.0, 0.5), o.z + 0.2, (24, 24, 26))
    roof = [(x0, 2.2), (x0 + 0.12, o.height), (x1 - 1.1, o.height), (x1 - 0.72, 2.28)]
    body = [(x0, 0.34), *roof, (x1 - 0.42, 1.42), (x1, 1.16), (x1, 0.34)]
    painter.polygon([(x, y, o.z) for x, y in body], o.colour)
    painter.polygon([(x, min(y, 0.85), o.z) for x, y in body], toned(o.colour, 0.78))
    painter.rect((x0 + 0.02, x1 - 1.0), (o.height - 0.1, o.height), o.z, toned(o.colour, 1.18))
    glass = [(x1 - 1.25, 1.42), (x1 - 1.25, 2.14), (x1 - 0.9, 2.14), (x1 - 0.56, 1.42)]
    painter.polygon([(x, y, o.z) for x, y in glass], (66, 58, 50))
    painter.polygon([(x1 - 1.2, 1.75, o.z), (x1 - 1.2, 2.1, o.z), (x1 - 0.98, 2.1, o.z)], (128, 120, 110))
    painter.rect((x0 + 0.3, x1 - 1.6), (1.25, 1.42), o.z, POSTERS[int(rng.integers(len(POSTERS)))])
    painter.text("EXPRESS", (x0 + 0.45, 1.6, o.z), 0.3, (60, 66, 90))
    for x in (x1 - 1.32, x0 + 1.5):
        painter.rect((x, x + 0.025), (0.5, 2.2), o.z, toned(o.colour, 0.6))
    for x in (x0 + 0.85, x1 - 0.85):
        painter.disc((x, 0.36, o.z), 0.37, (26, 26, 28))
        painter.disc((x, 0.36, o.z), 0.2, (140, 142, 144))
    painter.rect((x1 - 0.16, x1), (0.66, 0.84), o.z, (190, 226, 236))


def _paint_column(painter: Painter, o: Obstacle, rng: np.random.Generator) -> None:
    edges = np.linspace(-np.pi / 2, np.pi / 2, 25)
    for row, (low, high) in enumerate([(0, 0.35), (0.35, 1.1), (1.1, 1.85), (1.85, 2.55), (2.55, 2.75)]):
        phase = rng.integers(6)
        for a, b in zip(edges[:-1], edges[1:], strict=True):
            colour = (
                o.colour
                if row in (0, 4)
                else mixed(POSTERS[int((a + 2) / 0.8 + phase) % len(POSTERS)], (200, 204, 206), 0.35)
            )
            shade = 0.5 + 0.55 * max(0.0, float(np.cos((a + b) / 2 - 0.5)))
            painter.rect(
                (o.x + np.sin(a) * o.width / 2, o.x + np.sin(b) * o.width / 2 + 0.01),
                (low, high),
                o.z,
                toned(colour, shade),
            )
    half = o.width / 2 + 0.12
    painter.rect((o.x - half, o.x + half), (2.72, 2.84), o.z, toned(o.colour, 0.66))
    dome = [(o.x + half * np.cos(t), 2.84 + 0.38 * np.sin(t), o.z) for t in np.linspace(0, np.pi, 15)]
    painter.polygon(dome, toned(o.colour, 0.9))


def _paint_trunk(painter: Painter, o: Obstacle, rng: np.random.Generator) -> None:
    half = o.width / 2
    for k in range(16):
        a, b = np.sin((k / 16 - 0.5) * np.pi), np.sin(((k + 1) / 16 - 0.5) * np.pi)
        bark = toned((74, 92, 112), (0.5 + 0.5 * np.sin(0.4 + 2.4 * k / 16)) * rng.uniform(0.8, 1.1))
        foot, top = 1.22, 0.86
        painter.polygon(
            [
                (o.x + a * half * foot, 0, o.z),
                (o.x + b * half * foot, 0, o.z),
                (o.x + b * half, 0.5, o.z),
                (o.x + b * half * top, 4.2, o.z),
                (o.x + a * half * top, 4.2, o.z),
                (o.x + a * half, 0.5, o.z),
            ],
            bark,
        )
    for _ in range(40):
        x, y = o.x + rng.uniform(-0.8, 0.8) * half, rng.uniform(0.1, 3.2)
        painter.rect((x, x + 0.03), (y, y + rng.uniform(0.1, 0.35)), o.z, (48, 60, 74))
    for k in range(900):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
        x, y = o.x + 1.9 * radius * np.cos(angle), 4.2 + 1.35 * radius * np.sin(angle)
        painter.disc(
            (x, y, o.z), rng.uniform(0.04, 0.13), toned((48, 108, 76), rng.uniform(0.5, 1.3) * (0.7 + 0.4 * k / 900))
        )


def _paint_hoarding(painter: Painter, o: Obstacle, rng: np.random.Generator) -> None:
    x0, x1 = o.x - o.width / 2, o.x + o.width / 2
    boards = np.linspace(x0, x1, 9)
    for a, b in zip(boards[:-1], boards[1:], strict=True):
        painter.rect((a, b), (0, o.height), o.z, toned((120, 158, 188), rng.uniform(0.84, 1.06)))
        painter.rect((b - 0.03, b), (0, o.height), o.z, (70, 92, 110))
    for k, x in enumerate(np.arange(x0 + 0.2, x1 - 0.7, 0.86)):
        y, colour = rng.uniform(0.7, 0.95), POSTERS[int(rng.integers(len(POSTERS)))]
        painter.rect((x, x + 0.62), (y, y + 0.9), o.z, (222, 224, 226))
        painter.rect((x + 0.05, x + 0.57), (y + 0.3, y + 0.85), o.z, colour)
        painter.disc((x + 0.31, y + 0.58, o.z), 0.15, POSTERS[(k + 2) % len(POSTERS)])
        painter.text("LIVE", (x + 0.08, y + 0.1, o.z), 0.13, (50, 50, 60))
    for k in range(12):
        a = x0 + k * o.width / 12
        painter.rect(
            (a, a + o.width / 12), (o.height - 0.16, o.height), o.z, (210, 214, 216) if k % 2 else (46, 52, 186)
        )


_PAINTERS = {
    "kiosk": _paint_kiosk,
    "van": _paint_van,
    "column": _paint_column,
    "trunk": _paint_trunk,
    "hoarding": _paint_hoarding,
}


def paint_bench(x: float, z: float, street: Street) -> Sprite:
    """Paint a wooden bench behind somebody who sits at (x, z)."""
    painter = Painter.around(street.camera, np.array([(x - 1.0, 0, z), (x + 1.0, 1.0, z)]))
    for y in (0.4, 0.6, 0.76):
        painter.rect((x - 0.8, x + 0.8), (y, y + 0.1), z, (52, 92, 134))
    for post in (x - 0.72, x + 0.66):
        painter.rect((post, post + 0.06), (0, 0.86), z, (48, 48, 50))
    return painter.sprite(street.light.gains(x, z))
