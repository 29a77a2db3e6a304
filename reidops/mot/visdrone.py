"""Read VisDrone annotations: frame, id, left, top, width, height, score, category, truncation, occlusion.

A score of 0 or category 0 marks a region to ignore. Category 1 is a pedestrian. Category 2 is a sitting, lying or
riding person; it becomes MOTChallenge's static person (7), which is not used for training or metrics.
"""

import numpy as np
import pandas as pd

from reidops.mot.classes import (
    BICYCLE,
    CAR,
    MOTORBIKE,
    OTHER_VEHICLE,
    PEDESTRIAN,
    STATIC_PERSON,
)

_CLASS_OF = np.array(
    [0, PEDESTRIAN, STATIC_PERSON, BICYCLE, CAR, CAR, CAR, OTHER_VEHICLE, OTHER_VEHICLE, CAR, MOTORBIKE, CAR]
)
_VISIBILITY_OF = np.array([1.0, 0.75, 0.25])  # by occlusion: none, up to half, more; the middle of each range


def is_visdrone(values: np.ndarray) -> bool:
    """Return whether the last four fields of rows [n, 10] are in the ranges of VisDrone everywhere."""
    return bool(len(values)) and not outside_ranges(values).any()


def outside_ranges(values: np.ndarray) -> np.ndarray:
    """Return which rows [n, 10] have a score, category, truncation or occlusion that VisDrone has not, bool [n]."""
    most = (1, len(_CLASS_OF) - 1, 2, 2)
    columns = zip(values[:, 6:10].T, most, strict=True)
    return np.any([~np.isin(column, np.arange(largest + 1)) for column, largest in columns], axis=0)


def visdrone_table(values: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the annotations without regions to ignore, their row indices, and a remark on the format."""
    rows = np.flatnonzero((values[:, 6] != 0) & (values[:, 7] != 0))
    kept = values[rows]
    table = pd.DataFrame(kept[:, :6], columns=["frame", "track_id", "left", "top", "width", "height"])
    table = table.assign(
        considered=True,
        class_id=_CLASS_OF[kept[:, 7].astype(int)],
        visibility=_VISIBILITY_OF[kept[:, 9].astype(int)],
    )
    ignored = len(values) - len(rows)
    return table, rows, f"VisDrone's format, class 1 = pedestrian; {ignored:,} regions to ignore are left out"
