"""The cluster contrast agrees with plain loops: its loss, the updates of its entries, and its rivals."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

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


@pytest.mark.parametrize("update", ["mean", "hard"])
def test_a_call_in_training_moves_the_entries_of_the_batch_only(update):
    embeddings, entries = batch()
    memory = ClusterContrast(4, 4, momentum=0.3, update=update)
    last = functional.normalize(torch.ones(1, 4))
    memory.start(torch.cat([entries, last]))
    memory(embeddings, LABELS)
    units = functional.normalize(embeddings)
    for label, entry in enumerate(entries):
        own = units[label == LABELS]
        new = own.mean(dim=0) if update == "mean" else own[(own @ entry).argmin()]
        torch.testing.assert_close(memory.entries[label], functional.normalize(0.3 * entry + 0.7 * new, dim=0))
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
