"""The parts of a drawn street: camera, light, obstacles, and the houses behind it. Lengths are in metres."""

from dataclasses import dataclass

import numpy as np

from reidops.mot.synthetic.camera import Camera

GROUNDS = ("pavement", "asphalt", "cobbles", "grass")
FURNITURE = {
    "kiosk": (2.0, 2.65),
    "van": (3.4, 2.35),
    "column": (1.3, 2.9),
    "trunk": (1.0, 3.4),
    "hoarding": (2.1, 2.3),
}
# depths of the nearest walkers, of the strip of furniture and of the farthest walkers
NEAR, STRIP, FAR = 6.3, (10.6, 11.4), 15.2
FOCAL = 600 / 360  # of the frame's height


@dataclass(frozen=True)
class Obstacle:
    """A piece of street furniture: its kind, the middle of its foot on the ground, its size."""

    kind: str
    x: float
    z: float
    width: float
    height: float
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class House:
    """One house of the row: where it starts and ends, its height, its colour, its awning's, and the name of its
    shop.
    """

    x0: float
    x1: float
    height: float
    colour: tuple[int, int, int]
    awning: tuple[int, int, int]
    shop: str

    @property
    def panes(self) -> list[tuple[float, float]]:
        """Return where its shop windows start and end along the street, left and right of the door."""
        middle = (self.x0 + self.x1) / 2
        return [(self.x0 + 0.35, middle - 0.65), (middle + 0.65, self.x1 - 0.35)]


@dataclass(frozen=True)
class Light:
    """The light of a scene: colour gains (b, g, r) in the sun and in the shade, the shade's edge, and what the lens
    adds.

    The shade lies where `edge[0] * x + edge[1] * z > edge[2]`. `drift` is how far the automatic exposure wanders,
    `noise` is in grey levels, `blur` in px of a 360-line frame, `sun` the direction that shadows fall to, metres per
    metre of height (x, z).
    """

    gain: tuple[float, float, float]
    shade_gain: tuple[float, float, float]
    edge: tuple[float, float, float]
    sun: tuple[float, float]
    shadow: float
    drift: float
    noise: float
    blur: float

    def sunlit(self, x: float | np.ndarray, z: float | np.ndarray) -> np.ndarray:
        """Return how much of the sun reaches places on the ground, 0 … 1; the shade's edge is half a metre soft."""
        a, b, c = self.edge
        return np.clip(0.5 - (a * x + b * z - c) / 0.5, 0, 1)

    def gains(self, x: float | np.ndarray, z: float | np.ndarray) -> np.ndarray:
        """Return the colour gains [..., 3] at places on the ground."""
        sunlit = np.asarray(self.sunlit(x, z))[..., None]
        return (sunlit * np.array(self.gain) + (1 - sunlit) * np.array(self.shade_gain)).astype(np.float32)


@dataclass(frozen=True)
class Street:
    """One scene before anybody walks in it; canvas and margin in px: a moving camera sees a window of a larger
    canvas.
    """

    camera: Camera
    width: int
    height: int
    margin: int
    ground: str
    facade_z: float
    houses: tuple[House, ...]
    obstacles: tuple[Obstacle, ...]
    light: Light

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Return width and height of what is drawn, px."""
        return self.width + 2 * self.margin, self.height + 2 * self.margin

    def half_view(self, z: float) -> float:
        """Return how far the view reaches to each side at depth `z`."""
        return self.width / 2 / self.camera.pixels_per_metre(z)


def plan_street(rng: np.random.Generator, index: int, width: int, height: int) -> Street:
    """Plan the scene number `index` (from 0): grounds take turns, every sixth has a moving camera, all else is
    drawn.
    """
    scale = height / 360
    margin = int(40 * scale) if index % 6 == 5 else 0
    camera = Camera(FOCAL * height, width / 2 + margin, rng.uniform(66, 92) * scale + margin, rng.uniform(2.65, 3.0))
    facade_z = float(rng.uniform(16.5, 17.7))
    reach = width / 2 / camera.pixels_per_metre(facade_z) + 1.5
    return Street(
        camera=camera,
        width=width,
        height=height,
        margin=margin,
        ground=GROUNDS[index % len(GROUNDS)],
        facade_z=facade_z,
        houses=_plan_houses(rng, reach),
        obstacles=_plan_obstacles(rng, index, width / 2 / camera.pixels_per_metre(float(np.mean(STRIP)))),
        light=_plan_light(rng, index),
    )


def _plan_houses(rng: np.random.Generator, reach: float) -> tuple[House, ...]:
    """Line up houses from −reach to reach, with one gap in which the sky is seen down to the horizon."""
    names = rng.permutation(
        ["BAKERY", "CAFE", "BOOKS", "FLOWERS", "OPTIK", "SHOES", "RADIO", "TEA", "BIKES", "TOYS", "HOTEL", "BAR"]
    )
    plaster = [
        (150, 178, 196),
        (120, 150, 190),
        (172, 172, 168),
        (92, 112, 158),
        (140, 168, 150),
        (178, 160, 140),
        (110, 132, 142),
    ]
    awnings = [(44, 48, 150), (70, 96, 40), (120, 70, 36), (40, 120, 176), (72, 66, 70)]
    houses: list[House] = []
    x, gap = -reach, rng.uniform(-0.5, 0.4) * reach
    while x < reach:
        if x < gap < x + 4.0:
            x += rng.uniform(2.6, 3.6)
        width = rng.uniform(4.2, 6.4)
        colour, awning = plaster[int(rng.integers(len(plaster)))], awnings[int(rng.integers(len(awnings)))]
        height, shop = float(rng.choice([4.0, 4.4, 7.2, 9.5])), str(names[len(houses) % len(names)])
        houses.append(House(float(x), float(x + width), height, colour, awning, shop))
        x += width
    return tuple(houses)


def _plan_obstacles(rng: np.random.Generator, index: int, half: float) -> tuple[Obstacle, ...]:
    """Put two or three pieces of furniture on the strip with room to walk between them; a van is long and leaves room
    for one other.
    """
    colours = [(70, 88, 42), (120, 74, 40), (56, 52, 138), (196, 198, 200), (52, 108, 142), (92, 92, 96)]
    round_one = str(rng.choice(["column", "trunk"]))
    kinds = ["van", round_one] if index % 3 == 1 else [*rng.permutation(["kiosk", "hoarding"]).tolist(), round_one]
    shares = [-0.5, 0.5] if len(kinds) == 2 else [-0.68, 0.02, 0.7]
    places = rng.permutation(shares) * half + rng.uniform(-0.4, 0.4, len(kinds))
    return tuple(
        Obstacle(kind, float(x), float(rng.uniform(*STRIP)), *FURNITURE[kind], colours[int(rng.integers(len(colours)))])
        for kind, x in zip(kinds, places, strict=True)
    )


def _plan_light(rng: np.random.Generator, index: int) -> Light:
    """Draw the weather: sunny with blue shade, overcast with a lit shop front, or late and warm, in turn."""
    mood = ("sunny", "overcast", "late")[index % 3]
    gain = {"sunny": (1.08, 1.14, 1.18), "overcast": (1.02, 0.98, 0.94), "late": (0.72, 0.92, 1.14)}[mood]
    shade = {"sunny": (0.74, 0.62, 0.52), "overcast": (0.56, 0.62, 0.7), "late": (0.76, 0.66, 0.6)}[mood]
    side = float(rng.choice([-1.0, 1.0]))
    edge = (side * rng.uniform(0.6, 1.0), rng.uniform(0.2, 0.9))
    middle = edge[1] * rng.uniform(9.5, 12.0) + edge[0] * rng.uniform(-1.0, 1.5)
    return Light(
        gain=gain,
        shade_gain=shade,
        edge=(float(edge[0]), float(edge[1]), float(middle)),
        sun=(float(-side * rng.uniform(0.35, 0.9)), float(rng.uniform(0.1, 0.5))),
        shadow={"sunny": 0.5, "overcast": 0.16, "late": 0.4}[mood],
        drift=float(rng.uniform(0.06, 0.16)),
        noise=float(rng.uniform(2.0, 6.0)),
        blur=float(rng.uniform(0.35, 0.95)),
    )
