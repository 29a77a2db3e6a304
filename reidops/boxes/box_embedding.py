"""Embed boxes: of one picture, or of a sequence's frames, each decoded once, those of several frames in one batch,
several batches at once.
"""

from typing import Protocol

import numpy as np

from reidops.boxes.box_crops import cut_boxes, frame_batches
from reidops.boxes.cutting import MIN_CROP_SIDE, cut_box
from reidops.mot.boxes import ltrb_to_ltwh
from reidops.mot.sequences import Sequence
from reidops.parallel import map_on_cores
from reidops.progress_bar import progress_bar


class CropEmbedder(Protocol):
    """The methods of `reidops.Embedder` that are used here."""

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""

    @property
    def weights_sha256(self) -> str:
        """Return the hash of the weights, which identifies the embeddings' model."""

    def embed(self, crops: list[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Return unit rows, float32 [num_crops, dim], of BGR crops uint8 [h, w, 3].

        Several threads call it at once.
        """


def embed_sequence_boxes(
    sequence: Sequence,
    frames: np.ndarray,
    box_ltwh: np.ndarray,
    embedder: CropEmbedder,
    *,
    batch_size: int = 64,
    desc: str = "embed",
) -> np.ndarray:
    """Return the embeddings of boxes, float32 [n, dim]; zeros for a box that is too small or outside its frame.

    Args:
        frames: 1-based, [n], ascending.
        box_ltwh: px, 0-based, [n, 4].
        batch_size: boxes of a batch; a frame with more boxes is one batch.
        desc: label of the progress bar, before the sequence's name.

    Raises:
        ReidopsError: a frame that holds a box is missing or cannot be decoded.
    """

    def embed(batch: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of a batch that have a crop, int [k], and their embeddings, float32 [k, dim]."""
        rows, crops = cut_boxes(sequence, frames[batch], box_ltwh[batch])
        return batch.start + rows, embedder.embed(crops, batch_size=batch_size) if crops else np.empty(
            (0, embedder.dim)
        )

    embeddings = np.zeros((len(frames), embedder.dim), dtype=np.float32)
    with progress_bar(total=len(frames), desc=f"{desc} {sequence.name}", unit="crops") as bar:
        batches = frame_batches(frames, batch_size)
        for batch, (rows, of_rows) in zip(batches, map_on_cores(embed, batches), strict=True):
            embeddings[rows] = of_rows
            bar.update(batch.stop - batch.start)
    return embeddings


def embed_boxes(embedder: CropEmbedder, picture: np.ndarray, box_ltrb: np.ndarray) -> np.ndarray:
    """Return the embeddings of the boxes [n, 4] of one picture, float32 [n, dim]; zeros for a box that is too small."""
    crops = [cut_box(picture, box_ltwh) for box_ltwh in ltrb_to_ltwh(box_ltrb)]
    rows = [row for row, crop in enumerate(crops) if min(crop.shape[:2]) >= MIN_CROP_SIDE]
    embeddings = np.zeros((len(crops), embedder.dim), dtype=np.float32)
    if rows:
        embeddings[rows] = embedder.embed([crops[row] for row in rows])
    return embeddings
