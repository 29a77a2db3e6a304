"""Cylinder textures as they look from one side: the part that faces the camera, in a body part's outline, shaded."""

import numpy as np

from reidops.mot.synthetic.people import TEXTURE_COLUMNS, TEXTURE_ROWS

TILE = 48  # px, the side of a wrapped texture's picture


def _outline(shape: str) -> np.ndarray:
    """Return half the width of each row of a tile, float [TILE], 0 … 1."""
    share = (np.arange(TILE) + 0.5) / TILE
    if shape == "ball":
        return np.sqrt(np.maximum(0, 1 - np.abs(2 * share - 1) ** 2.4)) * (
            1 - 0.16 * np.maximum(0, share - 0.55) / 0.45
        )
    if shape == "flare":
        return 0.76 + 0.24 * share
    shoulder = np.clip(0.36 + 1.9 * np.sqrt(share * 0.5), 0, 1)
    return np.minimum(shoulder, 1 - 0.24 * np.sin(np.clip((share - 0.1) / 0.9, 0, 1) * np.pi * 0.72))


def _tile_angles(shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Return per tile pixel the angle away from the camera's direction [rad] and whether the shape covers it."""
    across = (np.arange(TILE) + 0.5) / TILE * 2 - 1
    share = across[None, :] / np.maximum(_outline(shape)[:, None], 1e-3)
    return np.arcsin(np.clip(share, -1, 1)), np.abs(share) <= 1


_TILES = {shape: _tile_angles(shape) for shape in ("torso", "flare", "ball")}
_TILE_ROWS = (np.arange(TILE)[:, None] * TEXTURE_ROWS) // TILE


def wrapped(texture: np.ndarray, shape: str, facing: float, light: float) -> np.ndarray:
    """Return the visible side of a cylinder, shaded, as a tile: uint8 [TILE, TILE, 4] (BGR and alpha)."""
    angles, covered = _TILES[shape]
    columns = ((facing - angles) / (2 * np.pi) * TEXTURE_COLUMNS + TEXTURE_COLUMNS / 2).astype(int) % TEXTURE_COLUMNS
    shade = 0.56 + 0.5 * np.maximum(0, np.cos(angles - light))
    tile = np.zeros((TILE, TILE, 4), np.uint8)
    tile[..., :3] = np.minimum(texture[_TILE_ROWS, columns] * shade[..., None], 255)
    tile[..., 3] = covered * np.uint8(255)
    return tile
