"""Embed a folder of crops and write the embeddings as Parquet or NumPy file."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reidops.boxes.box_embedding import CropEmbedder
from reidops.datasets.decoding import decode_whole
from reidops.embedding.formats import ONNX_MODEL
from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.image_headers import check_whole
from reidops.live import NO_MODEL, load_embedder
from reidops.progress_bar import progress_bar
from reidops.serving.onnx_embedder import OnnxEmbedder

SUFFIXES = (".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
PARQUET, NUMPY = ".parquet", ".npy"
BATCH = 64  # pictures per batch


def embed_folder(model: str, images: Path, output: Path) -> int:
    """Embed every picture below `images`, write `output`, and return the number of pictures.

    Paths in `output` are relative to `images`.

    Raises:
        ReidopsError: the model or a picture cannot be read, there is no picture, or `output` has another suffix.
    """
    if output.suffix not in (PARQUET, NUMPY):
        raise ReidopsError(
            f"{output}: the suffix is {output.suffix!r}, expected {PARQUET} or {NUMPY}; choose such a file name"
        )
    paths = list_pictures(images)
    embeddings = embed_pictures(find_embedder(model), paths)
    write_embeddings(embeddings, [path.relative_to(images).as_posix() for path in paths], output)
    return len(paths)


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures in a folder and its subfolders, sorted; hidden files are left out.

    Raises:
        ReidopsError: the folder does not exist or has no picture.
    """
    if not folder.is_dir():
        raise ReidopsError(f"{folder}: no such folder; expected a folder of pictures")
    found = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
    if not found:
        raise ReidopsError(
            f"{folder}: no picture found; expected files with the suffix {', '.join(SUFFIXES)}, also in subfolders"
        )
    return found


def find_embedder(model: str) -> CropEmbedder:
    """Return the embedder of a folder, of a `models:/…` URI, or of a model.onnx next to its embedder.json.

    Raises:
        ReidopsError: the model does not exist or is incomplete.
    """
    if model.endswith(".onnx"):
        if Path(model).name != ONNX_MODEL:
            raise ReidopsError(
                f"{model}: expected a file {ONNX_MODEL} next to embedder.json, as written by the stage export"
            )
        return OnnxEmbedder(Path(model).parent)
    if model == NO_MODEL:
        raise ReidopsError(f"{model}: not a model; expected a model's folder, models:/NAME@ALIAS, or a model.onnx")
    return load_embedder(model)


def embed_pictures(embedder: CropEmbedder, paths: list[Path]) -> np.ndarray:
    """Return the embeddings of picture files, float32 [len(paths), dim]; pictures are read batch by batch."""
    batches = []
    with progress_bar(desc="embed", total=len(paths), unit="pictures") as bar:
        for start in range(0, len(paths), BATCH):
            pictures = [_read(path) for path in paths[start : start + BATCH]]
            batches.append(np.asarray(embedder.embed(pictures), np.float32))
            bar.update(len(pictures))
    return np.concatenate(batches)


def write_embeddings(embeddings: np.ndarray, names: list[str], output: Path) -> None:
    """Write a table with the columns `path` and `embedding`, or an array and a text file with the paths."""
    with ExitStack() as stack:
        temporary = stack.enter_context(whole_file(output))
        if output.suffix == PARQUET:
            values = pa.array(embeddings.ravel(), pa.float32())
            lists = pa.FixedSizeListArray.from_arrays(values, embeddings.shape[1]).cast(pa.list_(pa.float32()))
            pq.write_table(pa.table({"path": names, "embedding": lists}), temporary)
            return
        listed = stack.enter_context(whole_file(output.with_suffix(".txt")))
        listed.write_text("".join(f"{name}\n" for name in names))
        with open(temporary, "wb") as stream:
            np.save(stream, embeddings)


def _read(path: Path) -> np.ndarray:
    """Return a picture, BGR uint8 [h, w, 3].

    Raises:
        ReidopsError: the file is truncated, damaged, too large or not a picture.
    """
    content = path.read_bytes()
    check_whole(content, str(path))
    picture, fault = decode_whole(content)
    if picture is None or fault:
        raise ReidopsError(
            f"{path}: {fault or 'cannot be decoded as a picture'}; copy it again, or remove it from the folder"
        )
    return picture
