"""Export the embedder to ONNX and to the other formats that are asked for, and compare the embeddings with torch's.

Reads:  data/model, data/crops (held-out crops to compare on, training crops for the scales of int8)
Writes: data/export/ model.onnx, embedder.json, parity.json; with more formats their files and formats.json
"""

import logging
from pathlib import Path

import numpy as np

from reidops.embedding.description import golden_crops, golden_rows
from reidops.embedding.embedder import Embedder
from reidops.embedding.formats import FORMATS_FILE, ONNX, Bounds, write_formats
from reidops.embedding.images import CropStore, load_images
from reidops.errors import ReidopsError
from reidops.files import sha256, whole_folder, write_json
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.serving.onnx_export import export_onnx, measure_parity
from reidops.serving.shipping import CropChoice, ship_from_crops
from reidops.tables import CROPS, read_table
from stages import run_stage
from stages.params.export import ExportParams

log = logging.getLogger(__name__)

_HELD_OUT = ("val", "query", "gallery", "train")


def export(model: Path, crops: Path, export: Path, params: ExportParams) -> None:
    """Write `model` to `export` as ONNX.

    Raises:
        ReidopsError: the embeddings of the ONNX model differ by more than the tolerance; nothing is written.
    """
    embedder = Embedder.load(model)
    images = _images(crops, embedder.input_size, params)
    with whole_folder(export) as folder:
        export_onnx(embedder, folder / "model.onnx")
        expected = golden_rows(embedder.embed(golden_crops()))
        digest = sha256(folder / "model.onnx")
        embedder.description.write(folder / "embedder.json", onnx_sha256=digest, golden_embeddings=expected)
        parity = measure_parity(embedder, OnnxEmbedder.load(folder), images, params.tolerance)
        write_json(parity.as_dict(), folder / "parity.json")
        if not parity.passed:
            raise ReidopsError(
                f"{export}: the embeddings of the ONNX model and the torch model differ by up to "
                f"{parity.max_abs_difference:.3g} (export.tolerance {params.tolerance:g}, least cosine "
                f"{parity.min_cosine:.6f}) over {parity.num_images} images in batches of {parity.batch_sizes}; nothing "
                f"was written. Use another train.backbone or another version of torch"
            )
        names = [name for name in dict.fromkeys(params.formats) if name != ONNX]
        if names:
            bounds = Bounds(params.min_cosine, params.max_loss)
            choice = CropChoice(crops, params.num_calibration, params.num_ranked, params.seed)
            write_formats(ship_from_crops(names, embedder, folder, choice, bounds), folder / FORMATS_FILE)
    log.info(
        "exported %s: largest difference %.2g, least cosine %.7f",
        embedder.description.backbone,
        parity.max_abs_difference,
        parity.min_cosine,
    )


def _images(crops: Path, size: tuple[int, int], params: ExportParams) -> np.ndarray:
    """Return held-out crops and noise images in random order, RGB uint8 [2 · num_crops, height, width, 3].

    Training crops are used if there are too few held-out crops.
    """
    rng = np.random.default_rng(params.seed)
    table = read_table(crops / "crops.parquet", CROPS)
    order = np.argsort(table["split"].map(_HELD_OUT.index).to_numpy() + rng.random(len(table)))
    real = load_images(CropStore(crops / "crops.tar", table), np.sort(order[: params.num_crops]), *size)
    return rng.permutation(np.concatenate([real, rng.integers(0, 256, (params.num_crops, *size, 3), np.uint8)]))


if __name__ == "__main__":
    run_stage(export)
