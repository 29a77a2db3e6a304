"""Read KITTI tracking labels: frame, id, type, truncated, occluded, alpha, left, top, right, bottom, and 3-D fields.

Frames and pixels count from 0. Rows of type DontCare (id -1) mark regions to ignore.
"""

from pathlib import Path

import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.exported import Exported, exported
from reidops.mot.text_rows import read_rows

_VISIBILITY_OF = {0: 1.0, 1: 0.75, 2: 0.25}  # by occlusion: none, partial, large; other values mean unknown


def read_kitti(path: Path) -> Exported:
    """Return the boxes of a label file.

    Raises:
        ReidopsError: a line is not in the format of KITTI.
    """
    rows = read_rows(path, minimum_fields=10, word_columns=(2,))
    types = rows.words.get(2)
    if types is None:
        raise ReidopsError(f"{path}: its 3rd field is no type (Pedestrian, Car, …); use the labels of KITTI tracking")
    numbers = np.delete(rows.values, 2, axis=1)
    rows.refuse("holds NaN or infinity; remove or correct the row", ~np.isfinite(numbers).all(axis=1))
    rows.refuse("its frame is no whole number from 0", (rows.values[:, 0] % 1 != 0) | (rows.values[:, 0] < 0))
    kept = [
        (
            int(row[0]) + 1,
            int(row[1]),
            (row[6], row[7], row[8] - row[6], row[9] - row[7]),
            True,
            name,
            _VISIBILITY_OF.get(int(row[4]), 1.0),
        )
        for row, name in zip(rows.values, types, strict=True)
        if name != "DontCare" and row[1] >= 0
    ]
    ignored = len(types) - len(kept)
    return exported(kept, f"KITTI's format; {ignored:,} regions to ignore are left out", path)
