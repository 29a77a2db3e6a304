"""reidops/training/losses.py: each loss agrees with a plain loop."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from reidops.errors import ReidopsError
from reidops.training.losses import LOSSES, BranchLosses, WeightedLosses, build_losses, check_losses

SIZES = {"num_people": 4, "dim": 8}
BATCH = {"people_per_batch": 4, "crops_per_person": 3}


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return features [12, 8], logits [12, 4], labels [12] and embeddings [12, 8]."""
    generator = torch.Generator().manual_seed(0)
    features, embeddings = torch.randn(2, 12, 8, generator=generator)
    return features, torch.randn(12, 4, generator=generator), torch.arange(4).repeat_interleave(3), embeddings


def one_loss(name: str, **options: float | str) -> WeightedLosses:
    torch.manual_seed(1)
    return build_losses({name: 1.0}, {name: options}, **SIZES)


def plain_cross_entropy(rows: np.ndarray, labels: np.ndarray, smoothing: float = 0.0) -> float:
    losses = []
    for row, label in zip(rows, labels, strict=True):
        log_sum = max(row) + math.log(sum(math.exp(value - max(row)) for value in row))
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


def plain_weighted_triplet(features: np.ndarray, labels: np.ndarray) -> float:
    losses = []
    for i, anchor in enumerate(features):
        if sum(labels == labels[i]) == 1:
            continue
        distances = [(math.dist(anchor, other), labels[j] == labels[i]) for j, other in enumerate(features) if j != i]
        own, others = [d for d, same in distances if same], [d for d, same in distances if not same]
        far = sum(d * math.exp(d) for d in own) / sum(math.exp(d) for d in own)
        near = sum(d * math.exp(-d) for d in others) / sum(math.exp(-d) for d in others)
        losses.append(math.log1p(math.exp(far - near)))
    return sum(losses) / len(losses)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def cosines(embeddings: np.ndarray, labels: np.ndarray) -> list[tuple[list[float], list[float]]]:
    """Return each crop's cosines with the other crops of its person and with those of all others."""
    pairs = []
    for i, anchor in enumerate(embeddings):
        other = [(cosine(anchor, e), labels[j] == labels[i]) for j, e in enumerate(embeddings) if j != i]
        pairs.append(([s for s, same in other if same], [s for s, same in other if not same]))
    return pairs


def plain_circle(embeddings: np.ndarray, labels: np.ndarray, margin: float, scale: float) -> float:
    losses = []
    for own, others in cosines(embeddings, labels):
        near = sum(math.exp(-scale * max(0, 1 + margin - s) * (s - (1 - margin))) for s in own)
        far = sum(math.exp(scale * max(0, s + margin) * (s - margin)) for s in others)
        losses.append(math.log1p(near * far))
    return sum(losses) / len(losses)


def plain_supcon(embeddings: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    losses = []
    for own, others in cosines(embeddings, labels):
        total = sum(math.exp(s / temperature) for s in own + others)
        losses.append(-sum(math.log(math.exp(s / temperature) / total) for s in own) / len(own))
    return sum(losses) / len(losses)


def plain_multi_similarity(
    embeddings: np.ndarray, labels: np.ndarray, alpha: float, beta: float, base: float, epsilon: float
) -> float:
    losses = []
    for own, others in cosines(embeddings, labels):
        hard_own = [s for s in own if s - epsilon < max(others)]
        hard_others = [s for s in others if s + epsilon > min(own)]
        near = math.log1p(sum(math.exp(-alpha * (s - base)) for s in hard_own)) / alpha
        losses.append(near + math.log1p(sum(math.exp(beta * (s - base)) for s in hard_others)) / beta)
    return sum(losses) / len(losses)


def plain_margin_softmax(
    embeddings: np.ndarray,
    labels: np.ndarray,
    directions: np.ndarray,
    own: Callable[[float], float],
    other: Callable[[float], float],
    smoothing: float = 0.0,
) -> float:
    """Return the cross-entropy of each crop's cosines with the people's directions, changed by `own` or `other`."""
    rows = []
    for embedding, label in zip(embeddings, labels, strict=True):
        found = [cosine(embedding, direction) for direction in directions]
        rows.append([own(s) if person == label else other(s) for person, s in enumerate(found)])
    return plain_cross_entropy(np.array(rows), labels, smoothing)


def directions_of(losses: WeightedLosses) -> np.ndarray:
    """Return the learned directions of the people, [num_people, dim]."""
    (weight,) = losses.parameters()
    return (weight if weight.shape == (4, 8) else weight.T).detach().double().numpy()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_cross_entropy_is_smoothed(batch, smoothing):
    total, parts = one_loss("cross-entropy", label_smoothing=smoothing)(*batch)
    assert float(total) == pytest.approx(plain_cross_entropy(batch[1].numpy(), batch[2].numpy(), smoothing), abs=1e-5)
    assert list(parts) == ["cross-entropy"]


@pytest.mark.parametrize("margin", ["soft", 0.3, 1.0])
@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_the_triplet_loss_is_batch_hard_on_euclidean_distances_before_the_neck(batch, margin, scale):
    features, logits, labels, embeddings = batch
    total, _ = one_loss("triplet", margin=margin)(scale * features, logits, labels, embeddings)
    assert float(total) == pytest.approx(plain_triplet(scale * features.numpy(), labels.numpy(), margin), abs=1e-4)


def test_anchors_without_violation_count_in_the_mean():
    features = torch.tensor([[0.0], [0.1], [10.0], [10.1], [10.4], [10.5]])
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    total, _ = one_loss("triplet", margin=0.3)(features, torch.zeros(6, 3), labels)
    assert float(total) == pytest.approx(plain_triplet(features.numpy(), labels.numpy(), 0.3), abs=1e-5)


@pytest.mark.parametrize("scale", [1, 30])
def test_the_weighted_triplet_loss_weights_far_crops_of_a_person_and_near_ones_of_others(batch, scale):
    features, logits, labels, _ = batch
    loss = one_loss("weighted-triplet")(scale * features, logits, labels)[0].item()
    expected = plain_weighted_triplet(scale * features.double().numpy(), labels.numpy())
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_weighted_triplet_loss_leaves_out_a_person_with_one_crop(batch):
    features, logits, labels, _ = batch
    loss = one_loss("weighted-triplet")
    labels = labels.clone()
    labels[0] = 9
    expected = plain_weighted_triplet(features.double().numpy(), labels.numpy())
    assert loss(features, logits, labels)[0].item() == pytest.approx(expected, rel=1e-4)
    assert loss(features[:3], logits[:3], torch.zeros(3, dtype=torch.long))[0].item() == 0


def test_the_center_loss_is_the_mean_squared_distance_from_the_persons_center(batch):
    features, _, labels, _ = batch
    losses = one_loss("center")
    centers = losses.losses["center"].centers.clone()
    expected = np.mean([math.dist(f, centers[label]) ** 2 for f, label in zip(features, labels, strict=True)])
    assert float(losses(*batch)[0].detach()) == pytest.approx(expected, rel=1e-5)


def test_centers_are_updated_by_gradient_descent_at_their_own_rate(batch):
    features, _, labels, _ = batch
    losses = one_loss("center", rate=0.3)
    centers = losses.losses["center"].centers.clone().requires_grad_()
    (features - centers[labels]).square().sum(dim=1).mean().backward()
    expected = centers.detach() - 0.3 * centers.grad
    losses(*batch)
    torch.testing.assert_close(losses.losses["center"].centers, expected)
    losses.eval()(*batch)
    torch.testing.assert_close(losses.losses["center"].centers, expected)


def test_centers_are_in_the_checkpoint_and_not_in_the_optimizer(batch):
    losses = one_loss("center")
    losses(*batch)
    restored = one_loss("center")
    restored.load_state_dict(losses.state_dict())
    assert torch.equal(restored.losses["center"].centers, losses.losses["center"].centers)
    assert not list(losses.parameters())


def test_the_circle_loss_compares_all_pairs_after_the_neck(batch):
    total, _ = one_loss("circle", margin=0.25, scale=16.0)(*batch)
    assert float(total) == pytest.approx(
        plain_circle(batch[3].double().numpy(), batch[2].numpy(), 0.25, 16.0), rel=1e-4
    )


def test_the_supcon_loss_is_the_mean_log_probability_of_the_persons_other_crops(batch):
    total, _ = one_loss("supcon", temperature=0.2)(*batch)
    assert float(total) == pytest.approx(plain_supcon(batch[3].double().numpy(), batch[2].numpy(), 0.2), rel=1e-4)


def test_the_multi_similarity_loss_counts_the_pairs_that_its_miner_finds_hard(batch):
    total, _ = one_loss("multi-similarity")(*batch)
    expected = plain_multi_similarity(batch[3].double().numpy(), batch[2].numpy(), 2.0, 50.0, 0.5, 0.1)
    assert float(total) == pytest.approx(expected, rel=1e-4)


def test_arcface_adds_an_angle_to_the_own_persons_direction(batch):
    losses = one_loss("arcface", margin=0.4, scale=16.0)

    def own(s: float) -> float:
        angle = math.acos(s)
        return 16 * (math.cos(angle + 0.4) if angle <= math.pi - 0.4 else s - 0.4 * math.sin(0.4))

    expected = plain_margin_softmax(
        batch[3].double().numpy(), batch[2].numpy(), directions_of(losses), own, lambda s: 16 * s
    )
    assert float(losses(*batch)[0].detach()) == pytest.approx(expected, rel=1e-4)


def test_cosface_subtracts_a_margin_from_the_own_persons_cosine(batch):
    losses = one_loss("cosface", margin=0.35, scale=16.0)
    expected = plain_margin_softmax(
        batch[3].double().numpy(), batch[2].numpy(), directions_of(losses), lambda s: 16 * (s - 0.35), lambda s: 16 * s
    )
    assert float(losses(*batch)[0].detach()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_circle_softmax_weights_each_cosine_by_its_distance_from_its_target(batch, smoothing):
    losses = one_loss("circle-softmax", margin=0.35, scale=16.0, label_smoothing=smoothing)
    expected = plain_margin_softmax(
        batch[3].double().numpy(),
        batch[2].numpy(),
        directions_of(losses),
        lambda s: 16 * max(0, 1.35 - s) * (s - 0.65),
        lambda s: 16 * max(0, s + 0.35) * (s - 0.35),
        smoothing,
    )
    assert float(losses(*batch)[0].detach()) == pytest.approx(expected, rel=1e-4)


def test_without_a_neck_angular_losses_are_computed_on_the_features(batch):
    features, logits, labels, _ = batch
    losses = one_loss("supcon")
    assert float(losses(features, logits, labels)[0]) == float(losses(features, logits, labels, features)[0])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_finite_gradients_for_repeated_crops(name):
    inputs = [
        torch.ones(4, 8, requires_grad=True),
        torch.zeros(4, 4, requires_grad=True),
        torch.ones(4, 8, requires_grad=True),
    ]
    losses = one_loss(name)
    total, _ = losses(inputs[0], inputs[1], torch.tensor([0, 0, 1, 1]), inputs[2])
    total.backward()
    gradients = [value.grad for value in (*inputs, *losses.parameters()) if value.grad is not None]
    assert gradients and all(torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("name", ["arcface", "cosface", "circle-softmax"])
def test_a_loss_with_its_own_classifier_learns_it_and_keeps_it_in_its_state(batch, name):
    losses = one_loss(name)
    losses(*batch)[0].backward()
    (weight,) = losses.parameters()
    assert weight.numel() == 4 * 8 and weight.grad.abs().sum() > 0
    assert [value.shape for value in losses.state_dict().values()] == [weight.shape]


def test_the_sum_is_weighted_and_the_single_losses_are_not(batch):
    total, parts = build_losses({"cross-entropy": 0.5, "triplet": 2.0}, **SIZES)(*batch)
    assert float(total) == pytest.approx(0.5 * float(parts["cross-entropy"]) + 2 * float(parts["triplet"]))


def test_a_weight_of_0_leaves_a_loss_out(batch):
    assert list(build_losses({"cross-entropy": 1.0, "arcface": 0.0}, **SIZES)(*batch)[1]) == ["cross-entropy"]


def test_missing_options_have_their_defaults(batch):
    assert float(one_loss("supcon")(*batch)[0]) == float(one_loss("supcon", temperature=0.1)(*batch)[0])


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ({"tripplet": 1.0}, {}, "'tripplet' is unknown; did you mean triplet"),
        ({"crossentropy": 1.0}, {}, "did you mean cross-entropy"),
        ({"triplet": -1.0}, {}, "weight of the loss 'triplet' is -1"),
        ({"cross-entropy": 0.0, "triplet": 0.0}, {}, "all losses are 0"),
        ({}, {}, "all losses are 0"),
        ({"triplet": 1.0}, {"tripled": {}}, "'tripled' is unknown; did you mean triplet"),
        (
            {"triplet": 1.0},
            {"triplet": {"marign": 0.3}},
            "option of the loss 'triplet' 'marign' is unknown; did you mean margin",
        ),
        (
            {"triplet": 1.0},
            {"triplet": {"margin": "hard"}},
            "margin of the loss 'triplet' is 'hard', expected a number or \"soft\"",
        ),
        ({"circle": 1.0}, {"circle": {"margin": "soft"}}, "margin of the loss 'circle' is 'soft', expected a number$"),
        ({"cross-entropy": 1.0}, {"cross-entropy": {"label_smoothing": 1.5}}, "label_smoothing .* is 1.5"),
    ],
)
def test_invalid_losses_are_reported(weights, options, message):
    with pytest.raises(ReidopsError, match=message):
        check_losses(weights, options, **BATCH)


@pytest.mark.parametrize("name", ["triplet", "circle", "supcon", "multi-similarity"])
@pytest.mark.parametrize("one", ["crops_per_person", "people_per_batch"])
def test_a_loss_that_compares_crops_needs_two_of_each_person_and_two_people(name, one):
    with pytest.raises(ReidopsError, match=f"{one} is 1, .*'{name}'"):
        check_losses({name: 1.0}, {}, **BATCH | {one: 1})
    check_losses({name: 0.0, "cross-entropy": 1.0}, {}, **BATCH | {one: 1})


def test_classification_losses_accept_one_crop_per_person():
    for name in ("cross-entropy", "center", "arcface", "cosface", "circle-softmax"):
        check_losses({name: 1.0}, {}, people_per_batch=4, crops_per_person=1)


def test_branches_have_equal_weights_and_are_independent():
    branches = [build_losses({"cross-entropy": 1.0, "triplet": 2.0}, **SIZES) for _ in range(2)]
    features, logits, labels, embeddings = batch_of_branches(2)
    total, parts = BranchLosses(branches)(features, logits, labels, embeddings)
    alone = [losses(features[:, b], logits[:, b], labels, embeddings[:, b]) for b, losses in enumerate(branches)]
    torch.testing.assert_close(total, (alone[0][0] + alone[1][0]) / 2)
    torch.testing.assert_close(parts["triplet"], (alone[0][1]["triplet"] + alone[1][1]["triplet"]) / 2)


def batch_of_branches(num_branches: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    num_people, dim = SIZES["num_people"], SIZES["dim"]
    labels = torch.arange(4).repeat_interleave(2) % num_people
    features, embeddings = (torch.randn(8, num_branches, dim, generator=generator) for _ in range(2))
    return features, torch.randn(8, num_branches, num_people, generator=generator), labels, embeddings


def test_a_random_triplet_is_drawn_for_each_anchor_and_gives_the_mean_over_many_draws(batch):
    features, logits, labels, _ = batch
    rows = features.numpy()
    expected = []
    for i, anchor in enumerate(rows):
        same = [math.dist(anchor, rows[j]) for j in range(12) if labels[j] == labels[i] and j != i]
        other = [math.dist(anchor, rows[j]) for j in range(12) if labels[j] != labels[i]]
        expected.append(np.mean([max(0.0, p - n + 1.0) for p in same for n in other]))
    loss = one_loss("triplet-random", margin=1.0)
    drawn = [loss(features, logits, labels)[0].item() for _ in range(400)]
    assert len(set(drawn)) > 1 and np.mean(drawn) == pytest.approx(np.mean(expected), rel=0.05)
