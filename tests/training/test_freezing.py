"""reidops/training/freezing.py: frozen modules change neither weights nor statistics, until they are unfrozen."""

import pytest
import torch

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError
from reidops.training.freezing import Freezing, check_freeze

NECK_BIAS = "embedding.neck.bias"


@pytest.fixture
def network() -> TrainingNetwork:
    torch.manual_seed(0)
    return TrainingNetwork(EmbeddingNetwork("osnet_x0_25", embedding_dim=16), 5)


def changed_by_a_step(network: TrainingNetwork, optimizer: torch.optim.Optimizer) -> set[str]:
    """Return the names of all weights and statistics that a step changes."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    features, logits, _ = network(torch.randn(6, 3, 32, 16))
    optimizer.zero_grad()
    (features.square().sum() + logits.square().sum()).backward()
    optimizer.step()
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def optimizer_of(network: TrainingNetwork) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)


def test_nothing_is_frozen_by_default(network):
    freezing = Freezing(network, None)
    freezing.apply(0)
    assert {name for name, p in network.named_parameters() if not p.requires_grad} == {NECK_BIAS}


def test_a_frozen_backbone_keeps_its_weights_and_statistics(network):
    optimizer = optimizer_of(network)
    Freezing(network, "backbone").apply(0)
    changed = changed_by_a_step(network, optimizer)
    assert changed and all(
        name.startswith(("embedding.projection.", "embedding.neck.", "classifier.")) for name in changed
    )


def test_only_the_named_modules_are_trained(network):
    optimizer = optimizer_of(network)
    Freezing(network, ["classifier", "backbone.conv5"]).apply(0)
    changed = changed_by_a_step(network, optimizer)
    names = {name.removeprefix("embedding.").rsplit(".", 1)[0] for name in changed}
    assert names == {"classifier.0", "backbone.conv5.conv", "backbone.conv5.bn"}


def test_modules_are_unfrozen_after_the_given_epochs(network):
    optimizer = optimizer_of(network)
    freezing = Freezing(network, "backbone", epochs=2)
    for epoch in (0, 1):
        freezing.apply(epoch)
        assert not [name for name in changed_by_a_step(network, optimizer) if "backbone" in name]
    freezing.apply(2)
    assert "embedding.backbone.conv1.bn.running_mean" in (changed := changed_by_a_step(network, optimizer))
    assert "embedding.backbone.conv1.conv.weight" in changed
    assert NECK_BIAS not in changed and not network.embedding.neck.bias.requires_grad


def test_frozen_modules_stay_in_evaluation_mode_while_others_train(network):
    Freezing(network, "backbone").apply(0)
    network.train()
    assert network.training and network.embedding.neck.training
    assert not any(module.training for module in network.embedding.backbone.modules() if list(module.parameters()))
    network.eval()
    assert not any(module.training for module in network.modules())


def test_a_resumed_training_freezes_by_its_epoch(network):
    Freezing(network, ["classifier"], epochs=3).apply(3)
    assert {name for name, p in network.named_parameters() if not p.requires_grad} == {NECK_BIAS}


def test_an_unknown_module_is_an_error_with_similar_names(network):
    with pytest.raises(ReidopsError, match=r"'clasifier'.*classifier"):
        check_freeze(network.embedding, ["clasifier"])
    with pytest.raises(ReidopsError, match="expected null, backbone, or a list"):
        check_freeze(network.embedding, "everything")


def test_freezing_everything_is_an_error(network):
    with pytest.raises(ReidopsError, match="no weight would be trained"):
        Freezing(network, ["pool"])
