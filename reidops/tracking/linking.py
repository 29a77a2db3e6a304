"""Link tracks of one person after tracking, as StrongSORT's appearance-free linking (AFLink).

After Du et al., "StrongSORT: Make DeepSORT great again", 2023, section 3.3: a track that ends and one that starts soon
after nearby may be one person. Each track has at most one successor, from a global assignment. A network decides
whether two tracks fit, as published (`link_network.py`), or their motion does: each track is extrapolated at the speed
of its end and must meet the other. With embeddings, appearance must also agree.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from reidops.params import params_dataclass
from reidops.tracking.association import match
from reidops.tracking.link_network import LinkNetwork, track_windows

_BOX = ["left", "top", "width", "height"]


@params_dataclass
class LinkConstants:
    """The conditions for linking two tracks; gap, distance and probability are AFLink's, the others ours.

    Miss and growth apply without a network, the probability with one.
    """

    max_gap: Annotated[int, Field(ge=1)] = 30  # frames from the last of one track to the first of the other
    max_distance: Annotated[float, Field(gt=0)] = 75.0  # px between the centres of those two boxes
    window: Annotated[int, Field(ge=2)] = 30  # frames of a track's end that tell its speed
    # heights by which a track carried on misses the other, mean of both directions
    max_miss: Annotated[float, Field(gt=0)] = 0.5
    max_growth: Annotated[float, Field(ge=1)] = 1.5  # factor between the two heights
    max_cosine: Annotated[float, Field(ge=0, le=2)] = 0.3  # cosine distance of the mean embeddings, where there are any
    min_probability: Annotated[float, Field(ge=0, lt=1)] = 0.95  # that two tracks are one, by the network


def link_tracks(
    tracks: pd.DataFrame,
    constants: LinkConstants = LinkConstants(),
    embeddings: Mapping[int, np.ndarray] | None = None,
    network: LinkNetwork | None = None,
) -> pd.DataFrame:
    """Return the table in which linked tracks have one `track_id`, that of the first.

    Args:
        tracks: frame, track_id, left, top, width, height, …; px. Their order is kept.
        embeddings: track_id → a vector [dim], e.g. the mean embedding; other tracks are linked by motion alone. None =
            all by motion.
        network: decides which tracks fit, instead of their motion.
    """
    ids = np.unique(tracks["track_id"])
    if len(ids) < 2:
        return tracks.copy()
    ends = _track_ends(tracks, ids, constants.window)
    costs = _motion_costs(ends, constants) if network is None else _network_costs(tracks, ids, ends, constants, network)
    if embeddings is not None:
        costs = costs + _appearance_costs(ids, embeddings, constants.max_cosine)
    successor = dict(match(costs, 2.0))
    return tracks.assign(track_id=tracks["track_id"].map(_first_in_chain(ids, successor)))


def _track_ends(tracks: pd.DataFrame, ids: np.ndarray, window: int) -> dict[str, np.ndarray]:
    """Return first and last frame [n], and centre [n, 2], speed [n, 2] and height [n] there, in the order of `ids`."""
    rows = []
    for _, track in tracks.sort_values(["track_id", "frame"]).groupby("track_id"):
        frames, box = track["frame"].to_numpy(), track[_BOX].to_numpy(dtype=float)
        centre = box[:, :2] + box[:, 2:] / 2
        early, late = frames < frames[0] + window, frames > frames[-1] - window
        rows.append(
            (
                frames[0],
                centre[0],
                _speed(frames[early], centre[early]),
                box[0, 3],
                frames[-1],
                centre[-1],
                _speed(frames[late], centre[late]),
                box[-1, 3],
            )
        )
    names = [f"{end}_{what}" for end in ("first", "last") for what in ("frame", "centre", "speed", "height")]
    return dict(zip(names, (np.array(values, dtype=float) for values in zip(*rows, strict=True)), strict=True))


def _speed(frames: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return px per frame, [2]: the slope of the best line; 0 for a single box."""
    time = frames - frames.mean()
    return time @ centres / max(float(time @ time), 1e-9)


def _near(ends: dict[str, np.ndarray], constants: LinkConstants) -> np.ndarray:
    """Return whether track j starts soon enough and near enough to follow track i, mask [n, n]."""
    gap = ends["first_frame"][None] - ends["last_frame"][:, None]
    step = ends["first_centre"][None] - ends["last_centre"][:, None]
    return (gap > 0) & (gap <= constants.max_gap) & (np.linalg.norm(step, axis=2) <= constants.max_distance)


def _motion_costs(ends: dict[str, np.ndarray], constants: LinkConstants) -> np.ndarray:
    """Return the cost of track j as the successor of track i, [n, n] in 0 … 1; infinity if impossible."""
    gap = ends["first_frame"][None] - ends["last_frame"][:, None]
    step = ends["first_centre"][None] - ends["last_centre"][:, None]
    height = (ends["first_height"][None] + ends["last_height"][:, None]) / 2
    forwards = np.linalg.norm(step - ends["last_speed"][:, None] * gap[..., None], axis=2)
    backwards = np.linalg.norm(step - ends["first_speed"][None] * gap[..., None], axis=2)
    miss = (forwards + backwards) / (2 * height)
    growth = np.abs(np.log(ends["first_height"][None] / ends["last_height"][:, None]))
    possible = _near(ends, constants) & (miss <= constants.max_miss) & (growth <= np.log(constants.max_growth))
    return np.where(possible, miss / constants.max_miss, np.inf)


def _network_costs(
    tracks: pd.DataFrame, ids: np.ndarray, ends: dict[str, np.ndarray], constants: LinkConstants, network: LinkNetwork
) -> np.ndarray:
    """Return the cost of track j as the successor of track i by the network, [n, n] in 0 … 1; infinity if impossible.

    The cost is 0 at probability 1 and 1 at the least probability.
    """
    costs = np.full((len(ids), len(ids)), np.inf)
    pairs = np.argwhere(_near(ends, constants))
    if not len(pairs):
        return costs
    rows_of = _track_rows(tracks, ids)
    windows = [track_windows(rows_of[before], rows_of[after]) for before, after in pairs.tolist()]
    before, after = (np.stack(side) for side in zip(*windows, strict=True))
    found = (1 - network.probabilities(before, after)) / (1 - constants.min_probability)
    costs[tuple(pairs.T)] = np.where(found <= 1, found, np.inf)
    return costs


def _track_rows(tracks: pd.DataFrame, ids: np.ndarray) -> list[np.ndarray]:
    """Return frame, centre x, centre y, height of each box in order of time, [n, 4] per track of `ids`."""
    box = tracks[_BOX].to_numpy(dtype=float)
    rows = np.column_stack([tracks["frame"], box[:, :2] + box[:, 2:] / 2, box[:, 3]])
    order = np.lexsort((tracks["frame"], tracks["track_id"]))
    starts = np.searchsorted(tracks["track_id"].to_numpy()[order], ids)
    return np.split(rows[order], starts[1:])


def _appearance_costs(ids: np.ndarray, embeddings: Mapping[int, np.ndarray], max_cosine: float) -> np.ndarray:
    """Return the cosine distances of tracks as shares of the largest allowed, [n, n].

    They are 0 if one embedding is unknown, and infinity above 1.
    """
    known = np.array([i in embeddings for i in ids.tolist()])
    costs = np.zeros((len(ids), len(ids)))
    if known.any():
        vectors = np.stack([np.asarray(embeddings[i], dtype=float) for i in ids[known].tolist()])
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        distances = 1 - vectors @ vectors.T
        costs[np.ix_(known, known)] = np.where(distances <= max_cosine, distances / max(max_cosine, 1e-12), np.inf)
    return costs


def _first_in_chain(ids: np.ndarray, successor: dict[int, int]) -> dict[int, int]:
    """Return track_id → the id of the first track of its chain; a successor starts later, so there is no cycle."""
    predecessor = {after: before for before, after in successor.items()}
    firsts = {}
    for row in range(len(ids)):
        first = row
        while first in predecessor:
            first = predecessor[first]
        firsts[int(ids[row])] = int(ids[first])
    return firsts
