"""The street without people: sky, houses with shop windows, and a textured ground in light and shade."""

import cv2
import numpy as np

from reidops.mot.synthetic.painting import SAMPLES, Painter, mixed, toned
from reidops.mot.synthetic.street import House, Street

PANE = (0.35, 2.45)  # metres above the ground, a shop window's lower and upper edge


def paint_backdrop(street: Street, rng: np.random.Generator) -> np.ndarray:
    """Return the static background of the street's canvas, float32 [h, w, 3] BGR."""
    width, height = street.canvas_size
    rows, columns = np.mgrid[: height * SAMPLES : 1, : width * SAMPLES : 1].astype(np.float32)
    x, z = street.camera.ground((columns + 0.5) / SAMPLES, (rows + 0.5) / SAMPLES)
    picture = _paint_sky(street, rng, rows / SAMPLES)
    on_ground = (rows / SAMPLES > street.camera.horizon) & (z < 90)
    picture[on_ground] = _paint_ground(street, rng, x[on_ground], z[on_ground])
    _cover(picture, _paint_houses(street, rng), street, rng)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 255)


def pane_mask(street: Street) -> np.ndarray:
    """Return where the canvas shows shop-window glass, float32 [h, w], 0 … 1."""
    painter = Painter(street.camera, 0, 0, *street.canvas_size)
    for house in street.houses:
        for pane in house.panes:
            painter.rect(pane, PANE, street.facade_z, (255, 255, 255))
    return cv2.resize(painter.canvas[..., 3], street.canvas_size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _paint_sky(street: Street, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """Return a sky that pales towards the horizon, with clouds, and a far row of trees, at the painter's resolution."""
    share = np.clip(rows / street.camera.horizon, 0, 1)[..., None]
    tint = np.array(street.light.gain, np.float32)
    sky = np.array([232, 190, 150], np.float32) * (1 - share) + np.array([236, 228, 220], np.float32) * share
    clouds = np.clip(_fractal(rng, rows.shape, 4) * 1.6, 0, 1)[..., None]
    picture = (sky * (1 - 0.6 * clouds) + 244 * 0.6 * clouds) * np.minimum(tint * 1.02, 1.08)
    bumps = cv2.resize(
        rng.uniform(0.1, 0.34, (1, 34)).astype(np.float32), (rows.shape[1], 1), interpolation=cv2.INTER_CUBIC
    )
    trees = rows > street.camera.horizon * (1 - bumps)
    leaves = np.array([70, 104, 84], np.float32) * (0.8 + 0.5 * _fractal(rng, rows.shape, 6)[..., None])
    return np.where(trees[..., None], leaves * tint, picture).astype(np.float32)


def _paint_ground(street: Street, rng: np.random.Generator, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the ground's colours [n, 3] at world places [n], lit, with furniture's soft shadows and a pavement at the
    houses.
    """
    footprint = z / street.camera.focal / SAMPLES * 1.5
    surface = _SURFACES[street.ground](rng, x, z, footprint)
    kerb = street.facade_z - 2.1
    colours = np.where((z > kerb)[:, None], _pavement(rng, x, z, footprint) * 0.94, surface)
    if street.ground != "pavement":
        colours = np.where(((z > kerb - 0.16) & (z < kerb))[:, None], np.array([150, 154, 156], np.float32), colours)
    dirt = 1 + 0.16 * _sampled(_fractal(rng, (512, 512), 5), x * 24, z * 24)
    shadows = 1 - street.light.shadow * _furniture_shadow(street, x, z)
    return colours * dirt[:, None] * street.light.gains(x, z) * shadows[:, None]


def _furniture_shadow(street: Street, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return how deep places [n] lie in the shadow that furniture casts away from the sun, 0 … 1."""
    depth = np.zeros_like(x)
    for o in street.obstacles:
        along = np.clip((z - o.z + 0.2) / max(street.light.sun[1], 0.1), 0, o.height)
        aside = np.abs(x - o.x - street.light.sun[0] * along) - o.width / 2
        beyond = (z - o.z) - o.height * street.light.sun[1] - 0.5
        depth = np.maximum(
            depth,
            np.clip(0.6 - aside / 0.5, 0, 1) * np.clip(-beyond / 0.5, 0, 1) * np.clip((z - o.z + 0.45) / 0.3, 0, 1),
        )
    return depth


def _joint(value: np.ndarray, pitch: float, half_width: float, footprint: np.ndarray) -> np.ndarray:
    """Return how much of a pixel is the joint between tiles `pitch` apart, 0 … 1."""
    distance = np.abs(value / pitch - np.round(value / pitch)) * pitch
    blur = half_width + footprint
    return np.clip(1.2 - distance / blur, 0, 1) * half_width / blur


def _tile_tone(rng: np.random.Generator, across: np.ndarray, away: np.ndarray, spread: float) -> np.ndarray:
    """Return one brightness per tile, around 1."""
    table = rng.normal(1, spread, (64, 64)).astype(np.float32)
    return table[np.floor(across).astype(int) % 64, np.floor(away).astype(int) % 64]


def _pavement(rng: np.random.Generator, x: np.ndarray, z: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    shift = np.floor(z / 0.6) % 2 * 0.3
    tone = _tile_tone(rng, (x + shift) / 0.6 + 0.5, z / 0.6 + 0.5, 0.055)
    joints = np.maximum(_joint(x + shift, 0.6, 0.014, footprint), _joint(z, 0.6, 0.014, footprint))
    grain = 1 + 0.07 * _sampled(_fractal(rng, (512, 512), 7), x * 90, z * 90)
    return np.array([152, 158, 164], np.float32) * (tone * grain * (1 - 0.6 * joints))[:, None]


def _asphalt(rng: np.random.Generator, x: np.ndarray, z: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    fine, coarse = _fractal(rng, (512, 512), 8), _fractal(rng, (256, 256), 3)
    grain = 1 + 0.2 * _sampled(fine, x * 110, z * 110) + 0.12 * _sampled(coarse, x * 12, z * 12)
    colours = np.array([96, 94, 92], np.float32) * grain[:, None]
    stripes = (np.abs(x - 1.2) < 2.6) & ((z - 6.0) % 1.0 < 0.5) & (z < 8.2)
    bay = (_joint(x + 0.4, 2.5, 0.06, footprint) > 0.4) & (z > 11.2) & (z < 15.2)
    return np.where(
        (stripes | bay)[:, None], np.array([196, 200, 202], np.float32) * (0.8 + 0.2 * grain)[:, None], colours
    )


def _cobbles(rng: np.random.Generator, x: np.ndarray, z: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    bow = x + 0.12 * np.sin(z * 1.3)
    shift = np.floor(z / 0.2) % 2 * 0.1
    tone = _tile_tone(rng, (bow + shift) / 0.2 + 0.5, z / 0.2 + 0.5, 0.13)
    joints = np.maximum(_joint(bow + shift, 0.2, 0.022, footprint), _joint(z, 0.2, 0.022, footprint))
    return np.array([124, 130, 140], np.float32) * (tone * (1 - 0.62 * joints))[:, None]


def _grass(rng: np.random.Generator, x: np.ndarray, z: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    fine, coarse = _fractal(rng, (512, 512), 8), _fractal(rng, (256, 256), 3)
    blades = 1 + 0.42 * _sampled(fine, x * 120, z * 60) + 0.3 * _sampled(coarse, x * 10, z * 10)
    green = np.array([56, 116, 92], np.float32) * blades[:, None]
    gravel = (
        np.array([142, 166, 182], np.float32)
        * (1 + 0.2 * _sampled(_fractal(rng, (512, 512), 8), x * 130, z * 130))[:, None]
    )
    edge = 0.35 * _sampled(_fractal(rng, (256, 256), 4), x * 20, z * 20)
    path = ((z + edge > 10.9) & (z - edge < 13.4)) | (np.abs(x + 0.25 * (z - 9) + edge) < 1.0)
    return np.where(path[:, None], gravel, green)


_SURFACES = {"pavement": _pavement, "asphalt": _asphalt, "cobbles": _cobbles, "grass": _grass}


def _paint_houses(street: Street, rng: np.random.Generator) -> Painter:
    painter = Painter(street.camera, 0, 0, *street.canvas_size)
    for house in street.houses:
        _paint_house(painter, house, street.facade_z, rng)
    return painter


def _paint_house(painter: Painter, house: House, z: float, rng: np.random.Generator) -> None:
    """Paint wall, plinth, upper windows, shop windows, door, sign and awning."""
    side = [(house.x1, 0, z), (house.x1, 0, z + 8), (house.x1, house.height, z + 8), (house.x1, house.height, z)]
    if house.x1 < 0:
        painter.polygon(side, toned(house.colour, 0.6))
    elif house.x0 > 0:
        painter.polygon([(house.x0, y, d) for _, y, d in side], toned(house.colour, 0.6))
    painter.ramp((house.x0, house.x1), (0, house.height), z, (toned(house.colour, 1.04), toned(house.colour, 0.92)))
    painter.rect((house.x0, house.x1), (0, 0.35), z, toned(house.colour, 0.55))
    painter.rect((house.x0, house.x1), (house.height - 0.22, house.height), z, toned(house.colour, 0.7))
    painter.rect((house.x0, house.x1), (3.28, 3.4), z, toned(house.colour, 0.78))
    _paint_upper_windows(painter, house, z)
    for pane in house.panes:
        _paint_pane(painter, pane, z, rng)
    _paint_door_and_sign(painter, house, z)


def _paint_upper_windows(painter: Painter, house: House, z: float) -> None:
    for floor in np.arange(3.75, house.height - 1.5, 3.0):
        for x in np.arange(house.x0 + 0.6, house.x1 - 1.3, 1.7):
            painter.rect((x - 0.1, x + 1.1), (floor - 0.1, floor + 1.7), z, toned(house.colour, 1.14))
            painter.rect((x, x + 1.0), (floor, floor + 1.6), z, (92, 82, 74))
            painter.polygon([(x, floor, z), (x + 0.55, floor + 1.6, z), (x, floor + 1.6, z)], (140, 128, 116))
            painter.rect((x + 0.47, x + 0.53), (floor, floor + 1.6), z, (196, 200, 204))


def _paint_pane(painter: Painter, pane: tuple[float, float], z: float, rng: np.random.Generator) -> None:
    """Paint a shop window: frame, dark inside with goods on display, slanted gloss."""
    x0, x1 = pane
    painter.rect((x0 - 0.07, x1 + 0.07), (PANE[0] - 0.07, PANE[1] + 0.07), z, (58, 60, 64))
    painter.ramp(pane, PANE, z, ((52, 50, 46), (74, 70, 62)))
    for x in np.arange(x0 + 0.1, x1 - 0.35, 0.42):
        goods = toned((int(rng.integers(60, 200)), int(rng.integers(60, 200)), int(rng.integers(60, 200))), 0.6)
        painter.rect((x, x + rng.uniform(0.2, 0.36)), (PANE[0], PANE[0] + rng.uniform(0.15, 0.6)), z, goods)
    for x in np.linspace(x0, x1, 4)[1:3]:
        painter.disc((x, 2.25, z), 0.07, (150, 214, 236))
    lean = 0.5
    for x, width in ((x0 + 0.2, 0.22), (x0 + 0.55, 0.08)):
        if x + width + lean < x1:
            feet, heads = (
                [(x, PANE[0], z), (x + width, PANE[0], z)],
                [(x + width + lean, PANE[1], z), (x + lean, PANE[1], z)],
            )
            painter.polygon(feet + heads, (92, 88, 80))


def _paint_door_and_sign(painter: Painter, house: House, z: float) -> None:
    middle = (house.x0 + house.x1) / 2
    painter.rect((middle - 0.5, middle + 0.5), (0.08, 2.4), z, toned(house.awning, 0.7))
    painter.rect((middle - 0.36, middle + 0.36), (0.9, 2.25), z, (84, 76, 68))
    painter.disc((middle + 0.4, 1.05, z), 0.05, (120, 190, 210))
    painter.rect((house.x0 + 0.2, house.x1 - 0.2), (2.72, 3.24), z, toned(house.awning, 0.55))
    painter.text(house.shop, (middle - 0.16 * len(house.shop), 2.86, z), 0.27, (206, 220, 226))
    edges = np.linspace(house.x0 + 0.2, house.x1 - 0.2, 13)
    for k in range(12):
        a, b = edges[k], edges[k + 1]
        colour = house.awning if k % 2 else mixed(house.awning, (220, 222, 224), 0.75)
        painter.polygon([(a, 2.72, z), (b, 2.72, z), (b, 2.5, z - 0.7), (a, 2.5, z - 0.7)], colour)


def _cover(picture: np.ndarray, painter: Painter, street: Street, rng: np.random.Generator) -> None:
    """Put the houses over the picture, in the light that falls on their walls, with a little dirt."""
    painted = painter.canvas[..., 3] > 0
    gain = np.array(street.light.gain, np.float32) * 0.88
    dirt = 1 + 0.09 * _fractal(rng, picture.shape[:2], 7)
    picture[painted] = painter.canvas[..., :3][painted] * gain * dirt[painted][:, None]


def _fractal(rng: np.random.Generator, shape: tuple[int, int], octaves: int) -> np.ndarray:
    """Return smooth noise of zero mean, mostly within ±1, finest detail 2^octaves cells across, float32 [h, w]."""
    total = np.zeros(shape, np.float32)
    for octave in range(1, octaves + 1):
        cells = rng.standard_normal((2**octave + 1, 2**octave + 1)).astype(np.float32)
        total += cv2.resize(cells, shape[::-1], interpolation=cv2.INTER_CUBIC) * 0.75 ** (
            octaves - octave if octaves > 6 else octave
        )
    return total / (2 * total.std())


def _sampled(texture: np.ndarray, across: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Return a texture's values at pixel places [n], mirrored at its edges without end, so that no seam shows."""
    rows, columns = texture.shape
    return texture[_mirrored(away, rows), _mirrored(across, columns)]


def _mirrored(places: np.ndarray, size: int) -> np.ndarray:
    """Return indices 0 … size − 1 that run up and down again, for any places."""
    return np.abs((np.floor(places).astype(int) + size // 3) % (2 * size) - size + 0.5).astype(int)
