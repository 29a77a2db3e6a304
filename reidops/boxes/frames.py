"""Read the frames of a sequence in order: its pictures, or the frames of its video."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from reidops.boxes.box_crops import read_picture
from reidops.mot.sequences import Sequence
from reidops.mot.video_frames import decode_frames

log = logging.getLogger(__name__)


def read_frames(sequence: Sequence, numbers: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, picture) of some frames, BGR uint8 [h, w, 3].

    A video that breaks off gives fewer frames, with a warning that names the last one.

    Args:
        numbers: 1-based, ascending.

    Raises:
        ReidopsError: a picture is missing or damaged, or no frame of the video can be read.
    """
    if not sequence.is_video:
        yield from ((number, read_picture(sequence.frame_path(number))) for number in numbers)
        return
    wanted = list(numbers)
    last, count = 0, 0
    for last, picture in decode_frames(sequence.frames_dir, wanted):
        count += 1
        yield last, picture
    if count < len(wanted):
        log.warning(
            "%s: broke off after frame %d of %d; the frames up to there are used",
            sequence.frames_dir,
            last,
            sequence.length,
        )
