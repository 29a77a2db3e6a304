"""reidops/training/optimization.py: parameter groups, and learning rates over the training."""

import math

import pytest
import torch
from timm.scheduler.scheduler import Scheduler
from torch import nn

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError
from reidops.training.losses import build_losses
from reidops.training.optimization import RateCurve, build_optimizer, build_schedule, check_optimizer


@pytest.fixture(scope="module")
def network() -> TrainingNetwork:
    return TrainingNetwork(EmbeddingNetwork("resnet10t", embedding_dim=8), 5)


def rates(curve: RateCurve, *, epochs: int = 10, steps_per_epoch: int = 10, learning_rate: float = 0.1) -> list[float]:
    """Return the learning rate of every step, and the one after the last."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=learning_rate)
    schedule = build_schedule(optimizer, curve, epochs, steps_per_epoch)
    found = [optimizer.param_groups[0]["lr"]]
    for step in range(1, epochs * steps_per_epoch + 1):
        schedule.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def plain_cosine(done: float, final: float = 1e-4) -> float:
    return final + 0.5 * (0.1 - final) * (1 + math.cos(math.pi * done))


def test_a_cosine_decreases_to_its_minimum_and_the_warm_up_replaces_its_start():
    found = rates(RateCurve(warmup_epochs=2))
    assert found[:20] == pytest.approx([0.001 + t * 0.099 / 20 for t in range(20)])
    assert found[20:] == pytest.approx([plain_cosine(t / 100) for t in range(20, 101)])


def test_the_minimum_is_a_fraction_of_the_learning_rate():
    assert rates(RateCurve(final_share=0.1))[-1] == pytest.approx(0.01)
    assert rates(RateCurve(final_share=0.002), learning_rate=3.5e-4)[-1] == pytest.approx(7e-7)


def test_a_flat_cosine_warms_up_stays_constant_and_then_decreases():
    found = rates(RateCurve(warmup_epochs=2, flat_epochs=5))
    assert found[:20] == pytest.approx([0.001 + t * 0.099 / 20 for t in range(20)])
    assert found[20:51] == pytest.approx([0.1] * 31)
    assert found[50:] == pytest.approx([plain_cosine(t / 50) for t in range(51)])


def test_a_flat_phase_longer_than_the_training_never_decreases():
    assert rates(RateCurve(flat_epochs=12)) == pytest.approx([0.1] * 101)


def test_a_flat_phase_shorter_than_the_warm_up_does_not_shorten_it():
    found = rates(RateCurve(warmup_epochs=3, flat_epochs=1))
    assert found[29] < 0.1 and found[30] == pytest.approx(0.1) and found[31] < 0.1


def test_the_rate_changes_at_the_first_step_of_a_milestone():
    found = rates(RateCurve("step", warmup_epochs=1, milestones=(4, 7)))
    assert found[:10] == pytest.approx([0.001 + t * 0.099 / 10 for t in range(10)])
    assert found[10:40] == pytest.approx([0.1] * 30)
    assert found[40:70] == pytest.approx([0.01] * 30)
    assert found[70:] == pytest.approx([0.001] * 31)


def test_a_step_schedule_without_milestones_is_constant_and_its_factor_can_be_set():
    assert rates(RateCurve("step")) == pytest.approx([0.1] * 101)
    assert rates(RateCurve("step", milestones=(5.5,), step_factor=0.5))[54:56] == pytest.approx([0.1, 0.05])


def test_milestones_that_do_not_increase_are_reported():
    with pytest.raises(ReidopsError, match=r"milestones are \[70, 40\]"):
        rates(RateCurve("step", milestones=(70, 40)))


def test_a_warm_up_may_be_a_fraction_of_an_epoch_or_a_number_of_steps():
    assert rates(RateCurve(warmup_epochs=0.5, flat_epochs=5))[4:6] == pytest.approx([0.001 + 4 * 0.099 / 5, 0.1])
    assert rates(RateCurve(warmup_epochs=9, warmup_steps=5, flat_epochs=5)) == rates(
        RateCurve(warmup_epochs=0.5, flat_epochs=5)
    )


def test_a_training_that_is_not_longer_than_its_warm_up_has_none():
    assert rates(RateCurve(warmup_epochs=2), epochs=2)[0] == 0.1


def test_the_head_has_its_multiple_of_the_rate_in_warm_up_and_cosine(network):
    optimizer = build_optimizer(network, "sgd", 0.1, 0.01, head_factor=10.0)
    schedule: Scheduler = build_schedule(optimizer, RateCurve(warmup_epochs=1), 10, 10)
    body = {id(p) for p in network.embedding.backbone.parameters()}
    for step in (0, 5, 10, 50, 100):
        schedule.step_update(step)
        found = {(id(p) in body, group["lr"]) for group in optimizer.param_groups for p in group["params"]}
        (slow,), (fast,) = ({lr for is_body, lr in found if is_body == wanted} for wanted in (True, False))
        assert fast == pytest.approx(10 * slow)


@pytest.mark.parametrize("head_factor", [1.0, 10.0])
def test_every_trained_weight_is_in_one_group_including_those_of_losses(network, head_factor):
    losses = build_losses({"arcface": 1.0}, num_people=5, dim=8)
    optimizer = build_optimizer(network, "adam", 1e-3, 0.01, losses=losses, head_factor=head_factor)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    learning = {id(p) for module in (network, losses) for p in module.parameters() if p.requires_grad}
    assert len(held) == len(set(held)) and set(held) == learning


@pytest.mark.parametrize("head_factor", [1.0, 10.0])
def test_biases_and_normalization_have_no_weight_decay(network, head_factor):
    for group in build_optimizer(network, "adamw", 1e-3, 0.01, head_factor=head_factor).param_groups:
        assert all((p.ndim <= 1) == (group["weight_decay"] == 0) for p in group["params"])


def test_options_are_passed_to_the_optimizer(network):
    assert build_optimizer(network, "adam", 1e-3, 0, options={"amsgrad": True}).defaults["amsgrad"]
    assert build_optimizer(network, "momentum", 1e-3, 0, options={"momentum": 0.8}).defaults["momentum"] == 0.8


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adamm", {}, "'adamm'.*similar names: .*adam"),
        ("adam", {"amsgrid": True}, "'adam' has no option 'amsgrid'.*amsgrad"),
        ("adam", {"lr": 0.1}, "has no option 'lr'"),
    ],
)
def test_unknown_optimizers_and_options_are_reported(name, options, message):
    with pytest.raises(ReidopsError, match=message):
        check_optimizer(name, options)


def test_invalid_option_values_are_reported(network):
    with pytest.raises(ReidopsError, match="'adam' cannot be built with the options .*beta"):
        build_optimizer(network, "adam", 1e-3, 0, options={"betas": [2.0, 0.9]})


def test_layer_decay_lowers_the_rate_from_the_last_layer_to_the_first_and_keeps_the_heads():
    network = TrainingNetwork(EmbeddingNetwork("test_vit", height=64, width=32), 5)
    optimizer = build_optimizer(network, "adamw", 0.1, 0.05, layer_decay=0.5)
    scale = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    blocks = network.embedding.backbone.blocks
    assert scale[id(network.classifier[0].weight)] == 1
    assert scale[id(blocks[-2].attn.qkv.weight)] == scale[id(blocks[-1].attn.qkv.weight)] / 2
    assert scale[id(network.embedding.backbone.pos_embed)] < scale[id(blocks[0].attn.qkv.weight)]
    assert len(scale) == sum(p.requires_grad for p in network.parameters())


def test_layer_decay_is_the_same_for_every_member():
    network = TrainingNetwork(EmbeddingNetwork("test_vit", height=64, width=32, members=(1, 1)), 5)
    optimizer = build_optimizer(network, "adamw", 0.1, 0.05, layer_decay=0.5)
    scale = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    first, second = ([scale[id(p)] for p in member.parameters()] for member in network.embedding.backbones)
    assert first == second and len(scale) == sum(p.requires_grad for p in network.parameters())
