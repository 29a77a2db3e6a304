"""Splits keep people and frames apart, and agree with what is published."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reidops.mot.sequences import read_annotations, read_sequence
from reidops.mot.splits import split_by_name, split_half, split_identities, split_query_gallery, split_scenes, thin

# seqLength of MOT17's training sequences: 5,316 frames.
MOT17_LENGTHS = {"02": 600, "04": 1050, "05": 837, "09": 525, "10": 654, "11": 900, "13": 750}


def people_of(**scenes: int) -> pd.DataFrame:
    rows = [("MOT17", scene, f"{scene}_{n:03d}") for scene, number in scenes.items() for n in range(number)]
    return pd.DataFrame(rows, columns=["dataset", "scene", "person"])


def test_the_validation_half_of_mot17_has_the_published_number_of_frames() -> None:
    halves = [split_half(length) for length in MOT17_LENGTHS.values()]
    assert sum(val.last - val.first + 1 for _, val in halves) == 2652


def test_the_validation_halves_hold_the_published_people_and_boxes(real_data: Path) -> None:
    # considered pedestrians: boxes, people
    published = {"02": (9880, 53), "05": (3357, 71), "10": (5923, 36), "13": (3156, 44)}
    found = {}
    for scene in published:
        sequence = read_sequence(real_data / "tracking-results" / "MOT17" / f"MOT17-{scene}-FRCNN")
        rows = read_annotations(sequence)
        half = rows[
            (rows["frame"] >= split_half(sequence.length)[1].first) & (rows["class_id"] == 1) & rows["considered"]
        ]
        found[scene] = len(half), half["track_id"].nunique()
    assert found == published


@given(st.integers(2, 3000))
def test_the_halves_meet_and_cover_every_frame_once(length: int) -> None:
    train, val = split_half(length)
    assert (train.first, val.last, val.first) == (1, length, train.last + 1)
    assert train.last == length // 2 + 1


def test_every_scene_gives_its_share_of_validating_people() -> None:
    people = people_of(a=10, b=20, c=50)
    val = split_identities(people, 0.2, np.random.default_rng(0))
    assert people[val].groupby("scene").size().to_dict() == {"a": 2, "b": 4, "c": 10}


@pytest.mark.parametrize(
    ("num_people", "val_split", "num_val"), [(10, 0.0, 0), (3, 0.1, 1), (100, 0.29, 29), (7, 0.5, 4)]
)
def test_the_number_of_validating_people_is_the_share_rounded_and_never_nobody(
    num_people: int, val_split: float, num_val: int
) -> None:
    assert split_identities(people_of(a=num_people), val_split, np.random.default_rng(1)).sum() == num_val


def test_who_validates_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    people = people_of(a=30, b=30)
    shuffled = people.sample(frac=1, random_state=5)
    chosen = [set(p.loc[split_identities(p, 0.2, np.random.default_rng(3)), "person"]) for p in (people, shuffled)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != set(people.loc[split_identities(people, 0.2, np.random.default_rng(4)), "person"])


def test_by_name_the_last_folders_validate_as_in_mot2reid() -> None:
    people = people_of(a=6, b=4).sample(frac=1, random_state=0)
    val = people.loc[split_by_name(people, 0.3), "person"]
    assert sorted(val) == ["b_001", "b_002", "b_003"]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60, unique=True), st.integers(1, 60), st.integers(1, 6))
def test_every_query_has_a_match_and_none_within_the_gap(frames: list[int], gap: int, num_queries: int) -> None:
    frames_of_crops = np.array(frames)
    roles = split_query_gallery(frames_of_crops, gap=gap, num_queries=num_queries)
    queries, gallery = frames_of_crops[roles == "query"], frames_of_crops[roles == "gallery"]
    assert len(queries) <= num_queries
    assert len(gallery) >= 1
    assert (len(queries) > 0) == (max(frames) - min(frames) >= gap)
    assert all(abs(q - g) >= gap for q in queries for g in gallery)


def test_a_person_seen_for_less_than_the_gap_is_gallery_only() -> None:
    roles = split_query_gallery(np.array([5, 6, 7]), gap=3, num_queries=2)
    assert roles.tolist() == ["gallery"] * 3


def test_queries_are_spread_over_the_early_frames() -> None:
    roles = split_query_gallery(np.arange(1, 102), gap=20, num_queries=3)
    assert np.flatnonzero(roles == "query").tolist() == [0, 20, 40]
    assert np.flatnonzero(roles == "gallery").tolist() == list(range(60, 101))


def test_folds_hold_every_scene_once() -> None:
    folds = split_scenes(list(MOT17_LENGTHS), 3, np.random.default_rng(0))
    assert sorted(scene for fold in folds for scene in fold) == sorted(MOT17_LENGTHS)
    assert sorted(map(len, folds)) == [2, 2, 3]


def test_thinning_keeps_order_and_number() -> None:
    assert thin(5, 5, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]
    places = thin(100, 10, np.random.default_rng(0))
    assert len(set(places)) == 10
    assert places.tolist() == sorted(places)
