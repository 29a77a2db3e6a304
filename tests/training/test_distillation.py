"""reidops/training/distillation.py: the losses against plain loops, and the teacher on its student's inputs."""

import numpy as np
import pytest
import torch

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError
from reidops.training.distillation import Distillation, Teacher, check_distillation
from reidops.training.losses import BranchLosses, build_losses
from reidops.training.optimization import build_optimizer

TINY = "test_resnet"


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def test_similarity_is_the_mean_squared_difference_of_the_cosines_of_pairs():
    torch.manual_seed(0)
    student, taught = torch.randn(5, 3), unit(torch.randn(5, 7))
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    own = unit(student)
    expected = np.mean([float(own[i] @ own[j] - taught[i] @ taught[j]) ** 2 for i, j in pairs])
    total, values = Distillation({"similarity": 2.0}, 3, 7)(student, taught)
    assert float(total) == pytest.approx(2 * expected) and float(values["teacher_similarity"]) == pytest.approx(
        expected
    )


def test_features_are_compared_after_a_learned_projection():
    torch.manual_seed(0)
    student, taught = torch.randn(5, 3), unit(torch.randn(5, 7))
    losses = Distillation({"features": 1.0, "similarity": 0.0}, 3, 7)
    expected = np.mean(
        [1 - float(a @ b) for a, b in zip(unit(losses.projection(student).detach()), taught, strict=True)]
    )
    total, values = losses(student, taught)
    assert total.item() == pytest.approx(expected, abs=1e-6) and set(values) == {"teacher_features"}


def test_a_student_that_embeds_as_its_teacher_has_no_loss():
    taught = unit(torch.randn(4, 6))
    losses = Distillation({"similarity": 1.0, "features": 1.0}, 6, 6)
    torch.nn.init.eye_(losses.projection.weight)
    assert losses(3 * taught, taught)[0].item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_sees_the_pixels_of_its_student_with_its_own_mean_and_standard_deviation():
    torch.manual_seed(0)
    student = EmbeddingNetwork(TINY, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    network = EmbeddingNetwork(TINY, mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.25)).eval()
    images = torch.randint(0, 256, (3, 64, 32, 3), dtype=torch.uint8)
    inputs = (images.permute(0, 3, 1, 2) / 255 - torch.tensor(student.mean).view(3, 1, 1)) / torch.tensor(
        student.std
    ).view(3, 1, 1)
    torch.testing.assert_close(Teacher(network, (64, 32), student).embed(inputs), network(images), atol=1e-5, rtol=0)
    assert Teacher(network, (96, 48), student).embed(inputs).shape == (3, network.dim)


def test_a_student_and_its_projection_learn_the_embeddings_of_a_teacher():
    torch.manual_seed(0)
    student = TrainingNetwork(EmbeddingNetwork(TINY), 2)
    teacher = Teacher(EmbeddingNetwork(TINY, embedding_dim=16), (64, 32), student.embedding)
    distillation = Distillation({"features": 1.0, "similarity": 10.0}, student.embedding.dim, teacher.dim)
    own = build_losses({"cross-entropy": 1.0}, num_people=2, dim=student.embedding.dim)
    optimizer = build_optimizer(student, "adamw", 1e-3, 0.0, losses=BranchLosses([own], distillation))
    inputs, history = torch.randn(6, 3, 64, 32), []
    for _ in range(12):
        _, _, embeddings = student.train()(inputs)
        total, values = distillation(student.embedding.join_branches(embeddings), teacher.embed(inputs))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(values)
    assert history[-1]["teacher_features"] < 0.8 * history[0]["teacher_features"]
    assert history[-1]["teacher_similarity"] < history[0]["teacher_similarity"]


def test_a_teacher_does_not_learn():
    network = EmbeddingNetwork(TINY)
    Teacher(network, (64, 32), EmbeddingNetwork(TINY))
    assert not network.training and not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(("weights", "match"), [({"similarty": 1.0}, "similarity"), ({"features": 0.0}, "above 0")])
def test_unknown_names_and_no_weight_are_refused(weights, match):
    with pytest.raises(ReidopsError, match=match):
        check_distillation(weights)
