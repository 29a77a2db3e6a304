"""Convert rows of ground truth in several formats to the annotations of MOTChallenge.

The formats are MOTChallenge (9 fields), MOT15 (10 fields, without classes), VisDrone (10 fields: score, category,
truncation, occlusion), UAVDT (9 fields: out-of-view, occlusion, class), files with fewer or more fields, and files with
column names in their first line. A flag or visibility of -1 means unknown; the box is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.classes import as_people, named_classes, number_of_name
from reidops.mot.columns import named_table
from reidops.mot.text_rows import TextRows
from reidops.mot.uavdt import is_uavdt, uavdt_table
from reidops.mot.visdrone import is_visdrone, outside_ranges, visdrone_table

FIELDS = ("frame", "track_id", "left", "top", "width", "height", "considered", "class_id", "visibility")
MOT, MOT15, VISDRONE, UAVDT = "mot", "mot15", "visdrone", "uavdt"
FORMATS = (MOT, MOT15, VISDRONE, UAVDT)
_MOST_CLASSES = 1000  # a class number; world coordinates in millimetres are larger
_CLASS = 7  # column
_CLEAR = 0.99  # minimum share of the rows for recognising the meaning of two fields


@dataclass(frozen=True)
class Boxes:
    """Annotations with the frame numbers and pixels of their file and the classes of MOTChallenge.

    `table` has the columns of FIELDS, without regions to ignore; `rows` are the row indices in the file, [n]. `remark`
    describes the format unless it is that of MOTChallenge; `frame_kind` is the frame numbering of a column name.
    """

    table: pd.DataFrame
    rows: np.ndarray
    remark: str = ""
    frame_kind: str = ""


def recognise(
    rows: TextRows,
    layout: str = "",
    people: Sequence[int | str] | None = None,
    names: Mapping[int, str] | None = None,
) -> Boxes:
    """Return the annotations in the rows of a gt.txt.

    Args:
        layout: one of FORMATS, or comma-separated column names; "" recognises the format from the rows.
        people: classes of people, by number or name; None: class 1 of MOTChallenge, or the usual names of people.
        names: names of the class numbers of a file in MOTChallenge's format; empty: they are MOTChallenge's.

    Raises:
        ReidopsError: the format is unknown or ambiguous; the message has the entry for download.formats.
    """
    if rows.names or "," in layout:
        found = named_table(rows, layout)
        boxes = Boxes(found.table, np.arange(len(rows.values)), found.remark, found.frame_kind)
        words = found.classes
    elif layout == UAVDT or (not layout and is_uavdt(rows.values, rows.path)):
        return Boxes(*uavdt_table(rows.values, rows.path, people))
    else:
        words = rows.words.get(_CLASS)
        boxes = _by_fields(rows if words is None else _with_numbers(rows, words), layout)
    if names and words is None and layout in ("", MOT) and rows.values.shape[1] == len(FIELDS):
        numbers = named_classes(rows.values[boxes.rows, _CLASS], names, people, rows.path)
        known = "; ".join(filter(None, (boxes.remark, f"classes of labels.txt: {', '.join(names.values())}")))
        boxes = replace(boxes, table=boxes.table.assign(class_id=numbers), remark=known)
    elif people is not None:
        own = words if words is not None else _own_classes(rows, boxes)
        mapped = as_people([own[row] for row in boxes.rows], people)
        boxes = replace(boxes, table=boxes.table.assign(class_id=mapped))
    return boxes


def with_identities(boxes: Boxes, path: Path) -> Boxes:
    """Return the boxes without those whose id is below 0, which mark regions to ignore, e.g. KITTI's.

    Raises:
        ReidopsError: every id is below 0.
    """
    known = (boxes.table["track_id"] >= 0).to_numpy()
    if known.all():
        return boxes
    if not known.any():
        raise ReidopsError(
            f"{path}: every id is below 0 ({boxes.table['track_id'].iloc[0]:.0f}), as in detections without identities;"
            f" ReID needs the id of each person; use other annotations, or name its column in download.formats"
        )
    ignored = f"{int((~known).sum()):,} boxes with an id below 0 are regions to ignore and are left out"
    remark = "; ".join(filter(None, (boxes.remark, ignored)))
    return replace(boxes, table=boxes.table[known].reset_index(drop=True), rows=boxes.rows[known], remark=remark)


def _with_numbers(rows: TextRows, words: list[str]) -> TextRows:
    """Return the rows with MOTChallenge's class numbers in place of class names."""
    values = rows.values.copy()
    values[:, _CLASS] = [number_of_name(word) for word in words]
    return replace(rows, values=values)


def _own_classes(rows: TextRows, boxes: Boxes) -> np.ndarray:
    """Return the class of each row in the numbers of the file, 1 in files without classes."""
    if rows.values.shape[1] < 8 or boxes.remark.startswith("MOT15"):
        return np.ones(len(rows.values), int)
    return rows.values[:, 7].astype(int)


def _by_fields(rows: TextRows, layout: str) -> Boxes:
    num_fields = rows.values.shape[1]
    layout = layout or _layout_of(rows)
    if layout == VISDRONE:
        if num_fields != 10:
            raise ReidopsError(
                f"{rows.path}: its lines have {num_fields} fields, expected 10 (VisDrone); correct download.formats"
            )
        rows.refuse(
            "is not VisDrone's (score 0 or 1, category 0 … 11, truncation and occlusion 0 … 2); correct the row, or "
            "download.formats",
            outside_ranges(rows.values),
        )
        return Boxes(*visdrone_table(rows.values))
    if layout == MOT15:
        remark = "MOT15's format, without classes: every row is a fully visible person" if num_fields == 10 else ""
        return _mot(rows.values[:, :7], remark)
    given = rows.values[:, : min(num_fields, 9)]
    remark = {
        6: "6 fields, without flag, class and visibility: every row is a fully visible person",
        8: "8 fields, without visibility: every box is fully visible",
        9: "",
    }.get(num_fields, f"{num_fields} fields, of which those after the 9th are not used")
    if num_fields == 8 and _is_share(rows.values[:, 7]):
        given = np.column_stack([given[:, :7], np.ones(len(given)), given[:, 7]])
        remark = "8 fields, the last one is taken as the visibility: every row is a person"
    return _mot(given, remark)


def _is_share(values: np.ndarray) -> bool:
    return bool((values % 1 != 0).any() and ((values >= 0) & (values <= 1)).all())


def _mot(values: np.ndarray, remark: str) -> Boxes:
    missing = len(FIELDS) - values.shape[1]
    full = np.column_stack([values, np.ones((len(values), missing))]) if missing else values
    table = pd.DataFrame(full, columns=list(FIELDS))
    unknown = table["visibility"] < 0
    if unknown.any() and not remark:
        remark = f"visibility below 0 means unknown: {int(unknown.sum()):,} boxes are taken as fully visible"
    table = table.assign(considered=table["considered"] != 0, visibility=table["visibility"].mask(unknown, 1.0))
    return Boxes(table, np.arange(len(table)), remark)


def _layout_of(rows: TextRows) -> str:
    """Return the format of rows without names."""
    values = rows.values
    if values.shape[1] < 10:
        return MOT15 if values.shape[1] == 7 else MOT
    if values.shape[1] == 10 and is_visdrone(values):
        return VISDRONE
    share = float(_has_class_and_visibility(values).mean())
    if share >= _CLEAR:
        return MOT
    if values.shape[1] == 10 and share <= 1 - _CLEAR:
        return MOT15
    raise ReidopsError(
        f"{rows.path}: its lines have {values.shape[1]} fields, and the 8th and 9th can be class and visibility in "
        f"{share:.0%} of them; set their meaning in download.formats: {{SET: mot}} (class, visibility), "
        f"{{SET: visdrone}}, {{SET: mot15}} (neither), or the column names, {{SET: 'frame,id,left,top,width,"
        f"height,-,class,…'}}"
    )


def _has_class_and_visibility(values: np.ndarray) -> np.ndarray:
    """Return which rows can have a class in the 8th field and a visibility in the 9th, bool [n].

    In MOT15 these fields are world coordinates in metres or millimetres, or -1.
    """
    classes, visibility = values[:, 7], values[:, 8]
    is_class = (classes >= 0) & (classes % 1 == 0) & (classes < _MOST_CLASSES)
    return is_class & (((visibility >= 0) & (visibility <= 1)) | (visibility == -1))
