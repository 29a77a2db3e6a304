"""Draw a contact sheet: one row per person, with some of the person's crops."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from reidops.validation.crop_tables import SIDES
from reidops.validation.crops_tar import opened
from reidops.validation.image_faults import decode_colour
from reidops.validation.sequence_tables import evenly

SIDES_DRAWN = {"train": "#2563eb", "val": "#7c3aed", "test": "#b45309"}
_TILE = (56, 112)  # px, width and height of a crop on the sheet
_CAPTION = 14  # px, below each crop
_LABEL = 124  # px
_HEADER = 34  # px
_GAP = 4  # px
_CROPS_PER_PERSON = 8
_INK, _SOFT = "#111827", "#4b5563"


@dataclass(frozen=True)
class Tile:
    """A crop on the sheet: the picture, BGR uint8 [112, 56, 3], its caption, and whether it is a query."""

    picture: np.ndarray
    caption: str
    is_query: bool


@dataclass(frozen=True)
class Person:
    """One row of the sheet: a person and some of its crops."""

    pid: int
    side: str
    origin: str
    num_crops: int
    tiles: list[Tile]


def draw_contact_sheet(crops: pd.DataFrame, tar: Path, num_people: int, *, columns: int = 2) -> Image.Image:
    """Return the contact sheet of about `num_people` people.

    People are spread evenly over sides and data sets, the crops of each person evenly over time.
    """
    people = choose_people(crops, num_people)
    persons = [_read_person(crops, tar, *person) for person in people]
    rows = max(1, -(-len(persons) // columns))
    row_height = _TILE[1] + _CAPTION + _GAP
    column_width = _LABEL + _CROPS_PER_PERSON * (_TILE[0] + _GAP) + 4 * _GAP
    sheet = Image.new("RGB", (columns * column_width + _GAP, _HEADER + rows * row_height + _GAP), "white")
    _draw_header(sheet, len(persons), crops.loc[crops["pid"] >= 0, "pid"].nunique())
    for index, person in enumerate(persons):
        corner = (_GAP + index // rows * column_width, _HEADER + index % rows * row_height)
        _draw_person(sheet, person, corner)
    return sheet


def choose_people(crops: pd.DataFrame, num_people: int) -> list[tuple[int, str, str]]:
    """Return about `num_people` triples (pid, side, dataset).

    Each pair of side and data set gets an equal number of people, at least one, spread evenly over its pids.
    """
    known = crops[crops["pid"] >= 0]
    sides = known["split"].map(SIDES)
    pids = {
        (side, str(dataset)): np.unique(group)
        for side in SIDES_DRAWN
        for dataset, group in known.loc[sides == side, "pid"].groupby(known["dataset"])
    }
    share = -(-num_people // max(1, len(pids)))
    return [(int(pid), side, dataset) for (side, dataset), own in pids.items() for pid in own[evenly(len(own), share)]]


def _read_person(crops: pd.DataFrame, tar: Path, pid: int, side: str, dataset: str) -> Person:
    is_own = (crops["pid"] == pid) & (crops["dataset"] == dataset) & (crops["split"].map(SIDES) == side)
    own = crops[is_own].sort_values(["scene", "camid", "frame"], kind="stable")
    chosen = own[own["fault"] == ""].pipe(lambda table: table.iloc[evenly(len(table), _CROPS_PER_PERSON)])
    with opened(tar) as content:
        pictures = [decode_colour(content.read(row.offset, row.size)) for row in chosen.itertuples()]
    tiles = [
        Tile(_fit(picture), f"c{row.camid} · {row.frame}", row.split == "query")
        for row, picture in zip(chosen.itertuples(), pictures, strict=True)
        if picture is not None
    ]
    origin = dict.fromkeys([dataset, own["scene"].iloc[0]])  # the scene of a ReID set equals its name: written once
    return Person(pid, side, " ".join(origin), len(own), tiles)


def _fit(picture: np.ndarray) -> np.ndarray:
    """Return a tile, BGR uint8, with the picture in its aspect ratio on light grey."""
    height, width = picture.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tile = np.full((_TILE[1], _TILE[0], 3), 238, dtype=np.uint8)
    left, top = (_TILE[0] - size[0]) // 2, (_TILE[1] - size[1]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _draw_header(sheet: Image.Image, num_shown: int, num_people: int) -> None:
    title = f"{num_shown} of {num_people:,} people. One row per person; below each crop its camera and frame."
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 8), title, fill=_INK, font=ImageFont.load_default(14))
    left = sheet.width - 250
    for side, colour in SIDES_DRAWN.items():
        draw.rectangle((left, 11, left + 10, 21), fill=colour)
        draw.text((left + 15, 8), side, fill=_INK, font=ImageFont.load_default(13))
        left += 58
    draw.rectangle((left, 10, left + 10, 22), outline=SIDES_DRAWN["test"], width=2)
    draw.text((left + 15, 8), "a query", fill=_INK, font=ImageFont.load_default(13))


def _draw_person(sheet: Image.Image, person: Person, corner: tuple[int, int]) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    colour = SIDES_DRAWN[person.side]
    draw.rectangle((left, top, left + 3, top + _TILE[1] + _CAPTION - 1), fill=colour)
    lines = [
        (f"pid {person.pid}", 16, _INK),
        (person.side, 13, colour),
        (person.origin, 12, _SOFT),
        (f"{person.num_crops:,} crop{'' if person.num_crops == 1 else 's'}", 12, _SOFT),
    ]
    for number, (text, size, fill) in enumerate(lines):
        draw.text((left + 10, top + 8 + 20 * number), text, fill=fill, font=_fitting_font(text, size))
    for number, tile in enumerate(person.tiles):
        _draw_tile(sheet, tile, (left + _LABEL + number * (_TILE[0] + _GAP), top))


def _fitting_font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of this size, or the largest smaller one in which the text fits beside the crops."""
    sizes = range(size, 7, -1)
    return next(
        (font for font in map(ImageFont.load_default, sizes) if font.getlength(text) <= _LABEL - 14),
        ImageFont.load_default(8),
    )


def _draw_tile(sheet: Image.Image, tile: Tile, corner: tuple[int, int]) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    sheet.paste(Image.fromarray(cv2.cvtColor(tile.picture, cv2.COLOR_BGR2RGB)), corner)
    if tile.is_query:
        draw.rectangle((left, top, left + _TILE[0] - 1, top + _TILE[1] - 1), outline=SIDES_DRAWN["test"], width=2)
    middle = left + _TILE[0] // 2
    draw.text((middle, top + _TILE[1] + 1), tile.caption, fill=_SOFT, font=ImageFont.load_default(10), anchor="ma")
