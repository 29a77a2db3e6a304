"""reidops/embedding/losses.py: each loss is what a plain loop makes of its definition."""

import math

import numpy as np
import pytest
import torch

from reidops.embedding.losses import build_losses
from reidops.errors import ReidopsError

RULES = {"label_smoothing": 0.1, "triplet_margin": 0.3, "crops_per_person": 3}


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 8, generator=generator)
    return features, torch.randn(12, 4, generator=generator), torch.arange(4).repeat_interleave(3)


def plain_identity(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    losses = []
    for row, label in zip(logits, labels, strict=True):
        log_sum = math.log(sum(math.exp(value) for value in row))
        target = [smoothing / len(row) + (1 - smoothing) * (c == label) for c in range(len(row))]
        losses.append(sum(t * (log_sum - value) for t, value in zip(target, row, strict=True)))
    return sum(losses) / len(losses)


def plain_triplet(features: np.ndarray, labels: np.ndarray, margin: float | str) -> float:
    losses = []
    for i, anchor in enumerate(features):
        distances = [math.dist(anchor, other) for other in features]
        farthest = max(d for j, d in enumerate(distances) if labels[j] == labels[i] and j != i)
        nearest = min(d for j, d in enumerate(distances) if labels[j] != labels[i])
        gap = farthest - nearest
        losses.append(math.log1p(math.exp(gap)) if margin == "soft" else max(0.0, gap + margin))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_identity_loss_is_smoothed_cross_entropy(batch, smoothing):
    features, logits, labels = batch
    total, parts = build_losses({"id": 1.0}, **RULES | {"label_smoothing": smoothing})(features, logits, labels)
    assert float(total) == pytest.approx(plain_identity(logits.numpy(), labels.numpy(), smoothing), abs=1e-5)
    assert list(parts) == ["id"]


@pytest.mark.parametrize("margin", ["soft", 0.3, 1.0])
@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_the_triplet_loss_is_batch_hard_on_euclidean_distances(batch, margin, scale):
    features, logits, labels = batch
    total, _ = build_losses({"triplet": 1.0}, **RULES | {"triplet_margin": margin})(scale * features, logits, labels)
    assert float(total) == pytest.approx(plain_triplet(scale * features.numpy(), labels.numpy(), margin), abs=1e-4)


def test_anchors_without_violation_count_in_the_mean():
    features = torch.tensor([[0.0], [0.1], [10.0], [10.1], [10.4], [10.5]])
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    total, _ = build_losses({"triplet": 1.0}, **RULES)(features, torch.zeros(6, 3), labels)
    assert float(total) == pytest.approx(plain_triplet(features.numpy(), labels.numpy(), 0.3), abs=1e-5)


def test_the_sum_is_weighted_and_the_parts_are_not(batch):
    total, parts = build_losses({"id": 0.5, "triplet": 2.0}, **RULES)(*batch)
    assert float(total) == pytest.approx(0.5 * float(parts["id"]) + 2 * float(parts["triplet"]))


def test_crops_that_repeat_in_a_batch_give_finite_gradients():
    features = torch.ones(4, 8, requires_grad=True)
    total, _ = build_losses({"triplet": 1.0}, **RULES)(features, torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]))
    total.backward()
    assert torch.isfinite(features.grad).all()


def test_a_weight_of_nothing_leaves_a_loss_out(batch):
    assert list(build_losses({"id": 1.0, "triplet": 0.0}, **RULES)(*batch)[1]) == ["id"]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"tripplet": 1.0}, "'tripplet' is unknown; did you mean triplet"),
        ({"id": -1.0}, "weight of the loss 'id' is -1"),
        ({"id": 0.0, "triplet": 0.0}, "all losses are 0"),
    ],
)
def test_weights_that_make_no_loss_are_refused(weights, told):
    with pytest.raises(ReidopsError, match=told):
        build_losses(weights, **RULES)


def test_a_triplet_loss_needs_two_crops_of_a_person():
    with pytest.raises(ReidopsError, match="crops_per_person is 1"):
        build_losses({"triplet": 1.0}, **RULES | {"crops_per_person": 1})
