"""What is counted from the table of overlaps is what TrackEval counts, field by field."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scoring_published import LIF_T, TUD, lif_t_comparison, tud_comparison
from trackeval_itself import differing_fields, trackeval_results

from reidops.tracking.evaluation.overlaps import Comparison
from reidops.tracking.evaluation.scoring import compare, official_results, rules_of

pytestmark = pytest.mark.slow

# TrackEval gives these a value of their own where nobody is annotated, and weighs no sequence by them.
OF_NOBODY = {"CLEAR.MLR"}


def crowd(seed: int, *, num_people: int = 12, num_frames: int = 50, room: float = 250) -> Comparison:
    """Return people in a narrow place and a poor tracker: shaken boxes, misses, ghosts, identities that change."""
    rng = np.random.default_rng(seed)
    path = rng.uniform(0, room, (num_people, 1, 2)) + rng.normal(0, 8, (num_people, num_frames, 2)).cumsum(axis=1)
    person, frame = (part.ravel() for part in np.indices((num_people, num_frames)))
    truth = pd.DataFrame(
        {
            "frame": frame + 1,
            "track_id": person + 1,
            "left": path[..., 0].ravel(),
            "top": path[..., 1].ravel(),
            "width": 40.0,
            "height": 90.0,
            "considered": True,
            "class_id": 1,
        }
    )
    truth = truth[rng.random(len(truth)) > 0.15]
    tracks = truth[rng.random(len(truth)) > 0.25].drop(columns=["considered", "class_id"])
    tracks[["left", "top"]] += rng.normal(0, 9, (len(tracks), 2))
    tracks["track_id"] += 100 * rng.integers(0, 3, len(tracks)) * (rng.random(len(tracks)) < 0.1)
    ghosts = tracks.sample(frac=0.4, random_state=seed).assign(
        track_id=lambda rows: rows["track_id"] + 5000, left=lambda rows: rows["left"] + 6
    )
    # frames without people, and frames without tracks
    gaps = rng.choice(np.arange(1, num_frames + 1), 4, replace=False)
    return compare(
        truth[~truth["frame"].isin(gaps[:2])],
        pd.concat([tracks, ghosts])[~pd.concat([tracks, ghosts])["frame"].isin(gaps[2:])],
        range(1, num_frames + 1),
        rules_of("MOT17"),
    )


@pytest.mark.parametrize("seed", range(8))
def test_every_field_of_a_drawn_crowd_is_trackevals(seed):
    comparison = crowd(seed)
    ours, theirs = official_results(comparison), trackeval_results(comparison)
    assert differing_fields(ours, theirs) == {}
    # something to get wrong
    assert theirs["CLEAR"]["IDSW"] > 20 and theirs["CLEAR"]["Frag"] > 20 and 0.1 < theirs["Identity"]["IDF1"] < 0.9


@st.composite
def comparisons(draw) -> Comparison:
    """Return a few frames of at most four people and four tracks with overlaps of few values, so that ties are
    common.
    """
    frames = draw(st.integers(1, 6))
    ids = st.lists(st.integers(1, 4), max_size=4, unique=True)
    people, tracks = ([np.array(draw(ids), int) for _ in range(frames)] for _ in range(2))
    overlaps = st.sampled_from([0.0, 0.2, 0.5, 0.5 - 1e-17, 0.7, 1.0])
    return Comparison(
        list(range(1, frames + 1)),
        people,
        tracks,
        [
            np.array([[draw(overlaps) for _ in t] for _ in p], float).reshape(len(p), len(t))
            for p, t in zip(people, tracks, strict=True)
        ],
    )


@settings(max_examples=50, deadline=None)
@given(comparisons())
def test_ties_empty_frames_and_borders_are_settled_as_trackeval_settles_them(comparison):
    differing = differing_fields(official_results(comparison), trackeval_results(comparison))
    if not sum(map(len, comparison.gt_ids)):
        differing = {name: pair for name, pair in differing.items() if name not in OF_NOBODY}
    assert differing == {}


@pytest.mark.parametrize("name", LIF_T + TUD)
def test_every_field_of_a_published_result_is_trackevals(real_data, name):
    folder = real_data / "tracking-results"
    comparison = tud_comparison(folder, name) if name in TUD else lif_t_comparison(folder, name)
    assert differing_fields(official_results(comparison), trackeval_results(comparison)) == {}
