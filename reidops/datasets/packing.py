"""Pack crops into one tar: each frame is decoded once, each crop encoded once, and published crops are copied.

The work is divided into chunks of a bounded size, so that the memory does not depend on the amount of data. One process
writes directly to the tar. Several processes write one temporary file per chunk, and these are joined in order, so that
the tar does not depend on the number of workers. Copied crops are limited by the disk and are not distributed. Imports
are light, because every worker process repeats them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import cv2
import numpy as np

from reidops.cores import usable_cores
from reidops.datasets.decoding import decode_whole
from reidops.datasets.matlab import read_picture
from reidops.datasets.pictures import plain_picture
from reidops.datasets.tar_members import write_end, write_member
from reidops.errors import ReidopsError
from reidops.image_headers import check_size, check_whole, read_size, states_size
from reidops.memory import keep_freed_memory
from reidops.mot.video_frames import decode_frames
from reidops.parallel import map_parallel, num_at_once
from reidops.picture_depth import check_depth

_FRAMES_PER_CHUNK = (8, 256)  # the least and the most
_CROPS_PER_CHUNK = 1024  # for crops that are not cut from frames
_BUFFER_BYTES = 1 << 20

Item = TypeVar("Item")


class CropSource(NamedTuple):
    """The source of one crop: the pixels `box` of an image file, the picture `member` inside a file, or a whole file.

    `box` is (x1, y1, x2, y2) in px, 0-based, both ends inclusive; `frame_size` is the expected (width, height) of the
    image. `frame` is the number of a frame of a video, 1-based; 0 for other files. It is a tuple, because all sources
    are sent to other processes, and the pickle of a dataclass takes several times as long.
    """

    path: str
    file: str
    box: tuple[int, int, int, int] | None = None
    frame_size: tuple[int, int] | None = None
    member: str = ""
    frame: int = 0

    @property
    def kind(self) -> str:
        """Return the operation: frame, cut, member or copy."""
        if self.frame:
            return "frame"
        if self.box is not None:
            return "cut"
        return "member" if self.member else "copy"


@dataclass(frozen=True)
class CutRules:
    """JPEG quality (1 … 100) and size (height, width) in px of cut crops; a size of None keeps that of the box."""

    jpeg_quality: int = 95
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Chunk:
    sources: list[CropSource]
    spill: Path


def pack_crops(
    sources: list[CropSource], tar: Path, rules: CutRules | None = None, *, workers: int | None = None
) -> np.ndarray:
    """Write `tar` with one member per source, in order, and return int64 [num_crops, 4]: offset, size, width, height.

    `offset` and `size` are bytes of the image inside the tar: a JPEG if it was cut, a PNG if it was a picture inside a
    file or has another format (WebP, TIFF), else the bytes of the file. Sources of one image file must be adjacent,
    those of a video ordered by frame. A copied JPEG, PNG or BMP is not decoded; only its end and its number of pixels
    are checked, and `validate` detects damage in its middle.

    Raises:
        ReidopsError: an image is missing, unreadable, damaged, truncated, of an unexpected size, or has more pixels
            than the bound.
    """
    workers = workers or usable_cores()
    with tempfile.TemporaryDirectory(dir=tar.parent, prefix=f".{tar.name}.", ignore_cleanup_errors=True) as folder:
        chunks = [
            _Chunk(chunk, Path(folder) / f"{n:05d}") for n, chunk in enumerate(_chunks(sources, num_at_once(workers)))
        ]
        spilled = _spill(chunks, rules or CutRules(), workers) if workers > 1 else {}
        with open(tar, "wb", buffering=_BUFFER_BYTES) as stream:
            append = partial(_append_chunk, stream=stream, spilled=spilled, rules=rules or CutRules())
            tables = map_parallel(append, chunks, 1, desc="pack crops")
            write_end(stream)
    return np.concatenate([np.empty((0, 4), dtype=np.int64), *tables])


def _chunks(sources: list[CropSource], workers: int) -> Iterator[list[CropSource]]:
    """Yield runs of one kind: a video, several whole image files to cut, or `_CROPS_PER_CHUNK` crops."""
    for kind, run in groupby(sources, key=lambda source: source.kind):
        if kind == "frame":
            yield from (list(video) for _, video in groupby(run, key=lambda source: source.file))
        elif kind == "cut":
            frames = [list(frame) for _, frame in groupby(run, key=lambda source: source.file)]
            yield from (list(chain.from_iterable(several)) for several in _shrinking(frames, workers))
        else:
            yield from _batched(run, _CROPS_PER_CHUNK)


def _shrinking(items: list[Item], workers: int) -> Iterator[list[Item]]:
    """Yield batches that become smaller, in order, each half of a worker's share of the remaining items.

    The first ones are large, because each batch costs time to send; the last ones are small, so that the workers end at
    the same time.
    """
    least, most = _FRAMES_PER_CHUNK
    least, start = max(least, len(items) // (32 * workers)), 0
    while start < len(items):
        size = min(most, max(least, (len(items) - start) // (2 * workers)))
        yield items[start : start + size]
        start += size


def _batched(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    coming = iter(items)
    while batch := list(islice(coming, most)):
        yield batch


def _spill(chunks: list[_Chunk], rules: CutRules, workers: int) -> dict[Path, np.ndarray]:
    """Encode the chunks that are not copied in several processes, and return their tables by temporary file."""
    encoded = [chunk for chunk in chunks if chunk.sources[0].kind != "copy"]
    tables = map_parallel(partial(_spill_chunk, rules=rules), encoded, workers, desc="cut crops")
    return {chunk.spill: table for chunk, table in zip(encoded, tables, strict=True)}


def _spill_chunk(chunk: _Chunk, rules: CutRules) -> np.ndarray:
    keep_freed_memory()  # reuse the memory of a frame for the next one in this process
    with open(chunk.spill, "wb", buffering=_BUFFER_BYTES) as stream:
        return _write_chunk(chunk.sources, stream, rules)


def _append_chunk(chunk: _Chunk, stream: BinaryIO, spilled: dict[Path, np.ndarray], rules: CutRules) -> np.ndarray:
    """Write one chunk to the tar; its temporary file is used and deleted if there is one."""
    if chunk.spill not in spilled:
        return _write_chunk(chunk.sources, stream, rules)
    table = spilled[chunk.spill] + [stream.tell(), 0, 0, 0]
    with open(chunk.spill, "rb") as part:
        shutil.copyfileobj(part, stream, _BUFFER_BYTES)
    os.unlink(chunk.spill)
    return table


def _write_chunk(sources: list[CropSource], stream: BinaryIO, rules: CutRules) -> np.ndarray:
    """Write the members of one chunk and return offset in the stream, size, width and height of each."""
    rows = []
    position = stream.tell()
    for source, (image, width, height) in zip(sources, _images(sources, rules), strict=True):
        offset, position = write_member(stream, position, source.path, image)
        rows.append((offset, len(image), width, height))
    return np.array(rows, dtype=np.int64)


def _images(sources: list[CropSource], rules: CutRules) -> Iterator[tuple[bytes, int, int]]:
    """Yield (the image file's bytes, width, height) of each crop of one kind."""
    if sources[0].kind == "frame":
        yield from _cut_video(sources, rules)
    elif sources[0].kind == "cut":
        yield from _cut(sources, rules)
    elif sources[0].kind == "member":
        yield from map(_extract, sources)
    else:
        for source in sources:
            image = plain_picture(_read(source.file), source.file)
            size = read_size(image, source.file)
            check_size(*size, source.file)
            yield image, *size


def _cut(sources: list[CropSource], rules: CutRules) -> Iterator[tuple[bytes, int, int]]:
    file = None
    for source in sources:
        if source.file != file:
            # `frame` keeps the last image while the next one is decoded. If it were freed first, the allocator would
            # return its 6 MB to the kernel and request them again, which takes as long as the decoding.
            frame, file = _decode(source), source.file
        yield _finish(_within(frame, source.box), rules)


def _cut_video(sources: list[CropSource], rules: CutRules) -> Iterator[tuple[bytes, int, int]]:
    """Yield the crops of one video, whose frames are in ascending order."""
    by_frame = {frame: list(crops) for frame, crops in groupby(sources, key=lambda source: source.frame)}
    last = 0
    for last, picture in decode_frames(Path(sources[0].file), list(by_frame)):
        yield from (_finish(_within(picture, source.box), rules) for source in by_frame[last])
    if last < max(by_frame):
        raise ReidopsError(f"{sources[0].file}: ends after frame {last}; run `dvc repro -f download`")


def _finish(crop: np.ndarray, rules: CutRules) -> tuple[bytes, int, int]:
    if rules.size:
        crop = _resize(crop, *rules.size)
    return _encode(crop, rules.jpeg_quality), crop.shape[1], crop.shape[0]


def _within(frame: np.ndarray, box: tuple[int, int, int, int] | None) -> np.ndarray:
    """Return the pixels of a box, or the whole frame if it is None."""
    if box is None:
        return frame
    x1, y1, x2, y2 = box
    return frame[y1 : y2 + 1, x1 : x2 + 1]


def _extract(source: CropSource) -> tuple[bytes, int, int]:
    """Return a picture inside a file as a lossless PNG."""
    picture = read_picture(source.file, source.member)
    _, png = cv2.imencode(".png", picture)
    return png.tobytes(), picture.shape[1], picture.shape[0]


def _decode(source: CropSource) -> np.ndarray:
    """Return the whole image as BGR uint8 [height, width, 3]."""
    data = _read(source.file)
    check_whole(data, source.file)
    check_depth(data, source.file)
    frame, complaint = decode_whole(data) if states_size(data, source.file) else (None, "")
    if frame is None:
        raise ReidopsError(f"{source.file}: is no readable image; copy or unpack it again")
    if complaint:
        raise ReidopsError(
            f"{source.file}: is damaged, parts of the picture are lost ({complaint}); copy or unpack it again"
        )
    height, width = frame.shape[:2]
    if source.frame_size and (width, height) != source.frame_size:
        expected = "{} × {}".format(*source.frame_size)
        raise ReidopsError(
            f"{source.file}: has {width} × {height} px, expected {expected} (seqinfo.ini); correct seqinfo.ini or the "
            f"frames"
        )
    return frame


def _resize(crop: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a crop as for the network's input: by area if both sides shrink, else bilinearly."""
    shrinks = crop.shape[0] >= height and crop.shape[1] >= width
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _encode(crop: np.ndarray, jpeg_quality: int) -> bytes:
    """Return a BGR crop as JPEG; with quality 95, OpenCV's default, the bytes are those of `cv2.imwrite`."""
    _, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return jpeg.tobytes()


def _read(file: str) -> bytes:
    try:
        with open(file, "rb", buffering=0) as stream:
            return stream.read()
    except OSError as error:
        raise ReidopsError(f"{file}: {error.strerror or error}; copy or unpack the image again") from None
