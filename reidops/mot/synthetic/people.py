"""The constant appearance of a drawn person: build, skin, hair, garments, bag and hat, and the textures made of them.

A texture is a cylinder that is cut open at the back and unrolled: rows run from top to bottom, columns run around the
body from −π over 0 (the front) to π, positive towards the person's right side. Colours are BGR, 0 … 255.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

TEXTURE_ROWS, TEXTURE_COLUMNS = 64, 128

Colour = tuple[int, int, int]

SKINS: tuple[Colour, ...] = (
    (176, 200, 236),
    (150, 178, 222),
    (122, 156, 206),
    (88, 122, 176),
    (58, 84, 130),
    (40, 58, 92),
)
HAIRS: tuple[Colour, ...] = ((28, 26, 26), (32, 44, 62), (46, 74, 108), (96, 150, 190), (152, 152, 156), (36, 58, 120))
TOPS: tuple[Colour, ...] = (
    (52, 46, 44),
    (104, 62, 36),
    (48, 40, 172),
    (206, 202, 200),
    (74, 112, 58),
    (52, 152, 208),
    (126, 120, 116),
    (156, 110, 72),
    (110, 62, 112),
    (40, 82, 148),
)
BOTTOMS: tuple[Colour, ...] = ((44, 40, 40), (112, 78, 48), (82, 64, 52), (96, 128, 152), (116, 112, 110), (58, 82, 70))
SHOES: tuple[Colour, ...] = ((34, 32, 34), (50, 66, 96), (214, 212, 210), (70, 62, 160))
PATTERNS = ("plain", "stripes", "checks", "panel", "yoke", "print")
TOP_CUTS = ("shirt", "jacket", "coat")
BOTTOM_CUTS = ("trousers", "shorts", "skirt")
HAIRCUTS = ("short", "long", "bun", "bald")
BAGS = ("none", "backpack", "shoulder", "hand")
HATS = ("none", "cap", "beanie", "brim")


@dataclass(frozen=True)
class Garment:
    """One garment: its cut, its two colours and how they are arranged."""

    cut: str
    colour: Colour
    second: Colour
    pattern: str


@dataclass(frozen=True)
class Appearance:
    """One person's constant appearance; `height` in metres, `girth` 1 for an average build."""

    height: float
    girth: float
    skin: Colour
    hair: Colour
    haircut: str
    top: Garment
    bottom: Garment
    shoes: Colour
    bag: str
    bag_colour: Colour
    hat: str
    hat_colour: Colour


def draw_appearance(rng: np.random.Generator) -> Appearance:
    """Draw one person from the palettes above, which are small so that people look alike now and then."""
    cut, pattern = _pick(rng, TOP_CUTS, (0.45, 0.4, 0.15)), _pick(rng, PATTERNS, (0.36, 0.16, 0.12, 0.14, 0.1, 0.12))
    top = Garment(cut, _tinted(rng, TOPS), _tinted(rng, TOPS), pattern)
    bottom = Garment(_pick(rng, BOTTOM_CUTS, (0.74, 0.14, 0.12)), _tinted(rng, BOTTOMS), _tinted(rng, BOTTOMS), "plain")
    return Appearance(
        height=float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95)),
        girth=float(rng.uniform(0.86, 1.24)),
        skin=_tinted(rng, SKINS),
        hair=_tinted(rng, HAIRS),
        haircut=_pick(rng, HAIRCUTS, (0.48, 0.32, 0.12, 0.08)),
        top=top,
        bottom=bottom,
        shoes=_tinted(rng, SHOES),
        bag=_pick(rng, BAGS, (0.56, 0.2, 0.14, 0.1)),
        bag_colour=_tinted(rng, TOPS),
        hat=_pick(rng, HATS, (0.76, 0.1, 0.08, 0.06)),
        hat_colour=_tinted(rng, TOPS),
    )


def draw_alike(rng: np.random.Generator, model: Appearance) -> Appearance:
    """Draw somebody in the same clothes as `model` who differs in build and in one or two of hair, shoes, trousers and
    bag.
    """
    other = draw_appearance(rng)
    names = rng.permutation(["hair", "shoes", "bag", "bottom", "skin"])[: int(rng.integers(1, 3))]
    return replace(model, height=other.height, girth=other.girth, **{name: getattr(other, name) for name in names})


def draw_crowd(rng: np.random.Generator, count: int) -> list[Appearance]:
    """Draw `count` people, of whom one in six has the clothes of another one."""
    num_alike = max(1, count // 6)
    crowd = [draw_appearance(rng) for _ in range(count - num_alike)]
    return crowd + [draw_alike(rng, crowd[k]) for k in range(num_alike)]


def mannequin(appearance: Appearance) -> Appearance:
    """Return a shop-window dummy in the same clothes: white skin, no hair, nothing carried."""
    white = (214, 220, 226)
    return replace(appearance, skin=white, hair=white, haircut="bald", bag="none", hat="none")


def garment_texture(garment: Garment) -> np.ndarray:
    """Return the garment's cylinder, uint8 [rows, columns, 3]."""
    texture = np.empty((TEXTURE_ROWS, TEXTURE_COLUMNS, 3), np.uint8)
    texture[:] = garment.colour
    texture[_PATTERN_MASKS[garment.pattern]] = garment.second
    if garment.cut in ("jacket", "coat"):
        texture[:, 63:65] = _shaded(garment.colour, 0.55)
    return texture


def head_texture(appearance: Appearance) -> np.ndarray:
    """Return the head's cylinder: a face at the front, hair above and behind it, uint8 [rows, columns, 3]."""
    texture = np.empty((TEXTURE_ROWS, TEXTURE_COLUMNS, 3), np.uint8)
    texture[:] = appearance.skin
    _add_face(texture, appearance)
    if appearance.haircut != "bald":
        texture[_hair_mask(appearance.haircut)] = appearance.hair
    if appearance.hat != "none":
        texture[:24] = appearance.hat_colour
        texture[22:24] = _shaded(appearance.hat_colour, 0.6)
    return texture


def _add_face(texture: np.ndarray, appearance: Appearance) -> None:
    """Put eyes, brows, mouth and nose on a head's cylinder."""
    dark, lips = _shaded(appearance.skin, 0.38), _shaded(appearance.skin, 0.66)
    for side in (-1, 1):
        column = 64 + side * 8
        cv2.ellipse(texture, (column, 31), (4, 2), 0, 0, 360, dark, -1)
        cv2.line(texture, (column - 4, 26), (column + 4, 26), _shaded(appearance.hair, 0.8), 2)
        cv2.ellipse(texture, (64 + side * 31, 34), (4, 6), 0, 0, 360, lips, -1)
    cv2.line(texture, (64, 30), (64, 40), _shaded(appearance.skin, 0.86), 3)
    cv2.line(texture, (57, 49), (71, 49), lips, 3)


def _hair_mask(haircut: str) -> np.ndarray:
    """Return where hair grows on a head's cylinder, bool [rows, columns]."""
    rows, columns = np.mgrid[:TEXTURE_ROWS, :TEXTURE_COLUMNS]
    around = np.abs(columns - 64) / 64  # 0 at the front, 1 at the back
    hairline = np.where(around < 0.24, 17, np.where(around < 0.42, 30, 48 if haircut == "short" else 62))
    return rows < hairline


def _pattern_masks() -> dict[str, np.ndarray]:
    """Return where a garment shows its second colour, per pattern, bool [rows, columns]."""
    rows, columns = np.mgrid[:TEXTURE_ROWS, :TEXTURE_COLUMNS]
    around = np.abs(columns - 64)
    chest = (around < 12) & (rows > 14) & (rows < 34)
    back = (around > 46) & (rows > 10) & (rows < 38)
    return {
        "plain": np.zeros(rows.shape, bool),
        "stripes": rows // 6 % 2 == 1,
        "checks": (rows // 8 + columns // 8) % 2 == 1,
        "panel": around < 13,
        "yoke": rows < 22,
        "print": chest | back,
    }


_PATTERN_MASKS = _pattern_masks()


def _pick(rng: np.random.Generator, names: tuple[str, ...], shares: tuple[float, ...]) -> str:
    return names[int(rng.choice(len(names), p=shares))]


def _tinted(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    """Draw a colour of the palette and vary it a little, as no two dye lots are the same."""
    colour = np.array(palette[int(rng.integers(len(palette)))]) * rng.uniform(0.93, 1.07) + rng.uniform(-4, 4, 3)
    blue, green, red = (int(value) for value in np.clip(colour, 8, 246))
    return blue, green, red


def _shaded(colour: Colour, factor: float) -> Colour:
    blue, green, red = (int(value) for value in np.clip(np.array(colour) * factor, 0, 255))
    return blue, green, red
