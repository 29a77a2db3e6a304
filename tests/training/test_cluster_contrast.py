"""The contrasts of clusters and of cameras agree with plain loops: losses, updates of the entries, and rivals."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from reidops.training import camera_contrast
from reidops.training.camera_contrast import CameraContrast
from reidops.training.cluster_contrast import ClusterContrast
from reidops.training.losses import build_losses

LABELS = torch.tensor([2, 0, 2, 0, 1])


def batch(dim: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings of any length, and unit entries of three classes."""
    generator = torch.Generator().manual_seed(1)
    entries = functional.normalize(torch.randn(3, dim, generator=generator))
    return torch.randn(5, dim, generator=generator), entries


def test_the_loss_is_the_cross_entropy_of_the_cosines_with_all_entries():
    embeddings, entries = batch()
    memory = ClusterContrast(3, 4, temperature=0.1).eval()
    memory.start(entries)
    expected = []
    for crop, label in zip(functional.normalize(embeddings), LABELS, strict=True):
        exponents = [math.exp(float(crop @ entry) / 0.1) for entry in entries]
        expected.append(-math.log(exponents[label] / sum(exponents)))
    assert float(memory(embeddings, LABELS)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert torch.equal(memory.entries, entries)  # only a training updates them


@pytest.mark.parametrize("update", ["mean", "hard", "each"])
def test_a_call_in_training_moves_the_entries_of_the_batch_only(update):
    embeddings, entries = batch()
    memory = ClusterContrast(4, 4, momentum=0.3, update=update)
    last = functional.normalize(torch.ones(1, 4))
    memory.start(torch.cat([entries, last]))
    memory(embeddings, LABELS)
    units = functional.normalize(embeddings)
    for label, entry in enumerate(entries):
        own = units[label == LABELS]
        steps = {"mean": [own.mean(dim=0)], "hard": [own[(own @ entry).argmin()]], "each": list(own)}[update]
        for new in steps:
            entry = functional.normalize(0.3 * entry + 0.7 * new, dim=0)
        torch.testing.assert_close(memory.entries[label], entry)
    assert torch.equal(memory.entries[3:], last)


def test_rivals_count_more_often_and_others_only_for_the_classes_that_name_them():
    embeddings, entries = batch()
    others = functional.normalize(torch.arange(8.0).reshape(2, 4) - 3)
    memory = ClusterContrast(3, 4, temperature=0.5, rival_weight=3.0).eval()
    memory.start(entries, others, torch.tensor([[1, 4], [-1, -1], [3, -1]]))  # class 1 and the second other, …
    plain = ClusterContrast(3, 4, temperature=0.5).eval()
    plain.start(entries)
    crop = embeddings[:1]
    unit = functional.normalize(crop)[0]
    exponents = [math.exp(float(unit @ entry) / 0.5) for entry in torch.cat([entries, others])]
    denominators = {
        0: exponents[0] + 3 * exponents[1] + exponents[2] + 3 * exponents[4],
        1: sum(exponents[:3]),
        2: sum(exponents[:3]) + 3 * exponents[3],
    }
    for label, denominator in denominators.items():
        found = float(memory(crop, torch.tensor([label])))
        assert found == pytest.approx(-math.log(exponents[label] / denominator), rel=1e-5)
    assert float(memory(crop, torch.tensor([1]))) == pytest.approx(float(plain(crop, torch.tensor([1]))))


def test_entries_are_part_of_a_checkpoint_and_have_no_gradient():
    embeddings, entries = batch()
    memory = ClusterContrast(3, 4)
    memory.start(entries, entries[:1], torch.zeros(3, 1, dtype=torch.long))
    loss = memory(embeddings.requires_grad_(), LABELS)
    loss.backward()
    assert embeddings.grad is not None and not list(memory.parameters())
    again = ClusterContrast(3, 4)
    again.load_state_dict(memory.state_dict())
    assert torch.equal(again.entries, memory.entries)


def test_it_is_a_loss_of_a_labelled_training_whose_entries_are_first_the_crops():
    embeddings, _ = batch()
    losses = build_losses({"cluster-contrast": 1.0}, num_people=3, dim=4)
    losses(embeddings, torch.zeros(5, 3), LABELS, embeddings)
    entries = losses.losses["cluster-contrast"].entries
    torch.testing.assert_close(entries[1], functional.normalize(embeddings[4], dim=0))


def camera_memory(generator: torch.Generator) -> CameraContrast:
    """Return a memory of three classes; class 0 was seen by the cameras 0 and 1, class 1 by 0, class 2 by 1."""
    clusters = ClusterContrast(3, 4, temperature=0.1)
    clusters.start(functional.normalize(torch.randn(3, 4, generator=generator)))
    proxies = functional.normalize(torch.randn(4, 4, generator=generator))
    return CameraContrast(clusters, proxies, torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 0, 1]), temperature=0.2)


@pytest.mark.parametrize("hardest", [1, 50])
def test_the_contrast_of_cameras_is_the_half_of_three_losses(monkeypatch, hardest):
    monkeypatch.setattr(camera_contrast, "HARDEST", hardest)
    memory = camera_memory(torch.Generator().manual_seed(3)).eval()
    embeddings, labels = batch()[0], torch.tensor([0, 1, 2, 3, 0])
    across, within = [], []
    for crop, label in zip(functional.normalize(embeddings), labels.tolist(), strict=True):
        exponents = [math.exp(float(crop @ proxy) / 0.2) for proxy in memory.proxies]
        own = [q for q in range(4) if memory.class_of[q] == memory.class_of[label]]
        negative = sum(sorted(exponents[q] for q in range(4) if q not in own)[-hardest:])
        across.append(np.mean([-math.log(exponents[q] / (exponents[q] + negative)) for q in own]))
        seen = [exponents[q] for q in range(4) if memory.camera_of[q] == memory.camera_of[label]]
        within.append(-math.log(exponents[label] / sum(seen)))
    clusters = float(memory.clusters(embeddings, memory.class_of[labels]))
    expected = (clusters + np.mean(across) + np.mean(within)) / 2
    assert float(memory(embeddings, labels)) == pytest.approx(expected, rel=1e-5)


def test_a_call_in_training_moves_proxies_and_classes_and_gives_finite_gradients():
    memory, embeddings = camera_memory(torch.Generator().manual_seed(3)), batch()[0].requires_grad_()
    before, entries = memory.proxies.clone(), memory.clusters.entries.clone()
    memory(embeddings, torch.tensor([0, 0, 1, 1, 0])).backward()
    assert torch.isfinite(embeddings.grad).all() and embeddings.grad.abs().sum() > 0
    moved = (memory.proxies != before).any(dim=1), (memory.clusters.entries != entries).any(dim=1)
    assert [rows.tolist() for rows in moved] == [[True, True, False, False], [True, False, False]]
    assert {"proxies", "clusters.entries"} <= set(memory.state_dict())
