"""Read a folder of label files, one per picture, with boxes as shares of the frame and identities.

JDE and FairMOT write `class id center_x center_y width height` (labels_with_ids), ultralytics' tracking
`class center_x center_y width height id`. Identity -1 means unknown; such boxes are left out. YOLO's labels for
detectors have five fields, without identities.
"""

from pathlib import Path

import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.exported import Exported, exported
from reidops.mot.frame_files import FrameFiles
from reidops.mot.text_rows import TextRows, read_rows

CLASS_NAMES = {0: "person"}
_NUM_FIELDS = 6
_ID_SECOND, _ID_LAST = 1, 5  # column of the identity
_MOST = 2**53  # whole numbers up to here are exact
NO_IDENTITIES = (
    "these are labels for a detector, without identities (5 fields: class, center, width, height); people cannot be "
    "followed across frames. Add the identities as in labels_with_ids (class id center_x center_y width height), or "
    "train a detector with them and name it in detect.source"
)


def read_label_folder(folder: Path, files: FrameFiles, width: int, height: int) -> Exported:
    """Return the boxes of all label files of a folder; a file has the name of its picture.

    The class name of other classes than 0 (person) is their number.

    Args:
        files: the images of the sequence.
        width, height: image size in px.

    Raises:
        ReidopsError: a file has no picture, a line is not a box with an identity, or no box has an identity.
    """
    frame_of = {Path(name).stem: frame for name, frame in files.frame_of_name.items()}
    read = {path.stem: _rows(path) for path in label_files(folder)}
    read = {stem: rows for stem, rows in read.items() if len(rows.values)}
    bare = next((stem for stem in read if stem not in frame_of), None)
    if bare is not None:
        raise ReidopsError(f"{folder / bare}.txt: there is no picture of this name; put it beside the others")
    if not read:
        raise ReidopsError(f"{folder}: its label files are empty; expected one line per box")
    column, order = _layout(np.concatenate([rows.values for rows in read.values()]), folder)
    for found in read.values():
        _check(found, column, order)
    rows = [
        (frame_of[stem], int(row[column]), _ltwh(row[order], width, height), True, _name(row[0]), 1.0)
        for stem, found in read.items()
        for row in found.values
    ]
    known = [row for row in rows if row[1] >= 0]
    if not known:
        raise ReidopsError(f"{folder}: every identity is -1 (unknown); ReID needs identities, use another set")
    kind = "JDE's" if column == _ID_SECOND else "ultralytics' tracking"
    return exported(
        known, f"{kind} label files, {len(rows) - len(known):,} boxes without identity are left out", folder
    )


def label_files(folder: Path) -> list[Path]:
    """Return the label files of a folder, sorted by name."""
    return sorted(path for path in folder.glob("*.txt") if not path.name.startswith(".") and path.stem != "classes")


def _rows(path: Path) -> TextRows:
    rows = read_rows(path, minimum_fields=5, may_be_empty=True)
    if len(rows.values) and rows.values.shape[1] == 5:
        raise ReidopsError(f"{path}: {NO_IDENTITIES}")
    rows.refuse(
        f"has {rows.values.shape[1]} fields, expected {_NUM_FIELDS}: class, id, center_x, center_y, width, height",
        np.full(len(rows.values), rows.values.shape[1] != _NUM_FIELDS),
    )
    rows.refuse("holds NaN or infinity; remove or correct the row", ~np.isfinite(rows.values).all(axis=1))
    return rows


def _layout(values: np.ndarray, folder: Path) -> tuple[int, slice]:
    """Return the column of the identity and the columns of the box.

    Raises:
        ReidopsError: either the second or the last field of all lines, [n, 6], can be the identity, or neither.
    """
    layouts = ((_ID_SECOND, slice(2, 6)), (_ID_LAST, slice(1, 5)))
    fits = [
        (column, order)
        for column, order in layouts
        if (values[:, column] % 1 == 0).all() and (values[:, order][:, 2:] <= 2).all()
    ]
    if len(fits) != 1:
        raise ReidopsError(
            f"{folder}: {'both' if fits else 'neither'} the second and the last field can be the identity; expected "
            f"class id center_x center_y width height, with the box as shares of the frame (0 … 1)"
        )
    return fits[0]


def _check(rows: TextRows, column: int, order: slice) -> None:
    """Check the class, the identity and the box of each row.

    Raises:
        ReidopsError: a value is invalid; the message names the first such line.
    """
    classes, ids, box = rows.values[:, 0], rows.values[:, column], rows.values[:, order]
    rows.refuse("its class is no whole number from 0", (classes % 1 != 0) | (classes < 0))
    rows.refuse("its id is too large", np.abs(ids) > _MOST)
    rows.refuse("its box has no area", np.any(box[:, 2:] <= 0, axis=1))
    far = np.any((box[:, :2] < -1) | (box[:, :2] > 2), axis=1)
    rows.refuse("its center is not in the frame; expected shares of 0 … 1", far)


def _ltwh(box: np.ndarray, width: int, height: int) -> tuple[float, float, float, float]:
    x, y, w, h = (float(value) for value in box)
    return (x - w / 2) * width, (y - h / 2) * height, w * width, h * height


def _name(number: float) -> str:
    return CLASS_NAMES.get(int(number), f"{number:.0f}")
