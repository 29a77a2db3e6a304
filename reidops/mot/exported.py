"""Ground truth of annotation tools: one table format for all tools, and tracks interpolated between keyframes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

COLUMNS = ("frame", "track_id", "left", "top", "width", "height", "considered", "class_name", "visibility")
OCCLUDED = 0.5  # visibility of a box that a tool marks as occluded without a degree


@dataclass(frozen=True)
class Exported:
    """Boxes in COLUMNS, 0-based px and 1-based frames; `remark` describes the format for the log."""

    table: pd.DataFrame
    remark: str


@dataclass(frozen=True)
class Keyframe:
    """An annotated box: 1-based `frame`, `box_ltwh` in 0-based px; `ends` if the track pauses until the next one."""

    frame: int
    box_ltwh: tuple[float, float, float, float]
    ends: bool = False
    visibility: float = 1.0


def fill_track(keyframes: Sequence[Keyframe], last_frame: int | None = None) -> list[tuple[int, tuple, float]]:
    """Return (frame, box_ltwh, visibility) of every frame of a track, linearly interpolated between keyframes.

    Args:
        last_frame: frame up to which the last keyframe is repeated if it does not end the track; None: not repeated.
    """
    ordered = sorted(keyframes, key=lambda key: key.frame)
    rows = []
    for key, after in zip(ordered, [*ordered[1:], None], strict=True):
        if key.ends:
            continue
        end = after.frame if after else max(last_frame or 0, key.frame) + 1
        target = np.asarray(after.box_ltwh if after and not after.ends else key.box_ltwh)
        start = np.asarray(key.box_ltwh)
        for frame in range(key.frame, end):
            share = (frame - key.frame) / (end - key.frame)
            box = start + (target - start) * share
            rows.append((frame, tuple(box.tolist()), key.visibility))
    return rows


def exported_table(rows: list[tuple]) -> pd.DataFrame:
    """Return rows (frame, track_id, box_ltwh, considered, class_name, visibility) as a table of COLUMNS."""
    flat = [(frame, track, *box, considered, name, visible) for frame, track, box, considered, name, visible in rows]
    return pd.DataFrame(flat, columns=list(COLUMNS))
