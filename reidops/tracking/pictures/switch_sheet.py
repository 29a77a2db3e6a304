"""A sheet of identity switches: per switch a row with crops, cost terms with their gates, and the reason."""

from collections.abc import Sequence as Rows
from functools import lru_cache
from textwrap import fill

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reidops.boxes.embeddings import cut_box, read_frame
from reidops.mot.sequences import Sequence
from reidops.tracking.decisions import APPEARANCE
from reidops.tracking.evaluation.moments import Term, number, numbers_apart
from reidops.tracking.evaluation.reasons import Reason
from reidops.tracking.evaluation.switches import Sighting, Switch
from reidops.tracking.pictures.frames import BOX, colour_of

_ROW_HEIGHT, _HEAD, _WIDTH = 2.6, 0.4, 12.0  # inches
_MARGIN = 0.2  # share of the box's sides shown around it
_CROP_HEIGHT = 320  # px, at most
_LINE = 82  # letters
_MOST = 1.6  # gates, where a bar ends
_GREEN, _RED, _GREY = "#2a7d2e", "#c8102e", "0.55"


def draw_switches(sequence: Sequence, tracks: pd.DataFrame, switches: Rows[Switch], reasons: Rows[Reason]) -> Figure:
    """Return a sheet with one row per switch.

    A row shows the person before and after, the previous person of the new track, the terms with their gates, and the
    reason.

    Raises:
        ReidopsError: a frame is missing or broken.
    """
    box_of = tracks.set_index(["frame", "track_id"])[BOX]
    read = lru_cache(maxsize=3)(lambda frame: read_frame(sequence, frame))  # a frame's three crops, decoded once
    height = _HEAD + _ROW_HEIGHT * len(switches)
    figure = Figure(figsize=(_WIDTH, height))
    title = f"{sequence.name}: identity switches (green = its gate let it pass, red = its gate blocked it)"
    figure.text(0.5, 1 - 0.2 / height, title, ha="center", va="center", fontsize=10)
    for place, (switch, reason) in enumerate(zip(switches, reasons, strict=True)):
        row = _row_of_axes(figure, height - _HEAD - _ROW_HEIGHT * (place + 1), height)
        for axes, sighting, word in zip(
            row, (switch.before, switch.after, switch.owner), ("before", "after", "had held"), strict=False
        ):
            crop = (
                None
                if sighting is None
                else _crop(read(sighting.frame), box_of.loc[(sighting.frame, sighting.tracker_id)])
            )
            _draw_sighting(axes, crop, sighting, word)
        _draw_reason(row[3], switch, reason)
    return figure


def _row_of_axes(figure: Figure, bottom: float, height: float) -> list[Axes]:
    """Return axes for three crops and for the terms, in inches: an automatic layout measures every text and is slow."""
    places = [(left, 0.1, 1.35, 1.95) for left in (0.15, 1.6, 3.05)] + [(6.5, 0.35, 5.35, 1.35)]
    return [
        figure.add_axes((left / _WIDTH, (bottom + low) / height, wide / _WIDTH, high / height))
        for left, low, wide, high in places
    ]


def _crop(picture: np.ndarray, box_ltwh: pd.Series) -> np.ndarray:
    """Return a box with a margin, at most 320 px high, RGB."""
    left, top, width, height = box_ltwh.to_numpy(dtype=float)
    around = np.array(
        [left - _MARGIN * width, top - _MARGIN * height / 2, width * (1 + 2 * _MARGIN), height * (1 + _MARGIN)]
    )
    crop = cut_box(picture, around)
    if not crop.size:
        return np.full((2, 1, 3), 200, np.uint8)
    scale = min(1.0, _CROP_HEIGHT / len(crop))
    return cv2.cvtColor(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def _draw_sighting(axes: Axes, crop: np.ndarray | None, sighting: Sighting | None, word: str) -> None:
    axes.set(xticks=[], yticks=[])
    if sighting is None or crop is None:
        axes.set_axis_off()
        axes.text(
            0.5, 0.5, "the new track\nhad held\nnobody", ha="center", va="center", fontsize=8, transform=axes.transAxes
        )
        return
    axes.imshow(crop)
    colour = [value / 255 for value in colour_of(sighting.tracker_id)]
    axes.spines[:].set(color=colour, linewidth=3)
    who = "no person" if sighting.track_id == -1 else f"person {sighting.track_id}"
    axes.set_title(f"{word}: frame {sighting.frame}\n{who}, track {sighting.tracker_id}", fontsize=7.5)


def _draw_reason(axes: Axes, switch: Switch, reason: Reason) -> None:
    """Draw each term as a bar in units of its gate, for the old track and the new one, with the sentence above."""
    after = switch.after
    what = f"Frame {after.frame}: person {after.track_id} from track {switch.before.tracker_id} to {after.tracker_id}"
    cost = f"{switch.num_torn} frame{'' if switch.num_torn == 1 else 's'} cut off"
    axes.set_title(f"{what} ({cost})\n{fill(reason.sentence, _LINE)}", fontsize=8.5, loc="left")
    bars = [
        (f"{term.name}, track {track}", term)
        for terms in zip(*_aligned(reason), strict=True)
        for track, term in zip((switch.before.tracker_id, switch.after.tracker_id), terms, strict=True)
        if term
    ]
    axes.set(xlim=(0, _MOST + 0.9), ylim=(max(len(bars), 6) - 0.4, -0.6), xticks=[0, 1], xticklabels=["0", "gate"])
    axes.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize=7.5)
    axes.tick_params(left=False, labelsize=7.5)
    axes.spines[:].set_visible(False)
    if bars:
        axes.axvline(1, color="0.2", linewidth=1)
    else:
        axes.set(xticks=[])
    _draw_terms(axes, [term for _, term in bars])


def _aligned(reason: Reason) -> tuple[list[Term | None], list[Term | None]]:
    """Return the terms of both tracks in one order, None for a track that did not exist.

    A term that was computed for neither is left out, except appearance.
    """
    weighed = {term.name for term in (*reason.old, *reason.new) if term.weighed or term.name == APPEARANCE}
    names = [term.name for term in reason.old or reason.new if term.name in weighed]
    old, new = (
        [next((term for term in terms if term.name == name), None) for name in names]
        for terms in (reason.old, reason.new)
    )
    return old, new


def _draw_terms(axes: Axes, terms: Rows[Term]) -> None:
    colours = [_RED if term.blocks else _GREEN if term.passes else _GREY for term in terms]
    axes.barh(range(len(terms)), [_length(term) for term in terms], height=0.6, color=colours)
    for place, (term, colour) in enumerate(zip(terms, colours, strict=True)):
        axes.text(_MOST + 0.06, place, _comparison(term), va="center", fontsize=7.5, color=colour)


def _length(term: Term) -> float:
    """Return the length of a term's bar, in gates."""
    return 0.0 if not term.weighed else min(term.value / term.limit if term.limit else term.value, _MOST)


def _comparison(term: Term) -> str:
    """Return what is written beside a term's bar."""
    if not term.weighed:
        return "not weighed"
    if term.limit is None:
        return f"{number(term.value)}, no gate"
    value, limit = numbers_apart(term.value, term.limit)
    return f"{value} {'>' if term.blocks else '≤'} gate {limit}"
