"""Plot the curves of a training."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reidops.files import whole_file


def draw_curves(history: pd.DataFrame, path: Path) -> None:
    """Write a PNG with losses, held-out scores and learning rate by epoch."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    losses, scores, rate = figure.subplots(1, 3)
    _draw(losses, history, [c for c in history if c.startswith("loss")], "loss")
    _draw(scores, history, ["val_mAP", "val_rank1"], "held-out people, fraction")
    _draw(rate, history, ["lr"], "learning rate")
    scores.set_ylim(0, 1)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _draw(axes: Axes, history: pd.DataFrame, columns: list[str], title: str) -> None:
    for column in columns:
        known = history[["epoch", column]].dropna()
        axes.plot(known["epoch"], known[column], marker=".", label=column)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)
    axes.legend()
