"""Read UAVDT's gt_whole.txt: frame, id, left, top, width, height, out-of-view, occlusion, class.

Out-of-view is 1 (none), 2 (medium) or 3 (small). Occlusion is 1 (none), 2 (large), 3 (medium) or 4 (small). The classes
are 1 (car), 2 (truck) and 3 (bus); there are no people.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.classes import as_people

_CLASSES = ("", "car", "truck", "bus")
_VISIBILITY_OF = np.array([1.0, 1.0, 0.25, 0.5, 0.75])  # by occlusion
_MOST = (3, 4, 3)  # largest out-of-view, occlusion and class
NUM_FIELDS = 9


def is_uavdt(values: np.ndarray, path: Path) -> bool:
    """Return whether rows [n, fields] are certainly in this format: by the file's name, or by fields 7 to 9.

    The fields decide if all are in the ranges of UAVDT and both the 7th and the 9th are above 1 in some rows, which a
    flag and a visibility of MOTChallenge never are.
    """
    if values.shape[1] != NUM_FIELDS or not len(values) or not _is_in_range(values):
        return False
    return path.name.endswith("gt_whole.txt") or bool((values[:, 6] > 1).any() and (values[:, 8] > 1).any())


def _is_in_range(values: np.ndarray) -> bool:
    least = (0, 0, 1)
    columns = values[:, 6:9].T
    return all(np.isin(column, np.arange(a, b + 1)).all() for column, a, b in zip(columns, least, _MOST, strict=True))


def uavdt_table(
    values: np.ndarray, path: Path, people: Sequence[int | str] | None
) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the annotations, their row indices, and a remark on the format.

    Args:
        people: classes that become class 1, by number or by name (car, truck, bus).

    Raises:
        ReidopsError: the rows are not in this format, or `people` is None.
    """
    if values.shape[1] != NUM_FIELDS or not _is_in_range(values):
        raise ReidopsError(
            f"{path}: its lines are not those of UAVDT's gt_whole.txt (9 fields: out-of-view 0 … 3, occlusion 0 … 4, "
            f"class 1 … 3); correct download.formats"
        )
    if people is None:
        where = path.parents[3].name if len(path.parents) > 3 and path.name == "gt.txt" else "SET"
        raise ReidopsError(
            f"{path}: is in UAVDT's format, whose classes are 1 = car, 2 = truck and 3 = bus; there are no people. "
            f"To use vehicles, set download.people: {{{where}: [car, truck, bus]}}. If the fields have another "
            f"meaning, name them in download.formats: {{{where}: 'frame,id,left,top,width,height,considered,class,-'}}"
        )
    names = [_CLASSES[number] for number in values[:, 8].astype(int)]
    wanted = [_CLASSES[word] if isinstance(word, int) and 0 < word < len(_CLASSES) else word for word in people]
    table = pd.DataFrame(values[:, :6], columns=["frame", "track_id", "left", "top", "width", "height"])
    table = table.assign(
        considered=True, class_id=as_people(names, wanted), visibility=_VISIBILITY_OF[values[:, 7].astype(int)]
    )
    return table, np.arange(len(table)), f"UAVDT's format (gt_whole.txt), used classes: {', '.join(map(str, wanted))}"
