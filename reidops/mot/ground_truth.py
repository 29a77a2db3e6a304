"""Rows of ground truth of several origins → annotations in MOTChallenge's terms, and a word on what was recognised.

Recognised are MOTChallenge (9 fields), MOT15 (10 fields, without classes), VisDrone (10 fields: score, category,
truncation, occlusion), files with fewer or more fields, and files whose first line names the columns. A value of -1 in
a flag or a visibility means that it is not known: the box is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.classes import as_people, number_of_name
from reidops.mot.columns import named_table
from reidops.mot.text_rows import TextRows
from reidops.mot.visdrone import is_visdrone, visdrone_table

FIELDS = ("frame", "track_id", "left", "top", "width", "height", "considered", "class_id", "visibility")
MOT, MOT15, VISDRONE = "mot", "mot15", "visdrone"
FORMATS = (MOT, MOT15, VISDRONE)
_MOST_CLASSES = 1000  # a class number; world coordinates in millimetres are larger
_CLASS = 7  # column
_CLEAR = 0.99  # share of the rows that decides what two fields are


@dataclass(frozen=True)
class Boxes:
    """Annotations as their file has them: frames and pixels in the file's numbers, classes MOTChallenge's.

    `table` has the columns of FIELDS, rows of regions to ignore left out; `rows` are their places among the file's,
    [n]. `remark` says what was recognised where it is not MOTChallenge's plain format; `frame_kind` is the numbering
    that a column's name states.
    """

    table: pd.DataFrame
    rows: np.ndarray
    remark: str = ""
    frame_kind: str = ""


def recognise(rows: TextRows, layout: str = "", people: Sequence[int | str] | None = None) -> Boxes:
    """Return the annotations in the rows of a gt.txt.

    Args:
        layout: one of FORMATS, or the names of the columns separated by commas; "" = by the rows themselves.
        people: classes, by number or name, that are people; None = MOTChallenge's 1, or the names of people.

    Raises:
        ReidopsError: the rows are of no known kind, or of several; says what to write in download.formats.
    """
    if rows.names or "," in layout:
        found = named_table(rows, layout)
        boxes = Boxes(found.table, np.arange(len(rows.values)), found.remark, found.frame_kind)
        words = found.classes
    else:
        words = rows.words.get(_CLASS)
        boxes = _by_fields(rows if words is None else _with_numbers(rows, words), layout)
    if people is not None:
        own = words if words is not None else _own_classes(rows, boxes)
        mapped = as_people([own[row] for row in boxes.rows], people)
        boxes = replace(boxes, table=boxes.table.assign(class_id=mapped))
    return boxes


def _with_numbers(rows: TextRows, words: list[str]) -> TextRows:
    """Return the rows with MOTChallenge's numbers in place of the names of classes."""
    values = rows.values.copy()
    values[:, _CLASS] = [number_of_name(word) for word in words]
    return replace(rows, values=values)


def _own_classes(rows: TextRows, boxes: Boxes) -> np.ndarray:
    """Return the class of each row of the file in its own numbers; 1 where it has none."""
    if rows.values.shape[1] < 8 or boxes.remark.startswith("MOT15"):
        return np.ones(len(rows.values), int)
    return rows.values[:, 7].astype(int)


def _by_fields(rows: TextRows, layout: str) -> Boxes:
    num_fields = rows.values.shape[1]
    layout = layout or _layout_of(rows)
    if layout == VISDRONE:
        if num_fields != 10:
            raise ReidopsError(f"{rows.path}: its lines have {num_fields} fields, VisDrone's have 10")
        return Boxes(*visdrone_table(rows.values))
    if layout == MOT15:
        remark = "MOT15's format, without classes: every row is a person in full view" if num_fields == 10 else ""
        return _mot(rows.values[:, :7], remark)
    given = rows.values[:, : min(num_fields, 9)]
    remark = {
        6: "6 fields, without flag, class and visibility: every row is a person in full view",
        8: "8 fields, without visibility: every box is in full view",
        9: "",
    }.get(num_fields, f"{num_fields} fields, of which those after the 9th are not used")
    if num_fields == 8 and _is_share(rows.values[:, 7]):
        given = np.column_stack([given[:, :7], np.ones(len(given)), given[:, 7]])
        remark = "8 fields, the last one taken for the visibility: every row is a person"
    return _mot(given, remark)


def _is_share(values: np.ndarray) -> bool:
    return bool((values % 1 != 0).any() and ((values >= 0) & (values <= 1)).all())


def _mot(values: np.ndarray, remark: str) -> Boxes:
    missing = len(FIELDS) - values.shape[1]
    full = np.column_stack([values, np.ones((len(values), missing))]) if missing else values
    table = pd.DataFrame(full, columns=list(FIELDS))
    unknown = table["visibility"] < 0
    if unknown.any() and not remark:
        remark = f"visibility below 0 = not known: {int(unknown.sum()):,} boxes are kept as boxes in full view"
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
        f"{share:.0%} of them; say what they are: download.formats: {{SET: mot}} (class, visibility), "
        f"{{SET: visdrone}}, {{SET: mot15}} (neither), or the names of the columns, {{SET: 'frame,id,left,top,width,"
        f"height,-,class,…'}}"
    )


def _has_class_and_visibility(values: np.ndarray) -> np.ndarray:
    """Tell which rows can have a class in the 8th field and a visibility in the 9th, bool [n].

    Those of MOT15 are world coordinates in metres or millimetres, or -1.
    """
    classes, visibility = values[:, 7], values[:, 8]
    is_class = (classes >= 0) & (classes % 1 == 0) & (classes < _MOST_CLASSES)
    return is_class & (((visibility >= 0) & (visibility <= 1)) | (visibility == -1))
