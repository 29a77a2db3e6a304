"""Confidence intervals of the lead of one model over another, on the same windows of the same sequences.

Each evaluation stores the counts behind the scores of its reported arm in windows.npz: in total, without each window
and without each person. A later model can be compared with it, pair by pair, without its tracks.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Rows
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.mot.sequences import DETECTORS
from reidops.tracking.evaluation.bootstrap import Interval, LeaveOneOut, best_intervals
from reidops.tracking.evaluation.windows import NUM_COUNTS, FrameTables

_FORMAT = "format"  # no video has this name: names of videos contain a colon
_VERSION = 2  # files without a version hold scores of windows, which do not add up


def add_copies(sequences: Iterable[tuple[str, int, LeaveOneOut]]) -> dict[str, LeaveOneOut]:
    """Return the counts of each video, `name:num_frames` → the sum over its copies for several detectors.

    The copies (MOT17-02-DPM, -FRCNN, -SDP) have the same people in the same frames. As three videos they would make
    intervals too narrow.

    Args:
        sequences: name, number of frames and counts of each.
    """
    videos: dict[str, LeaveOneOut] = {}
    for sequence, num_frames, counted in sequences:
        stem, _, last = sequence.rpartition("-")
        video = f"{stem if last in DETECTORS else sequence}:{num_frames}"
        videos[video] = videos[video] + counted if video in videos else counted
    return videos


def write_windows(sequences: Rows[tuple[str, FrameTables]], length: int, path: Path) -> None:
    """Write two arrays for each video, `name/windows` and `name/people`.

    Their first row holds the counts in total, the others the counts without each window or person.
    """
    counted = add_copies((name, len(tables), LeaveOneOut.of(tables, length)) for name, tables in sequences)
    arrays = {_FORMAT: np.array(_VERSION)}
    for video, counts in counted.items():
        for unit, without in (("windows", counts.without), ("people", counts.without_people)):
            arrays[f"{video}/{unit}"] = np.vstack([counts.whole, without])
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_windows(path: Path) -> dict[str, LeaveOneOut]:
    """Return the counts of each video.

    Raises:
        ReidopsError: the file is missing, of another kind or of an earlier version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; make it with `dvc repro evaluate_tracking`") from None
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise ReidopsError(
            f"{path}: holds no windows ({error}); make it again with `dvc repro -f evaluate_tracking`"
        ) from None
    version = arrays.pop(_FORMAT, None)
    if version is None or version.shape or int(version) != _VERSION:
        found = "no format" if version is None else f"format {version}"
        remedy = "an earlier version wrote it; `dvc repro -f evaluate_tracking` makes it again"
        raise ReidopsError(f"{path}: has {found}, expected format {_VERSION}; {remedy}")
    if strange := [
        name for name, rows in arrays.items() if rows.ndim != 2 or not len(rows) or rows.shape[1] != NUM_COUNTS
    ]:
        raise ReidopsError(
            f"{path}: {strange[0]} has the shape {list(arrays[strange[0]].shape)}, expected [1 + num_units, "
            f"{NUM_COUNTS}]"
        )
    videos = [name.removesuffix("/windows") for name in arrays if name.endswith("/windows")]
    if missing := [video for video in videos if f"{video}/people" not in arrays]:
        raise ReidopsError(
            f"{path}: has no array {missing[0]}/people; make it again with `dvc repro -f evaluate_tracking`"
        )
    pairs = {video: (arrays[f"{video}/windows"], arrays[f"{video}/people"]) for video in videos}
    return {video: LeaveOneOut(windows[0], windows[1:], people[1:]) for video, (windows, people) in pairs.items()}


def lead_over(ours: Path, theirs: Path) -> dict[str, Interval | None] | None:
    """Return, for each score, the interval of ours − theirs over people or windows; None if their units differ.

    A score's interval is None below `bootstrap.LEAST_UNITS` people or windows.

    Args:
        ours, theirs: files of `write_windows`.

    Raises:
        ReidopsError: a file is missing, of another kind or of an earlier version.
    """
    mine, other = read_windows(ours), read_windows(theirs)
    if _units(mine) != _units(other):
        return None
    return best_intervals([mine[video] for video in mine], [other[video] for video in mine])


def _units(videos: dict[str, LeaveOneOut]) -> dict[str, tuple[int, int]]:
    """Return the number of windows and of people of each video."""
    return {video: (len(counts.without), len(counts.without_people)) for video, counts in videos.items()}
