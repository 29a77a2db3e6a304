"""Interpret the frame numbers of a file of boxes: they count from 1, from 0, or are the numbers in image names.

An interpretation is possible if every frame number of the file is a frame of the sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FROM_ONE, FROM_ZERO, PICTURES = "frame", "frame0", "picture"
_MEANING = {
    FROM_ONE: "count from 1",
    FROM_ZERO: "count from 0",
    PICTURES: "are the numbers in the pictures' names",
}


@dataclass(frozen=True)
class Numbering:
    """One interpretation of frame numbers; `numbers` are those of the images, ascending."""

    kind: str
    numbers: np.ndarray

    def to_frames(self, values: np.ndarray) -> np.ndarray:
        """Return 1-based frames, int64 [n]; 0 for a number that is not a frame in this interpretation."""
        values = np.asarray(values)
        if self.kind == PICTURES:
            place = np.searchsorted(self.numbers, values).clip(0, len(self.numbers) - 1)
            return np.where(self.numbers[place] == values, place + 1, 0).astype(np.int64)
        frames = values + (self.kind == FROM_ZERO)
        return np.where((frames >= 1) & (frames <= len(self.numbers)), frames, 0).astype(np.int64)

    def holds(self, values: np.ndarray) -> bool:
        """Return whether every number is a frame in this interpretation."""
        return bool((self.to_frames(values) > 0).all())

    def __str__(self) -> str:
        """Return the meaning of the numbers."""
        return _MEANING[self.kind]


def possible_numberings(values: np.ndarray, numbers: Sequence[int]) -> list[Numbering]:
    """Return the interpretations in which all frame numbers are frames, without duplicates.

    If images are numbered from 1 without gaps, as in MOTChallenge, only the first interpretation is returned. Otherwise
    all are returned.

    Args:
        values: frame numbers of the file, whole numbers, [n].
        numbers: numbers of the images, ascending.
    """
    pictures = np.asarray(numbers)
    distinct = np.unique(np.asarray(values))
    # With uneven gaps an image may be missing, so that only the image numbers themselves identify a frame.
    kinds = (FROM_ONE, FROM_ZERO, PICTURES) if len(set(np.diff(pictures).tolist())) < 2 else (PICTURES,)
    readings = [Numbering(kind, pictures) for kind in kinds]
    found: list[Numbering] = []
    for reading in readings:
        same = any(np.array_equal(reading.to_frames(distinct), other.to_frames(distinct)) for other in found)
        if reading.holds(distinct) and not same:
            found.append(reading)
    plain = len(pictures) and pictures[0] == 1 and pictures[-1] == len(pictures)
    return found[:1] if plain else found
