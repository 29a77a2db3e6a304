"""Which track was matched to each person, from an event table."""

import numpy as np
import pandas as pd

from reidops.tracking.evaluation.identity_assignment import assign_identities

_HELD = ("MATCH", "SWITCH")


def held_rows(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with a match, person by person, with `stretch`.

    `stretch` numbers the runs of one person with one track.
    """
    held = events[events["event"].isin(_HELD)].sort_values(["track_id", "frame"], ignore_index=True)
    changes = (held[["track_id", "tracker_id"]].diff() != 0).any(axis=1)
    return held.assign(stretch=changes.cumsum())


def mistaken_rows(events: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `held_rows` in which a person is matched to a track that is not their own.

    People and tracks are assigned one to one with the most common frames, as for IDF1.
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
    """Return (track_id, tracker_id, first frame, last frame) of every unbroken run of one person with one track."""
    held = held_rows(events)
    distance = int(np.diff(np.unique(events["frame"])).min(initial=events["frame"].max()))  # of tracked frames
    runs = held.groupby((held["stretch"].diff().ne(0) | held["frame"].diff().ne(max(distance, 1))).cumsum())
    table = runs.agg(
        track_id=("track_id", "first"),
        tracker_id=("tracker_id", "first"),
        first=("frame", "first"),
        last=("frame", "last"),
    )
    return [tuple(row) for row in table.to_numpy(dtype=int).tolist()]
