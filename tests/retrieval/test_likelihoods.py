"""The likelihood table: the log ratio of two known densities, its bounds, and models that separate nobody."""

import numpy as np
import pytest

from reidops.retrieval.crop_distances import Distances
from reidops.retrieval.likelihoods import fit_likelihoods
from reidops.tracking.constants import EvidenceConstants, calibrated_gates, describe_gate, gate_of
from reidops.tracking.likelihood import read_table


def drawn(genuine=0.2, impostor=0.6, std=0.1, num=4000, seed=0):
    rng = np.random.default_rng(seed)
    return Distances(*(np.sort(rng.normal(mean, std, num).clip(0, 2)) for mean in (genuine, impostor)))


def test_the_table_is_the_log_ratio_of_two_normal_densities_of_equal_width():
    table = read_table(fit_likelihoods(drawn()))
    places = np.array([0.25, 0.4, 0.55])
    expected = ((places - 0.6) ** 2 - (places - 0.2) ** 2) / (2 * 0.1**2)
    np.testing.assert_allclose(table(places), expected, atol=0.5)


def test_no_evidence_is_larger_than_the_logarithm_of_the_number_of_distances():
    rows = np.array(fit_likelihoods(drawn(num=50)))
    assert np.abs(rows[:, 1]).max() == pytest.approx(np.log(100), abs=1e-3)


@pytest.mark.parametrize(("genuine", "impostor"), [(0.6, 0.2), (0.4, 0.4)])
def test_a_model_whose_distances_do_not_separate_people_gives_almost_no_evidence(genuine, impostor):
    rows = np.array(fit_likelihoods(drawn(genuine, impostor)))
    assert np.abs(rows[(rows[:, 0] > 0.2) & (rows[:, 0] < 0.6), 1]).max() < 0.3


def test_the_table_of_a_calibration_reaches_the_tracker_and_a_number_replaces_it():
    calibration = {"gates": {"cosine": 0.3}, "likelihoods": {"evidence": [[0.1, 2], [0.5, -2]]}}
    gates = calibrated_gates(calibration)
    assert gate_of("calibrated", "evidence", gates, missing="") == ((0.1, 2.0), (0.5, -2.0))
    assert gate_of(0.4, "evidence", gates, missing="") == 0.4
    assert gate_of("published", "evidence", gates, missing="") is None
    assert describe_gate(((0.1, 2.0), (0.5, -2.0))) == "likelihood table (0 at 0.500)"


def test_the_table_without_held_out_people_is_that_of_the_tracker():
    from reidops.retrieval.likelihoods import PUBLISHED_ROWS

    table, constants = read_table(PUBLISHED_ROWS), EvidenceConstants
    np.testing.assert_allclose(
        table(np.array([0.0, constants.gate, 2.0])), [constants.limit, 0, -constants.limit], atol=1e-9
    )
    assert (table(np.array([0.5])) - table(np.array([0.6])))[0] == pytest.approx(constants.slope / 10)
