"""Curves of an evaluation as pictures: CMC, the distances with the gate drawn in, a map of embeddings."""

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
BOXES = {"annotations": "ground truth boxes", "detections": "detector's boxes"}
TITLES = {"rank1": "The same person is the nearest (rank1)", "MRR": "Mean of 1 / rank (MRR)"}
UNITS = {"frame_gap": " (frames)", "visibility": "", "height": " (px)"}


def draw_cmc(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Return the share of queries whose first match is among the first k, by test set and by what ranked it, [max_rank] each."""
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    for number, (test, by_ranking) in enumerate(curves.items()):
        for (name, shares), line in zip(by_ranking.items(), LINES, strict=False):
            ranks = np.arange(1, len(shares) + 1)
            axes.plot(ranks, shares, line, color=f"C{number}", marker=".", markersize=4, label=f"{test}, {name} (rank1 {shares[0]:.3f})")
    axes.set(xlabel="rank k", ylabel="share of queries", ylim=(0, 1.02), title="Queries whose person is among the first k")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)
    return figure


def draw_distances(calibration: Calibration) -> Figure:
    """Return the genuine and impostor distances of pairs and of returns to a track, the gate drawn into the second."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    of_pairs, of_tracks = figure.subplots(1, 2)
    report = calibration.report
    _draw_histograms(of_pairs, calibration.pairs)
    _draw_histograms(of_tracks, calibration.nearest)
    if report["eer_threshold"] is not None:
        of_pairs.axvline(report["eer_threshold"], color="0.2", linestyle=":", label=f"EER {report['eer']:.3f} at {report['eer_threshold']:.3f}")
    of_tracks.axvline(report["gates"]["cosine"], color="0.1", label=_gate_label(report))
    of_pairs.set(title="Crop against crop, one camera", xlabel="1 − cosine")
    of_tracks.set(title="Crop against the nearest crop of a track", xlabel="1 − cosine")
    for axes in (of_pairs, of_tracks):
        axes.set(ylabel="density", yticks=[])
        axes.margins(y=0.35)  # room for the legend
        axes.legend(fontsize=9, loc="upper right")
    return figure


def draw_reassociation(table: pd.DataFrame) -> Figure:
    """Return rank1 and MRR of lost people against the frames since, on each kind of boxes and of a guess, from `tabulate`'s table."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, score in zip(figure.subplots(1, 2, sharey=True), ("rank1", "MRR"), strict=True):
        for (boxes, rows), colour in zip(table.dropna().groupby("boxes"), (GENUINE, "#1f5fb4"), strict=False):
            axes.plot(rows["gap"], rows[score], marker="o", markersize=5, color=colour, label=f"model, {BOXES[boxes]}")
            axes.plot(rows["gap"], rows[f"chance_{score}"], "--", color=colour, alpha=0.55, linewidth=1, label=f"a guess, {BOXES[boxes]}")
        axes.set(xscale="log", xlabel="frames since", ylim=(0, 1.02), title=TITLES[score])
        axes.set_xticks(GAPS, [str(gap) for gap in GAPS])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    if table.dropna().empty:
        figure.suptitle("No tracked sequence: nobody was looked for", fontsize=10)
    else:
        figure.axes[0].set_ylabel("share of queries")
        figure.axes[1].legend(fontsize=9)
    return figure


def draw_tables(calibration: Calibration) -> Figure:
    """Return the equal error rate and the median distances of pairs by each condition of the calibration's tables."""
    tables = calibration.report["by"]
    figure = Figure(figsize=(4.4 * len(tables), 5.6), layout="constrained")
    panels = figure.subplots(2, len(tables), sharex="col", squeeze=False)
    for (condition, rows), (errors, medians) in zip(tables.items(), panels.T, strict=True):
        places, unit = np.arange(len(rows)), UNITS[condition]
        errors.bar(places, [row["eer"] or 0.0 for row in rows], color="0.55")
        for place, row in zip(places, rows, strict=True):
            label = "–" if row["eer"] is None else f"{row['eer']:.3f}"
            errors.annotate(f"{label}\n{row['num_genuine']:,} pairs", (place, row["eer"] or 0.0), ha="center", va="bottom", fontsize=7.5)
        for kind, colour, name in (("genuine", GENUINE, "one person"), ("impostor", IMPOSTOR, "two people")):
            values = [np.nan if row[f"median_{kind}"] is None else row[f"median_{kind}"] for row in rows]
            medians.plot(places, values, marker="o", color=colour, label=name)
        errors.margins(y=0.25)
        errors.set(title=f"by {condition.replace('_', ' ')}{unit}")
        medians.set(ylim=(0, None), xlabel=f"from {condition.replace('_', ' ')}{unit}")
        medians.set_xticks(places, [f"{row['at_least']:g}" for row in rows])
        for axes in (errors, medians):
            axes.grid(alpha=0.3, axis="y")
    panels[0, 0].set_ylabel("equal error rate of pairs")
    panels[1, 0].set_ylabel("median of 1 − cosine")
    panels[1, 0].legend(fontsize=9)
    return figure


def draw_map(embeddings: np.ndarray, pids: np.ndarray, *, max_people: int = 24, max_crops: int = 500) -> Figure:
    """Return a 2-D map (t-SNE) of the crops, [n, dim], of the people seen most often, a colour and a marker for each."""
    chosen = _most_seen(pids, max_people, max_crops)
    figure = Figure(figsize=(7.5, 7), layout="constrained")
    axes = figure.subplots()
    # Fewer neighbours than crops are asked of t-SNE by its definition.
    perplexity = min(25.0, max(1.0, (len(chosen) - 1) / 3))
    places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(embeddings[chosen])
    for number, pid in enumerate(np.unique(pids[chosen])):
        of_person = places[pids[chosen] == pid]
        colour = matplotlib.colormaps["tab20"](number % 20)
        axes.scatter(*of_person.T, s=22, color=colour, marker=MARKERS[number % len(MARKERS)], linewidths=0)
        axes.annotate(str(pid), np.median(of_person, axis=0), fontsize=8, ha="center", va="center",
                      bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colour, "alpha": 0.85})
    axes.set(xticks=[], yticks=[], title=f"{len(chosen):,} crops of {min(len(np.unique(pids)), max_people)} people, by pid (t-SNE)")
    return figure


def _draw_histograms(axes: Axes, distances: Distances) -> None:
    values = np.concatenate([distances.genuine, distances.impostor])
    edges = np.linspace(min(0.0, values.min(initial=0.0)), max(values.max(initial=0.0), 0.1), 71)
    kinds = (("one person", distances.genuine, GENUINE), ("two people", distances.impostor, IMPOSTOR))
    for name, of_kind, colour in kinds:
        if len(of_kind):
            axes.hist(of_kind, edges, density=True, color=colour, alpha=0.5, label=f"{name} ({len(of_kind):,})")


def _gate_label(report: dict) -> str:
    gate, rates = report["gates"]["cosine"], report["at_gate"]
    if rates["fnmr"] is None:
        return f"gate {gate:.3f}, published"
    return f"gate {gate:.3f}: refuses {rates['fnmr']:.1%} of returns,\nlets pass {rates['fmr']:.1%} of strangers"


def _most_seen(pids: np.ndarray, max_people: int, max_crops: int) -> np.ndarray:
    """Return the rows of the people with most crops, distractors left out, evenly thinned."""
    people, counts = np.unique(pids[pids >= 0], return_counts=True)
    most = people[np.argsort(-counts, kind="stable")[:max_people]]
    rows = np.flatnonzero(np.isin(pids, most))
    return rows[np.linspace(0, len(rows) - 1, min(max_crops, len(rows))).round().astype(int)]
