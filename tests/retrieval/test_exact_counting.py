"""Ranks depend on the embeddings only and not on rounding errors of their float32 products."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain import plain_ranks

from reidops.retrieval.exact_counting import UnitRows, rank_block, unit_rows
from reidops.retrieval.matches import rows_of_mask

NUM_QUERY, NUM_GALLERY = 4, 60
# of a product of at most 2 as it is stored in float32: the drawn products' own, beside what they are off by
LAST_ROUNDING = 2.0**-24


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.sampled_from([2, 16, 128]),
    spread=st.sampled_from([0, 1e-7, 1e-6, 1e-5, 0.1]),
)
@example(seed=866, dim=2, spread=1e-7)
def test_products_with_the_largest_float32_error_give_the_exact_ranks(seed: int, dim: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, dim))
    query, gallery = (
        unit_rows(centres[rng.integers(0, 5, n)] + spread * rng.normal(size=(n, dim)), "crops")
        for n in (NUM_QUERY, NUM_GALLERY)
    )
    of_person, junk = rng.random((2, NUM_QUERY, NUM_GALLERY)) < 0.2
    positives = of_person & ~junk
    exact = -(query.astype(np.float64)[:, None] * gallery.astype(np.float64)[None]).sum(axis=2)
    embeddings = UnitRows(query, gallery)
    off_by = embeddings.error / 2 - LAST_ROUNDING
    products = (exact + rng.uniform(-off_by, off_by, exact.shape)).astype(np.float32)
    assert np.abs(products - exact).max() <= embeddings.error / 2
    ranks, num_tied = rank_block(products, rows_of_mask(positives), rows_of_mask(junk), embeddings)
    expected, expected_ties = [], 0
    for row in range(NUM_QUERY):
        hits, others = np.flatnonzero(positives[row]), np.flatnonzero(~positives[row] & ~junk[row])
        expected += plain_ranks(exact[row], hits.tolist(), others.tolist())
        expected_ties += sum(exact[row, hit] in exact[row, others] for hit in hits)
    assert (ranks.tolist(), num_tied) == (expected, expected_ties)


def off(rows: np.ndarray) -> float:
    """Return the largest error of float32 products, as a fraction of half the error bound.

    The terms are summed by BLAS and one by one, which is the worst order.
    """
    exact = rows.astype(np.float64) @ rows.T.astype(np.float64)
    one_by_one = np.zeros((len(rows), len(rows)), np.float32)
    for k in range(rows.shape[1]):
        one_by_one += rows[:, k, None] * rows[None, :, k]
    return max(float(np.abs(products - exact).max()) for products in (rows @ rows.T, one_by_one)) / (
        UnitRows(rows, rows).error / 2
    )


@pytest.mark.parametrize("dim", [1, 2, 64, 512, 2048])
def test_the_error_covers_float32_products_in_either_order_of_summation(dim: int) -> None:
    rng = np.random.default_rng(0)
    normal, few_values = rng.normal(size=(100, dim)) + 0.5, rng.integers(0, 4, (100, dim)) + 0.5
    for rows in (normal, few_values, np.ones((100, dim))):
        assert off(unit_rows(rows, "crops")) < 1


def test_rows_of_few_values_have_larger_errors_than_random_rows() -> None:
    rows = unit_rows(np.random.default_rng(0).integers(0, 4, (100, 512)) + 0.5, "crops")
    by_chance = 2 * 2.0**-24 * 512**0.5
    assert off(rows) * UnitRows(rows, rows).error / 2 > by_chance  # a bound that grows with √D does not hold
