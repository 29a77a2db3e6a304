"""Plot the curves of an adaptation."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reidops.files import whole_file

_PANELS = {
    "clusters": ("clusters", "split_clusters"),
    "without labels, fraction": ("share_clustered", "stability", "reassociation_rank1", "reassociation_mrr"),
    "with labels (report only), fraction": ("purity", "nmi", "pair_f"),
    "loss": ("loss",),
}


def draw_rounds(rows: pd.DataFrame, chosen: int, path: Path) -> None:
    """Write a PNG with the figures of each round; the kept round has a vertical line."""
    panels = {title: [name for name in names if name in rows] for title, names in _PANELS.items()}
    panels = {title: names for title, names in panels.items() if names}
    figure = Figure(figsize=(4 * len(panels), 3.6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        _draw(axes, rows, names)
        axes.set_title(title)
        axes.axvline(chosen, color="#9ca3af", linestyle="--", label="kept round")
        if "fraction" in title:
            axes.set_ylim(0, 1.02)
        axes.legend(fontsize="small")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _draw(axes: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        known = rows[["round", name]].dropna()
        axes.plot(known["round"], known[name], marker=".", label=name.replace("_", " "))
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
