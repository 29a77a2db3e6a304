"""Draw a contact sheet of clusters: one row per cluster, with some of its crops from all its cameras."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from reidops.embedding.images import CropReader
from reidops.embedding.resizing import resize_crop

_TILE = (56, 112)  # px, width and height of a crop
_CAPTION, _LABEL, _HEADER, _GAP = 14, 132, 30, 4  # px
_INK, _SOFT = "#111827", "#4b5563"


def draw_clusters(
    store: CropReader, crops: pd.DataFrame, labels: np.ndarray, *, num_rows: int = 24, per_row: int = 12
) -> Image.Image:
    """Return the sheet of about `num_rows` clusters, evenly chosen by their size from the largest to the smallest.

    Args:
        crops: tables.CROPS of the tracklets, [N].
        labels: the cluster of each crop, −1 = none, [N].
        per_row: crops of a cluster at most; they are evenly chosen in the order of camera, tracklet and frame.
    """
    shown = _choose(labels, num_rows)
    height = _HEADER + max(1, len(shown)) * (_TILE[1] + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (_LABEL + per_row * (_TILE[0] + _GAP) + _GAP, height), "white")
    num = len(np.unique(labels[labels >= 0]))
    title = f"{len(shown)} of {num:,} clusters by size. Below each crop: its camera and its tracklet."
    ImageDraw.Draw(sheet).text((_GAP, 8), title, fill=_INK, font=ImageFont.load_default(14))
    for place, label in enumerate(shown):
        own = crops[labels == label].sort_values(["camid", "tracklet", "frame"], kind="stable")
        _draw_row(sheet, store, own, per_row, (place, int(label)))
    return sheet


def _choose(labels: np.ndarray, num: int) -> np.ndarray:
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    return order[_evenly(len(order), num)]


def _evenly(num: int, wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, num - 1, min(num, wanted)).round().astype(int)) if num else np.empty(0, int)


def _draw_row(
    sheet: Image.Image, store: CropReader, own: pd.DataFrame, per_row: int, place_and_label: Sequence[int]
) -> None:
    place, label = place_and_label
    draw, top = ImageDraw.Draw(sheet), _HEADER + place * (_TILE[1] + _CAPTION + _GAP)
    lines = [
        (f"cluster {label}", 15, _INK),
        (f"{len(own):,} crops", 12, _SOFT),
        (f"{own['tracklet'].nunique():,} tracklets", 12, _SOFT),
        (f"cameras: {own['camid'].nunique():,}", 12, _SOFT),
    ]
    for number, (text, size, ink) in enumerate(lines):
        draw.text((_GAP, top + 8 + 20 * number), text, fill=ink, font=ImageFont.load_default(size))
    rows = own.iloc[_evenly(len(own), per_row)]
    for column, (row, camid, tracklet) in enumerate(zip(rows.index, rows["camid"], rows["tracklet"], strict=True)):
        left = _LABEL + column * (_TILE[0] + _GAP)
        picture = resize_crop(store.decode(int(row)), _TILE[1], _TILE[0])
        sheet.paste(Image.fromarray(picture), (left, top))
        text, font = f"c{camid} · {tracklet}", ImageFont.load_default(10)
        draw.text((left + _TILE[0] // 2, top + _TILE[1] + 1), text, fill=_SOFT, font=font, anchor="ma")
