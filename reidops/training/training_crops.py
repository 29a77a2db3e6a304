"""Find the training crops in a crops table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError


@dataclass(frozen=True)
class TrainingCrops:
    """The crops of the split `train`.

    Attributes:
        rows: rows of the crops table, int [N].
        labels: the person of each crop, 0 … C − 1, [N].
        camids: the camera of each crop, [N].
    """

    rows: np.ndarray
    labels: np.ndarray
    camids: np.ndarray

    @property
    def num_people(self) -> int:
        """Return the number of people, C."""
        return int(self.labels.max()) + 1


def find_training_crops(table: pd.DataFrame, path: Path) -> TrainingCrops:
    """Return the training crops of a crops table.

    Args:
        table: tables.CROPS.
        path: its file, for the message.

    Raises:
        ReidopsError: no row has the split `train`.
    """
    rows = table.index[table["split"] == "train"].to_numpy()
    if len(rows) == 0:
        raise ReidopsError(
            f"{path}: no row has the split `train`; name a set in download.train and run `dvc repro`, or, to train "
            "nothing, set train.epochs and adapt.source_share to 0, and train.weights to a file"
        )
    labels = pd.factorize(table["pid"].to_numpy()[rows], sort=True)[0]
    return TrainingCrops(rows, labels, table["camid"].to_numpy()[rows])
