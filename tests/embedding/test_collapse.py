"""reidops/embedding/collapse.py: collapsed embeddings are detected, but not those of untrained networks."""

import cv2
import numpy as np
import pytest
import torch
from drawn_crops import draw_crop

from reidops.embedding.collapse import MIN_EFFECTIVE_RANK, effective_rank, find_collapse
from reidops.embedding.network import EmbeddingNetwork

RNG = np.random.default_rng(0)
POINT = RNG.normal(size=64) / 8  # of length about 1


def random_rows(number: int, dim: int = 64) -> np.ndarray:
    rows = np.random.default_rng(number).normal(size=(number, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rounded_to_bfloat16(rows: np.ndarray) -> np.ndarray:
    return torch.from_numpy(rows).bfloat16().float().numpy()


COLLAPSED = {
    "equal": np.tile(POINT, (50, 1)),
    "equal but for float32": np.tile(POINT, (50, 1)) * (1 + 1e-7 * RNG.normal(size=(50, 64))),
    "equal but for bfloat16": rounded_to_bfloat16(np.tile(POINT, (50, 1)) * (1 + 2**-9 * RNG.uniform(-1, 1, (50, 64)))),
    "nearly equal": POINT + 5e-3 * random_rows(50),
    "on one line": POINT * RNG.choice([-1, 1], (50, 1)),
    "zero": np.zeros((50, 64)),
    "one NaN": np.where(np.arange(50)[:, None] == 7, np.nan, random_rows(50)),
}


@pytest.mark.parametrize("how", COLLAPSED)
def test_collapsed_embeddings_are_found(how: str):
    assert find_collapse(COLLAPSED[how].astype(np.float32)) is not None


@pytest.mark.parametrize(
    "rows", [random_rows(50), random_rows(2), random_rows(5000), random_rows(1), POINT + 0.05 * random_rows(50)]
)
def test_different_embeddings_with_a_common_part_have_not_collapsed(rows: np.ndarray):
    assert find_collapse(rows.astype(np.float32)) is None


@pytest.mark.parametrize("backbone", ["resnet10t", "osnet_x0_25", "osnet_ain_x1_0", "mobilenetv4_conv_small_050"])
def test_a_network_before_its_first_step_has_not_collapsed(backbone: str):
    torch.manual_seed(0)
    network = EmbeddingNetwork(backbone).eval()
    rng = np.random.default_rng(0)
    crops = [cv2.resize(draw_crop(rng.integers(0, 256, (2, 3)), rng), (32, 64)) for _ in range(12)]
    with torch.inference_mode():
        embeddings = network(torch.from_numpy(np.stack(crops))).numpy()
    assert effective_rank(embeddings) - 1 > 5 * (MIN_EFFECTIVE_RANK - 1)
    assert find_collapse(embeddings) is None


def test_the_effective_rank_is_the_dimension_of_orthogonal_groups_and_1_on_a_line():
    rows = np.repeat(np.eye(4), 100, axis=0)  # 4 · 100 · 99 of 400 · 399 pairs have the cosine 1, the others 0
    assert effective_rank(rows) == pytest.approx(400 * 399 / (4 * 100 * 99))
    assert effective_rank(7 * COLLAPSED["on one line"]) == pytest.approx(1)
