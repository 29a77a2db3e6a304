"""Windows add up: what is drawn in a bootstrap is made of the very counts behind the official scores."""

import numpy as np
import pandas as pd
import pytest

from reidops.tracking.events import accumulate, count_events, event_table, reported_scores
from reidops.tracking.scoring import combine_results, compare, official_results, official_scores, rules_of
from reidops.tracking.windows import NUM_COUNTS, WINDOW_SCORES, frame_counts, person_counts, window_counts, window_scores

MOT17 = rules_of("MOT17")


def walk(rng, num_people: int, num_frames: int) -> pd.DataFrame:
    """Return people who walk about at random, some of them not there all the time."""
    rows = []
    for person in range(1, num_people + 1):
        path = rng.uniform(0, 300, 2) + rng.normal(0, 6, (num_frames, 2)).cumsum(axis=0)
        first, last = sorted(rng.choice(np.arange(1, num_frames + 1), 2, replace=False))
        rows += [(frame, person, *path[frame - 1], 40.0, 90.0, True, 1, 1.0) for frame in range(first, last + 1)]
    columns = ["frame", "track_id", "left", "top", "width", "height", "considered", "class_id", "visibility"]
    return pd.DataFrame(rows, columns=columns)


def tracked(truth: pd.DataFrame, rng) -> pd.DataFrame:
    """Return a poor tracker's result: boxes shaken, some missing, some ghosts, and identities that change hands."""
    kept = truth[rng.random(len(truth)) > 0.2].copy()
    kept[["left", "top"]] += rng.normal(0, 7, (len(kept), 2))
    kept["track_id"] = kept["track_id"] + 100 * (kept["frame"] // 17)
    ghosts = kept.sample(frac=0.1, random_state=1).assign(left=lambda rows: rows["left"] + 400, track_id=lambda rows: rows["track_id"] + 5000)
    return pd.concat([kept, ghosts])[["frame", "track_id", "left", "top", "width", "height"]]


@pytest.fixture(scope="module")
def cases():
    """Return comparison, events and reported results of two sequences."""
    made = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        truth = walk(rng, 9, 60)
        comparison = compare(truth, tracked(truth, rng), range(1, 61), MOT17)
        record = accumulate(comparison)
        made.append((comparison, event_table(record), count_events(record), official_results(comparison)))
    return made


def test_the_windows_of_a_sequence_sum_to_its_scores_as_the_scorers_have_them(cases):
    for comparison, events, counts, results in cases:
        sums = window_counts(frame_counts(comparison, events), 7).sum(axis=0)
        ours, reported = window_scores(sums), reported_scores(counts, results)
        for name in WINDOW_SCORES:
            assert ours[name] == pytest.approx(getattr(reported, name), abs=1e-12), name
        assert 0.1 < reported.IDF1 < 0.9 and reported.IDSW > 5 and reported.FP > 5  # a case in which there is something to get wrong


def test_the_windows_of_all_sequences_sum_to_the_combined_scores(cases):
    sums = sum(frame_counts(comparison, events).sum(axis=0) for comparison, events, *_ in cases)
    combined = official_scores(combine_results({str(i): case[3] for i, case in enumerate(cases)}))
    ours = window_scores(sums)
    for name in ("IDF1", "HOTA", "AssA"):
        assert ours[name] == pytest.approx(getattr(combined, name), abs=1e-12), name


def test_the_people_sum_to_the_identity_score(cases):
    comparison, _, counts, _ = cases[0]
    people = person_counts(comparison)
    assert people["IDTP"].sum() == counts.idtp
    assert people["truth"].sum() == counts.num_objects
    assert (people["IDTP"] <= people[["truth", "tracks"]].min(axis=1)).all()


def test_windows_are_as_even_as_can_be_and_lose_no_frame():
    of_frames = np.ones((100, NUM_COUNTS))
    assert window_counts(of_frames, 30)[:, 0].tolist() == [34, 33, 33]
    assert window_counts(of_frames, 500)[:, 0].tolist() == [100]


@pytest.mark.parametrize("nobody", ["truth", "tracks", "both"])
def test_where_nobody_is_or_nobody_is_found_scores_are_zero(nobody):
    truth = walk(np.random.default_rng(0), 2, 10)
    tracks = truth[["frame", "track_id", "left", "top", "width", "height"]]
    comparison = compare(truth[:0] if nobody != "tracks" else truth, tracks[:0] if nobody != "truth" else tracks, range(1, 11), MOT17)
    events = event_table(accumulate(comparison))
    scores = window_scores(frame_counts(comparison, events).sum(axis=0))
    assert {name: float(value) for name, value in scores.items()} == dict.fromkeys(WINDOW_SCORES, 0)
