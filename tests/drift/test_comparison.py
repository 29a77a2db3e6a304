"""reidops/drift/comparison.py: scenes of the same kind raise few alarms, other light and cameras do."""

import json
import re

import numpy as np
import pytest
from drawn_scenes import DIM, draw_scene

from reidops.drift.comparison import compare
from reidops.drift.observations import colours
from reidops.drift.reference import make_reference, read_reference, write_reference
from reidops.drift.report import describe, render, write_report
from reidops.drift.statistics import DISTANCES, SCALARS, energy_distance, scalar_statistics
from reidops.errors import ReidopsError

WEIGHTS = "a" * 64


@pytest.fixture(scope="module")
def reference():
    """Return the reference of eight drawn scenes."""
    return make_reference([draw_scene(seed) for seed in range(8)], 0.4, WEIGHTS)


@pytest.mark.slow
def test_at_most_one_in_twenty_draws_of_the_same_kind_is_a_false_alarm():
    alarms = 0
    for draw in range(60):
        reference = make_reference([draw_scene(100 * draw + i) for i in range(6)], 0.4, WEIGHTS)
        alarms += compare([draw_scene(100 * draw + 50)], reference).is_drift
    assert alarms <= 0.05 * 60


@pytest.mark.parametrize(
    ("change", "statistic"),
    [
        ({"light": -70}, "brightness"),
        ({"turn": 3}, "energy"),
        ({"score": 0.35}, "confidence"),
        ({"num_people": 100}, "boxes_per_frame"),
    ],
)
def test_another_light_camera_detector_or_crowd_is_drift_of_its_statistic(reference, change, statistic):
    comparison = compare([draw_scene(900 + i, **change) for i in range(3)], reference)
    assert comparison.is_drift
    assert statistic in {finding.name for finding in comparison.findings if finding.is_drift}


def test_more_new_scenes_find_a_smaller_difference(reference):
    one = compare([draw_scene(900, light=-20)], reference)
    many = compare([draw_scene(900 + i, light=-20) for i in range(12)], reference)

    def p_value(comparison):
        return next(finding.p_value for finding in comparison.findings if finding.name == "brightness")

    assert p_value(many) < p_value(one) / 2


def test_the_energy_distance_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(1, 1, size=(4, 3))
    between = np.mean([np.linalg.norm(x - y) for x in a for y in b])
    within = [
        np.mean([np.linalg.norm(rows[i] - rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j])
        for rows in (a, b)
    ]
    assert energy_distance(a, b) == pytest.approx(2 * between - sum(within))


def test_the_statistics_of_a_scene_are_those_of_a_plain_calculation():
    scene = draw_scene(3)
    statistics = scalar_statistics(scene, 0.4)
    centroid = scene.embeddings.mean(axis=0)
    centroid /= np.linalg.norm(centroid)
    assert statistics["spread"] == pytest.approx(np.mean([1 - row @ centroid for row in scene.embeddings]), abs=1e-6)
    nearest = [
        min(1 - scene.embeddings[i] @ scene.embeddings[j] for j in range(len(scene)) if is_before(scene, i, j))
        for i in range(len(scene))
        if scene.is_later[i]
    ]
    assert statistics["gate_margin"] == pytest.approx(0.4 - np.mean(nearest), abs=1e-6)
    assert set(statistics) == set(SCALARS)


def is_before(scene, i, j):
    return scene.pair[i] == scene.pair[j] and not scene.is_later[j]


def test_brightness_and_colours_are_those_of_the_pixels():
    crop = np.tile(np.array([10, 20, 60], np.uint8), (4, 3, 1))
    found = colours(crop)
    assert found["brightness"] == pytest.approx(0.114 * 10 + 0.587 * 20 + 0.299 * 60, abs=1e-3)
    assert (found["contrast"], found["red_green"]) == pytest.approx((0, 40), abs=1e-4)
    assert found["blue_yellow"] == pytest.approx(-30)


def test_few_scenes_are_cut_into_stretches_and_the_report_says_so():
    reference = make_reference([draw_scene(1), draw_scene(2)], 0.4, WEIGHTS)
    assert reference.kind == "stretches" and len(reference.units) == 10
    assert "another scene of the same kind" in render(compare([draw_scene(3)], reference), reference)


def test_one_short_scene_gives_no_reference():
    with pytest.raises(ReidopsError, match="at least 4 are needed"):
        make_reference([draw_scene(1, num_pairs=2)], 0.4, WEIGHTS)


def test_a_reference_is_read_as_it_was_written_and_equal_ones_are_equal_files(reference, tmp_path):
    write_reference(reference, tmp_path / "a.npz")
    write_reference(read_reference(tmp_path / "a.npz"), tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found = compare([draw_scene(5)], read_reference(tmp_path / "a.npz"))
    assert found.as_dict() == compare([draw_scene(5)], reference).as_dict()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", None])
def test_a_missing_or_damaged_reference_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "drift_reference.npz").write_bytes(content)
    with pytest.raises(ReidopsError, match="drift_reference.npz: "):
        read_reference(tmp_path / "drift_reference.npz")


def test_embeddings_of_another_length_are_refused(reference):
    scene = draw_scene(1)
    object.__setattr__(scene, "embeddings", scene.embeddings[:, : DIM // 2])
    with pytest.raises(ReidopsError, match="8 values, the reference's have 16"):
        compare([scene], reference)


def test_the_report_is_one_page_that_names_every_statistic(reference, tmp_path):
    comparison = compare([draw_scene(9, light=-90)], reference)
    write_report(comparison, reference, tmp_path)
    page = (tmp_path / "drift.html").read_text()
    assert all(name in page for name in (*SCALARS, *DISTANCES)) and "Drift" in page
    assert not re.search(r"(src|href)=|https?://", page)
    content = json.loads((tmp_path / "drift.json").read_text())
    assert content["is_drift"] and content["findings"][0]["is_drift"]
    assert "brightness" in describe(comparison)


def test_names_of_scenes_are_escaped_in_the_page(reference):
    scene = draw_scene(9)
    object.__setattr__(scene, "scene", "<script>")
    assert "<script>" not in render(compare([scene], reference), reference)
