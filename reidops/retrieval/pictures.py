"""Plot the results of an evaluation: CMC, distances with gates, re-association and a map of embeddings."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from reidops.retrieval.calibration import Calibration
from reidops.retrieval.crop_distances import Distances
from reidops.retrieval.reassociation import GAPS

GENUINE, IMPOSTOR = "#16803c", "#cd2828"
LINES = ("-", "--", ":")
MARKERS = "os^DvP*X"
BOXES = {"annotations": ("ground truth boxes", "#1f5fb4"), "detections": ("detector's boxes", "#d07000")}
TITLES = {"rank1": "The same person is the nearest (rank1)", "MRR": "Mean of 1 / rank (MRR)"}
UNITS = {"frame_gap": " (frames)", "visibility": "", "height": " (px)"}


def draw_cmc(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Return a plot of CMC curves, [max_rank] each, by test set and by ranking method."""
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, (test, by_ranking) in enumerate(curves.items()):
        for (name, shares), line in zip(by_ranking.items(), LINES, strict=False):
            ranks = np.arange(1, len(shares) + 1)
            axes.plot(
                ranks,
                shares,
                line,
                color=f"C{number}",
                marker=".",
                markersize=4,
                label=f"{test}, {name} (rank1 {shares[0]:.3f})",
            )
    axes.set(
        xlabel="rank k", ylabel="fraction of queries", ylim=(0, 1.02), title="Queries with a match among the first k"
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)
    return figure


def draw_distances(calibration: Calibration) -> Figure:
    """Return histograms of the genuine and impostor distances: of pairs, and of appearance costs with their gates."""
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    panels, report = figure.subplots(1, 3), calibration.report
    titles = (
        "Crop against crop",
        "Crop against the nearest crop of a track",
        "Crop against the moving average of a track",
    )
    for axes, title, distances in zip(
        panels, titles, (calibration.pairs, calibration.nearest, calibration.moving_average), strict=True
    ):
        _draw_histograms(axes, distances)
        axes.set(title=title, xlabel="1 − cosine")
    if report["eer_threshold"] is not None:
        panels[0].axvline(
            report["eer_threshold"],
            color="0.2",
            linestyle=":",
            label=f"EER {report['eer']:.3f} at {report['eer_threshold']:.3f}",
        )
    for axes, gate, rates in zip(panels[1:], ("cosine", "ema_cosine"), ("at_gate", "at_ema_gate"), strict=True):
        axes.axvline(report["gates"][gate], color="0.1", label=_gate_label(report["gates"][gate], report[rates]))
    for axes in panels:
        axes.set(ylabel="density", yticks=[])
        axes.margins(y=0.35)  # room for the legend
        if axes.get_legend_handles_labels()[0]:  # empty without pairs
            axes.legend(fontsize=9, loc="upper right")
    return figure


def draw_reassociation(table: pd.DataFrame) -> Figure:
    """Return plots of re-association rank1 and MRR by gap, for each kind of boxes and for random guessing.

    Args:
        table: the result of `reassociation.tabulate`.
    """
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    if table.dropna().empty:
        figure.text(0.5, 0.5, "No tracked sequence: no re-association queries", ha="center")
        return figure
    for axes, score in zip(figure.subplots(1, 2, sharey=True), TITLES, strict=True):
        for (_, rows), line in zip(table.groupby("boxes"), (-0.14, -0.2), strict=False):
            _draw_gaps(axes, rows, score, line)
        axes.set(xlabel="gap (frames); below: number of scored queries", ylim=(0, 1.02), title=TITLES[score])
        axes.set_xticks(range(len(GAPS)), [str(gap) for gap in GAPS])
        axes.xaxis.labelpad = 42
        axes.grid(alpha=0.3)
    figure.axes[0].set(ylabel="fraction of queries")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=9, ncols=len(labels), loc="outside lower center")
    return figure


def draw_tables(calibration: Calibration) -> Figure:
    """Return plots of the equal error rate and the median distances of pairs, by the conditions of the calibration."""
    tables = calibration.report["by"]
    figure = Figure(figsize=(5.2 * len(tables), 5.8), layout="constrained")
    panels = figure.subplots(2, len(tables), sharex="col", sharey="row", squeeze=False)
    for (condition, rows), column in zip(tables.items(), panels.T, strict=True):
        _draw_errors(column[0], rows)
        _draw_medians(column[1], rows)
        name = condition.replace("_", " ") + UNITS[condition]
        column[0].set(title=f"Pairs by {name}")
        column[1].set(xlabel=f"{name}, from")
    panels[0, 0].set(ylabel="equal error rate\n(pairs of one person / of two)")
    panels[1, 0].set(ylabel="median of 1 − cosine", ylim=(0, None))
    panels[1, 0].legend(fontsize=9)
    return figure


def draw_map(embeddings: np.ndarray, pids: np.ndarray, *, max_people: int = 24, max_crops: int = 500) -> Figure:
    """Return a 2-D map (t-SNE) of the crops of the people with most crops, with a colour and a marker per person.

    Args:
        embeddings: unit rows, [n, dim].
    """
    chosen = _most_seen(pids, max_people, max_crops)
    figure = Figure(figsize=(7.5, 7), layout="constrained")
    axes = figure.subplots()
    places = _places(embeddings[chosen])
    for number, pid in enumerate(np.unique(pids[chosen])):
        of_person = places[pids[chosen] == pid]
        colour = matplotlib.colormaps["tab20"](number % 20)
        axes.scatter(
            of_person[:, 0], of_person[:, 1], s=22, color=colour, marker=MARKERS[number % len(MARKERS)], linewidths=0
        )
        # The label is placed at a crop, not between crops.
        middle = of_person[np.argmin(np.linalg.norm(of_person - np.median(of_person, axis=0), axis=1))]
        axes.annotate(
            str(pid),
            middle,
            (0, 9),
            textcoords="offset points",
            fontsize=8,
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colour, "alpha": 0.85},
        )
    axes.set(
        xticks=[],
        yticks=[],
        title=f"{len(chosen):,} crops of {min(len(np.unique(pids)), max_people)} people, by pid (t-SNE)",
    )
    return figure


def _draw_histograms(axes: Axes, distances: Distances) -> None:
    values = np.concatenate([distances.genuine, distances.impostor])
    edges = np.linspace(min(0.0, values.min(initial=0.0)), max(values.max(initial=0.0), 0.1), 71).tolist()
    kinds = (("one person", distances.genuine, GENUINE), ("two people", distances.impostor, IMPOSTOR))
    for name, of_kind, colour in kinds:
        if len(of_kind):
            axes.hist(of_kind, edges, density=True, color=colour, alpha=0.5, label=f"{name} ({len(of_kind):,})")


def _gate_label(gate: float, rates: dict[str, float | None]) -> str:
    if rates["fnmr"] is None:
        return f"gate {gate:.3f}, published"
    return f"gate {gate:.3f}: rejects {rates['fnmr']:.1%} of returns,\naccepts {rates['fmr']:.1%} of impostors"


def _draw_gaps(axes: Axes, rows: pd.DataFrame, score: str, line: float) -> None:
    """Plot one curve and that of random guessing over evenly spaced gaps.

    The number of scored queries is written at `line`, a fraction of the height of the axes.
    """
    places, name, colour = np.arange(len(rows)), *BOXES[rows["boxes"].iloc[0]]
    axes.plot(places, rows[score], marker="o", markersize=5, color=colour, label=f"model, {name}")
    axes.plot(
        places, rows[f"chance_{score}"], "--", color=colour, alpha=0.6, linewidth=1, label=f"random guess, {name}"
    )
    for place, number in zip(places, rows["num_query"] - rows["num_unmatched_queries"], strict=True):
        axes.text(
            float(place),
            line,
            f"{number:,}",
            color=colour,
            fontsize=7.5,
            ha="center",
            transform=axes.get_xaxis_transform(),
        )


def _draw_errors(axes: Axes, rows: list[dict]) -> None:
    axes.bar(range(len(rows)), [row["eer"] or 0.0 for row in rows], color="0.6")
    for place, row in enumerate(rows):
        error = "none" if row["eer"] is None else f"{row['eer']:.3f}"
        axes.annotate(
            f"{error}\n{row['num_genuine']:,} / {row['num_impostor']:,}",
            (place, row["eer"] or 0.0),
            ha="center",
            va="bottom",
            fontsize=7.5,
        )
    axes.margins(y=0.25)
    axes.grid(alpha=0.3, axis="y")


def _draw_medians(axes: Axes, rows: list[dict]) -> None:
    for kind, colour, name in (("genuine", GENUINE, "one person"), ("impostor", IMPOSTOR, "two people")):
        values = [np.nan if row[f"median_{kind}"] is None else row[f"median_{kind}"] for row in rows]
        axes.plot(range(len(rows)), values, marker="o", color=colour, label=name)
    axes.set_xticks(range(len(rows)), [f"{row['at_least']:g}" for row in rows])
    axes.grid(alpha=0.3, axis="y")


def _places(embeddings: np.ndarray) -> np.ndarray:
    """Return the t-SNE coordinates of the crops, [n, 2]; the origin for a single crop or equal embeddings."""
    if np.ptp(embeddings, axis=0).max() == 0:
        return np.zeros((len(embeddings), 2))
    # t-SNE requires a perplexity below the number of crops.
    perplexity = min(25.0, max(1.0, (len(embeddings) - 1) / 3))
    return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(embeddings)


def _most_seen(pids: np.ndarray, max_people: int, max_crops: int) -> np.ndarray:
    """Return at most `max_crops` rows, spread evenly, of the people with most crops, without distractors."""
    people, counts = np.unique(pids[pids >= 0], return_counts=True)
    most = people[np.argsort(-counts, kind="stable")[:max_people]]
    rows = np.flatnonzero(np.isin(pids, most))
    return rows[np.linspace(0, len(rows) - 1, min(max_crops, len(rows))).round().astype(int)]
