"""The times of the frames of a sequence: those of the video if its frame rate varies, else by the frame rate."""

from collections.abc import Sequence as Rows
from pathlib import Path

import numpy as np

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.mot.sequences import Sequence

_NAME = "times.csv"


def write_times(times: Rows[float], folder: Path) -> None:
    """Write the time of every frame in seconds from the first, one a line, beside seqinfo.ini."""
    with whole_file(folder / _NAME) as partial:
        partial.write_text("".join(f"{second:.6f}\n" for second in times))


def read_times(sequence: Sequence) -> np.ndarray:
    """Return the time of each frame in seconds from the first, float64 [length].

    Raises:
        ReidopsError: the file of the times is damaged.
    """
    path = sequence.folder / _NAME
    steady = np.arange(sequence.length) / sequence.frame_rate
    if not path.is_file():
        return steady
    try:
        times = np.array(path.read_text().split(), dtype=float)[: sequence.length]
    except ValueError as error:
        raise ReidopsError(f"{path}: {error}; write it again with `dvc repro -f download`") from None
    # frames whose time is missing follow at the mean rate
    after = times[-1] + (1 + np.arange(sequence.length - len(times))) / sequence.frame_rate if len(times) else steady
    return np.concatenate([times, after])
