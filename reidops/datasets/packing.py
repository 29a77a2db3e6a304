"""Crops → one tar: frames decoded once, crops encoded once, published crops copied byte by byte.

The work is cut into chunks of a fixed size, so that memory does not grow with the data. One process writes straight
into the tar; several encode into a spill file per chunk each, and these are joined in order, so that the tar is the
same for any number of workers. What is only copied waits for the disk and is never shared out. Imports are light,
because every worker process pays for them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import BinaryIO, TypeVar

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
from reidops.parallel import map_parallel

_FRAMES_PER_CHUNK = 8
_CROPS_PER_CHUNK = 1024  # of those that are not cut out of frames
_BUFFER_BYTES = 1 << 20

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class CropSource:
    """Where one crop comes from: the pixels `box` of an image file, the picture `member` inside a file, or the file
    itself.

    `box` is (x1, y1, x2, y2) in px, 0-based, both ends inclusive; `frame_size` is the (width, height) that the image
    must have.
    """

    path: str
    file: str
    box: tuple[int, int, int, int] | None = None
    frame_size: tuple[int, int] | None = None
    member: str = ""

    @property
    def kind(self) -> str:
        """Return what is to be done: cut, member or copy."""
        if self.box is not None:
            return "cut"
        return "member" if self.member else "copy"


@dataclass(frozen=True)
class CutRules:
    """How crops that are cut are written: at which JPEG quality, 1 … 100, and how large, (height, width) in px, None =
    as cut.
    """

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
    file or is of another format (WebP, TIFF), else the file's own bytes. Sources of one image file must stand together.
    A JPEG, PNG or BMP that is copied is not decoded: it must have its end and no more pixels than the bound; damage in
    its middle is left for `validate` to find.

    Raises:
        ReidopsError: an image is missing, unreadable, damaged, cut off, of another size than said, or has more pixels
            than the bound.
    """
    workers = workers or usable_cores()
    with tempfile.TemporaryDirectory(dir=tar.parent, prefix=f".{tar.name}.", ignore_cleanup_errors=True) as folder:
        chunks = [_Chunk(chunk, Path(folder) / f"{n:05d}") for n, chunk in enumerate(_chunks(sources))]
        spilled = _spill(chunks, rules or CutRules(), workers) if workers > 1 else {}
        with open(tar, "wb", buffering=_BUFFER_BYTES) as stream:
            append = partial(_append_chunk, stream=stream, spilled=spilled, rules=rules or CutRules())
            tables = map_parallel(append, chunks, 1, desc="pack crops")
            write_end(stream)
    return np.concatenate([np.empty((0, 4), dtype=np.int64), *tables])


def _chunks(sources: list[CropSource]) -> Iterator[list[CropSource]]:
    """Yield runs of one kind: `_FRAMES_PER_CHUNK` whole image files to cut, or `_CROPS_PER_CHUNK` crops."""
    for kind, run in groupby(sources, key=lambda source: source.kind):
        if kind == "cut":
            frames = (list(frame) for _, frame in groupby(run, key=lambda source: source.file))
            yield from (list(chain.from_iterable(several)) for several in _batched(frames, _FRAMES_PER_CHUNK))
        else:
            yield from _batched(run, _CROPS_PER_CHUNK)


def _batched(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    coming = iter(items)
    while batch := list(islice(coming, most)):
        yield batch


def _spill(chunks: list[_Chunk], rules: CutRules, workers: int) -> dict[Path, np.ndarray]:
    """Encode in several processes what is not copied, and return by spill file what `_write_chunk` does."""
    encoded = [chunk for chunk in chunks if chunk.sources[0].kind != "copy"]
    tables = map_parallel(partial(_spill_chunk, rules=rules), encoded, workers, desc="cut crops")
    return {chunk.spill: table for chunk, table in zip(encoded, tables, strict=True)}


def _spill_chunk(chunk: _Chunk, rules: CutRules) -> np.ndarray:
    keep_freed_memory()  # of one frame for the next, in a process of its own
    with open(chunk.spill, "wb", buffering=_BUFFER_BYTES) as stream:
        return _write_chunk(chunk.sources, stream, rules)


def _append_chunk(chunk: _Chunk, stream: BinaryIO, spilled: dict[Path, np.ndarray], rules: CutRules) -> np.ndarray:
    """Write one chunk to the tar, from its spill file where there is one, which is then deleted."""
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
    if sources[0].kind == "cut":
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
            # `frame` still holds the last image while the next one is decoded. Were it dropped first, the allocator
            # would hand its 6 MB back to the kernel and ask for them again, which costs as much as the decoding.
            frame, file = _decode(source), source.file
        crop = _within(frame, source.box)
        if rules.size:
            crop = _resize(crop, *rules.size)
        yield _encode(crop, rules.jpeg_quality), crop.shape[1], crop.shape[0]


def _within(frame: np.ndarray, box: tuple[int, int, int, int] | None) -> np.ndarray:
    """Return the pixels of a box, of the whole frame without one."""
    if box is None:
        return frame
    x1, y1, x2, y2 = box
    return frame[y1 : y2 + 1, x1 : x2 + 1]


def _extract(source: CropSource) -> tuple[bytes, int, int]:
    """Return a picture inside a file as PNG, which loses nothing."""
    picture = read_picture(source.file, source.member)
    _, png = cv2.imencode(".png", picture)
    return png.tobytes(), picture.shape[1], picture.shape[0]


def _decode(source: CropSource) -> np.ndarray:
    """Return the whole image as BGR uint8 [height, width, 3]."""
    data = _read(source.file)
    check_whole(data, source.file)
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
            f"{source.file}: has {width} × {height} px, seqinfo.ini says {expected}; mend seqinfo.ini or the frames"
        )
    return frame


def _resize(crop: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a crop in another size, as the network's input is made: by area where both sides shrink, else bilinear."""
    shrinks = crop.shape[0] >= height and crop.shape[1] >= width
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _encode(crop: np.ndarray, jpeg_quality: int) -> bytes:
    """Return a BGR crop as JPEG; at quality 95, which is OpenCV's default, the bytes of `cv2.imwrite`."""
    _, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return jpeg.tobytes()


def _read(file: str) -> bytes:
    try:
        with open(file, "rb", buffering=0) as stream:
            return stream.read()
    except OSError as error:
        raise ReidopsError(f"{file}: {error.strerror or error}; the image is listed but cannot be read") from None
