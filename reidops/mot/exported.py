"""Ground truth of annotation tools: one table format for all tools, and tracks interpolated between keyframes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError

_BOX = ["left", "top", "width", "height"]
_MOST_FRAMES = 10**7  # bound on the frames of a track, so that a wrong number cannot fill the memory
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

    Raises:
        ValueError: a frame is not in 1 … 10,000,000, or a box holds NaN or infinity.
    """
    if not keyframes:
        return []
    ordered = sorted(keyframes, key=lambda key: key.frame)
    outside = [frame for frame in (*(key.frame for key in ordered), last_frame or 1) if not 1 <= frame <= _MOST_FRAMES]
    if outside:
        raise ValueError(f"frame {outside[0]} is not in 1 … {_MOST_FRAMES:,}")
    if not np.isfinite([key.box_ltwh for key in ordered]).all():
        raise ValueError("a box holds NaN or infinity")
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


def upright(
    box_ltwh: tuple[float, float, float, float], degrees: float, pivot: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return the upright box around a box that is rotated clockwise by `degrees` around the point `pivot`, px."""
    if not degrees:
        return box_ltwh
    left, top, width, height = box_ltwh
    corners = np.array([[left, top], [left + width, top], [left, top + height], [left + width, top + height]]) - pivot
    angle = np.deg2rad(degrees)
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + pivot
    (x1, y1), (x2, y2) = turned.min(axis=0), turned.max(axis=0)
    return float(x1), float(y1), float(x2 - x1), float(y2 - y1)


def exported(rows: list[tuple], remark: str, path: Path) -> Exported:
    """Return rows (frame, track_id, box_ltwh, considered, class_name, visibility) as boxes of the file `path`.

    Raises:
        ReidopsError: a box has a side that is NaN or infinity.
    """
    flat = [(frame, track, *box, considered, name, visible) for frame, track, box, considered, name, visible in rows]
    table = pd.DataFrame(flat, columns=list(COLUMNS))
    wrong = ~np.isfinite(table[_BOX].to_numpy(dtype=float)).all(axis=1)
    if wrong.any():
        row = table[wrong].iloc[0]
        raise ReidopsError(
            f"{path}: the box of id {row['track_id']} in frame {row['frame']} holds NaN or infinity; remove or correct "
            f"it ({int(wrong.sum())} such boxes)"
        )
    return Exported(table, remark)
