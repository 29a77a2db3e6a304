"""Draw ranked galleries: the nearest crops of an embedder's best, median and worst queries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from reidops.retrieval.ranking import RankingScores

Decode = Callable[[int], np.ndarray]
"""From a row of the crops table to its crop, BGR uint8 [h, w, 3]."""

CROP_SIZE = (72, 144)  # px, width and height of a shown crop
FRAME, GUTTER, CAPTION, MARGIN, TITLE, HEADING = 4, 8, 20, 16, 44, 30  # px
RIGHT, WRONG, QUERY, INK, PALE, PAPER = (
    (22, 140, 60),
    (205, 40, 40),
    (60, 60, 60),
    (25, 25, 25),
    (120, 120, 120),
    (255, 255, 255),
)


@dataclass(frozen=True)
class RankedRow:
    """One query and its nearest gallery crops, nearest first; `query` and `found` are rows of the crops table."""

    caption: str
    query: int
    found: np.ndarray
    distances: np.ndarray
    is_right: np.ndarray


def choose_queries(scores: RankingScores, pids: np.ndarray, number: int) -> dict[str, list[int]]:
    """Return the best, median and worst queries by average precision, of different people if there are enough."""
    precisions = scores.average_precisions
    matched = np.flatnonzero(~np.isnan(precisions))
    ascending = matched[np.lexsort((matched, precisions[matched]))]
    centre = np.argsort(np.abs(np.arange(len(ascending)) - (len(ascending) - 1) / 2), kind="stable")
    orders = {"best": ascending[::-1], "median": ascending[centre], "worst": ascending}
    chosen = {name: _of_other_people(order, pids, number) for name, order in orders.items()}
    return {name: sorted(queries, key=lambda q: -precisions[q]) for name, queries in chosen.items()}


def nearest_rows(
    query: np.ndarray, gallery: np.ndarray, junk: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest gallery crops of one query, at most `number`, without junk, and their distances."""
    distances = np.where(junk, np.inf, 1 - gallery @ query)
    order = np.argsort(distances, kind="stable")[: min(number, int((~junk).sum()))]
    return order, distances[order]


def draw_galleries(title: str, sections: Mapping[str, Sequence[RankedRow]], decode: Decode, path: Path) -> None:
    """Draw ranked rows in sections: the query, then the nearest crops, green for the same person and red for others."""
    columns = max(len(row.found) for rows in sections.values() for row in rows)
    width = 2 * MARGIN + (columns + 1) * _step()[0] + 3 * GUTTER
    height = TITLE + MARGIN + sum(HEADING + len(rows) * _step()[1] for rows in sections.values())
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN), title, INK, _font(16))
    top = TITLE
    for heading, rows in sections.items():
        draw.text((MARGIN, top + 6), heading, INK, _font(14))
        top += HEADING
        for row in rows:
            _draw_row(canvas, draw, row, top, decode)
            top += _step()[1]
    canvas.save(path)


def _draw_row(canvas: Image.Image, draw: ImageDraw.ImageDraw, row: RankedRow, top: int, decode: Decode) -> None:
    _draw_crop(canvas, draw, (MARGIN, top), decode(row.query), QUERY, row.caption)
    for place, (found, distance, is_right) in enumerate(zip(row.found, row.distances, row.is_right, strict=True)):
        left = MARGIN + 3 * GUTTER + (place + 1) * _step()[0]
        _draw_crop(canvas, draw, (left, top), decode(int(found)), RIGHT if is_right else WRONG, f"{distance:.3f}")


def _draw_crop(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    crop_bgr: np.ndarray,
    colour: tuple[int, int, int],
    caption: str,
) -> None:
    left, top = corner
    right, bottom = left + CROP_SIZE[0] + 2 * FRAME, top + CROP_SIZE[1] + 2 * FRAME
    draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    crop = Image.fromarray(np.ascontiguousarray(crop_bgr[..., ::-1]))
    canvas.paste(crop.resize(CROP_SIZE, Image.Resampling.BICUBIC), (left + FRAME, top + FRAME))
    draw.text(((left + right) / 2, bottom + 3), caption, PALE if colour == QUERY else colour, _font(11), anchor="ma")


def _of_other_people(order: np.ndarray, pids: np.ndarray, number: int) -> list[int]:
    """Return the first queries of an order, one per person; people are repeated only if there are too few."""
    _, first = np.unique(pids[order], return_index=True)
    repeats = np.setdiff1d(np.arange(len(order)), first)
    return [int(q) for q in order[np.concatenate([np.sort(first), repeats])[:number]]]


def _step() -> tuple[int, int]:
    return CROP_SIZE[0] + 2 * FRAME + GUTTER, CROP_SIZE[1] + 2 * FRAME + CAPTION + GUTTER


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), size)
