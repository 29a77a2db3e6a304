"""Calibration agrees with closed forms and plain loops."""

import numpy as np
import pytest

from reidops.retrieval.calibration import PUBLISHED_GATES, best_gate, calibrate, equal_error, miss_rates
from reidops.retrieval.crop_distances import (
    Crops,
    Distances,
    moving_average_distances,
    moving_averages,
    nearest_distances,
    pair_up,
    thinned_rows,
)

EVEN = (np.arange(10_000) + 0.5) / 10_000


def drawn(num_people: int = 12, num_cameras: int = 2, per_track: int = 8, spread: float = 0.4, seed: int = 0) -> Crops:
    """Return crops of people clustered around one centre each, ten frames apart."""
    rng = np.random.default_rng(seed)
    pids, camids, turns = (
        grid.ravel() for grid in np.meshgrid(range(num_people), range(num_cameras), range(per_track), indexing="ij")
    )
    rows = rng.normal(size=(num_people, 32))[pids] + spread * rng.normal(size=(len(pids), 32))
    embeddings = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Crops(
        embeddings, pids, camids, 1 + 10 * turns, rng.uniform(0.3, 1, len(pids)), rng.integers(60, 300, len(pids))
    )


def test_the_equal_error_rate_of_uniform_distances_follows_from_their_overlap() -> None:
    eer, threshold = equal_error(Distances(EVEN, 0.5 + EVEN))  # 1 − t = t − ½
    assert eer == pytest.approx(0.25, abs=2e-4)
    assert threshold == pytest.approx(0.75, abs=2e-4)


def test_separated_distances_have_no_error_and_a_gate_midway() -> None:
    apart = Distances(np.array([0.1, 0.2]), np.array([0.6, 0.7]))
    assert equal_error(apart)[0] == 0
    assert best_gate(apart, 3.0) == pytest.approx(0.4)


def test_the_gate_balances_false_matches_and_rejected_returns() -> None:
    slow_start = Distances(EVEN, np.sqrt(EVEN))  # FNMR 1 − t, FMR t²: the least of 1 − t + c t² lies at 1 / 2c
    for candidates in (1.0, 2.0, 4.0):
        assert best_gate(slow_start, candidates) == pytest.approx(1 / (2 * candidates), abs=0.02)


def test_a_model_without_information_gets_a_gate_that_rejects_all() -> None:
    assert best_gate(Distances(np.array([0.8, 0.9]), np.array([0.1, 0.2])), 3.0) <= 0.1


def test_miss_rates_are_those_of_the_largest_allowed_threshold() -> None:
    rates = miss_rates(Distances(EVEN, 0.5 + EVEN))  # FMR 1 % at .51, FNMR there .49
    assert rates["0.01"] == pytest.approx(0.49, abs=2e-4)
    assert rates["0.001"] == pytest.approx(0.499, abs=2e-4)


def test_too_few_impostors_have_no_miss_rate() -> None:
    assert miss_rates(Distances(np.array([0.1]), np.linspace(0.2, 1, 500))) == {
        "0.01": 0.0,
        "0.001": None,
        "0.0001": None,
    }


def test_pairs_agree_with_a_loop_over_all_pairs_of_a_camera() -> None:
    crops = drawn(num_people=4, per_track=3)
    genuine, impostor = [], []
    for i in range(len(crops)):
        for j in range(i + 1, len(crops)):
            if crops.camids[i] == crops.camids[j]:
                (genuine if crops.pids[i] == crops.pids[j] else impostor).append(
                    1 - crops.embeddings[i] @ crops.embeddings[j]
                )
    pairs = pair_up(crops).split()
    np.testing.assert_allclose(pairs.genuine, sorted(genuine), atol=1e-6)
    np.testing.assert_allclose(pairs.impostor, sorted(impostor), atol=1e-6)


@pytest.mark.parametrize("min_gap", [15, 20])
def test_nearest_crops_agree_with_a_loop_over_crops_and_tracks(min_gap: int) -> None:
    crops = drawn(num_people=4, per_track=4)
    nearest: dict[bool, list[float]] = {True: [], False: []}
    for i in range(len(crops)):
        for pid in range(4):
            own = pid == crops.pids[i]
            members = [
                j
                for j in range(len(crops))
                if crops.pids[j] == pid
                and crops.camids[j] == crops.camids[i]
                and not (own and abs(crops.frames[i] - crops.frames[j]) < min_gap)
            ]
            if members:
                nearest[own].append(min(1 - float(crops.embeddings[i] @ crops.embeddings[j]) for j in members))
    found = nearest_distances(crops, min_gap)
    np.testing.assert_allclose(found.genuine, sorted(nearest[True]), atol=1e-6)
    np.testing.assert_allclose(found.impostor, sorted(nearest[False]), atol=1e-6)


def remembered(crops: Crops, pid: int, camid: int, last_frame: float) -> np.ndarray | None:
    """Return the moving average of a track after its crops up to a frame, by the recurrence of the trackers."""
    average = None
    for row in np.argsort(crops.frames, kind="stable"):
        if (crops.pids[row], crops.camids[row]) == (pid, camid) and crops.frames[row] <= last_frame:
            average = crops.embeddings[row] if average is None else 0.9 * average + 0.1 * crops.embeddings[row]
            average = average / np.linalg.norm(average)
    return average


@pytest.mark.parametrize("min_gap", [15, 20])
def test_moving_averages_agree_with_a_loop_over_crops_and_tracks_by_time(min_gap: int) -> None:
    crops = drawn(num_people=4, per_track=5)
    crops = crops.of(np.random.default_rng(1).permutation(len(crops)))
    genuine, impostor = [], []
    for i in range(len(crops)):
        for pid in range(4):
            own = pid == crops.pids[i]
            average = remembered(crops, pid, crops.camids[i], crops.frames[i] - min_gap if own else np.inf)
            if average is not None:
                (genuine if own else impostor).append(1 - float(crops.embeddings[i] @ average))
    found = moving_average_distances(crops, min_gap)
    np.testing.assert_allclose(found.genuine, sorted(genuine), atol=1e-6)
    np.testing.assert_allclose(found.impostor, sorted(impostor), atol=1e-6)


def test_averages_include_all_crops_if_few_of_them_are_compared() -> None:
    crops = drawn(num_people=3, num_cameras=1)
    every, some = moving_average_distances(crops, 15), moving_average_distances(crops, 15, np.array([3, 12]))
    assert len(some.genuine) == 2 and len(some.impostor) == 2 * 2
    for of_some, of_every in ((some.genuine, every.genuine), (some.impostor, every.impostor)):
        assert np.abs(of_some[:, None] - of_every).min(axis=1).max() < 1e-6


def test_a_moving_average_follows_slowly_and_stays_unit() -> None:
    before, after = np.eye(2, dtype=np.float32)
    averages = moving_averages(np.array([before, *[after] * 6, *[after] * 30]))
    assert averages[0] == pytest.approx(before)
    assert averages[1] == pytest.approx(np.array([0.9, 0.1]) / np.hypot(0.9, 0.1))
    assert averages[5] @ before > averages[5] @ after
    assert averages[-1] @ after > 0.99
    np.testing.assert_allclose(np.linalg.norm(averages, axis=1), 1, atol=1e-6)


def test_a_crop_is_not_compared_with_its_neighbours_in_time() -> None:
    two = drawn(per_track=2)  # two crops ten frames apart
    for found in (nearest_distances(two, 11), moving_average_distances(two, 11)):
        assert len(found.genuine) == 0
        assert len(found.impostor) > 0


def test_the_report_has_the_data_that_it_was_fitted_on() -> None:
    report = calibrate(drawn()).report
    assert report["fitted_on"]["scope"] == "same camera"
    assert (report["fitted_on"]["num_people"], report["fitted_on"]["num_crops"]) == (12, 192)
    assert report["num_genuine"] == 2 * 12 * (8 * 7 // 2)
    assert all(0 < gate < 1 for gate in report["gates"].values())
    assert report["gates"]["half_cosine"] == report["gates"]["ema_cosine"] / 2
    assert report["at_gate"]["fnmr"] < 0.1 and report["at_ema_gate"]["fnmr"] < 0.2


def test_a_better_model_gets_a_tighter_gate() -> None:
    assert (
        calibrate(drawn(spread=0.2)).report["gates"]["cosine"] < calibrate(drawn(spread=0.5)).report["gates"]["cosine"]
    )


def test_people_with_one_crop_per_camera_are_calibrated_over_all_cameras() -> None:
    report = calibrate(drawn(num_cameras=4, per_track=1)).report
    assert report["fitted_on"]["scope"] == "all cameras"
    assert report["fitted_on"]["num_genuine_returns"] == 48


def test_all_cameras_together_have_no_table_of_frame_gaps() -> None:
    assert set(calibrate(drawn(num_cameras=4, per_track=1)).report["by"]) == {"visibility", "height"}
    assert set(calibrate(drawn()).report["by"]) == {"frame_gap", "visibility", "height"}


def test_without_pairs_the_published_gates_are_used() -> None:
    report = calibrate(drawn(num_people=1, num_cameras=1, per_track=1)).report
    assert report["gates"] == PUBLISHED_GATES
    assert report["eer"] is None
    assert report["fitted_on"]["scope"].startswith("none")


def test_without_held_out_crops_the_published_gates_are_used() -> None:
    calibration = calibrate(drawn().of(np.empty(0, int)))
    assert calibration.report["gates"] == PUBLISHED_GATES
    assert (calibration.report["fitted_on"]["num_people"], calibration.report["fitted_on"]["scope"]) == (
        0,
        "none: published gates",
    )
    assert [
        len(distances.genuine) for distances in (calibration.pairs, calibration.nearest, calibration.moving_average)
    ] == [0, 0, 0]


def test_tables_count_every_pair_once() -> None:
    calibration = calibrate(drawn())
    for rows in calibration.report["by"].values():
        assert sum(row["num_genuine"] for row in rows) == len(calibration.pairs.genuine)
        assert sum(row["num_impostor"] for row in rows) == len(calibration.pairs.impostor)
    assert [row["at_least"] for row in calibration.report["by"]["frame_gap"]] == [0, 5, 15, 30, 60]


def test_a_row_of_a_table_has_the_pairs_in_its_interval_by_the_smaller_value_of_two_crops() -> None:
    crops = drawn(num_people=5)
    first, second = np.triu_indices(len(crops), k=1)
    together = crops.camids[first] == crops.camids[second]
    worse = np.minimum(crops.visibilities[first], crops.visibilities[second])
    chosen = together & (worse >= 0.5) & (worse < 0.7)
    distances, genuine = (
        1 - (crops.embeddings[first] * crops.embeddings[second]).sum(axis=1),
        crops.pids[first] == crops.pids[second],
    )
    row = next(row for row in calibrate(crops).report["by"]["visibility"] if row["at_least"] == 0.5)
    of_one, of_two = distances[chosen & genuine], distances[chosen & ~genuine]
    assert (row["num_genuine"], row["num_impostor"]) == (len(of_one), len(of_two))
    assert (row["median_genuine"], row["median_impostor"]) == pytest.approx(
        (np.median(of_one), np.median(of_two)), abs=2e-6
    )
    assert row["eer"] == pytest.approx(equal_error(Distances(np.sort(of_one), np.sort(of_two)))[0], abs=2e-6)


def test_thinning_keeps_every_person_and_camera() -> None:
    crops = drawn()
    few = crops.of(thinned_rows(crops, per_camera=24))
    assert len(few) == 48
    assert len(np.unique(few.pids)) == 12


def test_empty_crops_get_the_published_gates() -> None:
    report = calibrate(drawn().of(np.empty(0, int))).report
    assert report["gates"] == PUBLISHED_GATES
    assert (report["eer"], report["fitted_on"]["num_crops"], report["num_genuine"]) == (None, 0, 0)
