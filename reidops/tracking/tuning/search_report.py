"""The files of a search for constants: the result with its frames, every trial, a figure; and the printed table."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reidops.files import whole_file, write_json
from reidops.tracking.tuning.search import Tried, best_of
from reidops.tracking.tuning.search_spaces import SearchSpace
from reidops.tracking.tuning.trial_scores import SHOWN, split_values

COLUMNS = 4  # of the picture, at most


def write_search(
    trials: Rows[Tried], space: SearchSpace, score: str, tuned_on: Rows[Mapping[str, Any]], folder: Path
) -> None:
    """Write constants.json, metrics.json, trials.csv and trials.png."""
    best = best_of(trials, score)
    constants, of_all = split_values(best.values, space.tracker)
    searched = {name: list(knob.values) for name, knob in space.knobs.items()}
    found = {
        "tracker": space.tracker,
        "constants": constants,
        **of_all,
        "tuned_on": list(tuned_on),
        "score": score,
        "searched": searched,
    }
    write_json(found, folder / "constants.json")
    write_json(
        {"num_trials": len(trials) - 1, "start": trials[0].scores, "found": best.scores}, folder / "metrics.json"
    )
    table = pd.DataFrame([{"trial": tried.number, **tried.scores, **tried.values} for tried in trials])
    with whole_file(folder / "trials.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with whole_file(folder / "trials.png") as temporary:
        draw_search(trials, space, score).savefig(temporary, format="png", dpi=110)


def format_search(trials: Rows[Tried], space: SearchSpace, score: str) -> str:
    """Return the scores of the start and of the best trial, a line each, and the constants of the best trial."""
    best = best_of(trials, score)
    constants, of_all = split_values(best.values, space.tracker)
    values = ", ".join(f"{name} {value}" for name, value in {**constants, **of_all}.items())
    header = f"{'trial':<10}" + "".join(f"{name:>8}" for name in SHOWN)
    last = f"best of {len(trials) - 1} trials by {score}: {values or 'the published constants'}"
    return "\n".join([header, _line("start", trials[0]), _line(f"number {best.number}", best), last])


def _line(name: str, tried: Tried) -> str:
    return f"{name:<10}" + "".join(
        f"{value:>8.0f}" if shown == "IDSW" else f"{value:>8.3f}" for shown, value in tried.scores.items()
    )


def draw_search(trials: Rows[Tried], space: SearchSpace, score: str) -> Figure:
    """Return a figure: the score of each trial with the best so far, then the score by the values of each knob.

    The start is red.
    """
    columns = min(COLUMNS, len(space.knobs) + 1)
    rows = -(-(len(space.knobs) + 1) // columns)
    figure = Figure(figsize=(3.4 * columns, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    _draw_history(axes[0], [tried.scores[score] for tried in trials])
    axes[0].set(xlabel="trial", ylabel=score)
    for axis, name in zip(axes[1:], space.knobs, strict=False):
        _draw_knob(axis, [(tried.values[name], tried.scores[score]) for tried in trials])
        axis.set(xlabel=name)
    for axis in axes[len(space.knobs) + 1 :]:
        axis.set_axis_off()
    return figure


def _draw_history(axis: Axes, scores: list[float]) -> None:
    axis.step(range(len(scores)), pd.Series(scores).cummax(), where="post", color="tab:blue", linewidth=1)
    axis.plot(range(1, len(scores)), scores[1:], ".", color="tab:blue")
    axis.plot(0, scores[0], "o", color="tab:red")


def _draw_knob(axis: Axes, points: list[tuple[Any, float]]) -> None:
    """Draw scores by value, choices as text; a start without a value of its own (the setting's gate) is left out."""
    shown = (
        (lambda value: value)
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value, _ in points[1:])
        else str
    )
    axis.plot([shown(value) for value, _ in points[1:]], [score for _, score in points[1:]], ".", color="tab:blue")
    if points[0][0] is not None:
        axis.plot(shown(points[0][0]), points[0][1], "o", color="tab:red")
