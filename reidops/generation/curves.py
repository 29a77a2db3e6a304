"""Plot the curves of an adversarial training."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reidops.files import whole_file

_PLOTS = {
    "autoencoder": ("autoencoder",),
    "losses": ("critic", "generator"),
    "mean score of the critic": ("score_real", "score_generated"),
    "diversity ÷ that of training crops": ("diversity",),
}


def draw_curves(history: pd.DataFrame, path: Path) -> None:
    """Write a PNG with losses, scores and diversity by epoch."""
    plots = {title: [name for name in columns if name in history] for title, columns in _PLOTS.items()}
    plots = {title: columns for title, columns in plots.items() if columns}
    figure = Figure(figsize=(4 * len(plots), 3.6), layout="constrained")
    for axes, (title, columns) in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots.items(), strict=True):
        for column in columns:
            axes.plot(history["epoch"], history[column], marker=".", label=column)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
