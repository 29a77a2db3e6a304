"""Galleries, plots and the colour histogram show what they were computed from."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidops.retrieval.calibration import calibrate
from reidops.retrieval.colour_histogram import embed_colours
from reidops.retrieval.galleries import (
    CROP_SIZE,
    FRAME,
    GUTTER,
    HEADING,
    MARGIN,
    RIGHT,
    TITLE,
    WRONG,
    RankedRow,
    choose_queries,
    draw_galleries,
    nearest_rows,
)
from reidops.retrieval.pictures import draw_distances, draw_map, draw_reassociation, draw_tables
from reidops.retrieval.ranking import score_distances
from reidops.retrieval.reassociation import reassociate, tabulate


def clothed(upper: tuple[int, int, int], lower: tuple[int, int, int], height: int = 64) -> np.ndarray:
    """Return a crop of two garments, BGR uint8 [height, height / 2, 3]."""
    crop = np.empty((height, height // 2, 3), np.uint8)
    crop[: height // 2], crop[height // 2 :] = upper, lower
    return crop


def test_equal_clothes_are_near_at_any_size_and_swapped_clothes_far() -> None:
    red, blue = (0, 0, 220), (220, 0, 0)
    same, larger, swapped = embed_colours([clothed(red, blue), clothed(red, blue, 200), clothed(blue, red)])
    assert same @ larger > 0.99
    assert same @ swapped < 0.1


def test_histograms_are_unit_rows_even_of_a_single_pixel() -> None:
    rows = embed_colours(
        [np.zeros((1, 1, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (40, 20, 3), np.uint8)]
    )
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_best_median_and_worst_are_chosen_by_average_precision_of_different_people() -> None:
    distances = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [1, 0, 2, 3], [3, 0, 1, 2]], float)
    scores = score_distances(distances, query_pids=[1, 1, 1, 1], gallery_pids=[1, 2, 3, 4], junk="none")
    chosen = choose_queries(scores, np.array([1, 1, 1, 1]), 1)
    assert scores.average_precisions.tolist() == [1, 1, 0.5, 0.25]
    assert (chosen["worst"], chosen["median"]) == ([3], [2])
    assert scores.average_precisions[chosen["best"]].tolist() == [1]
    others = choose_queries(scores, np.array([1, 1, 2, 3]), 2)
    assert others["best"] == [1, 2]  # the second query of person 1 gives way to another person


def test_unmatched_queries_are_never_shown() -> None:
    scores = score_distances(np.zeros((2, 2)), query_pids=[1, 9], gallery_pids=[1, 1], junk="none")
    assert choose_queries(scores, np.array([1, 9]), 3) == {"best": [0], "median": [0], "worst": [0]}


def test_junk_is_not_among_the_nearest() -> None:
    gallery = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found, distances = nearest_rows(np.array([1, 0], np.float32), gallery, np.array([True, False, False]), 5)
    assert found.tolist() == [1, 2]
    np.testing.assert_allclose(distances, [0.2, 1.0], atol=1e-6)


def test_correct_matches_get_a_green_frame_and_wrong_ones_a_red_frame(tmp_path: Path) -> None:
    row = RankedRow("AP 0.50", 0, np.array([1, 2]), np.array([0.1, 0.2]), np.array([False, True]))
    draw_galleries("title", {"best": [row]}, lambda _: clothed((255, 0, 0), (0, 255, 0)), tmp_path / "gallery.png")
    picture = np.asarray(Image.open(tmp_path / "gallery.png"))
    step = CROP_SIZE[0] + 2 * FRAME + GUTTER
    first = MARGIN + 3 * GUTTER + step
    edge = TITLE + HEADING + 40
    assert tuple(picture[edge, first + 1]) == WRONG
    assert tuple(picture[edge, first + step + 1]) == RIGHT
    assert tuple(picture[edge, first + 30]) == (0, 0, 255)  # the blue coat, in RGB


def test_each_gate_is_drawn_at_its_calibrated_distance() -> None:
    from test_calibration import drawn

    calibration = calibrate(drawn())
    panels = draw_distances(calibration).axes
    assert [[line.get_xdata()[0] for line in axes.lines] for axes in panels] == [
        [calibration.report["eer_threshold"]],
        [calibration.report["gates"]["cosine"]],
        [calibration.report["gates"]["ema_cosine"]],
    ]


def test_tables_have_one_bar_per_row_with_the_height_of_its_error() -> None:
    from test_calibration import drawn

    calibration = calibrate(drawn(spread=1.0))
    panels = draw_tables(calibration).axes
    for axes, rows in zip(panels[:3], calibration.report["by"].values(), strict=True):
        assert [bar.get_height() for bar in axes.patches] == [row["eer"] or 0 for row in rows]
    assert panels[3].lines[0].get_ydata().tolist() == pytest.approx(
        [
            np.nan if row["median_genuine"] is None else row["median_genuine"]
            for row in calibration.report["by"]["frame_gap"]
        ],
        nan_ok=True,
    )


def test_re_association_is_plotted_for_both_kinds_of_boxes_with_query_counts() -> None:
    from test_reassociation import drawn_scene

    table = tabulate({"annotations": reassociate([drawn_scene(1)]), "detections": reassociate([drawn_scene(2)])})
    axes = draw_reassociation(table).axes[0]
    assert [line.get_label() for line in axes.lines] == [
        f"{who}, {boxes}" for boxes in ("ground truth boxes", "detector's boxes") for who in ("model", "random guess")
    ]
    shown = table[table["boxes"] == "annotations"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), shown["rank1"])
    assert [text.get_text() for text in axes.texts[:10]] == [
        str(n) for n in shown["num_query"] - shown["num_unmatched_queries"]
    ]


def test_without_queries_the_plot_has_a_note() -> None:
    assert "no re-association queries" in draw_reassociation(tabulate({})).texts[0].get_text()


def test_without_pairs_only_the_published_gates_are_drawn() -> None:
    from test_calibration import drawn

    panels = draw_distances(calibrate(drawn().of(np.empty(0, int)))).axes
    assert [[line.get_label() for line in axes.lines] for axes in panels] == [
        [],
        ["gate 0.200, published"],
        ["gate 0.400, published"],
    ]
    assert not any(axes.patches for axes in panels)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_map_of_few_or_equal_crops_has_finite_coordinates(number: int) -> None:
    for embeddings in (np.eye(6, dtype=np.float32)[:number], np.ones((number, 6), np.float32)):
        places = [points.get_offsets() for points in draw_map(embeddings, np.arange(number)).axes[0].collections]
        assert len(places) == number and np.isfinite(places).all()


def test_a_map_shows_all_crops_of_its_people_and_no_distractors() -> None:
    rng = np.random.default_rng(0)
    pids = np.repeat([3, 5, -1], 8)
    axes = draw_map(rng.normal(size=(24, 6)).astype(np.float32), pids).axes[0]
    assert sum(len(points.get_offsets()) for points in axes.collections) == 16
    assert sorted(label.get_text() for label in axes.texts) == ["3", "5"]
