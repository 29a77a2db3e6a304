"""Curves over the length of a gap: the share of returns kept, and the people's IDF1."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reidops.files import whole_file


def write_gap_curves(table: pd.DataFrame, path: Path) -> None:
    """Write the figure of a gap table (see `gaps.gap_table`) as a PNG."""
    with whole_file(path) as temporary:
        draw_gaps(table).savefig(temporary, format="png", dpi=110)


def draw_gaps(table: pd.DataFrame) -> Figure:
    """Return a figure: the share of returns kept, and the people's IDF1, by length of gap, a line for each arm."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    share, idf1 = figure.subplots(1, 2)
    for arm, rows in table.groupby("arm", sort=False):
        label = arm.replace("_", " ")
        share.plot(rows["gap_from"].map(_labels(table, "returns")), rows["share"], "o-", label=label)
        idf1.plot(rows["gap_from"].map(_labels(table, "people")), rows["IDF1"], "o-", label=label)
    share.set(
        title="people who come back and get their track again",
        xlabel="frames out of sight",
        ylabel="share of returns",
        ylim=(0, 1.02),
    )
    idf1.set(
        title="IDF1 of the people whose longest gap this is",
        xlabel="longest gap [frames]",
        ylabel="IDF1",
        ylim=(0, 1.02),
    )
    figure.legend(*share.get_legend_handles_labels(), loc="outside lower center", ncols=4)  # below, over no curve
    return figure


def _labels(table: pd.DataFrame, counted: str) -> dict[int, str]:
    """Return the axis label of each length, with the number of returns or people below it."""
    rows = table[table["arm"] == table["arm"].iloc[0]]
    ends = [
        "" if first == last else "…" if np.isnan(last) else f"–{last:.0f}"
        for first, last in zip(rows["gap_from"], rows["gap_to"], strict=True)
    ]
    return {
        first: f"{first}{end}\n({number})"
        for first, end, number in zip(rows["gap_from"], ends, rows[counted], strict=True)
    }
