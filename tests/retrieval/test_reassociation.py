"""Re-association agrees with a plain loop; boxes are assigned to the person that they overlap."""

import numpy as np
import pandas as pd
import pytest

from reidops.boxes.identities import NO_PERSON, annotated_rows
from reidops.retrieval.reassociation import SceneBoxes, reassociate, tabulate


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def drawn_scene(seed: int, *, num_frames: int = 12, num_people: int = 6) -> SceneBoxes:
    """Return boxes of people who are missing in some frames, and boxes of no person."""
    rng = np.random.default_rng(seed)
    frames, people = (
        grid.ravel() for grid in np.meshgrid(range(1, num_frames + 1), range(NO_PERSON, num_people), indexing="ij")
    )
    seen = rng.random(len(frames)) < 0.7
    frames, people = frames[seen], people[seen]
    return SceneBoxes(
        unit(rng.normal(size=(num_people + 1, 8))[people] + rng.normal(size=(len(people), 8))), frames, people
    )


def plain(scenes: list[SceneBoxes], gap: int) -> tuple[list[int], list[int], int]:
    """Return ranks, numbers of candidates and the number of unmatched people, by loops over boxes."""
    ranks, candidates, unmatched = [], [], 0
    for scene in scenes:
        for i in range(len(scene.frames)):
            if scene.people[i] == NO_PERSON or scene.frames[i] + gap > scene.frames.max():
                continue
            later = [j for j in range(len(scene.frames)) if scene.frames[j] == scene.frames[i] + gap]
            own = [j for j in later if scene.people[j] == scene.people[i]]
            if not own:
                unmatched += 1
                continue
            similarity = scene.embeddings @ scene.embeddings[i]
            ranks.append(1 + sum(similarity[j] >= similarity[own[0]] for j in later if j != own[0]))
            candidates.append(len(later))
    return ranks, candidates, unmatched


@pytest.mark.parametrize("gap", [1, 5, 11])
def test_ranks_are_those_of_a_plain_loop(gap: int) -> None:
    scenes = [drawn_scene(seed) for seed in (1, 2)]
    found = reassociate(scenes, [gap])[0]
    ranks, candidates, unmatched = plain(scenes, gap)
    assert sorted(found.ranks) == sorted(ranks)
    assert sorted(found.num_candidates) == sorted(candidates)
    assert found.num_unmatched == unmatched
    figures = found.figures()
    assert figures["rank1"] == np.mean(np.array(ranks) == 1)
    assert figures["MRR"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert figures["chance_rank1"] == pytest.approx(np.mean([1 / n for n in candidates]))
    assert figures["chance_MRR"] == pytest.approx(
        np.mean([np.mean([1 / k for k in range(1, n + 1)]) for n in candidates])
    )
    assert figures["num_query"] == len(ranks) + unmatched


def test_results_of_several_gaps_equal_those_of_single_gaps() -> None:
    scenes = [drawn_scene(seed) for seed in (1, 2)]
    once, again = reassociate(scenes, iter([1, 5])), reassociate(scenes, [1, 5])
    assert [found.ranks.tolist() for found in once] == [found.ranks.tolist() for found in again]


def test_a_random_guess_has_the_expected_scores() -> None:
    rng = np.random.default_rng(0)
    frames, people = (grid.ravel() for grid in np.meshgrid(range(1, 301), range(5), indexing="ij"))
    figures = reassociate([SceneBoxes(unit(rng.normal(size=(len(frames), 8))), frames, people)], [1])[0].figures()
    assert figures["chance_rank1"] == pytest.approx(0.2)
    assert figures["rank1"] == pytest.approx(0.2, abs=0.03)
    assert figures["MRR"] == pytest.approx(figures["chance_MRR"], abs=0.03)


def test_equal_embeddings_rank_every_match_last() -> None:
    frames, people = np.repeat([1, 2], 4), np.tile(np.arange(4), 2)
    figures = reassociate([SceneBoxes(np.tile(np.eye(3, dtype=np.float32)[0], (8, 1)), frames, people)], [1])[
        0
    ].figures()
    assert (figures["rank1"], figures["MRR"]) == (0, 0.25)


def test_boxes_of_no_person_are_no_queries_but_candidates() -> None:
    alike, other = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    # the box without a person in frame 2 has the embedding of the person of frame 1
    embeddings = np.concatenate([alike, other, other, alike])
    found = reassociate([SceneBoxes(embeddings, np.array([1, 1, 2, 2]), np.array([3, NO_PERSON, 3, NO_PERSON]))], [1])[
        0
    ]
    assert found.ranks.tolist() == [2]
    assert found.num_unmatched == 0


def test_a_person_who_left_is_counted_and_not_scored() -> None:
    found = reassociate([SceneBoxes(np.eye(3, dtype=np.float32), np.array([1, 1, 2]), np.array([0, 1, 0]))], [1])[0]
    assert (found.figures()["num_query"], found.figures()["num_unmatched_queries"], len(found.ranks)) == (2, 1, 1)


def test_a_gap_longer_than_every_scene_has_no_queries_and_nan_scores() -> None:
    table = tabulate({"annotations": reassociate([drawn_scene(1)], [5, 12])})
    assert table["gap"].tolist() == [5, 12]
    assert table["num_query"].tolist()[1] == 0
    assert np.isnan(table["rank1"][1]) and not np.isnan(table["rank1"][0])


def test_gaps_may_come_from_an_iterator() -> None:
    scenes = [drawn_scene(1), drawn_scene(2)]
    assert [of_gap.gap for of_gap in reassociate(scenes, iter([1, 5]))] == [1, 5]
    assert [len(of_gap.ranks) for of_gap in reassociate(scenes, iter([1, 5]))] == [
        len(of_gap.ranks) for of_gap in reassociate(scenes, [1, 5])
    ]


def annotations(*rows: tuple) -> pd.DataFrame:
    """Return an annotations table of rows (frame, track_id, left, considered, class_id), each box 10 × 20 px."""
    table = pd.DataFrame(rows, columns=["frame", "track_id", "left", "considered", "class_id"])
    return table.assign(top=0.0, width=10.0, height=20.0, visibility=1.0)


def matched_rows(frames: np.ndarray, box_ltwh: np.ndarray, people: pd.DataFrame) -> np.ndarray:
    return annotated_rows(frames, box_ltwh, people, among="pedestrians")


def test_a_box_is_assigned_to_the_pedestrian_that_it_overlaps_by_half() -> None:
    people = annotations((1, 7, 0, True, 1), (1, 8, 40, True, 1), (2, 7, 100, True, 1))
    boxes = np.array([[42, 0, 10, 20], [3, 0, 10, 20], [4, 0, 10, 20], [40, 0, 10, 20]], float)
    rows = matched_rows(np.array([1, 1, 1, 2]), boxes, people)
    # the third box is farther from 7, which is already assigned; frame 2 has no person at 40
    assert rows.tolist() == [1, 0, NO_PERSON, NO_PERSON]


def test_a_box_that_overlaps_a_pedestrian_by_less_than_half_is_not_assigned() -> None:
    people = annotations((1, 7, 0, True, 1), (2, 7, 0, True, 1))
    boxes = np.array([[3, 0, 10, 20], [4, 0, 10, 20]], float)  # 7 / 13 and 6 / 14
    assert matched_rows(np.array([1, 2]), boxes, people).tolist() == [0, NO_PERSON]


def test_boxes_and_people_are_assigned_one_to_one() -> None:
    people = annotations((1, 7, 0, True, 1), (1, 8, 3, True, 1))
    boxes = np.array([[1, 0, 10, 20], [-1, 0, 10, 20]], float)  # the first overlaps both people well, the second only 7
    assert matched_rows(np.array([1, 1]), boxes, people).tolist() == [1, 0]


def test_annotations_that_official_scores_ignore_are_not_assigned() -> None:
    people = annotations((1, 7, 0, False, 1), (1, 8, 40, True, 8))
    assert matched_rows(np.array([1, 1]), np.array([[0, 0, 10, 20], [40, 0, 10, 20]], float), people).tolist() == [
        NO_PERSON,
        NO_PERSON,
    ]


def test_without_boxes_or_annotations_no_box_is_assigned() -> None:
    assert len(annotated_rows(np.empty(0, int), np.empty((0, 4)), annotations())) == 0
    assert annotated_rows(np.array([1]), np.zeros((1, 4)), annotations()).tolist() == [NO_PERSON]
