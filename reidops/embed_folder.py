"""Embed a folder of pictures into a table or an array."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.embedding.embedder import Embedder
from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.image_headers import check_whole, states_size
from reidops.progress_bar import progress_bar

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
FORMATS = (".parquet", ".npy")


def embed_folder(model: str, images: Path, output: Path, batch_size: int = 64) -> int:
    """Embed the pictures below `images` into `output` and return their number.

    `output` ends in .parquet (columns path, embedding) or in .npy (float32 [N, D]; the paths are in a .txt file beside it). Paths are
    relative to `images`, in sorted order.

    Raises:
        ReidopsError: the folder has no picture, a picture cannot be read, the model cannot be loaded, or the format is unknown.
    """
    if output.suffix not in FORMATS:
        raise ReidopsError(f"{output}: unknown format; name a file that ends in {' or '.join(FORMATS)}")
    paths = list_pictures(images)
    embedder = Embedder.load(model)
    with progress_bar(total=len(paths), desc="embed", unit="crops") as bar:
        batches = []
        for batch in _batches(paths, batch_size):
            batches.append(embedder.embed([read_picture(path) for path in batch]))
            bar.update(len(batch))
    _write([path.relative_to(images).as_posix() for path in paths], np.concatenate(batches), output)
    return len(paths)


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, sorted.

    Raises:
        ReidopsError: the folder does not exist or holds no picture.
    """
    if not folder.is_dir():
        raise ReidopsError(f"{folder}: no such folder; name a folder of pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise ReidopsError(f"{folder}: no picture in it or below it; expected files that end in {', '.join(sorted(SUFFIXES))}")
    return paths


def read_picture(path: Path) -> np.ndarray:
    """Return a picture as BGR uint8 [height, width, 3].

    Raises:
        ReidopsError: the file is not a picture, is damaged, or has too many pixels.
    """
    data = path.read_bytes()
    check_whole(data, str(path))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if states_size(data, str(path)) else None
    if picture is None:
        raise ReidopsError(f"{path}: the file cannot be decoded as a picture; replace or remove it")
    return picture


def _batches(paths: list[Path], size: int) -> Iterator[list[Path]]:
    return (paths[i : i + size] for i in range(0, len(paths), size))


def _write(names: list[str], embeddings: np.ndarray, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".parquet":
        with whole_file(output) as partial:
            pd.DataFrame({"path": names, "embedding": list(embeddings)}).to_parquet(partial, index=False)
        return
    with whole_file(output.with_suffix(".txt")) as partial:
        partial.write_text("".join(f"{name}\n" for name in names))
    with whole_file(output) as partial, open(partial, "wb") as stream:
        np.save(stream, embeddings)
