"""Draw a contact sheet of tracklets: one row per tracklet, with its crops in time order."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from reidops.errors import ReidopsError

_TILE = (48, 96)  # px, width and height of a crop
_LABEL, _HEADER, _GAP, _CAPTION = 132, 30, 3, 12  # px
_NUM_ROWS, _NUM_CROPS, _COLUMNS = 32, 12, 2
_INK, _SOFT, _IMPURE = "#111827", "#4b5563", "#b91c1c"


def draw_contact_sheet(tracklets: pd.DataFrame, crops: pd.DataFrame, truth: pd.DataFrame, tar: Path) -> Image.Image:
    """Return the contact sheet of at most 32 tracklets, spread evenly over all of them.

    Tracklets with a share of another person are named in red, where there is ground truth.

    Args:
        crops: tables.CROPS, whose pictures are in `tar`.

    Raises:
        ReidopsError: a picture cannot be read.
    """
    chosen = tracklets.iloc[_evenly(len(tracklets), _NUM_ROWS)]
    rows = max(1, -(-len(chosen) // _COLUMNS))
    width, height = _LABEL + _NUM_CROPS * (_TILE[0] + _GAP) + 4 * _GAP, _TILE[1] + _CAPTION + _GAP
    sheet = Image.new("RGB", (_COLUMNS * width, _HEADER + rows * height), "white")
    title = f"{len(chosen)} of {len(tracklets):,} tracklets. One row per tracklet; below each crop its frame."
    ImageDraw.Draw(sheet).text((_GAP, 6), title, fill=_INK, font=ImageFont.load_default(14))
    shares = truth[truth["pid"] >= 0].set_index("tracklet")["share"]
    known = set(truth["tracklet"])
    of_tracklet = crops.groupby("tracklet").indices
    for place, row in enumerate(chosen.itertuples()):
        own = crops.iloc[of_tracklet[row.tracklet]].sort_values("frame", kind="stable")
        corner = (_GAP + place // rows * width, _HEADER + place % rows * height)
        _draw_label(sheet, corner, row, _purity(shares.get(row.tracklet), row.tracklet in known))
        for number, crop in enumerate(own.iloc[_evenly(len(own), _NUM_CROPS)].itertuples()):
            picture = _read(tar, crop.offset, crop.size)
            _draw_crop(sheet, picture, str(crop.frame), (corner[0] + _LABEL + number * (_TILE[0] + _GAP), corner[1]))
    return sheet


def _evenly(number: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(int)) if number else np.zeros(0, int)


def _purity(share: float | None, has_truth: bool) -> tuple[str, str]:
    """Return a text on the purity of a tracklet and its colour; "" without ground truth."""
    if share is None:
        return ("no annotated person", _SOFT) if has_truth else ("", _SOFT)
    return f"purity {share:.2f}", _SOFT if share >= 1 else _IMPURE


def _draw_label(sheet: Image.Image, corner: tuple[int, int], row: pd.Series, purity: tuple[str, str]) -> None:
    draw = ImageDraw.Draw(sheet)
    lines = [
        (f"tracklet {row.tracklet}", _INK),
        (str(row.scene)[:20], _SOFT),
        (f"frames {row.first_frame} … {row.last_frame}", _SOFT),
        (f"{row.num_boxes:,} boxes", _SOFT),
        purity,
    ]
    for number, (text, fill) in enumerate(lines):
        draw.text((corner[0], corner[1] + 4 + 16 * number), text, fill=fill, font=ImageFont.load_default(12))


def _draw_crop(sheet: Image.Image, picture: np.ndarray, caption: str, corner: tuple[int, int]) -> None:
    height, width = picture.shape[:2]
    scale = min(_TILE[0] / width, _TILE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    place = corner[0] + (_TILE[0] - size[0]) // 2, corner[1] + (_TILE[1] - size[1]) // 2
    sheet.paste(Image.fromarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)), place)
    middle = corner[0] + _TILE[0] // 2
    ImageDraw.Draw(sheet).text(
        (middle, corner[1] + _TILE[1]), caption, fill=_SOFT, font=ImageFont.load_default(10), anchor="ma"
    )


def _read(tar: Path, offset: int, size: int) -> np.ndarray:
    with open(tar, "rb") as stream:
        stream.seek(offset)
        picture = cv2.imdecode(np.frombuffer(stream.read(size), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ReidopsError(f"{tar}: the picture at byte {offset} cannot be read; run `dvc repro -f tracklets`")
    return picture
