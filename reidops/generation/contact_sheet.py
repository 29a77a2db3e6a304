"""Draw generated crops beside training crops."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reidops.embedding.images import CropStore, load_images
from reidops.generation.assessment import Assessment

_COLUMNS = 20
_TILE = (48, 96)  # px, width and height of a crop on the sheet
_GAP, _CAPTION = 3, 22  # px
_ROWS_REAL, _ROWS_GENERATED, _PAIR_ROWS = 3, 5, 2


def draw_sheet(images: np.ndarray, store: CropStore, assessment: Assessment, *, seed: int) -> Image.Image:
    """Return a sheet of training crops, of generated crops, and of generated crops above their nearest training crops.

    The generated crops, RGB uint8 [N, H, W, 3], are the first ones and are not selected.
    """
    rows = np.random.default_rng(seed).permutation(assessment.rows)[: _ROWS_REAL * _COLUMNS]
    paired = slice(0, min(len(assessment.nearest.rows), _PAIR_ROWS * _COLUMNS))
    nearest = assessment.rows[assessment.nearest.rows[paired]]
    blocks = [
        ("training crops", _lines(_read(store, rows))),
        ("generated crops", _lines(images[: _ROWS_GENERATED * _COLUMNS])),
        (
            "generated crops, and below each the training crop with the most similar pixels",
            _interleaved(_lines(images[paired]), _lines(_read(store, nearest))),
        ),
    ]
    return _draw(blocks)


def _read(store: CropStore, rows: np.ndarray) -> np.ndarray:
    return load_images(store, rows, _TILE[1], _TILE[0])


def _lines(images: np.ndarray) -> list[list[Image.Image]]:
    """Return tiles in lines of the sheet."""
    tiles = [Image.fromarray(image).resize(_TILE, Image.Resampling.BICUBIC) for image in images]
    return [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]


def _interleaved(upper: list[list[Image.Image]], lower: list[list[Image.Image]]) -> list[list[Image.Image]]:
    return [line for pair in zip(upper, lower, strict=True) for line in pair]


def _draw(blocks: list[tuple[str, list[list[Image.Image]]]]) -> Image.Image:
    step = (_TILE[0] + _GAP, _TILE[1] + _GAP)
    height = sum(_CAPTION + len(lines) * step[1] for _, lines in blocks) + _GAP
    sheet = Image.new("RGB", (_COLUMNS * step[0] + _GAP, height), "white")
    draw, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(13), 0
    for caption, lines in blocks:
        draw.text((_GAP, top + 3), caption, fill="#111827", font=font)
        top += _CAPTION
        for line in lines:
            for column, tile in enumerate(line):
                sheet.paste(tile, (_GAP + column * step[0], top))
            top += step[1]
    return sheet
