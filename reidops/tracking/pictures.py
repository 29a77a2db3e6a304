"""Pictures of what a tracker did: timelines, identity switches, annotated frames."""

from collections.abc import Mapping, Sequence as Rows
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import pandas as pd
import supervision as sv
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reidops.mot.boxes import ltwh_to_ltrb
from reidops.mot.sequences import Sequence
from reidops.tracking.embeddings import cut_box, read_frame

_BOX = ["left", "top", "width", "height"]
_COLOURS = matplotlib.colormaps["tab20"].colors
_CROP_SIZE = (96, 192)  # width, height of a shown crop [px]


def draw_timeline(events_by_arm: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Return a figure with a panel per arm: a line per person of the ground truth, coloured and named by the track that held them.

    A gap in the colour is a frame in which nobody found the person; a red mark is an identity switch.
    """
    people = sorted({i for events in events_by_arm.values() for i in events["track_id"] if i >= 0})
    size = (7 * len(events_by_arm), 1.5 + 0.22 * len(people))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(events_by_arm), sharey=True, squeeze=False)[0]
    for axes, (arm, events) in zip(panels, events_by_arm.items(), strict=True):
        _draw_panel(axes, events, people)
        axes.set(title=f"{title}, {arm.replace('_', ' ')}", xlabel="frame")
    panels[0].set_ylabel("person (ground truth)")
    panels[0].set_yticks(range(len(people)), [str(person) for person in people], fontsize=7)
    return figure


def _draw_panel(axes: Axes, events: pd.DataFrame, people: Rows[int]) -> None:
    place = {person: row for row, person in enumerate(people)}
    for person, rows in events[events["track_id"] >= 0].groupby("track_id"):
        axes.hlines(place[person], rows["frame"].min(), rows["frame"].max(), color="0.8", linewidth=1, zorder=0)
    for person, tracker_id, first, last in held_runs(events):
        colour = _COLOURS[tracker_id % len(_COLOURS)]
        axes.broken_barh([(first - 0.5, last - first + 1)], (place[person] - 0.35, 0.7), color=colour)
        axes.text(first, place[person], str(tracker_id), fontsize=6, va="center", clip_on=True)
    switches = events[events["event"] == "SWITCH"]
    axes.plot(switches["frame"], [place[i] for i in switches["track_id"]], "r|", markersize=11, markeredgewidth=2)
    axes.margins(x=0.01)


def held_runs(events: pd.DataFrame) -> list[tuple[int, int, int, int]]:
    """Return (track_id, tracker_id, first frame, last frame) of every unbroken run in which one track held one person."""
    held = events[events["event"].isin(["MATCH", "SWITCH"])].sort_values(["track_id", "frame"])
    is_new = (held[["track_id", "tracker_id"]].diff() != 0).any(axis=1) | (held["frame"].diff() != 1)
    runs = held.groupby(is_new.cumsum())
    return [
        (int(run["track_id"].iloc[0]), int(run["tracker_id"].iloc[0]), int(run["frame"].iloc[0]), int(run["frame"].iloc[-1]))
        for _, run in runs
    ]


@dataclass(frozen=True)
class Sighting:
    """One box of a track in one frame, and the person of the ground truth in it (−1 = nobody)."""

    frame: int
    tracker_id: int
    track_id: int


@dataclass(frozen=True)
class Switch:
    """A person whose track changed: last seen before as one track, then as another, which may have held somebody else before."""

    before: Sighting
    after: Sighting
    owner: Sighting | None


def find_switches(events: pd.DataFrame) -> list[Switch]:
    """Return the identity switches of an event table, in order of frames."""
    held = events[events["event"].isin(["MATCH", "SWITCH"])]
    switches = events[events["event"] == "SWITCH"].sort_values(["frame", "track_id"])
    return [_switch(_sighting(row), held) for _, row in switches.iterrows()]


def _switch(after: Sighting, held: pd.DataFrame) -> Switch:
    earlier = held[held["frame"] < after.frame]
    before = earlier[earlier["track_id"] == after.track_id]
    owner = earlier[earlier["tracker_id"] == after.tracker_id]
    return Switch(_sighting(before.iloc[-1]), after, _sighting(owner.iloc[-1]) if len(owner) else None)


def _sighting(row: pd.Series) -> Sighting:
    return Sighting(int(row["frame"]), int(row["tracker_id"]), int(row["track_id"]))


def draw_switches(sequence: Sequence, tracks: pd.DataFrame, switches: Rows[Switch]) -> Figure:
    """Return a contact sheet, a row per switch: the person before, the person after, and whom the new track held before that."""
    box_of = tracks.set_index(["frame", "track_id"])[_BOX]
    figure = Figure(figsize=(5.4, 2.5 * len(switches)), layout="constrained")
    panels = figure.subplots(len(switches), 3, squeeze=False)
    for row, switch in zip(panels, switches, strict=True):
        for axes, sighting, word in zip(row, (switch.before, switch.after, switch.owner), ("before", "after", "was"), strict=True):
            _draw_sighting(axes, sequence, box_of, sighting, word)
    return figure


def _draw_sighting(axes: Axes, sequence: Sequence, box_of: pd.DataFrame, sighting: Sighting | None, word: str) -> None:
    axes.set_axis_off()
    if sighting is None:
        axes.set_title("a new track", fontsize=7)
        return
    box_ltwh = box_of.loc[(sighting.frame, sighting.tracker_id)].to_numpy()
    crop = cut_box(read_frame(sequence, sighting.frame), box_ltwh)
    if crop.size:
        axes.imshow(cv2.cvtColor(cv2.resize(crop, _CROP_SIZE), cv2.COLOR_BGR2RGB))
    axes.set_title(f"{word}: frame {sighting.frame}\nperson {sighting.track_id}, track {sighting.tracker_id}", fontsize=7)


def annotate_frame(picture: np.ndarray, tracks: pd.DataFrame) -> np.ndarray:
    """Return a copy of a BGR picture with the boxes and numbers of the tracks (rows of one frame)."""
    detections = sv.Detections(
        xyxy=ltwh_to_ltrb(tracks[_BOX].to_numpy(dtype=float)).reshape(-1, 4), tracker_id=tracks["track_id"].to_numpy(dtype=int)
    )
    by_track = sv.ColorLookup.TRACK
    scene = sv.BoxAnnotator(color_lookup=by_track, thickness=2).annotate(picture.copy(), detections)
    labels = [str(i) for i in detections.tracker_id]
    annotator = sv.LabelAnnotator(color_lookup=by_track, text_scale=0.4, text_padding=3)
    return annotator.annotate(scene, detections, labels)
