"""Train a generator on the training crops and write its crops, their assessment and pictures."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save

from reidops.embedding.images import CropStore, ImageBatches
from reidops.files import sha256, write_json
from reidops.generation.adversarial_training import AdversarialTraining, draw_crops
from reidops.generation.assessment import assess
from reidops.generation.contact_sheet import draw_sheet
from reidops.generation.curves import draw_curves
from reidops.generation.features import load_features
from reidops.generation.networks import Generator
from reidops.generation.packing import pack_generated
from reidops.generation.settings import GanSettings
from reidops.tables import CROPS, read_table
from reidops.training.checkpoints import Checkpoints
from reidops.training.training_crops import find_training_crops

log = logging.getLogger(__name__)


def generate_crops(
    crops: Path,
    folder: Path,
    checkpoints: Path,
    settings: GanSettings,
    *,
    num_crops: int,
    embedder: str | None,
    threads: int | None = None,
) -> None:
    """Write the outputs of the stage `generate` to the empty `folder`.

    Args:
        crops: the folder of the stage `convert`.
        checkpoints: the folder with the checkpoints of all trainings.
        num_crops: number of crops to generate.
        embedder: see `load_features`.
        threads: threads of torch; None or 0 = one per core.

    Raises:
        ReidopsError: there are too few training crops, the training failed, or the embedder cannot be loaded.
    """
    if threads:
        torch.set_num_threads(threads)
    network = load_features(embedder)
    table = read_table(crops / "crops.parquet", CROPS)
    rows = find_training_crops(table, crops / "crops.parquet").rows
    store = CropStore(crops / "crops.tar", table)
    saved = Checkpoints(checkpoints, _identity(crops, settings))
    saved.prune()
    images = ImageBatches(store, rows, settings.height, settings.width)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator, history = AdversarialTraining(images, settings, saved, device).fit()
    generated = draw_crops(generator, num_crops, settings.seed)
    _write_training(generator, history, folder)
    pack_generated(generated, folder)
    assessment = assess(generated, store, table, network, seed=settings.seed)
    draw_sheet(generated, store, assessment, seed=settings.seed).save(folder / "contact_sheet.jpg", quality=90)
    write_json({"num_crops": num_crops, "num_training_crops": len(rows), **assessment.report}, folder / "report.json")
    _log_report(num_crops, assessment.report)
    saved.delete()


def _identity(crops: Path, settings: GanSettings) -> dict[str, Any]:
    """Return what identifies a training; a run with the same identity continues an earlier one."""
    hashes = {"tar": sha256(crops / "crops.tar"), "table": sha256(crops / "crops.parquet")}
    return {"generate": vars(settings), **hashes}


def _write_training(generator: Generator, history: pd.DataFrame, folder: Path) -> None:
    weights = {name: values.cpu().contiguous() for name, values in generator.state_dict().items()}
    (folder / "generator.safetensors").write_bytes(save(weights))
    history.to_csv(folder / "history.csv", index=False, float_format="%.6g", lineterminator="\n")
    draw_curves(history, folder / "curves.png")


def _log_report(num_crops: int, report: dict[str, Any]) -> None:
    log.info(
        "generated %s crops: Fréchet distance %.4g to training crops (of two halves of these %.4g), features of %s",
        f"{num_crops:,}",
        report.get("frechet_distance", np.nan),
        report.get("frechet_distance_of_training_halves", np.nan),
        report["features"],
    )
    nearest = report["nearest_by_pixels"]
    log.info(
        "nearest training crop: %.1f grey levels away (two pictures of training crops: %.1f); %.1f%% of the generated "
        "crops are nearer than that",
        nearest["generated"],
        nearest.get("other_picture", np.nan),
        100 * nearest["share_of_copies"],
    )
