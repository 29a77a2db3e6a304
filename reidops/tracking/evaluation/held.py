"""Who was held by which track: an event table read person by person."""

import numpy as np
import pandas as pd

from reidops.tracking.evaluation.identity_assignment import assign_identities

_HELD = ("MATCH", "SWITCH")


def held_rows(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events in which a track held a person, person by person, with `stretch`: numbers of runs of one person
    and one track.
    """
    held = events[events["event"].isin(_HELD)].sort_values(["track_id", "frame"], ignore_index=True)
    changes = (held[["track_id", "tracker_id"]].diff() != 0).any(axis=1)
    return held.assign(stretch=changes.cumsum())


def mistaken_rows(events: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `held_rows` in which a person is held by a track that is not theirs.

    Whose a track is: people and tracks are paired, one to one, so that as many frames as possible are right (as IDF1
    does).
    """
    held = held_rows(events)
    people, person = np.unique(held["track_id"], return_inverse=True)
    tracks, track = np.unique(held["tracker_id"], return_inverse=True)
    num_frames = np.zeros((len(people), len(tracks)), dtype=int)
    np.add.at(num_frames, (person, track), 1)
    rows, columns = assign_identities(num_frames)
    track_of = dict(zip(people[rows], tracks[columns], strict=True))
    return held[held["track_id"].map(track_of) != held["tracker_id"]]


def held_runs(events: pd.DataFrame) -> list[tuple[int, int, int, int]]:
    """Return (track_id, tracker_id, first frame, last frame) of every unbroken run in which one track held one
    person.
    """
    held = held_rows(events)
    runs = held.groupby((held["stretch"].diff().ne(0) | held["frame"].diff().ne(1)).cumsum())
    table = runs.agg(
        track_id=("track_id", "first"),
        tracker_id=("tracker_id", "first"),
        first=("frame", "first"),
        last=("frame", "last"),
    )
    return [tuple(row) for row in table.to_numpy(dtype=int).tolist()]
