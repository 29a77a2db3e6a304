"""Read crops from crops.tar by offset, and check the tar at each crop's place.

The tar is read in pieces and not memory-mapped, because mapped pages count as memory of the process and the tar can
have gigabytes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.validation.image_faults import crop_fault

TAR_BLOCK = 512  # bytes


@dataclass(frozen=True)
class OpenTar:
    """An open tar of `size` bytes."""

    stream: FileIO
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer at the end of the tar."""
        self.stream.seek(offset)
        return self.stream.read(size)


@contextmanager
def opened(path: Path) -> Iterator[OpenTar]:
    """Open the tar for reading."""
    with open(path, "rb", buffering=0) as stream:
        yield OpenTar(stream, Path(path).stat().st_size)


def with_tar_faults(crops: pd.DataFrame, tar: Path) -> pd.DataFrame:
    """Add `fault` of each crop's place in the tar ("" for none) and `digest` of the crop's bytes (uint64).

    No picture is decoded.
    """
    columns = (crops[name] for name in ("path", "offset", "size", "width", "height"))
    with opened(tar) as content:
        found = [_inspect_member(content, *place) for place in zip(*columns, strict=True)]
    faults, digests = list(zip(*found, strict=True)) or [(), ()]
    return crops.assign(
        fault=pd.Series(faults, index=crops.index, dtype="str"), digest=np.array(digests, dtype=np.uint64)
    )


def _inspect_member(content: OpenTar, path: str, offset: int, size: int, width: int, height: int) -> tuple[str, int]:
    """Return the fault of a crop's place in the tar, and the digest of its bytes (0 if the place is wrong)."""
    if offset < TAR_BLOCK or offset + size > content.size:
        return f"bytes {offset} … {offset + size} are outside the tar, which has {content.size} bytes", 0
    data = content.read(offset - TAR_BLOCK, TAR_BLOCK + size)
    member, crop = _member_name(data[:TAR_BLOCK]), data[TAR_BLOCK:]
    if member != path:
        return f"the tar has the member {member!r} at this offset", 0
    return crop_fault(crop, width, height), int.from_bytes(hashlib.blake2b(crop, digest_size=8).digest())


def _member_name(header: bytes) -> str:
    """Return the name in a ustar header: a name of up to 100 bytes and a prefix of up to 155."""
    name, prefix = header[:100].rstrip(b"\0"), header[345:500].rstrip(b"\0")
    is_ustar = header[257:263] == b"ustar\0"
    return (prefix + b"/" + name if prefix and is_ustar else name).decode(errors="replace")
