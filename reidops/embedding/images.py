"""Read crops from crops.tar as uint8 images of the network's input size, in batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np
import pandas as pd

from reidops.embedding.resizing import resize_crop
from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, states_size
from reidops.progress_bar import progress_bar

Item = TypeVar("Item")


class CropReader(Protocol):
    """Crops by their rows."""

    def decode(self, i: int) -> np.ndarray:
        """Return the crop of row `i`, BGR uint8 [h, w, 3]."""
        ...


class CropStore:
    """Read single crops from crops.tar through a memory map, by the offsets of the crops table."""

    def __init__(self, crops_tar: Path, table: pd.DataFrame) -> None:
        if not Path(crops_tar).is_file():
            raise ReidopsError(f"{crops_tar}: no such file; make it with `dvc repro convert`")
        self.path = Path(crops_tar)
        self._bytes = np.memmap(crops_tar, dtype=np.uint8, mode="r")
        self._names = table["path"].to_numpy()
        self._offsets = table["offset"].to_numpy()
        self._sizes = table["size"].to_numpy()

    def __len__(self) -> int:
        """Return the number of rows of the table."""
        return len(self._names)

    def decode(self, i: int) -> np.ndarray:
        """Return the crop of the table's row `i`, BGR uint8 [h, w, 3].

        Raises:
            ReidopsError: its bytes are not a complete JPEG, PNG or BMP, or it has more pixels than the bound; the
                message names the crop.
        """
        encoded = np.asarray(self._bytes[self._offsets[i] : self._offsets[i] + self._sizes[i]])
        whole = len(encoded) == self._sizes[i] and _is_whole(encoded.tobytes(), f"{self.path}: {self._names[i]}")
        crop_bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if whole else None
        if crop_bgr is None:
            raise ReidopsError(
                f"{self.path}: {self._names[i]} (row {i} of the crops table, byte {self._offsets[i]}, {self._sizes[i]} "
                f"bytes)"
                " is not a complete JPEG, PNG or BMP; make the crops again with `dvc repro -f convert`"
            )
        return crop_bgr


def load_images(
    store: CropReader, rows: Sequence[int] | np.ndarray, height: int, width: int, *, desc: str | None = None
) -> np.ndarray:
    """Return rows of the crops table, decoded and resized, RGB uint8 [N, height, width, 3]."""
    images = np.empty((len(rows), height, width, 3), np.uint8)

    def load(i: int) -> None:
        """Decode and resize row i of `rows` into `images`."""
        images[i] = resize_crop(store.decode(rows[i]), height, width)

    _run_in_threads(load, len(rows), desc)
    return images


def _run_in_threads(work: Callable[[int], Item], num: int, desc: str | None) -> list[Item]:
    """Return the results of `work` for 0 … num − 1. Threads share it, because OpenCV releases the GIL."""
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(work, range(num))
        return list(progress_bar(jobs, total=num, desc=desc or "", unit="crops", shown=desc is not None))


class ImageBatches:
    """Batches of resized crops. They are decoded once if they fit into memory, else for each batch.

    A decoded crop with fewer pixels than its image is kept as it is and resized for each batch: crops of 128 × 64 px
    need a quarter of the memory of images of 256 × 128 px.
    """

    def __init__(
        self, store: CropReader, rows: np.ndarray, height: int, width: int, *, memory_bytes: int = 4 << 30
    ) -> None:
        self._store, self._rows, self.size = store, np.asarray(rows), (height, width)
        fits = len(rows) * height * width * 3 <= memory_bytes
        self._kept = _run_in_threads(self._decode, len(rows), "decode crops") if fits else None

    def _decode(self, i: int) -> np.ndarray:
        """Return the crop of row `i` of the constructor, or its image if that has no more pixels."""
        crop_bgr = self._store.decode(self._rows[i])
        height, width = self.size
        return crop_bgr if crop_bgr.size < height * width * 3 else resize_crop(crop_bgr, height, width)

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self._rows)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Return RGB uint8 [len(indices), height, width, 3]; `indices` are positions in the rows of the constructor."""
        if self._kept is None:
            return load_images(self._store, self._rows[indices], *self.size)
        images = np.empty((len(indices), *self.size, 3), np.uint8)
        for image, kept in zip(images, (self._kept[i] for i in indices), strict=True):
            image[:] = kept if kept.shape == image.shape else resize_crop(kept, *self.size)
        return images

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each batch's indices and images; the next batch is decoded while this one is used."""
        return run_ahead((indices, self.batch(indices)) for indices in batches)


class GrowingImages:
    """Smaller images at first, from which a network learns as much in less time (progressive resizing, Howard 2018).

    Args:
        make: returns the batches of a height and width, px.
        size: height and width of the network's input, px.
        early: (share, height, width), ascending; images have that size until this share of the training is done.

    Raises:
        ReidopsError: the shares are not ascending.
    """

    def __init__(
        self,
        make: Callable[[int, int], ImageBatches],
        size: tuple[int, int],
        early: Sequence[tuple[float, int, int]] = (),
    ) -> None:
        shares = [share for share, _, _ in early]
        if shares != sorted(set(shares)):
            raise ReidopsError(f"the shares of early_sizes are {shares}, expected ascending ones")
        self._make, self.size, self._early = make, size, early
        self._current: ImageBatches | None = None

    def at(self, share: float) -> ImageBatches:
        """Return the batches for the share of the training that is done, 0 … 1. One size is kept in memory."""
        size = next(((height, width) for until, height, width in self._early if share < until), self.size)
        if self._current is None or self._current.size != size:
            self._current = None
            self._current = self._make(*size)
        return self._current


def run_ahead(items: Iterator[Item], num: int = 1) -> Iterator[Item]:
    """Yield the items; a separate thread computes the next `num` of them while one is used."""

    def take() -> list[Item]:
        """Return the next item in a list, which is empty at the end."""
        return list(islice(items, 1))

    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(take) for _ in range(num))
        while taken := waiting.popleft().result():
            waiting.append(thread.submit(take))
            yield from taken


def _is_whole(encoded: bytes, where: str) -> bool:
    """Return whether an image file is complete. OpenCV fills what is missing with grey, without an error.

    Raises:
        ReidopsError: the picture has more pixels than the bound.
    """
    try:
        check_whole(encoded, "")
    except ReidopsError:
        return False
    return states_size(encoded, where)
