import numpy as np
import pandas as pd
import pytest

from reidops.tracking.evaluation.events import event_table
from reidops.tracking.evaluation.gaps import GAP_EDGES, find_returns, gap_counts, gap_table, kept_returns
from reidops.tracking.evaluation.scoring import compare, rules_of
from reidops.tracking.pictures.gap_curves import draw_gaps


def events(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """Return an event table of rows (frame, track_id, tracker_id)."""
    return pd.DataFrame(rows, columns=["frame", "track_id", "tracker_id"]).assign(event="MATCH")


def returns_of(*seen: tuple[int, int]) -> pd.DataFrame:
    """Return the returns of detections (frame, person)."""
    frames, people = np.array(seen).T
    return find_returns(frames, people)


def test_a_return_follows_frames_without_a_detection_of_the_person():
    found = returns_of((1, 7), (2, 7), (5, 7), (6, 7), (9, 7), (1, 8), (2, 8), (1, -1), (9, -1))
    assert found.to_dict("records") == [
        {"track_id": 7, "back": 5, "until": 6, "left": 2, "gap": 2},
        {"track_id": 7, "back": 9, "until": 9, "left": 6, "gap": 2},
    ]


def test_the_order_of_detections_does_not_matter():
    seen = [(f, p) for p in (3, 1, 2) for f in (9, 1, 4, 5)]
    pd.testing.assert_frame_equal(returns_of(*seen), returns_of(*sorted(seen)))


def test_no_people_give_no_returns():
    assert find_returns(np.array([1, 5]), np.array([-1, -1])).empty
    assert find_returns(np.zeros(0, int), np.zeros(0, int)).empty


@pytest.mark.parametrize(
    ("held", "kept", "because"),
    [
        ([(1, 7, 3), (2, 7, 3), (6, 7, 3)], True, "the track of before holds them again"),
        ([(1, 7, 3), (7, 7, 3)], True, "also when it takes a frame or two"),
        ([(1, 7, 3), (4, 7, 3), (6, 7, 3)], True, "a track may be carried through the gap"),
        ([(1, 7, 3), (6, 7, 4)], False, "another track holds them"),
        ([(1, 7, 4), (2, 7, 3), (6, 7, 4)], False, "what counts is the last track before"),
        ([(6, 7, 3)], False, "nobody held them before"),
        ([(2, 7, 3)], False, "nobody holds them after"),
        ([(2, 7, 3), (12, 7, 3)], False, "they are held only after the next gap"),
        ([(2, 8, 3), (6, 8, 3)], False, "somebody else was held"),
        ([], False, "nobody was held"),
    ],
)
def test_a_return_is_kept_when_the_person_has_their_track_again(held, kept, because):
    back = returns_of((1, 7), (2, 7), (6, 7), (7, 7), (12, 7))[:1]
    assert kept_returns(back, events(*held)).tolist() == [kept], because


def test_kept_returns_agree_with_a_plain_loop_on_random_cases():
    rng = np.random.default_rng(0)
    seen = [(f, p) for p in range(1, 8) for f in range(1, 120) if rng.random() < 0.6]
    held = events(*[(f, p, int(rng.integers(1, 4))) for p in range(1, 8) for f in range(1, 120) if rng.random() < 0.5])
    found = returns_of(*seen)
    plain = []
    for row in found.itertuples():
        mine = held[held["track_id"] == row.track_id].sort_values("frame")
        before = mine[mine["frame"] <= row.left]["tracker_id"].tolist()[-1:]
        after = mine[mine["frame"].between(row.back, row.until)]["tracker_id"].tolist()[:1]
        plain.append(bool(before) and before == after)
    assert kept_returns(found, held).tolist() == plain
    assert 0 < sum(plain) < len(plain)


def person(track_id: int, left: float, frames: range) -> pd.DataFrame:
    table = pd.DataFrame(
        {"frame": list(frames), "track_id": track_id, "left": left, "top": 0.0, "width": 40.0, "height": 100.0}
    )
    return table.assign(considered=True, class_id=1, visibility=1.0)


@pytest.fixture
def counted():
    """Return the counts of three people: one always seen, one kept after 4 frames out of sight, one lost after 20."""
    frames = range(1, 41)
    truth = pd.concat([person(1, 0, frames), person(2, 100, frames), person(3, 200, frames)])
    hidden = {1: (), 2: range(10, 14), 3: range(10, 30)}
    seen = truth[[frame not in hidden[i] for frame, i in zip(truth["frame"], truth["track_id"], strict=True)]]
    tracks = seen.assign(track_id=seen["track_id"].where((seen["track_id"] != 3) | (seen["frame"] < 20), 9))
    comparison = compare(
        truth, tracks[["frame", "track_id", "left", "top", "width", "height"]], frames, rules_of("MOT17")
    )
    returns = find_returns(seen["frame"].to_numpy(), seen["track_id"].to_numpy())
    return gap_counts(returns, event_table(comparison), comparison)


def test_returns_and_people_are_counted_at_the_length_of_their_gap(counted):
    assert counted.loc[3, ["returns", "kept", "people"]].tolist() == [1, 1, 1]
    assert counted.loc[11, ["returns", "kept", "people"]].tolist() == [1, 0, 1]
    assert counted.loc[0, ["returns", "kept", "people"]].tolist() == [0, 0, 1]
    assert counted[["returns", "people"]].sum().tolist() == [2, 3]


def test_the_table_adds_sequences_and_computes_shares_and_IDF1(counted):
    table = gap_table({"appearance": [counted, counted], "no_appearance": [counted]}).set_index(["arm", "gap_from"])
    assert table.loc[("appearance", 3), ["returns", "share"]].tolist() == [2, 1]
    assert table.loc[("appearance", 11), "share"] == 0
    assert np.isnan(table.loc[("appearance", 31), "share"])
    assert table.loc[("appearance", 0), "IDF1"] == 1
    assert table.loc[("appearance", 3), "IDF1"] == pytest.approx(2 * 36 / (40 + 36))
    # The third person is held for 9 frames by one track and for 11 by another: the longer one is their own.
    assert table.loc[("appearance", 11), "IDF1"] == pytest.approx(2 * 11 / (40 + 11))
    assert table.loc[("appearance", 3), "gap_to"] == 5 and np.isnan(table.loc[("appearance", GAP_EDGES[-1]), "gap_to"])


def test_the_picture_has_a_line_for_each_arm(counted):
    figure = draw_gaps(gap_table({"appearance": [counted], "oracle": [counted]}))
    assert [[line.get_label() for line in axes.lines] for axes in figure.axes] == [["appearance", "oracle"]] * 2
