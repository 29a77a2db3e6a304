"""Find learnt frames with the same content as test or tracking frames, independent of folder and file names.

Learnt frames are those of train and adapt. A frame of a video has no file: of its near-duplicates, those whose pictures
are equal everywhere count as copies.

A picture with the same bytes in every learnt video (at least two), such as a title, a test picture or a drawing,
identifies no video. It is reported apart, as a repeated picture.

All frames are compared by file size and SHA-256. A sample is also compared by a difference hash of 16 × 16 cells, to
find near-duplicates such as frames that were encoded again. Encoding a frame again changes few of its 256 bits. Frames
of the same camera at another time differ in some tens of bits, frames of different videos in about a hundred. Frames
of one video (`leaks.scene_key`) are not compared here; `leaks.scenes_table` compares their frame numbers.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.image_headers import size_fault, stated_size
from reidops.mot.video_frames import decode_frames
from reidops.parts import LEARNING, Part
from reidops.progress_bar import progress_bar
from reidops.validation.frame_files import Frames, by_digest, file_sizes, frames_of, repeated_frames
from reidops.validation.near_duplicates import difference_bits

_CELLS = 16
_BITS_PER_BIT = _CELLS * _CELLS // 64  # bits of this hash per bit of the hash of crops
_NUM_RUNS = 3  # runs of neighbouring frames per test or tracking sequence
_MIN_CONTRAST = 4.0  # standard deviation in grey levels; below it the hash depends on noise
_BLOCKS = (48, 27)  # blocks of a picture that are compared, across and down
_SAME_LEVELS = 10  # grey levels; encoding a picture again changes the mean of a block by less, a person by more
_SMALL = 400  # px; a picture with a shorter side is decoded at full size

COLUMNS = ["file", "row", "sequence", "copy_fault", "repeated_fault", "twin_fault"]


@dataclass(frozen=True)
class Hashes:
    """Frame numbers [n] and the bits of each frame's difference hash, bool [n, 256]."""

    numbers: list[int]
    bits: np.ndarray


@dataclass
class Copies:
    """Texts of learnt sequences with the bytes of test or tracking frames, by the name of their frames.

    `repeated` holds those whose frames with a copy are in every learnt video, `copied` all others.
    """

    copied: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Twin:
    """A learnt frame and its near-duplicate; `is_copy` if it is a frame of a video and both pictures are equal."""

    own: Frames
    number: int
    other: Frames
    other_number: int
    bits: int

    @property
    def is_copy(self) -> bool:
        """Return whether no block of the two pictures differs."""
        if not (self.own.sequence.is_video or self.other.sequence.is_video):
            return False  # files have been compared by their bytes
        ours, theirs = _grey(self.own, self.number), _grey(self.other, self.other_number)
        return ours is not None and theirs is not None and _largest_difference(ours, theirs) < _SAME_LEVELS

    def __str__(self) -> str:
        """Return both frames and their distance."""
        pair = f"frame {self.number} of {self.own.name} is a near-duplicate of frame {self.other_number} of "
        return f"{pair}{self.other.name} ({self.bits} of {_CELLS * _CELLS} bits differ)"


def frame_copies_table(parts: Rows[Part], shown: Iterable[str], *, sample: int, max_bits: int) -> pd.DataFrame:
    """Return one row per learnt MOT sequence: file, row (its first frame), sequence, and three faults.

    `copy_fault` describes the first frame with the bytes of a test or tracking frame, or of a video with its picture;
    `repeated_fault` the same if every learnt video holds the frame; `twin_fault` the nearest near-duplicate; "" for
    none.

    Args:
        shown: the name of each part's folder in messages.
        sample: training frames per sequence that are hashed to find near-duplicates; 0 = none.
        max_bits: the largest distance of near-duplicates, in bits of 64.
    """
    labels = dict(zip((part.folder for part in parts), shown, strict=True))
    learnt = [part for part in parts if not part.is_transductive]
    trained, scored = frames_of(learnt, LEARNING), frames_of(parts, ("track", "test"))
    copies = _find_copies(trained, scored, repeated_frames(parts))
    twins = _nearest_twins(trained, scored, sample, max_bits * _BITS_PER_BIT) if sample else {}
    same = {name for name, twin in twins.items() if twin.is_copy}
    copies.copied |= {name: str(twins[name]) for name in same}
    records = [
        {
            "file": labels[own.sequence.folder],
            "row": own.numbers.start,
            "sequence": own.sequence.name,
            "copy_fault": copies.copied.get(own.name, ""),
            "repeated_fault": copies.repeated.get(own.name, ""),
            "twin_fault": str(twins[own.name]) if own.name in twins.keys() - same else "",
        }
        for own in trained
    ]
    return pd.DataFrame(records, columns=COLUMNS)


def _find_copies(trained: list[Frames], scored: list[Frames], repeated: set[tuple[str, int]]) -> Copies:
    """Return the fault text of each training sequence with byte-identical frames, by the name of its frames."""
    sizes = [file_sizes(side) for side in (trained, scored)]
    shared = set(sizes[0]) & set(sizes[1]) - {0}
    ours, theirs = (by_digest(side, shared) for side in sizes)
    pairs: dict[tuple[str, bool], list[tuple[int, int, str]]] = defaultdict(list)
    for digest in ours.keys() & theirs.keys():
        other, other_number = theirs[digest][0]
        for own, number in ours[digest]:
            if own.key != other.key:
                pairs[own.name, (own.key, number) in repeated].append((number, other_number, other.name))
    texts = {place: _describe_copies(place[0], sorted(found)) for place, found in pairs.items()}
    copied, repeats = (
        {name: text for (name, is_repeat), text in texts.items() if is_repeat is kept} for kept in (False, True)
    )
    return Copies(copied, repeats)


def _describe_copies(name: str, found: list[tuple[int, int, str]]) -> str:
    number, other_number, other = found[0]
    same = f"frame {number} of {name} has the same bytes as frame {other_number} of {other}"
    return f"{same}; frames with a copy: {len(found):,}"


def _nearest_twins(trained: list[Frames], scored: list[Frames], sample: int, max_bits: int) -> dict[str, Twin]:
    """Return the nearest near-duplicate of each learnt sequence that has one, by the name of its frames."""
    steps = {own.name: math.ceil(len(own.numbers) / sample) for own in trained}
    samples: list[tuple[Frames, Iterable[int]]] = [(own, own.numbers[:: steps[own.name]]) for own in trained]
    samples += [(other, _runs(other.numbers, max(steps.values(), default=1))) for other in scored]
    hashes = [
        _hash_frames(own, numbers) for own, numbers in progress_bar(samples, desc="hash frames", unit="sequences")
    ]
    ours, theirs = hashes[: len(trained)], hashes[len(trained) :]
    found = {}
    for own, own_hashes in zip(trained, ours, strict=True):
        others = [
            (other, other_hashes) for other, other_hashes in zip(scored, theirs, strict=True) if other.key != own.key
        ]
        near = [(*_nearest(own_hashes, other_hashes), place) for place, (_, other_hashes) in enumerate(others)]
        bits, number, other_number, place = min(near, default=(max_bits + 1, 0, 0, 0))
        if bits <= max_bits:
            found[own.name] = Twin(own, number, others[place][0], other_number, bits)
    return found


def _runs(numbers: range, length: int) -> list[int]:
    """Return the frame numbers of runs of `length` neighbouring frames.

    The training sequence is sampled every `length` frames at most. So each run holds a frame that equals a sampled one,
    even if the copy is shifted in time.
    """
    starts = [round(share * (len(numbers) - length)) for share in np.linspace(0, 1, _NUM_RUNS + 2)[1:-1]]
    return sorted(
        {
            numbers[place]
            for start in starts
            for place in range(max(0, start), min(len(numbers), max(0, start) + length))
        }
    )


def _nearest(ours: Hashes, theirs: Hashes) -> tuple[int, int, int]:
    """Return the distance [bits] and the two frame numbers of the nearest pair; 257 bits if a side is empty."""
    if not ours.numbers or not theirs.numbers:
        return _CELLS * _CELLS + 1, 0, 0
    bits = (ours.bits[:, None] != theirs.bits[None]).sum(axis=2)
    first, second = np.unravel_index(bits.argmin(), bits.shape)
    return int(bits[first, second]), ours.numbers[first], theirs.numbers[second]


def _hash_frames(own: Frames, numbers: Iterable[int]) -> Hashes:
    """Return the hashes of the frames that can be decoded and have contrast; other suites report damaged frames."""
    found = _greys(own, numbers)
    kept = [(number, grey) for number, grey in found if grey is not None and grey.std() >= _MIN_CONTRAST]
    bits = [difference_bits(grey, _CELLS).ravel() for _, grey in kept]
    return Hashes([number for number, _ in kept], np.array(bits, dtype=bool).reshape(len(kept), _CELLS * _CELLS))


def _greys(own: Frames, numbers: Iterable[int]) -> list[tuple[int, np.ndarray | None]]:
    if own.sequence.is_video:
        decoded = decode_frames(own.sequence.frames_dir, numbers)
        return [(number, _small(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))) for number, picture in decoded]
    return [(number, _read_grey(own.sequence.frame_path(number))) for number in numbers]


def _grey(own: Frames, number: int) -> np.ndarray | None:
    return next((grey for _, grey in _greys(own, [number])), None)


def _small(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    scale = 4 if min(height, width) >= _SMALL else 1
    return cv2.resize(grey, (width // scale, height // scale), interpolation=cv2.INTER_AREA)


def _largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference of the mean grey level of a block of the two pictures."""
    blocks = [cv2.resize(grey, _BLOCKS, interpolation=cv2.INTER_AREA).astype(int) for grey in (ours, theirs)]
    return float(np.abs(blocks[0] - blocks[1]).max())


def _read_grey(path: Path) -> np.ndarray | None:
    """Return a frame in grey, uint8; None if it cannot be decoded.

    Large frames are decoded at a quarter of their size, which is faster for JPEGs.
    """
    data = path.read_bytes() if path.is_file() else b""
    size = stated_size(data)
    if size is None or size_fault(*size):
        return None
    kind = cv2.IMREAD_REDUCED_GRAYSCALE_4 if min(size) >= _SMALL else cv2.IMREAD_GRAYSCALE
    return cv2.imdecode(np.frombuffer(data, np.uint8), kind)
