"""Windows add up: for all windows of a sequence the tables give exactly the official scores, and for others those of
their frames.
"""

import numpy as np
import pandas as pd
import pytest

from reidops.tracking.evaluation.events import event_table
from reidops.tracking.evaluation.overlaps import Comparison
from reidops.tracking.evaluation.scoring import combine_results, compare, official_results, official_scores, rules_of
from reidops.tracking.evaluation.windows import WINDOW_SCORES, FrameTables, person_counts, window_scores

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
    ghosts = kept.sample(frac=0.1, random_state=1).assign(
        left=lambda rows: rows["left"] + 400, track_id=lambda rows: rows["track_id"] + 5000
    )
    return pd.concat([kept, ghosts])[["frame", "track_id", "left", "top", "width", "height"]]


@pytest.fixture(scope="module")
def cases() -> list[Comparison]:
    """Return two sequences with poor tracks."""
    made = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        truth = walk(rng, 9, 60)
        made.append(compare(truth, tracked(truth, rng), range(1, 61), MOT17))
    return made


def part_of(comparison: Comparison, frames: list[int]) -> Comparison:
    """Return some frames of a comparison, by their places."""
    return Comparison(
        *(
            [getattr(comparison, name)[frame] for frame in frames]
            for name in ("frames", "gt_ids", "tracker_ids", "similarities")
        )
    )


def test_the_windows_of_a_sequence_sum_to_its_official_scores(cases):
    for comparison in cases:
        ours = window_scores(FrameTables.of(comparison).windows(7).counts()[0])
        official = official_scores(official_results(comparison))
        for name in WINDOW_SCORES:
            assert ours[name] == pytest.approx(getattr(official, name), abs=1e-12), name
        # a case in which there is something to get wrong
        assert 0.1 < official.IDF1 < 0.9 and official.IDSW > 5 and official.FP > 5


def test_the_windows_of_all_sequences_sum_to_the_combined_scores(cases):
    sums = sum(FrameTables.of(comparison).windows(7).counts()[0] for comparison in cases)
    combined = official_scores(
        combine_results({str(place): official_results(comparison) for place, comparison in enumerate(cases)})
    )
    ours = window_scores(sums)
    for name in WINDOW_SCORES:
        assert ours[name] == pytest.approx(getattr(combined, name), abs=1e-12), name


def test_identity_and_association_are_decided_anew_for_a_set_of_windows(cases):
    tables, weights = FrameTables.of(cases[0]).windows(10), np.array([[1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 1, 0]])
    scores = window_scores(tables.counts(weights))
    for place, row in enumerate(weights):
        frames = [frame for frame in range(60) if row[frame // 10]]
        official = official_scores(official_results(part_of(cases[0], frames)))
        assert scores["IDF1"][place] == pytest.approx(official.IDF1, abs=1e-12)
        # the matching in each frame is that of the whole sequence
        assert scores["AssA"][place] == pytest.approx(official.AssA, abs=0.02)
    whole = window_scores(tables.counts()[0])
    assert np.abs(scores["AssA"] - whole["AssA"]).min() > 0.04  # what is right for the whole is wrong here


def test_the_events_are_those_that_the_official_scores_count(cases):
    for comparison in cases:
        events, official = (
            event_table(comparison)["event"].value_counts(),
            official_scores(official_results(comparison)),
        )
        assert (events["SWITCH"], events["MISS"], events["FP"]) == (official.IDSW, official.FN, official.FP)


def test_the_people_sum_to_the_identity_score(cases):
    people, identity = person_counts(cases[0]), official_results(cases[0])["Identity"]
    assert people["IDTP"].sum() == identity["IDTP"]
    assert people["truth"].sum() == identity["IDTP"] + identity["IDFN"]
    assert (people["IDTP"] <= people[["truth", "tracks"]].min(axis=1)).all()


def test_windows_are_as_even_as_can_be_and_lose_no_frame():
    truth = walk(np.random.default_rng(0), 1, 100).assign(track_id=1)
    everywhere = pd.concat([truth.iloc[:1].assign(frame=frame) for frame in range(1, 101)])
    tables = FrameTables.of(
        compare(everywhere, everywhere[["frame", "track_id", "left", "top", "width", "height"]], range(1, 101), MOT17)
    )
    assert tables.windows(30).people[:, 0].tolist() == [34, 33, 33]
    assert tables.windows(500).people[:, 0].tolist() == [100]


@pytest.mark.parametrize("nobody", ["truth", "tracks", "both"])
def test_where_nobody_is_or_nobody_is_found_scores_are_zero(nobody):
    truth = walk(np.random.default_rng(0), 2, 10)
    tracks = truth[["frame", "track_id", "left", "top", "width", "height"]]
    comparison = compare(
        truth[:0] if nobody != "tracks" else truth, tracks[:0] if nobody != "truth" else tracks, range(1, 11), MOT17
    )
    scores = window_scores(FrameTables.of(comparison).windows(3).counts()[0])
    assert {name: float(value) for name, value in scores.items()} == dict.fromkeys(WINDOW_SCORES, 0)
