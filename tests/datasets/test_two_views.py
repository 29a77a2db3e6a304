"""People seen by two cameras are divided by splits that never change."""

from pathlib import Path

import pandas as pd
import pytest

from reidops.datasets.reid_set import crops_table
from reidops.datasets.two_views import PROTOCOLS, UNPAIRED, divide_people, random_half
from reidops.errors import ReidopsError


def pairs(num_people: int, *, alone: tuple[int, ...] = ()) -> pd.DataFrame:
    """Return one crop per person and camera; those `alone` are missing in camera 2."""
    return crops_table(
        [
            {
                "file": f"/set/cam_{'ab'[camera - 1]}/{pid:03d}_0.bmp",
                "name": f"{camera}_{pid}",
                "published_pid": pid,
                "camera": camera,
            }
            for camera in (1, 2)
            for pid in range(num_people)
            if camera == 1 or pid not in alone
        ]
    )


def people(crops: pd.DataFrame) -> set[int]:
    return set(crops["published_pid"])


@pytest.mark.parametrize(("num_people", "num_training"), [(632, 316), (971, 485), (450, 225)])
def test_every_protocol_halves_the_people_and_no_two_alike(num_people: int, num_training: int) -> None:
    halves = [random_half(list(range(num_people)), number) for number in range(10)]
    assert {len(half) for half in halves} == {num_training}
    assert len({tuple(sorted(half)) for half in halves}) == 10


def test_the_halves_never_change() -> None:
    assert sorted(random_half(list(range(10)), 0)) == [1, 2, 4, 8, 9]
    assert sorted(random_half(list(range(10)), 7)) == [0, 1, 2, 5, 8]


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if not name.startswith("splits-")])
def test_nobody_is_in_both_parts_and_everybody_in_one(protocol: str) -> None:
    train, test = (divide_people(Path("/set"), pairs(9), part, protocol)[0] for part in ("train", "test"))
    assert people(train) & people(test) == set()
    assert people(train) | people(test) == set(range(9))
    assert (len(people(train)), len(people(test))) == (4, 5)


def test_one_camera_asks_and_the_other_one_answers() -> None:
    forward, backward = (divide_people(Path("/set"), pairs(6), "test", protocol)[0] for protocol in ("2", "2-reversed"))
    assert people(forward) == people(backward)
    assert {(row.role, row.camera) for row in forward.itertuples()} == {("query", 1), ("gallery", 2)}
    assert {(row.role, row.camera) for row in backward.itertuples()} == {("query", 2), ("gallery", 1)}
    assert set(divide_people(Path("/set"), pairs(6), "train", "2")[0]["role"]) == {""}


def test_people_of_one_camera_only_are_left_out_and_counted() -> None:
    for part in ("train", "test"):
        crops, taken = divide_people(Path("/set"), pairs(8, alone=(3, 5)), part, "0")
        assert people(crops) & {3, 5} == set()
        assert len(people(crops)) == 3
        assert taken == {"crops": len(crops) + 2, UNPAIRED: 2}


def test_a_set_without_any_pair_is_named() -> None:
    with pytest.raises(ReidopsError, match=r"^/set: no person has pictures of both cameras"):
        divide_people(Path("/set"), pairs(2, alone=(0, 1)), "train", "0")
