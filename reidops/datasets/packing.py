"""Crops → one tar: frames decoded once, crops encoded once, published crops copied byte by byte.

The work is cut into chunks of a fixed size, each with a spill file of its own, so that the tar is the same for any number
of workers and memory does not grow with the data. Imports are light, because every worker process pays for them.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from reidops.datasets.jpeg import check_whole, read_size
from reidops.errors import ReidopsError
from reidops.parallel import map_parallel

_FRAMES_PER_CHUNK = 32
_COPIES_PER_CHUNK = 2048
_BLOCK = 512  # bytes; everything in a tar is padded to it
_COPY_BYTES = 1 << 20
# A header as tarfile writes it, cut at the fields that differ from crop to crop.
_EMPTY_HEADER = tarfile.TarInfo("").tobuf(tarfile.GNU_FORMAT)
_NAME_BYTES = 100
_MODE_AND_OWNER, _TIME, _REST = _EMPTY_HEADER[100:124], _EMPTY_HEADER[136:148], _EMPTY_HEADER[156:]
_SUM_OF_REST = sum(_REST) + 8 * ord(" ")


@dataclass(frozen=True)
class CropSource:
    """Where one crop comes from: the pixels `box` of an image file, or the file itself.

    `box` is (x1, y1, x2, y2) in px, 0-based, both ends inclusive; `frame_size` is the (width, height) that the image must have.
    """

    path: str
    file: str
    box: tuple[int, int, int, int] | None = None
    frame_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Chunk:
    spill: Path
    sources: list[CropSource]


def pack_crops(sources: list[CropSource], tar: Path, *, jpeg_quality: int = 95, workers: int | None = None) -> np.ndarray:
    """Write `tar` with one member per source, in order, and return int64 [num_crops, 4]: offset, size, width, height.

    `offset` and `size` are bytes of the JPEG inside the tar. Sources of one image file must stand together.

    Raises:
        ReidopsError: an image is missing, cut off, unreadable or of another size than said.
    """
    chunks = [_Chunk(tar.with_name(f".{tar.name}.{n:05d}"), chunk) for n, chunk in enumerate(_chunks(sources))]
    cut = partial(_pack_chunk, jpeg_quality=jpeg_quality)
    if not any(source.box for source in sources):
        workers = 1  # copying waits for the disk; starting processes would take longer
    tables = map_parallel(cut, chunks, workers, desc="pack crops")
    starts = _concatenate([chunk.spill for chunk in chunks], tar)
    if not tables:
        return np.empty((0, 4), dtype=np.int64)
    return np.concatenate([table + [start, 0, 0, 0] for table, start in zip(tables, starts, strict=True)])


def _chunks(sources: list[CropSource]) -> Iterator[list[CropSource]]:
    """Yield runs of whole image files, `_FRAMES_PER_CHUNK` to be cut or `_COPIES_PER_CHUNK` to be copied."""
    chunk: list[CropSource] = []
    num_files = 0
    for (_, is_cut), group in groupby(sources, key=lambda source: (source.file, source.box is not None)):
        if num_files and (num_files >= _files_per_chunk(chunk) or (chunk[0].box is not None) != is_cut):
            yield chunk
            chunk, num_files = [], 0
        chunk.extend(group)
        num_files += 1
    if chunk:
        yield chunk


def _files_per_chunk(chunk: list[CropSource]) -> int:
    return _COPIES_PER_CHUNK if chunk[0].box is None else _FRAMES_PER_CHUNK


def _pack_chunk(chunk: _Chunk, jpeg_quality: int) -> np.ndarray:
    """Write the members of one chunk and return offset in the spill file, size, width and height of each."""
    rows = []
    with open(chunk.spill, "wb") as stream:
        for source, (jpeg, width, height) in zip(chunk.sources, _jpegs(chunk.sources, jpeg_quality), strict=True):
            header = _tar_header(source.path, len(jpeg))
            rows.append((stream.tell() + len(header), len(jpeg), width, height))
            stream.write(header + jpeg + bytes(-len(jpeg) % _BLOCK))
    return np.array(rows, dtype=np.int64)


def _jpegs(sources: list[CropSource], jpeg_quality: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (JPEG, width, height) of each crop."""
    file = None
    for source in sources:
        if source.box is None:
            jpeg = _read(source.file)
            yield jpeg, *read_size(jpeg, source.file)
            continue
        if source.file != file:
            # `frame` still holds the last image while the next one is decoded. Were it dropped first, the allocator would hand
            # its 6 MB back to the kernel and ask for them again, which costs as much as the decoding.
            frame, file = _decode(source), source.file
        x1, y1, x2, y2 = source.box
        yield _encode(frame[y1 : y2 + 1, x1 : x2 + 1], jpeg_quality), x2 - x1 + 1, y2 - y1 + 1


def _decode(source: CropSource) -> np.ndarray:
    """Return the whole image as BGR uint8 [height, width, 3]."""
    data = _read(source.file)
    check_whole(data, source.file)
    frame = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if frame is None:
        raise ReidopsError(f"{source.file}: is no readable image; copy or unpack it again")
    height, width = frame.shape[:2]
    if source.frame_size and (width, height) != source.frame_size:
        expected = "{} × {}".format(*source.frame_size)
        raise ReidopsError(f"{source.file}: has {width} × {height} px, seqinfo.ini says {expected}; mend seqinfo.ini or the frames")
    return frame


def _encode(crop: np.ndarray, jpeg_quality: int) -> bytes:
    """Return a BGR crop as JPEG; at quality 95, which is OpenCV's default, the bytes of `cv2.imwrite`."""
    _, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return jpeg.tobytes()


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise ReidopsError(f"{file}: {error.strerror or error}; the image is listed but cannot be read") from None


def _tar_header(path: str, size: int) -> bytes:
    """Return a header without time, owner or machine, so that equal crops are equal tars.

    The bytes are `TarInfo.tobuf`'s. A set of small crops would spend most of its packing there, so that for ordinary names
    only the fields that differ are filled in: name, size, and the checksum, which counts itself as eight spaces.
    """
    name = path.encode()
    if len(name) > _NAME_BYTES or size >= 1 << 33:
        member = tarfile.TarInfo(path)
        member.size = size
        return member.tobuf(tarfile.GNU_FORMAT)
    before = name.ljust(_NAME_BYTES, b"\0") + _MODE_AND_OWNER + b"%011o\0" % size + _TIME
    checksum = b"%06o\0 " % (sum(before) + _SUM_OF_REST)
    return before + checksum + _REST


def _concatenate(spills: list[Path], tar: Path) -> list[int]:
    """Join the spill files into `tar`, delete them, and return the byte at which each begins."""
    starts = []
    with open(tar, "wb") as stream:
        for spill in spills:
            starts.append(stream.tell())
            with open(spill, "rb") as part:
                shutil.copyfileobj(part, stream, _COPY_BYTES)
            os.unlink(spill)
        stream.write(bytes(2 * _BLOCK))  # the end of a tar
    return starts
