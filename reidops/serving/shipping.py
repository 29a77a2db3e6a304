"""Write and check the formats of an export on the crops of a crops folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidops.embedding.embedder import Embedder
from reidops.embedding.formats import Bounds, FormatFigures
from reidops.embedding.images import CropStore, load_images
from reidops.tables import CROPS, read_table


@dataclass(frozen=True)
class CropChoice:
    """The crops folder, the numbers of crops for the scales of int8 and for the checks, and the seed of the choice."""

    crops: Path
    num_calibration: int
    num_ranked: int
    seed: int


def ship_from_crops(
    names: Sequence[str], embedder: Embedder, folder: Path, choice: CropChoice, bounds: Bounds
) -> dict[str, FormatFigures]:
    """Write formats beside the folder's model.onnx, remove those that fail, and return the figures of all.

    Raises:
        ReidopsError: a package of a format is not installed, or the crops that it needs are missing.
    """
    # Imported here, because the default writes no format beside ONNX: quantization and ranking take seconds to import.
    from reidops.retrieval.ranking import score_embeddings
    from reidops.serving.format_gate import choose_held_out, choose_to_calibrate, ship_formats
    from reidops.serving.held_out_ranking import read_held_out_crops

    table = read_table(choice.crops / "crops.parquet", CROPS)
    store = CropStore(choice.crops / "crops.tar", table)
    needs_scales = any(name.endswith("int8") for name in names)
    rows = choose_to_calibrate(table, choice.num_calibration, choice.seed) if needs_scales else np.zeros(0, np.int64)
    held_out = choose_held_out(table, choice.num_ranked, choice.seed)
    crops = read_held_out_crops(store, table, held_out, embedder.input_size, score_embeddings)
    return ship_formats(names, embedder, folder, load_images(store, rows, *embedder.input_size), crops, bounds)
