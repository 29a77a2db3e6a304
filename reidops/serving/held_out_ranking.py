"""Read the held-out crops on which exported formats are checked, with their ranking."""

import logging

import numpy as np
import pandas as pd

from reidops.embedding.images import CropReader, load_images
from reidops.errors import ReidopsError
from reidops.serving.format_gate import HeldOutCrops
from reidops.training.validation import HeldOut, Ranking

logger = logging.getLogger(__name__)


def read_held_out_crops(
    store: CropReader, table: pd.DataFrame, rows: np.ndarray, size: tuple[int, int], ranking: Ranking
) -> HeldOutCrops:
    """Return rows of the crops table as images of a height and width; where they cannot be ranked, that is logged.

    Raises:
        ReidopsError: there is no held-out crop.
    """
    if not len(rows):
        raise ReidopsError(
            "export.formats: there are no held-out people to check the formats on; set convert.val_split above 0, or "
            "set export.formats to [onnx]"
        )
    images = load_images(store, rows, *size)
    held_out = HeldOut(images, table.iloc[rows].reset_index(drop=True), ranking)
    try:
        held_out.score(np.random.default_rng(0).standard_normal((len(rows), 8), np.float32))
    except ReidopsError as error:
        logger.warning(
            "the held-out people cannot be ranked (%s); the formats are checked by their cosines only", error
        )
        return HeldOutCrops(images, None)
    return HeldOutCrops(images, lambda embeddings: held_out.score(embeddings).mAP)
