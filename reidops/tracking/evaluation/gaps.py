"""People who were out of sight for some frames: whether their track id was kept.

A gap is a run of frames in which no detection shows a person (one-to-one at IoU ≥ 0.5) between two frames in which one
does, so gaps are the same for every arm. A return is *kept* if the first track matched to the person after the gap is
the last one matched to them before it. People are also scored by the length of their longest gap: the IDF1 of their
boxes and of the boxes of their own tracks.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Rows

import numpy as np
import pandas as pd

from reidops.boxes.identities import NO_PERSON
from reidops.tracking.evaluation.scoring import Comparison
from reidops.tracking.evaluation.windows import person_counts

# Gaps of at least this many frames, up to the next one.
GAP_EDGES = (1, 3, 6, 11, 31, 61, 121)


def find_returns(frames: np.ndarray, people: np.ndarray, stride: int = 1) -> pd.DataFrame:
    """Return one row per return: track_id, left (last frame before), back (first frame after), until, gap.

    `until` is the last frame before the next gap. The gap is in tracked frames.

    Args:
        frames, people: of each detection; people may be NO_PERSON.
        stride: distance of the tracked frames.
    """
    seen = pd.DataFrame({"frame": frames, "track_id": people})
    seen = seen[seen["track_id"] != NO_PERSON].drop_duplicates().sort_values(["track_id", "frame"], ignore_index=True)
    steps = seen.groupby("track_id")["frame"].diff().fillna(stride)
    run = (steps != stride).cumsum() + seen.groupby("track_id").ngroup()
    runs = seen.groupby(run.to_numpy()).agg(
        track_id=("track_id", "first"), back=("frame", "first"), until=("frame", "last")
    )
    runs["left"] = runs.groupby("track_id")["until"].shift()
    found = runs.dropna(subset="left").astype(int).reset_index(drop=True)
    return found.assign(gap=(found["back"] - found["left"]) // stride - 1)


def kept_returns(returns: pd.DataFrame, events: pd.DataFrame) -> np.ndarray:
    """Return, for each return, whether the person has the same track as before the gap; bool [num_returns].

    Args:
        events: an arm's event table. A return without a match on one side of the gap is not kept.
    """
    held = events[events["event"].isin(["MATCH", "SWITCH"])].sort_values(["track_id", "frame"])
    if held.empty or returns.empty:
        return np.zeros(len(returns), dtype=bool)
    span = max(int(held["frame"].max()), int(returns["until"].max())) + 2
    keys = (held["track_id"] * span + held["frame"]).to_numpy()
    tracks = held["tracker_id"].to_numpy()
    person = returns["track_id"].to_numpy() * span
    before = np.searchsorted(keys, person + returns["left"].to_numpy(), "right") - 1
    after = np.searchsorted(keys, person + returns["back"].to_numpy(), "left")
    held_before = (before >= 0) & (keys[before] >= person)
    held_after = (after < len(keys)) & (keys[np.minimum(after, len(keys) - 1)] <= person + returns["until"].to_numpy())
    return held_before & held_after & (tracks[before] == tracks[np.minimum(after, len(keys) - 1)])


def gap_counts(returns: pd.DataFrame, events: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Return counts of one arm and sequence by length of gap, rows 0 (never out of sight) and GAP_EDGES.

    Columns: returns, kept; of the people whose longest gap has this length: people, truth, tracks, IDTP. Only people
    who are scored count.
    """
    people = person_counts(comparison).set_index("track_id")
    returns = returns[returns["track_id"].isin(people.index)].reset_index(drop=True)
    of_returns = returns.assign(kept=kept_returns(returns, events), returns=1, length=_lengths(returns["gap"]))
    longest = returns.groupby("track_id")["gap"].max().reindex(people.index, fill_value=0)
    of_people = people.assign(people=1, length=_lengths(longest))
    columns = {
        "returns": of_returns,
        "kept": of_returns,
        "people": of_people,
        "truth": of_people,
        "tracks": of_people,
        "IDTP": of_people,
    }
    sums = {
        name: table.groupby("length")[name].sum().reindex((0, *GAP_EDGES), fill_value=0)
        for name, table in columns.items()
    }
    return pd.DataFrame(sums).astype(int)


def gap_table(counts_by_arm: Mapping[str, Rows[pd.DataFrame]]) -> pd.DataFrame:
    """Return the counts of all sequences for each arm and length of gap, with the share of returns kept and the IDF1.

    Columns: arm, gap_from, gap_to [frames; NaN = no end], returns, kept, share, people, IDF1; NaN without returns or
    people.
    """
    tables = [_shares(sum(counts[1:], counts[0])).assign(arm=arm) for arm, counts in counts_by_arm.items()]
    return pd.concat(tables, ignore_index=True)[
        ["arm", "gap_from", "gap_to", "returns", "kept", "share", "people", "IDF1"]
    ]


def _lengths(gaps: pd.Series) -> np.ndarray:
    """Return the largest edge that each gap reaches."""
    edges = np.array((0, *GAP_EDGES))
    return edges[np.searchsorted(edges, gaps.to_numpy(), "right") - 1]


def _shares(counts: pd.DataFrame) -> pd.DataFrame:
    ends = [edge - 1 for edge in GAP_EDGES] + [np.nan]
    of_boxes = (counts["truth"] + counts["tracks"]).where(counts["people"] > 0)
    shares = counts.assign(
        share=counts["kept"] / counts["returns"].where(counts["returns"] > 0), IDF1=2 * counts["IDTP"] / of_boxes
    )
    return shares.rename_axis("gap_from").reset_index().assign(gap_to=ends)
