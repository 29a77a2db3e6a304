"""Timelines: which track was matched to each person of the ground truth, by frame."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from reidops.tracking.evaluation.held import held_runs, mistaken_rows
from reidops.tracking.pictures.frames import MISTAKE, colour_of

# With more people a picture is unreadable: those with the most identity errors are drawn.
MAX_PEOPLE = 40
_PANEL_WIDTH = 6.5  # inches
_LEAST_NAMED = 0.03  # least length of a run that shows its track's number, as a share of the frames


def draw_timeline(events_by_arm: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Return a figure with one panel per arm: a line per person, with colour and number of the matched track.

    A person's own track is pale, another track is strong. A grey line is a frame without a match, a red mark an
    identity switch.
    """
    people, num_all = choose_people(events_by_arm)
    width, height = _PANEL_WIDTH * len(events_by_arm) + 0.7, 1.5 + 0.24 * max(2, len(people))
    figure = Figure(figsize=(width, height))
    # Margins in inches: an automatic layout measures every text and is slow.
    figure.subplots_adjust(
        left=0.65 / width, right=1 - 0.1 / width, bottom=0.55 / height, top=1 - 0.85 / height, wspace=0.04
    )
    panels = figure.subplots(1, len(events_by_arm), sharey=True, squeeze=False)[0]
    for axes, (arm, events) in zip(panels, events_by_arm.items(), strict=True):
        _draw_panel(axes, events, people)
        num_switches = int((events["event"] == "SWITCH").sum())
        axes.set_title(
            f"{arm.replace('_', ' ')}: {num_switches} identity switch{'' if num_switches == 1 else 'es'}", fontsize=10
        )
    shown = (
        f"the {len(people)} of {num_all} people who were mistaken most"
        if num_all > len(people)
        else f"{num_all} people"
    )
    key = "pale: their own track, strong: a wrong one, grey: not found, red: identity switch"
    figure.suptitle(f"{title}: {shown}\n{key}", fontsize=10, y=1 - 0.1 / height, va="top")
    panels[0].set_ylabel("person (ground truth)")
    panels[0].set_yticks(range(len(people)), [str(person) for person in people], fontsize=7)
    panels[0].set_ylim(len(people) - 0.4, -0.6)
    return figure


def choose_people(events_by_arm: Mapping[str, pd.DataFrame]) -> tuple[list[int], int]:
    """Return the drawn people in order, and the number of all; those with the most identity errors are drawn."""
    people = pd.concat([events.loc[events["track_id"] >= 0, "track_id"] for events in events_by_arm.values()])
    mistakes = pd.concat([mistaken_rows(events)["track_id"] for events in events_by_arm.values()]).value_counts()
    counts = mistakes.reindex(sorted(people.unique()), fill_value=0).sort_values(ascending=False, kind="stable")
    return sorted(int(person) for person in counts.index[:MAX_PEOPLE]), len(counts)


def _draw_panel(axes: Axes, events: pd.DataFrame, people: Rows[int]) -> None:
    place = {person: row for row, person in enumerate(people)}
    mistaken = mistaken_rows(events)
    wrong = set(zip(mistaken["track_id"], mistaken["tracker_id"], strict=True))
    events = events[events["track_id"].isin(people)]
    axes.set(xlabel="frame")
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.margins(x=0.01)
    if events.empty:
        return
    seen = events.groupby("track_id")["frame"].agg(["min", "max"])
    axes.hlines([place[person] for person in seen.index], seen["min"], seen["max"], color="0.75", linewidth=1, zorder=0)
    _draw_runs(axes, events, place, wrong)
    switches = events[events["event"] == "SWITCH"]
    rows = [place[person] for person in switches["track_id"]]
    axes.plot(switches["frame"] - 0.5, rows, "|", color=_rgb(MISTAKE), markersize=13, markeredgewidth=1.8)


def _draw_runs(axes: Axes, events: pd.DataFrame, place: Mapping[int, int], wrong: set[tuple[int, int]]) -> None:
    """Draw all runs in one collection, as a long sequence has thousands; `wrong` are pairs (person, other track)."""
    runs = np.array(held_runs(events), dtype=int).reshape(-1, 4)
    middles = np.array([place[person] for person in runs[:, 0]])
    left, right, low, high = runs[:, 2] - 0.5, runs[:, 3] + 0.5, middles - 0.38, middles + 0.38
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
    colours = [
        _rgb(colour_of(i)) if (person, i) in wrong else _pale(colour_of(i)) for person, i in runs[:, :2].tolist()
    ]
    axes.add_collection(PolyCollection(list(corners), facecolors=colours, linewidths=0))
    least = _LEAST_NAMED * (events["frame"].max() - events["frame"].min() + 1)
    for person, tracker_id, first, _ in runs[runs[:, 3] - runs[:, 2] + 1 >= least].tolist():
        colour = "white" if (person, tracker_id) in wrong else "black"
        axes.text(first, place[person] + 0.03, f" {tracker_id}", fontsize=6, va="center", color=colour, clip_on=True)


def _pale(colour: tuple[int, int, int]) -> tuple[float, ...]:
    return tuple(1 - 0.4 * (1 - value) for value in _rgb(colour))


def _rgb(colour: tuple[int, int, int]) -> tuple[float, ...]:
    return tuple(value / 255 for value in colour)
