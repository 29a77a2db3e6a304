"""Write the folder of a trained embedder."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from reidops.datasets.origin import Origin
from reidops.embedding.embedder import Embedder
from reidops.embedding.network import EmbeddingNetwork
from reidops.files import whole_file, whole_folder
from reidops.training.curves import draw_curves
from reidops.training.keeping import TrainedWeights
from reidops.training.weights import check_finite

log = logging.getLogger(__name__)

_HISTORY = ["epoch", "loss", "lr", "val_mAP", "val_rank1"]


def keep_loaded_weights(network: EmbeddingNetwork) -> TrainedWeights:
    """Return the weights of a network without training, as epoch 0 with an empty history.

    Raises:
        ReidopsError: a value is NaN or infinite.
    """
    check_finite(network.state_dict(), "the loaded weights (train.epochs is 0)")
    log.info("kept the loaded weights without training")
    return TrainedWeights(network.state_dict(), 0, pd.DataFrame(columns=_HISTORY))


def write_trained_model(embedder: Embedder, trained: TrainedWeights, model: Path, trained_on: dict[str, Any]) -> None:
    """Load the trained weights into the embedder and write its files, history.csv and curves.png to `model`.

    A history without rows has no curves.png. The folder appears when it is complete.
    """
    embedder.network.load_state_dict(trained.weights)
    with whole_folder(model) as folder:
        embedder.save(folder, trained_on=trained_on)
        with whole_file(folder / "history.csv") as partial:
            trained.history.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        if len(trained.history):
            draw_curves(trained.history, folder / "curves.png")


def training_facts(origin: Origin, table: pd.DataFrame, trained: TrainedWeights, **settings: object) -> dict[str, Any]:
    """Return the record of a training for embedder.json: its data, those of its start, its epoch and `settings`.

    Args:
        origin: of the trained weights, as `with_training` returns it.
    """
    learnt = table[table["split"] == "train"]
    data = {"datasets": sorted(learnt["dataset"].unique()), "num_crops": len(learnt)}
    return {**origin.facts, "epoch": trained.epoch, **settings, **data}
