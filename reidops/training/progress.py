"""The progress of a training, for checkpoints and for the log."""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """The state of a training besides network and optimizer; checkpoints include all of it.

    Attributes:
        step: number of completed optimizer steps.
        sums: sums of the losses over the steps of the current epoch.
        history: one row per epoch.
        best: the weights with the best held-out mAP, with that mAP and their epoch.
    """

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] | None = None


def describe_epoch(row: dict[str, float], images_per_second: float) -> str:
    """Return an epoch's row of the history as a line of text."""
    scores = "" if math.isnan(row["val_mAP"]) else f", held-out mAP {row['val_mAP']:.3f}, rank1 {row['val_rank1']:.3f}"
    return f"epoch {row['epoch']}: loss {row['loss']:.3f}, {images_per_second:.0f} images/s{scores}"
