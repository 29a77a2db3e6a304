import numpy as np
import pandas as pd
import pytest

from reidops.tracking.link_network import load_network
from reidops.tracking.linking import LinkConstants, link_tracks
from reidops.tracking.trackers import Finishing, finish_tracks

RED, GREEN = np.eye(2)


def track(
    track_id: int, frames: range, left: float, speed: float = 3.0, top: float = 100.0, height: float = 100.0
) -> pd.DataFrame:
    """Return one track that walks to the right; `left` is where it would be in frame 0."""
    frame = np.array(frames)
    return pd.DataFrame(
        {
            "frame": frame,
            "track_id": track_id,
            "left": left + speed * frame,
            "top": top,
            "width": 40.0,
            "height": height,
            "confidence": 1.0,
        }
    )


def linked(*tracks: pd.DataFrame, constants: LinkConstants = LinkConstants(), **options) -> dict[int, int]:
    """Return which track each of them became."""
    table = pd.concat(tracks, ignore_index=True)
    result = link_tracks(table, constants, **options)
    return dict(zip(table["track_id"], result["track_id"], strict=True))


def test_a_walker_who_was_lost_for_a_while_is_one_again():
    assert linked(track(1, range(1, 30), 0), track(2, range(40, 60), 0)) == {1: 1, 2: 1}


def test_a_chain_has_the_number_of_its_first_track():
    parts = [track(i, range(start, start + 12), 0) for i, start in ((7, 1), (3, 20), (9, 40))]
    assert linked(*parts) == {7: 7, 3: 7, 9: 7}


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (track(2, range(29, 60), 0), "they are seen in one frame"),
        (track(2, range(61, 90), 0), "the gap is longer than 30 frames"),
        (track(2, range(55, 70), 0), "it begins more than 75 px away"),
        (track(2, range(33, 60), 58), "at that speed it misses"),
        (track(2, range(48, 60), 294, speed=-3), "it comes from the other side"),
        (track(2, range(40, 60), 0, height=170.0), "it is another's height"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_cannot_be_the_same_is_not_joined(second, why):
    assert linked(track(1, range(1, 30), 0), second) == {1: 1, 2: 2}


def test_a_gap_of_exactly_the_largest_length_is_bridged():
    near = LinkConstants(max_distance=200)
    assert linked(track(1, range(1, 30), 0), track(2, range(59, 70), 0), constants=near) == {1: 1, 2: 1}
    assert linked(track(1, range(1, 30), 0), track(2, range(60, 70), 0), constants=near) == {1: 1, 2: 2}


def test_each_track_has_one_successor_and_the_fit_is_best_in_all():
    """Both ends reach track 3, one of them track 4 as well."""
    tracks = (
        track(1, range(1, 30), 0),
        track(2, range(1, 30), 30),
        track(3, range(35, 60), 10),
        track(4, range(35, 60), 38),
    )
    assert linked(*tracks) == {1: 1, 2: 2, 3: 1, 4: 2}


def test_appearance_forbids_links_that_motion_allows_and_decides_between_equal_ones():
    tracks = (
        track(1, range(1, 30), 0),
        track(2, range(1, 30), 12),
        track(3, range(35, 60), 1),
        track(4, range(35, 60), 11),
    )
    assert linked(*tracks) == {1: 1, 2: 2, 3: 1, 4: 2}
    crossed = {1: RED, 2: GREEN, 3: GREEN, 4: 5 * RED}
    assert linked(*tracks, embeddings=crossed) == {1: 1, 2: 2, 3: 2, 4: 1}
    assert linked(*tracks[::2], embeddings={1: RED, 3: GREEN}) == {1: 1, 3: 3}
    assert linked(*tracks[::2], embeddings={1: RED}) == {1: 1, 3: 1}


def test_a_track_of_one_box_has_no_speed():
    assert linked(track(1, range(1, 2), 0), track(2, range(4, 5), 0)) == {1: 1, 2: 1}


def test_rows_keep_their_order_and_their_other_columns_and_what_came_in_is_left():
    table = pd.concat([track(2, range(40, 60), 0), track(1, range(1, 30), 0)], ignore_index=True)
    before = table.copy()
    result = link_tracks(table)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(result.drop(columns="track_id"), table.drop(columns="track_id"))
    shuffled = table.sample(frac=1, random_state=0)
    assert link_tracks(shuffled).sort_index()["track_id"].tolist() == result["track_id"].tolist()


def test_no_tracks_and_one_track_stay_as_they_are():
    one = track(5, range(1, 4), 0)
    pd.testing.assert_frame_equal(link_tracks(one), one)
    assert len(link_tracks(one[:0])) == 0


class Certain:
    """A network that gives one probability to every pair, and keeps what it was asked."""

    def __init__(self, probability: float) -> None:
        self.probability, self.asked = probability, 0

    def probabilities(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        self.asked += len(before)
        return np.full(len(before), self.probability)


@pytest.mark.parametrize(("probability", "expected"), [(0.96, {1: 1, 2: 1}), (0.94, {1: 1, 2: 2})])
def test_a_network_links_tracks_from_its_least_probability_on(probability, expected):
    tracks = track(1, range(1, 30), 0), track(2, range(40, 60), 0)
    assert linked(*tracks, network=Certain(probability)) == expected


def test_a_network_is_asked_only_about_tracks_that_start_soon_and_near():
    network = Certain(1.0)
    first, later, far, soon = (
        track(1, range(1, 30), 0),
        track(2, range(61, 90), 0),
        track(3, range(33, 60), 300),
        track(4, range(31, 40), 0),
    )
    assert linked(first, later, far, soon, network=network) == {1: 1, 2: 1, 3: 3, 4: 1}
    assert network.asked == 2  # 1 → 4 and 4 → 2


def test_the_network_that_is_shipped_links_a_steady_walker_and_not_one_who_comes_towards():
    network = load_network()
    steady, opposite = (track(2, range(36, 70), left, speed=speed) for left, speed in ((0, 3), (250, -3)))
    assert linked(track(1, range(1, 30), 0), steady, network=network) == {1: 1, 2: 1}
    assert linked(track(1, range(1, 30), 0), opposite, network=network) == {1: 1, 2: 2}


def test_tracks_of_unsorted_rows_are_linked_by_the_network_as_sorted_ones():
    table = pd.concat([track(5, range(36, 70), 0), track(9, range(1, 30), 0)], ignore_index=True)
    shuffled = table.sample(frac=1, random_state=0)
    network = load_network()
    assert link_tracks(shuffled, network=network).sort_index()["track_id"].tolist() == [9] * len(table)
    assert link_tracks(table, network=network)["track_id"].tolist() == [9] * len(table)


@pytest.mark.parametrize("linking", [True, "motion", "aflink"])
def test_the_names_of_linking_join_a_steady_walker(linking):
    table = pd.concat([track(1, range(1, 30), 0), track(2, range(36, 70), 0)], ignore_index=True)
    assert set(finish_tracks(table, Finishing(linking))["track_id"]) == {1}
    assert set(finish_tracks(table, Finishing())["track_id"]) == {1, 2}
