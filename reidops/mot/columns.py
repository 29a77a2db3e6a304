"""Read boxes by column names, which are in the first line of the file or in `download.formats`."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.classes import number_of_name
from reidops.mot.numbering import FROM_ONE, FROM_ZERO, PICTURES
from reidops.mot.text_rows import TextRows

NAMES = (
    "frame", "frame0", "picture", "id", "left", "top", "width", "height", "right", "bottom", "center_x", "center_y",
    "considered", "class", "visibility", "score", "-",
)  # fmt: skip
_SYNONYMS = {
    "frame": "frame_id frameid frame_number frame_no frame_num frame_index framenumber image_id img_id",
    "picture": "image img image_name img_name image_path filename file_name file file_path path",
    "id": "track_id trackid object_id target_id identity person_id obj_id tid track",
    "left": "l x x1 xmin x_min bb_left bbox_left xtl bbox_x bb_x x_left",
    "top": "t y y1 ymin y_min bb_top bbox_top ytl bbox_y bb_y y_top",
    "width": "w bb_width bbox_width bbox_w bb_w box_width",
    "height": "h bb_height bbox_height bbox_h bb_h box_height",
    "right": "r x2 xmax x_max bb_right bbox_right xbr x_right",
    "bottom": "b y2 ymax y_max bb_bottom bbox_bottom ybr y_bottom",
    "center_x": "cx xc x_center xcenter centre_x",
    "center_y": "cy yc y_center ycenter centre_y",
    "considered": "flag not_ignored active valid",
    "class": "class_id classid category category_id cls label object_category type class_name",
    "visibility": "vis visible visibility_ratio",
    "score": "conf confidence",
}
_UNUSED = {
    "",
    "index",
    "occlusion",
    "occluded",
    "truncation",
    "truncated",
    "z",
    "x_world",
    "y_world",
    "z_world",
    "time",
    "timestamp",
}
_CANONICAL = {word: name for name, words in _SYNONYMS.items() for word in (name, *words.split())}
_CANONICAL |= {name: name for name in NAMES}
_FRAMES = ("frame", "frame0", "picture")
_BOXES = (
    ("left", "top", "width", "height"),
    ("left", "top", "right", "bottom"),
    ("center_x", "center_y", "width", "height"),
)


@dataclass(frozen=True)
class NamedTable:
    """Annotations in the columns of ground_truth.FIELDS; `classes` are those of the file, None without a column."""

    table: pd.DataFrame
    remark: str
    frame_kind: str
    classes: list[int] | list[str] | None


def named_table(rows: TextRows, layout: str = "") -> NamedTable:
    """Return annotations by the names of the columns.

    Args:
        layout: comma-separated names that replace those of the file; `-` is an unused column.

    Raises:
        ReidopsError: a name is unknown, or frame, id or a side of the box has no column.
    """
    names = _canonical(rows, layout)
    place = {name: column for column, name in enumerate(names) if name != "-"}
    box = next((sides for sides in _BOXES if set(sides) <= set(place)), None)
    frame = next((name for name in _FRAMES if name in place), None)
    unknown = [name for name in rows.names if name not in _CANONICAL and name not in _UNUSED] if not layout else []
    if frame is None or "id" not in place or box is None or unknown:
        fault = f"has the unknown names {', '.join(unknown)}" if unknown else "gives no frame, id and box"
        raise ReidopsError(
            f"{rows.path}: line 1 ({','.join(rows.names) or layout}) holds text, and as a line of column names it "
            f"{fault}; remove the header line, or name the columns in download.formats: {', '.join(NAMES)}"
        )
    read = {name: rows.values[:, place[name]] for name in place}
    classes = _classes(rows, place)
    table = pd.DataFrame({"frame": read[frame], "track_id": read["id"], **_ltwh(read, box)})
    considered = read["considered"] != 0 if "considered" in read else np.ones(len(table), bool)
    visibility = read.get("visibility", np.ones(len(table)))
    numbers = _class_numbers(classes, len(table))
    table = table.assign(considered=considered, class_id=numbers, visibility=np.where(visibility < 0, 1.0, visibility))
    used = ", ".join(name for name in names if name != "-")
    kind = {"frame0": FROM_ZERO, "picture": PICTURES, "frame": FROM_ONE if layout else ""}[frame]
    return NamedTable(table, f"columns by name: {used}", kind, classes)


def frame_column(rows: TextRows, layout: str = "") -> int | None:
    """Return the column of the frame: by name, else the first one; None if no name is that of a frame."""
    if not (rows.names or "," in layout):
        return 0
    names = _canonical(rows, layout if "," in layout else "")
    return next((names.index(name) for name in _FRAMES if name in names), None)


def with_numbered_ids(rows: TextRows, layout: str = "") -> tuple[TextRows, str]:
    """Return the rows with numbers in place of ids that are words, from 1 in the order of the rows; and a remark."""
    by_name = rows.names or "," in layout
    names = _canonical(rows, layout if "," in layout else "") if by_name else ["frame", "id"]
    column = names.index("id") if "id" in names else None
    if column not in rows.words:
        return rows, ""
    values = rows.values.copy()
    values[:, column] = pd.factorize(np.array(rows.words[column], dtype=object))[0] + 1
    words = {other: texts for other, texts in rows.words.items() if other != column}
    return replace(rows, values=values, words=words), "ids are words and are numbered in the order of their first boxes"


def named_detections(rows: TextRows) -> np.ndarray:
    """Return the columns frame, id, left, top, width, height and score by name, [n, 7]; id is -1 without a column.

    Raises:
        ReidopsError: frame or a side of the box has no column.
    """
    names = _canonical(rows, "")
    place = {name: column for column, name in enumerate(names) if name != "-"}
    box = next((sides for sides in _BOXES if set(sides) <= set(place)), None)
    if "frame" not in place or box is None:
        raise ReidopsError(
            f"{rows.path}: line 1 ({','.join(rows.names)}) holds text, and as a line of column names it gives no frame "
            f"and box; remove the header line, or use the names frame, left, top, width, height, score"
        )
    read = {name: rows.values[:, place[name]] for name in place}
    ones = np.ones(len(rows.values))
    sides = _ltwh(read, box)
    ltwh = [sides[name] for name in ("left", "top", "width", "height")]
    return np.column_stack([read["frame"], read.get("id", -ones), *ltwh, read.get("score", ones)])


def _canonical(rows: TextRows, layout: str) -> list[str]:
    if layout:
        names = [word.strip().lower() for word in layout.split(",")]
        unknown = [name for name in names if name not in NAMES]
        if unknown or (rows.values.shape[1] != len(names)):
            fault = f"{unknown[0]} is not a column" if unknown else f"its lines have {rows.values.shape[1]} fields"
            raise ReidopsError(
                f"{rows.path}: {fault}; download.formats is {layout}, expected one name per field out of "
                f"{', '.join(NAMES)}"
            )
        return names
    known = [_CANONICAL.get(name, "-") for name in rows.names]
    return [name if known.index(name) == place else "-" for place, name in enumerate(known)]


def _ltwh(read: dict[str, np.ndarray], box: tuple[str, ...]) -> dict[str, np.ndarray]:
    first, second, third, fourth = (read[name] for name in box)
    if box[2] == "right":
        third, fourth = third - first, fourth - second
    if box[0] == "center_x":
        first, second = first - third / 2, second - fourth / 2
    return {"left": first, "top": second, "width": third, "height": fourth}


def _classes(rows: TextRows, place: dict[str, int]) -> list[int] | list[str] | None:
    if "class" not in place:
        return None
    column = place["class"]
    return rows.words[column] if column in rows.words else rows.values[:, column].astype(int).tolist()


def _class_numbers(classes: list[int] | list[str] | None, length: int) -> np.ndarray:
    if classes is None:
        return np.ones(length, int)
    return np.array([number_of_name(word) if isinstance(word, str) else word for word in classes], int)
