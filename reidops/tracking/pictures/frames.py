"""Tracks drawn into a frame: boxes with colour and number of the track; identity errors are marked."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pandas as pd
import supervision as sv
from PIL import Image, ImageDraw, ImageFont

from reidops.mot.boxes import ltwh_to_ltrb

BOX = ["left", "top", "width", "height"]
# Distinct hues, none close to the red of an error; visible on dark figures and readable under white text; RGB.
_PALETTE = (
    (31, 119, 180), (44, 140, 44), (148, 103, 189), (140, 86, 75), (23, 150, 165), (120, 120, 20), (200, 80, 160),
    (60, 80, 200),
    (210, 130, 0), (0, 120, 95), (95, 95, 110), (110, 45, 130), (70, 130, 220), (150, 110, 60), (85, 150, 30),
    (0, 95, 130),
)  # fmt: skip
# Largest number of labels that a new one avoids: among thousands there is no free place, and a search takes minutes.
_MOST_APART = 150
MISTAKE = (225, 20, 35)
_WHITE = (255, 255, 255)


def colour_of(track_id: int) -> tuple[int, int, int]:
    """Return a track's colour in all pictures, RGB 0 … 255; it repeats every sixteen tracks."""
    return _PALETTE[track_id % len(_PALETTE)]


def annotate(picture: np.ndarray, detections: sv.Detections, marks: Mapping[int, str] | None = None) -> np.ndarray:
    """Return a copy of a BGR picture with a box and a label of each detection (with `tracker_id`).

    Args:
        marks: tracker_id → text after its number; such boxes get a red frame and are drawn last.
    """
    marks = marks or {}
    scene = picture.copy()
    thickness = max(1, round(max(picture.shape[:2]) / 500))
    taken: list[tuple[int, int, int, int]] = []
    # Marked boxes are drawn last, on top; their labels are placed first.
    boxes = sorted(
        zip(detections.tracker_id.tolist(), np.round(detections.xyxy).astype(int), strict=True),
        key=lambda box: box[0] in marks,
    )
    for track_id, box_ltrb in boxes:
        _draw_box(scene, box_ltrb, thickness, colour_of(track_id), marked=track_id in marks)
    for track_id, box_ltrb in reversed(boxes):
        colour, text = (
            (MISTAKE, f"{track_id} {marks[track_id]}") if track_id in marks else (colour_of(track_id), str(track_id))
        )
        taken.append(_paste_label(scene, box_ltrb, _label(text, _font_size(picture), colour), taken[:_MOST_APART]))
    return scene


def annotate_frame(picture: np.ndarray, tracks: pd.DataFrame, marks: Mapping[int, str] | None = None) -> np.ndarray:
    """Return a copy of a BGR picture with the boxes and numbers of the tracks (rows of one frame); see `annotate`."""
    box_ltrb = ltwh_to_ltrb(tracks[BOX].to_numpy(dtype=float)).reshape(-1, 4)
    return annotate(picture, sv.Detections(xyxy=box_ltrb, tracker_id=tracks["track_id"].to_numpy(dtype=int)), marks)


def add_caption(
    picture: np.ndarray, text: str, note: str = "", *, colour: tuple[int, int, int] = (30, 30, 30)
) -> np.ndarray:
    """Return the picture with a bar below it that shows `text` and, if it leaves room in two lines, `note`.

    The height of the bar depends on the picture alone, so all pictures of a video have the same size.
    """
    size = _font_size(picture)
    height, width = picture.shape[:2]
    bar = Image.new("RGB", (width, caption_height(picture)), colour)
    lines = [*wrap(text, size, width - size), note]
    for number, line in enumerate(lines[:_CAPTION_LINES]):
        ImageDraw.Draw(bar).text(
            (size // 2, size // 3 + number * round(1.35 * size)), line, font=_font(size), fill=_WHITE
        )
    return np.vstack([picture, np.asarray(bar)[:, :, ::-1]])


_CAPTION_LINES = 2


def caption_height(picture: np.ndarray) -> int:
    """Return the height of a caption's bar in px; even, so that a video keeps all its rows."""
    return 2 * round((0.8 + 1.35 * _CAPTION_LINES) * _font_size(picture) / 2)


def wrap(text: str, size: int, width: int) -> list[str]:
    """Return a text as lines that are at most `width` px wide in a font of `size` px, broken at spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(size).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _font_size(picture: np.ndarray) -> int:
    """Return the font size in px, in proportion to the picture."""
    return int(np.clip(round(max(picture.shape[:2]) / 70), 11, 28))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib ships; OpenCV's fonts have neither → nor ≤."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"), size)


@lru_cache(maxsize=2048)
def _label(text: str, size: int, colour: tuple[int, int, int]) -> np.ndarray:
    """Return white letters on a patch of a colour, BGR uint8 [h, w, 3]."""
    patch = Image.new("RGB", (round(_font(size).getlength(text)) + size // 2, round(1.3 * size)), colour)
    ImageDraw.Draw(patch).text((size // 4, size // 16), text, font=_font(size), fill=_WHITE)
    return np.asarray(patch)[:, :, ::-1].copy()


def _draw_box(
    scene: np.ndarray, box_ltrb: np.ndarray, thickness: int, colour: tuple[int, int, int], *, marked: bool
) -> None:
    left, top, right, bottom = (int(side) for side in box_ltrb)
    if marked:
        cv2.rectangle(scene, (left, top), (right, bottom), MISTAKE[::-1], 3 * thickness)
    cv2.rectangle(scene, (left, top), (right, bottom), colour[::-1], thickness)


def _paste_label(
    scene: np.ndarray, box_ltrb: np.ndarray, label: np.ndarray, taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int]:
    """Paste a label at a box so that it covers no other (`taken`, ltrb) if possible; return its place (ltrb).

    It is moved into the picture, and cropped if the picture is smaller.
    """
    label = label[: scene.shape[0], : scene.shape[1]]
    places = _label_places(box_ltrb, label.shape[:2], scene.shape[:2])
    place = next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])
    left, top, right, bottom = place
    scene[top:bottom, left:right] = label
    return place


def _label_places(
    box_ltrb: np.ndarray, size: tuple[int, int], scene: tuple[int, int]
) -> list[tuple[int, int, int, int]]:
    """Return the places for a label, ltrb, in order of preference: above, inside or below the box."""
    (left, top, right, bottom), (height, width) = (int(side) for side in box_ltrb), size
    corners = [
        (left, top - height),
        (right - width, top - height),
        (left, top),
        (left, bottom),
        (left, top - 2 * height),
    ]
    inside = [(max(0, min(x, scene[1] - width)), max(0, min(y, scene[0] - height))) for x, y in corners]
    return [(x, y, x + width, y + height) for x, y in inside]


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
