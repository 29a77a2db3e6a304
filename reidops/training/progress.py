"""How far a training is: what a checkpoint keeps of it, and what a person sees."""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """What grows while training; all of it goes into a checkpoint.

    Attributes:
        step: of the optimizer, done so far.
        sums: of the losses over the steps of the present epoch.
        history: a row per epoch.
        best: weights that the held-out people liked best, with their mAP and epoch.
    """

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] | None = None


def told(row: dict[str, float], images_per_second: float) -> str:
    """Return an epoch's row of the history in words."""
    judged = "" if math.isnan(row["val_mAP"]) else f", held-out mAP {row['val_mAP']:.3f}, rank1 {row['val_rank1']:.3f}"
    return f"epoch {row['epoch']}: loss {row['loss']:.3f}, {images_per_second:.0f} images/s{judged}"
