"""Check each exported format against torch in float32: the embeddings of held-out crops, and the mAP of their people.

A format that fails is not shipped: its files are removed, and formats.json states its figures and the reason.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.embedding.description import golden_crops, golden_rows
from reidops.embedding.embedder import Embedder
from reidops.embedding.exported import ExportedNetwork, check_packages, open_format
from reidops.embedding.formats import FORMATS, Bounds, FormatFigures
from reidops.embedding.onnx_session import NOT_RUNNABLE, CannotRun
from reidops.embedding.resizing import resize_crops
from reidops.errors import ReidopsError
from reidops.files import sha256
from reidops.serving.format_export import write_format

logger = logging.getLogger(__name__)

_REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    CannotRun,
    *NOT_RUNNABLE,
)  # what converters and runtimes raise for a network

MapOf = Callable[[np.ndarray], float]
"""The mAP of the held-out people by the embeddings of their crops, [N, dim]."""


@dataclass(frozen=True)
class HeldOutCrops:
    """Held-out crops, RGB uint8 [N, height, width, 3], and their ranking; None = they cannot be ranked."""

    images: np.ndarray
    mAP_of: MapOf | None


def choose_to_calibrate(table: pd.DataFrame, num: int, seed: int) -> np.ndarray:
    """Return rows of training crops for the scales of int8, at most `num`, in ascending order.

    Held-out crops are used only where no crop trains. People of the test sets are never used.

    Raises:
        ReidopsError: there is no such crop.
    """
    tested = set(table.loc[table["split"].isin(["query", "gallery"]), "pid"])
    free = ~table["pid"].isin(tested)
    for split in ("train", "val"):
        rows = np.flatnonzero(free & (table["split"] == split))
        if len(rows):
            return np.sort(np.random.default_rng(seed).permutation(rows)[:num])
    raise ReidopsError(
        "export.formats: int8 needs crops of training people for its scales, and no crop trains; name a set in "
        "download.train, or leave the formats with int8 out"
    )


def choose_held_out(table: pd.DataFrame, num: int, seed: int) -> np.ndarray:
    """Return rows of held-out people, in ascending order: whole people in random order, up to `num` crops."""
    rows = np.flatnonzero((table["split"] == "val") & (table["pid"] >= 0))
    pids = table["pid"].to_numpy()[rows]
    order = np.random.default_rng(seed).permutation(np.unique(pids))
    counts = np.cumsum([(pids == pid).sum() for pid in order])
    return rows[np.isin(pids, order[: max(2, int((counts <= num).sum()))])]


def ship_formats(
    names: Sequence[str], embedder: Embedder, folder: Path, images: np.ndarray, held_out: HeldOutCrops, bounds: Bounds
) -> dict[str, FormatFigures]:
    """Write each format beside the folder's model.onnx, remove those that fail, and return the figures of all.

    Args:
        images: for the scales of int8.

    Raises:
        ReidopsError: a package of a format is not installed.
    """
    for name in names:
        check_packages(name)
    expected = _embed(embedder.embed_images, held_out.images)
    reference = Reference(expected, None if held_out.mAP_of is None else held_out.mAP_of(expected))
    figures = {}
    for name in names:
        figures[name] = _try_format(name, embedder, folder, images, (held_out, reference, bounds))
        _log(name, figures[name])
    return figures


@dataclass(frozen=True)
class Reference:
    """The embeddings of the held-out crops with torch in float32, [N, dim], and the mAP by them."""

    embeddings: np.ndarray
    mAP: float | None


def _try_format(
    name: str,
    embedder: Embedder,
    folder: Path,
    images: np.ndarray,
    gate: tuple[HeldOutCrops, Reference, Bounds],
) -> FormatFigures:
    """Return the figures of a format; `onnx-int8` is tried with fewer rounded layers if it fails."""
    for mild in (False, True) if name == "onnx-int8" else (False,):
        try:
            remark = write_format(name, embedder, folder, images, mild=mild)
            row = replace(_measure(open_format(folder, name), *gate), remark=remark)
        except _REFUSALS as error:
            row = _refused(str(error).strip().splitlines()[0] if str(error) else type(error).__name__)
        if row.passed:
            return _with_files(row, name, folder)
    for file in FORMATS[name].files:
        (folder / file).unlink(missing_ok=True)
    return row


def _measure(network: ExportedNetwork, held_out: HeldOutCrops, reference: Reference, bounds: Bounds) -> FormatFigures:
    embeddings = _embed(network.embed, held_out.images)
    cosines = (embeddings * reference.embeddings).sum(axis=1)
    mAP = None if held_out.mAP_of is None else held_out.mAP_of(embeddings)
    loss = None if mAP is None or reference.mAP is None else reference.mAP - mAP
    golden = golden_rows(network.embed(resize_crops(golden_crops(), *held_out.images.shape[1:3])))
    row = FormatFigures(
        sha256={},
        num_bytes=0,
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        mAP=mAP,
        mAP_loss=loss,
        num_crops=len(embeddings),
        reason="",
        golden_embeddings=golden,
    )
    return replace(row, reason=_fault(row, bounds))


def _fault(row: FormatFigures, bounds: Bounds) -> str:
    if not row.min_cosine >= bounds.min_cosine:
        return f"the least cosine to torch is {row.min_cosine:.4f}, below export.min_cosine {bounds.min_cosine:g}"
    if row.mAP_loss is not None and not row.mAP_loss <= bounds.max_loss:
        return f"the loss of mAP is {row.mAP_loss:.4f}, above export.max_loss {bounds.max_loss:g}"
    return ""


def _embed(embed: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the embeddings of images, [N, dim], in batches of 1, 7 and then 32, to try several sizes."""
    ends = [1, 8, *range(40, len(images) + 32, 32)]
    return np.concatenate([embed(batch) for batch in np.split(images, [end for end in ends if end < len(images)])])


def _with_files(row: FormatFigures, name: str, folder: Path) -> FormatFigures:
    files = FORMATS[name].files
    return replace(
        row,
        sha256={file: sha256(folder / file) for file in files},
        num_bytes=sum((folder / file).stat().st_size for file in files),
    )


def _refused(reason: str) -> FormatFigures:
    return FormatFigures({}, 0, 0.0, 0.0, None, None, 0, f"it cannot be written: {reason}", [])


def _log(name: str, row: FormatFigures) -> None:
    if not row.passed:
        logger.warning("format %s is left out: %s", name, row.reason)
        return
    loss = "not ranked" if row.mAP_loss is None else f"mAP {row.mAP:.4f}, loss {row.mAP_loss:+.4f}"
    logger.info("format %s: least cosine %.5f, %s, %.1f MB", name, row.min_cosine, loss, row.num_bytes / 1e6)
