"""The ground-truth tracks of drawn streets without their pictures: who walks where, as boxes.

A street whose pictures are not needed, such as one that trains the linking of tracks, takes milliseconds.
"""

import numpy as np
import pandas as pd

from reidops.mot.synthetic.frames import LEAST_INSIDE
from reidops.mot.synthetic.street import Street, plan_street
from reidops.mot.synthetic.walks import Walk, follow, plan_routes

_ASPECT = 0.4  # width / height of a box


def draw_tracks(
    rng: np.random.Generator,
    index: int,
    size: tuple[int, int],
    *,
    num_people: int,
    num_frames: int,
    frame_rate: float,
) -> pd.DataFrame:
    """Return the tracks of a street: frame (from 1), track_id, left, top, width, height; px, 0-based.

    The streets and walks are those of `frames.Film`; the boxes are as tall as the people and have a fixed aspect ratio.
    A camera that moves is drawn as a static one.

    Args:
        index: number of the scene (from 0), which chooses its kind.
        size: width and height of the frames, px.
    """
    street = plan_street(rng, index, *size)
    routes = plan_routes(rng, street, num_people, num_frames / frame_rate)
    tables = [
        _boxes(street, follow(route, num_frames, frame_rate), float(rng.uniform(1.5, 1.95))).assign(track_id=person)
        for person, route in enumerate(routes, 1)
    ]
    return pd.concat(tables, ignore_index=True)[["frame", "track_id", "left", "top", "width", "height"]]


def _boxes(street: Street, walk: Walk, height: float) -> pd.DataFrame:
    """Return the boxes of one walk by somebody of a height in metres, in the frames in which they are in view."""
    x, z = walk.place.T
    feet, heads = (street.camera.project(np.column_stack([x, np.full_like(x, y), z])) for y in (0.0, height))
    extent = feet[:, 1] - heads[:, 1]
    left_top = np.column_stack([feet[:, 0] - _ASPECT * extent / 2, heads[:, 1]]) - street.margin
    box_ltwh = np.column_stack([left_top, _ASPECT * extent, extent])
    inside = np.minimum(left_top + box_ltwh[:, 2:], (street.width, street.height)) - np.maximum(left_top, 0)
    share = np.prod(np.maximum(inside, 0), axis=1) / np.prod(box_ltwh[:, 2:], axis=1)
    kept = np.flatnonzero(share >= LEAST_INSIDE)
    return pd.DataFrame(box_ltwh[kept], columns=["left", "top", "width", "height"]).assign(frame=kept + 1)
