"""reidops/embedding/lmbn.py: seven branches with their own losses, and the files of the authors."""

import pytest
import torch
from torch import nn

from reidops.embedding.lmbn import LMBN, TopDrop, join_necks
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.training.losses import BranchLosses, build_losses
from reidops.training.weights import load_weights

SIZE = {"height": 64, "width": 32}


@pytest.fixture(scope="module")
def network() -> EmbeddingNetwork:
    torch.manual_seed(0)
    return EmbeddingNetwork("lmbn_n", **SIZE)


def test_the_network_has_7_branches_of_512_and_6_5_million_parameters(network):
    assert (network.num_branches, network.branch_dim, network.dim) == (7, 512, 3584)
    assert sum(values.numel() for values in network.backbone.parameters()) == 6_453_528


def test_every_branch_has_its_own_classifier_and_losses(network):
    training = TrainingNetwork(network, 3).eval()
    features, logits, embeddings = training(torch.randn(2, 3, 64, 32))
    assert features.shape == embeddings.shape == (2, 7, 512) and logits.shape == (2, 7, 3)
    losses = BranchLosses([build_losses({"cross-entropy": 1.0}, num_people=3, dim=512) for _ in range(7)])
    expected = sum(
        nn.functional.cross_entropy(logits[:, i], torch.tensor([0, 1]), label_smoothing=0.1) for i in range(7)
    )
    torch.testing.assert_close(losses(features, logits, torch.tensor([0, 1]), embeddings)[0], expected / 7)


def test_every_branch_has_the_same_weight_in_the_embedding(network):
    joined = network.eval().embed(torch.randn(2, 3, 64, 32)).view(2, 7, 512)
    torch.testing.assert_close(joined.norm(dim=2), torch.full((2, 7), 7**-0.5))


def test_with_a_projection_the_vectors_are_one_branch():
    assert EmbeddingNetwork("lmbn_n", embedding_dim=16, **SIZE).num_branches == 1


def test_training_drops_the_third_of_the_rows_with_the_highest_activation():
    drop = TopDrop()
    drop.drop_batch_bottleneck = nn.Identity()
    maps = torch.ones(1, 2, 6, 3)
    maps[:, :, 1, 2], maps[:, :, 4, 0] = 9, 5
    dropped, whole = drop.train()(maps)
    assert whole is maps and (dropped[0, 0].sum(dim=1) == 0).nonzero().flatten().tolist() == [1, 4]
    assert torch.equal(drop.eval()(maps)[0], maps)


def authors_tensors() -> dict[str, torch.Tensor]:
    """Return drawn tensors under the names of the authors, with the normalizations and classifiers of the branches."""
    torch.manual_seed(1)
    tensors = {f"module.{name}": values for name, values in LMBN(num_classes=0).state_dict().items()}
    for neck in (*(f"reduction_{i}" for i in range(5)), "reduction_ch_0", "reduction_ch_1"):
        parts = {"weight": torch.rand(512), "bias": torch.zeros(512), "running_mean": torch.randn(512)}
        parts |= {"running_var": torch.rand(512), "num_batches_tracked": torch.tensor(9)}
        tensors |= {f"module.{neck}.bn.{part}": values for part, values in parts.items()}
        tensors[f"module.{neck}.classifier.weight"] = torch.randn(4, 512)
    return tensors


def test_a_file_of_the_authors_loads_with_its_seven_normalizations(tmp_path):
    tensors = authors_tensors()
    torch.save(tensors, tmp_path / "lmbn_n.pt")
    taker = EmbeddingNetwork("lmbn_n", **SIZE)
    load_weights(taker, tmp_path / "lmbn_n.pt")
    assert torch.equal(taker.backbone.state_dict()["shared.0.weight"], tensors["module.shared.0.weight"])
    means = taker.neck.running_mean.view(7, 512)
    for i, neck in enumerate(("0", "4", "1", "2", "3", "ch_0", "ch_1")):
        assert torch.equal(means[i], tensors[f"module.reduction_{neck}.bn.running_mean"])


def test_tensors_of_other_networks_stay_as_they_are():
    tensors = {"conv1.weight": torch.zeros(1)}
    assert join_necks(tensors) is tensors
