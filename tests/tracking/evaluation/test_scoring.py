import numpy as np
import pandas as pd
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.evaluation.events import accumulate, count_events, event_table, motmetrics_scores
from reidops.tracking.evaluation.scoring import combine_results, compare, official_results, official_scores, rules_of

FRAMES = range(1, 11)
MOT17 = rules_of("MOT17")


def truth(track_id: int, left: float, *, frames=FRAMES, class_id: int = 1, considered: bool = True) -> pd.DataFrame:
    """Return one person who stands still, a box of 40 × 100 px."""
    return pd.DataFrame(
        {
            "frame": list(frames),
            "track_id": track_id,
            "left": left,
            "top": 0.0,
            "width": 40.0,
            "height": 100.0,
            "considered": considered,
            "class_id": class_id,
            "visibility": 1.0,
        }
    )


def tracks(*rows: tuple[int, float, range]) -> pd.DataFrame:
    """Return tracks of rows (tracker id, left, frames)."""
    parts = [truth(track_id, left, frames=frames) for track_id, left, frames in rows]
    columns = ["frame", "track_id", "left", "top", "width", "height"]
    return pd.concat([truth(0, 0, frames=[]), *parts])[columns].assign(confidence=1.0)


def scores(annotations: pd.DataFrame, found: pd.DataFrame, *, frames=FRAMES, rules=MOT17):
    """Return what both scorers say, and check that they agree where they ought to."""
    comparison = compare(annotations, found, frames, rules)
    results = official_results(comparison)
    official, second = official_scores(results), motmetrics_scores(count_events(accumulate(comparison)), results)
    for name in ("MOTA", "IDF1", "MOTP", "IDSW", "FP", "FN"):
        assert getattr(second, name) == pytest.approx(getattr(official, name)), name
    return official


def test_tracks_equal_to_the_ground_truth_score_one():
    people = pd.concat([truth(1, 0), truth(2, 200)])
    result = scores(people, tracks((7, 0, FRAMES), (8, 200, FRAMES)))
    assert (result.MOTA, result.IDF1, result.HOTA, result.MOTP) == (1, 1, 1, 1)
    assert (result.IDSW, result.FP, result.FN, result.MT, result.ML) == (0, 0, 0, 2, 0)


def test_a_switch_half_way_costs_one_switch_and_half_the_identity():
    result = scores(truth(1, 0), tracks((7, 0, range(1, 6)), (8, 0, range(6, 11))))
    assert (result.IDSW, result.IDF1, result.MOTA) == (1, 0.5, 0.9)


def test_a_track_on_a_distractor_is_no_false_positive_but_one_on_a_car_is():
    for class_id, num_false in ((7, 0), (8, 0), (12, 0), (2, 0), (3, 10), (6, 10)):
        people = pd.concat([truth(1, 0), truth(2, 200, class_id=class_id)])
        assert scores(people, tracks((7, 0, FRAMES), (8, 200, FRAMES))).FP == num_false, class_id


def test_in_mot20_class_6_is_a_distractor_too():
    people = pd.concat([truth(1, 0), truth(2, 200, class_id=6)])
    assert scores(people, tracks((7, 0, FRAMES), (8, 200, FRAMES)), rules=rules_of("MOT20")).FP == 0


def test_mot15_knows_no_classes():
    people = pd.concat([truth(1, 0), truth(2, 200, class_id=7)])
    assert scores(people, tracks((7, 0, FRAMES)), rules=rules_of("MOT15")).FN == 10


def test_a_pedestrian_who_is_not_considered_is_neither_missed_nor_forgiven():
    people = pd.concat([truth(1, 0), truth(2, 200, considered=False)])
    assert scores(people, tracks((7, 0, FRAMES))).FN == 0
    assert scores(people, tracks((7, 0, FRAMES), (8, 200, FRAMES))).FP == 10


def test_only_the_frames_asked_for_are_scored():
    result = scores(truth(1, 0), tracks((7, 0, FRAMES)), frames=range(6, 11))
    assert (result.MOTA, result.FN) == (1, 0)
    half = scores(truth(1, 0), tracks((7, 0, range(6, 11))), frames=range(6, 11))
    assert (half.MOTA, half.IDF1) == (1, 1)


def test_no_tracks_miss_everybody():
    result = scores(truth(1, 0), tracks())
    assert (result.MOTA, result.IDF1, result.HOTA, result.FN, result.ML) == (0, 0, 0, 10, 1)


def test_tracks_where_nobody_is_are_all_false():
    result = scores(truth(1, 0, frames=[]), tracks((7, 0, FRAMES)))
    assert (result.FP, result.FN, result.IDF1) == (10, 0, 0)


def test_an_overlap_of_exactly_one_half_is_a_match():
    found = tracks((7, 0, FRAMES)).assign(height=50.0)
    assert scores(truth(1, 0), found).FN == 0
    assert scores(truth(1, 0), found.assign(height=49.0)).FN == 10


def test_the_order_of_rows_changes_nothing():
    people = pd.concat([truth(1, 0), truth(2, 20), truth(3, 40)])
    found = tracks((7, 5, FRAMES), (8, 22, range(1, 6)), (9, 22, range(6, 11)))
    shuffled = scores(people.sample(frac=1, random_state=0), found.sample(frac=1, random_state=1))
    assert shuffled == scores(people, found)


@pytest.mark.parametrize("which", ["annotations", "tracks"])
def test_an_identity_that_is_twice_in_a_frame_is_named(which):
    once, twice = tracks((7, 0, FRAMES)), tracks((7, 0, FRAMES), (7, 200, range(4, 6)))
    people = truth(7, 0) if which == "tracks" else pd.concat([truth(7, 0), truth(7, 200, frames=[4, 5])])
    with pytest.raises(ReidopsError, match=f"{which}: identity 7 appears twice in frame 4"):
        compare(people, twice if which == "tracks" else once, FRAMES, MOT17)


def test_combined_scores_come_from_counts_not_from_means():
    long = official_results(compare(truth(1, 0), tracks((7, 0, FRAMES)), FRAMES, MOT17))
    short = official_results(compare(truth(1, 0, frames=[1]), tracks(), [1], MOT17))
    assert official_scores(combine_results({"a": long, "b": short})).MOTA == pytest.approx(10 / 11)
    comparisons = [
        compare(truth(1, 0), tracks((7, 0, FRAMES)), FRAMES, MOT17),
        compare(truth(1, 0, frames=[1]), tracks(), [1], MOT17),
    ]
    counts = sum((count_events(accumulate(c)) for c in comparisons[1:]), count_events(accumulate(comparisons[0])))
    assert counts.mota == pytest.approx(10 / 11)
    assert counts.idf1 == pytest.approx(20 / 21)


def test_the_event_table_names_the_frame_of_a_switch():
    comparison = compare(truth(1, 0), tracks((7, 0, range(1, 6)), (8, 0, range(7, 11))), FRAMES, MOT17)
    events = event_table(comparison).set_index("frame")
    switches = events[events["event"] == "SWITCH"]
    assert switches[["track_id", "tracker_id"]].to_numpy().tolist() == [[1, 8]]
    assert switches.index.tolist() == [7]
    assert events[events["event"] == "MISS"].index.tolist() == [6]
    assert np.isclose(events.loc[1, "iou"], 1)


def both(annotations: pd.DataFrame, found: pd.DataFrame, name: str) -> tuple[float, float]:
    """Return a figure as motmetrics and as TrackEval have it."""
    comparison = compare(annotations, found, FRAMES, MOT17)
    results = official_results(comparison)
    return getattr(motmetrics_scores(count_events(accumulate(comparison)), results), name), getattr(
        official_scores(results), name
    )


OTHER = truth(2, 500)  # somebody who is always there and always held, so that no frame is empty
HELD = (9, 500, FRAMES)


@pytest.mark.parametrize(
    ("name", "motmetrics", "trackeval", "people", "found"),
    [
        # After a frame without it the first track is a little off and a second one lies better.
        ("IDSW", 0, 1, truth(1, 0), tracks((7, 0, range(1, 3)), (7, 4, range(4, 11)), (8, 1, range(4, 11)), HELD)),
        ("MT", 2, 1, truth(1, 0), tracks((7, 0, range(1, 9)), HELD)),  # eight of ten frames
        # away in frame 4
        ("Frag", 0, 1, truth(1, 0, frames=[1, 2, 3, 5, 6]), tracks((7, 0, range(1, 4)), (7, 0, range(5, 7)), HELD)),
        ("Frag", 1, 1, truth(1, 0), tracks((7, 0, range(1, 4)), (7, 0, range(5, 11)), HELD)),  # missed in frame 4
        # an empty frame 4
        (
            "Frag",
            2,
            0,
            truth(1, 0),
            tracks((7, 0, range(1, 4)), (7, 0, range(5, 11)), (9, 500, [*range(1, 4), *range(5, 11)])),
        ),
    ],
)
def test_the_scorers_differ_where_the_table_of_reasons_says_so(name, motmetrics, trackeval, people, found):
    assert both(pd.concat([people, OTHER]), found, name) == (motmetrics, trackeval)
