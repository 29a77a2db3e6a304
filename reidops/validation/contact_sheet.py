"""A contact sheet: people × crops, because people look at pictures first."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from reidops.validation.tar_members import opened
from reidops.validation.sequence_tables import evenly

SPLITS = {"train": "#2563eb", "val": "#7c3aed", "query": "#b45309", "gallery": "#b45309"}
_TILE = (48, 96)  # px, width and height of a crop on the sheet
_LABEL = 116  # px
_GAP = 4  # px
_CROPS_PER_PERSON = 8


@dataclass(frozen=True)
class Person:
    """One row of the sheet: who it is, and some of the crops, BGR uint8 [_TILE]."""

    pid: int
    side: str
    origin: str
    num_crops: int
    tiles: list[np.ndarray]


def draw_contact_sheet(crops: pd.DataFrame, tar: Path, num_people: int, *, columns: int = 2) -> Image.Image:
    """Return a sheet of up to `num_people` people, spread evenly over train, val and test, each with crops spread over time."""
    people = choose_people(crops, num_people)
    persons = [_read_person(crops, tar, pid, side) for pid, side in people]
    rows = max(1, -(-len(persons) // columns))
    column_width = _LABEL + _CROPS_PER_PERSON * (_TILE[0] + _GAP) + 3 * _GAP
    sheet = Image.new("RGB", (columns * column_width + _GAP, rows * (_TILE[1] + _GAP) + _GAP), "white")
    for index, person in enumerate(persons):
        corner = (_GAP + index // rows * column_width, _GAP + index % rows * (_TILE[1] + _GAP))
        _draw_person(sheet, person, corner)
    return sheet


def choose_people(crops: pd.DataFrame, num_people: int) -> list[tuple[int, str]]:
    """Return up to `num_people` pairs (pid, side), a share per side (train, val, test), spread evenly over the pids of a side."""
    sides = crops["split"].replace({"query": "test", "gallery": "test"})
    pids = {side: np.unique(crops.loc[(sides == side) & (crops["pid"] >= 0), "pid"]) for side in ("train", "val", "test")}
    present = [side for side in pids if len(pids[side])]
    share = -(-num_people // max(1, len(present)))
    return [(int(pid), side) for side in present for pid in pids[side][evenly(len(pids[side]), share)]]


def _read_person(crops: pd.DataFrame, tar: Path, pid: int, side: str) -> Person:
    splits = ["query", "gallery"] if side == "test" else [side]
    own = crops[(crops["pid"] == pid) & crops["split"].isin(splits)].sort_values(["scene", "camid", "frame"], kind="stable")
    chosen = own[own["fault"] == ""].pipe(lambda table: table.iloc[evenly(len(table), _CROPS_PER_PERSON)])
    with opened(tar) as content:
        places = zip(chosen["offset"], chosen["size"], strict=True)
        pictures = [cv2.imdecode(np.frombuffer(content.read(o, s), np.uint8), cv2.IMREAD_COLOR) for o, s in places]
    tiles = [_fit(picture) for picture in pictures if picture is not None]
    origin = dict.fromkeys([own["dataset"].iloc[0], own["scene"].iloc[0]])  # a ReID set is its own scene, told once
    return Person(pid, side, " ".join(origin), len(own), tiles)


def _fit(picture: np.ndarray) -> np.ndarray:
    """Return the picture on a tile, BGR uint8, its aspect kept, on light grey."""
    height, width = picture.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tile = np.full((_TILE[1], _TILE[0], 3), 238, dtype=np.uint8)
    left, top = (_TILE[0] - size[0]) // 2, (_TILE[1] - size[1]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _draw_person(sheet: Image.Image, person: Person, corner: tuple[int, int]) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    colour = SPLITS["query" if person.side == "test" else person.side]
    draw.rectangle((left, top, left + 3, top + _TILE[1] - 1), fill=colour)
    lines = [
        (f"pid {person.pid}", 16, "#111827"),
        (person.side, 13, colour),
        (person.origin, 12, "#4b5563"),
        (f"{person.num_crops:,} crops", 12, "#4b5563"),
    ]
    for number, (text, size, fill) in enumerate(lines):
        draw.text((left + 10, top + 8 + 20 * number), text, fill=fill, font=ImageFont.load_default(size))
    for number, tile in enumerate(person.tiles):
        place = (left + _LABEL + number * (_TILE[0] + _GAP), top)
        sheet.paste(Image.fromarray(cv2.cvtColor(tile, cv2.COLOR_BGR2RGB)), place)
