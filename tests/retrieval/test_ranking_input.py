"""Unusual input of the ranking has a defined result, or an error with the reason and the remedy."""

import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.ranking import score_distances, score_embeddings


def test_pids_may_be_strings() -> None:
    scores = score_distances(np.array([[0.2, 0.1]]), query_pids=["anna"], gallery_pids=["anna", "bert"], junk="none")
    assert scores.first_ranks.tolist() == [2]


def test_a_gallery_of_one_person_is_ranked_perfectly() -> None:
    assert score_distances(np.ones((2, 3)), query_pids=[4, 4], gallery_pids=[4, 4, 4], junk="none").mAP == 1.0


def test_a_distractor_is_recognized_for_any_type_of_pid() -> None:
    for distractor, person in ((-1, 1), (-1.0, 1.0), ("-1", "anna")):
        scores = score_distances(
            np.array([[0.1, 0.2]] * 2), query_pids=[distractor, person], gallery_pids=[distractor, person], junk="none"
        )
        assert scores.unmatched_queries.tolist() == [0]


def test_a_query_set_that_is_the_gallery_is_ranked_without_each_querys_own_crop() -> None:
    embeddings = unit_rows(np.array([[1, 0.0], [1, 0.2], [0, 1], [0.2, 1]]), "crops")
    labels = {"query_pids": [1, 1, 2, 2], "gallery_pids": [1, 1, 2, 2]}
    cameras = {"query_camids": [1, 2, 1, 2], "gallery_camids": [1, 2, 1, 2]}
    for junk in ({"junk": "same-camera"} | cameras, {"junk": np.eye(4, dtype=bool)}):
        scores = score_embeddings(embeddings, embeddings, **labels, **junk)
        assert (scores.mAP, scores.first_ranks.tolist()) == (1.0, [1, 1, 1, 1])


EYE = np.eye(4, dtype=np.float32)
INFINITE = np.where(EYE == 1, np.inf, EYE)
BROKEN = np.where(np.arange(4)[:, None] == 2, np.nan, EYE)
PIDS = {"query_pids": [1, 2, 3, 4], "gallery_pids": [1, 2, 3, 4]}
CAMIDS = {"query_camids": [1, 1, 1, 1], "gallery_camids": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("query", "gallery", "arguments", "message"),
    [
        (BROKEN, EYE, {}, "1 of 4 query embeddings are NaN, infinite or zero: rows 2;"),
        (EYE, INFINITE, {}, "4 of 4 gallery embeddings are NaN, infinite or zero: rows 0, 1, 2, 3;"),
        (0 * EYE, EYE, {}, "4 of 4 query embeddings are NaN, infinite or zero: rows 0, 1, 2, 3"),
        (EYE[:, :3] + 1, EYE, {}, "query embeddings have 3 dimensions, gallery embeddings 4"),
        (EYE[0], EYE, {}, r"query embeddings have the shape \[4\]"),
        (EYE[:3], EYE, {}, "there are 4 query and 4 gallery pids, but embeddings of 3 queries and 4 gallery crops"),
        (
            EYE,
            EYE[:0],
            {"gallery_pids": [], "gallery_camids": []},
            "gallery_pids is empty; .*gallery rows",
        ),
        (EYE, EYE, {"gallery_pids": []}, "gallery_pids is empty"),
        (EYE, EYE, {"query_pids": []}, "query_pids is empty"),
        (EYE, EYE, {"query_pids": None}, "query_pids is missing"),
        (EYE, EYE, {"gallery_pids": 7}, r"gallery_pids has the shape \[\]"),
        (EYE, EYE, {"gallery_pids": np.ones((4, 1))}, r"gallery_pids has the shape \[4, 1\]"),
        (EYE, EYE, {"max_rank": 0}, "max_rank is 0, expected at least 1"),
        (EYE, EYE, {"block_size": -1}, "block_size is -1, expected at least 1"),
        (EYE, EYE, {"query_pids": ["1", "2", "3", "4"]}, "they never match"),
        (EYE, EYE, {"query_camids": None}, "junk='same-camera' needs query_camids"),
        (EYE, EYE, {"query_camids": [1, 2]}, r"query_camids has the shape \[2\], expected \[4\]"),
        (EYE, EYE, {}, "one camera only.*use junk='time-gap'"),
        (EYE, EYE, {"junk": "none"}, "query and gallery are the same set"),
        (EYE, EYE, {"junk": "camera"}, "expected one of same-camera, none, time-gap"),
        (EYE, EYE, {"junk": np.ones((4, 4))}, "the junk mask is float64"),
        (EYE, EYE, {"junk": np.ones((4, 4), bool)}, "all 4 gallery crops .*junk by the mask"),
        (EYE, EYE, {"junk": "time-gap"}, "needs query_frames and gallery_frames"),
        (
            EYE,
            EYE,
            {"junk": "time-gap", "query_frames": [1] * 4, "gallery_frames": [1] * 4},
            "a gap of at least 1 frame",
        ),
        (EYE, EYE, {"gallery_pids": [5, 6, 7, 8]}, "no person in common"),
        (EYE, EYE, {"query_pids": [1, 2, np.nan, np.nan]}, "query_pids has missing values in 2 rows, first in row 2"),
        (
            EYE,
            EYE,
            {"gallery_pids": ["a", None, "b", "c"]},
            "gallery_pids has missing values in 1 rows, first in row 1",
        ),
    ],
)
def test_invalid_input_is_reported(query: np.ndarray, gallery: np.ndarray, arguments: dict, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        score_embeddings(query, gallery, **(PIDS | CAMIDS | arguments))


def test_nan_distances_are_reported() -> None:
    distances = np.zeros((4, 4))
    distances[1, 3] = np.nan
    with pytest.raises(ReidopsError, match="row 1 has NaN at gallery crop 3"):
        score_distances(distances, junk="none", **PIDS)


def test_distances_need_two_dimensions() -> None:
    with pytest.raises(ReidopsError, match=r"the shape \[4\]"):
        score_distances(np.zeros(4), junk="none", **PIDS)
