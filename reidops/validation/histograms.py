"""Draw histograms of the crops by side of the split: height, width, visibility and crops per person."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reidops.validation.crop_tables import SIDES

COLOURS = {"train": "#2563eb", "val": "#7c3aed", "test": "#b45309"}


def draw_histograms(crops: pd.DataFrame, people: pd.DataFrame, path: Path) -> None:
    """Draw four histograms into a PNG; `people` is `crop_tables.people_table`."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 2)
    sides = crops["split"].map(SIDES)
    _draw(axes[0, 0], {side: crops.loc[sides == side, "height"] for side in COLOURS}, "crop height [px]")
    _draw(axes[0, 1], {side: crops.loc[sides == side, "width"] for side in COLOURS}, "crop width [px]")
    visibility = {side: crops.loc[sides == side, "visibility"] for side in COLOURS}
    _draw(axes[1, 0], visibility, "visibility [share not occluded]", limits=(0, 1))
    per_person = {side: people.loc[people["side"] == side, "num_crops"] for side in COLOURS}
    _draw(axes[1, 1], per_person, "crops per person", counted="people", logarithmic=False)
    if len(crops):
        axes[0, 0].legend(frameon=False)
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def _draw(
    axis: Axes,
    values: dict[str, pd.Series],
    label: str,
    *,
    counted: str = "crops",
    limits: tuple[float, float] | None = None,
    logarithmic: bool = True,
) -> None:
    """Draw the histogram of each side as an outline, so that no side hides another.

    A logarithmic scale makes rare sizes visible.
    """
    joined = np.concatenate([series.to_numpy(dtype=float) for series in values.values()]) if values else np.zeros(0)
    bins = np.histogram_bin_edges(joined, bins=40, range=limits) if len(joined) else np.linspace(0, 1, 41)
    for side, series in values.items():
        if len(series):
            axis.hist(series, bins=bins.tolist(), histtype="stepfilled", color=COLOURS[side], alpha=0.18)
            axis.hist(
                series,
                bins=bins.tolist(),
                histtype="step",
                color=COLOURS[side],
                linewidth=1.6,
                label=f"{side} ({len(series):,})",
            )
    axis.set_xlabel(label)
    axis.set_ylabel(counted)
    if logarithmic:
        axis.set_yscale("log")
    axis.spines[["top", "right"]].set_visible(False)
