"""Identity switches in an event table: the tracks before and after, and the cost of each switch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reidops.tracking.evaluation.held import held_rows


@dataclass(frozen=True)
class Sighting:
    """One box of a track in one frame, and the person of the ground truth in it (−1 = none)."""

    frame: int
    tracker_id: int
    track_id: int


@dataclass(frozen=True)
class Switch:
    """A person whose track changed; the new track may have been matched to another person before (`owner`).

    `num_torn` is the cost: the number of frames of the shorter of the two stretches that the switch separates.
    """

    before: Sighting
    after: Sighting
    owner: Sighting | None
    num_torn: int = 1


def find_switches(
    events: pd.DataFrame, num_switches: int | None = None, *, frames: range | None = None
) -> list[Switch]:
    """Return the identity switches of an event table in order of frames; if limited, those of the highest cost.

    Args:
        num_switches: at most so many; None = all.
        frames: only those in these frames; None = all.
    """
    held = held_rows(events)
    table = switch_table(held)
    if frames is not None:
        table = table[table["frame"].isin(frames)]
    worst_first = table.sort_values(["torn", "frame", "track_id"], ascending=[False, True, True])
    return [_switch(row, held) for row in worst_first[:num_switches].sort_values(["frame", "track_id"]).itertuples()]


def switch_table(held: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `held_rows` that are switches, with frame and track before, and `torn`; see `Switch`."""
    length = held.groupby("stretch")["frame"].transform("size")
    table = held.assign(
        before=held["frame"].shift(fill_value=0),
        before_tracker=held["tracker_id"].shift(fill_value=-1),
        torn=np.minimum(length, length.shift(fill_value=0)),
    )
    return table[table["event"] == "SWITCH"]


def _switch(row: Any, held: pd.DataFrame) -> Switch:
    # row: a named tuple of `switch_table`'s columns
    person, frame, tracker_id = int(row.track_id), int(row.frame), int(row.tracker_id)
    earlier = held[(held["tracker_id"] == tracker_id) & (held["frame"] < frame)]
    last = earlier.loc[earlier["frame"].idxmax()] if len(earlier) else None
    owner = None if last is None else Sighting(int(last["frame"]), tracker_id, int(last["track_id"]))
    before = Sighting(int(row.before), int(row.before_tracker), person)
    return Switch(before, Sighting(frame, tracker_id, person), owner, int(row.torn))


def switch_frames(events: pd.DataFrame, num_switches: int | None = None) -> set[int]:
    """Return the frames whose decisions explain the switches in the pictures."""
    return {switch.after.frame for switch in find_switches(events, num_switches)}
