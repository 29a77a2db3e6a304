"""Two models on the same windows of the same sequences: how far the lead of one over the other can be trusted.

Each evaluation keeps what every window of its reported arm added to the scores (windows.npz), so that a later model can be compared
with it, pair by pair, long after its tracks are gone.
"""

from collections.abc import Sequence as Rows
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.tracking.bootstrap import Interval, over_windows
from reidops.tracking.windows import NUM_COUNTS, windows_by_video


def write_windows(of_frames: Rows[tuple[str, np.ndarray]], length: int, path: Path) -> None:
    """Write the windows of each video; see `windows_by_video`."""
    with whole_file(path) as partial, open(partial, "wb") as stream:
        np.savez(stream, **windows_by_video(of_frames, length))


def read_windows(path: Path) -> dict[str, np.ndarray]:
    """Return the windows of each video, float64 [num_windows, NUM_COUNTS].

    Raises:
        ReidopsError: the file is missing or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            windows = {video: archive[video] for video in archive.files}
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; make it with `dvc repro evaluate_tracking`") from None
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise ReidopsError(f"{path}: holds no windows ({error}); make it again with `dvc repro -f evaluate_tracking`") from None
    if strange := [video for video, counts in windows.items() if counts.ndim != 2 or counts.shape[1] != NUM_COUNTS]:
        raise ReidopsError(f"{path}: {strange[0]} has the shape {list(windows[strange[0]].shape)}, expected [num_windows, {NUM_COUNTS}]")
    return windows


def lead_over(ours: Path, theirs: Path, *, resamples: int, seed: int) -> dict[str, Interval] | None:
    """Return, for each score, the interval of ours − theirs over windows; None where they are not of the same windows.

    Raises:
        ReidopsError: a file is missing or of another kind.
    """
    mine, other = read_windows(ours), read_windows(theirs)
    if {video: len(counts) for video, counts in mine.items()} != {video: len(counts) for video, counts in other.items()}:
        return None
    return over_windows([mine[video] for video in mine], [other[video] for video in mine], resamples=resamples, seed=seed)
