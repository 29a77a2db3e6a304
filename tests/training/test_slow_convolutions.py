"""reidops/training/slow_convolutions.py: which convolutions of a bf16-mixed training on a CPU are float32."""

from contextlib import nullcontext

import pytest
import torch
from lightning_fabric import Fabric
from timm.layers import Conv2dSame
from torch import Tensor, nn

from reidops.training.slow_convolutions import (
    SlowConvolutionsInFloat32,
    is_slow_in_bf16,
    slow_convolutions_in_float32,
)

IMAGES = torch.rand(2, 8, 12, 6, generator=torch.Generator().manual_seed(0))


def outputs(layer: nn.Module, mode) -> Tensor:
    with mode, torch.autocast("cpu", torch.bfloat16):
        return layer(IMAGES)


@pytest.mark.parametrize(
    ("kernel", "stride", "groups", "slow"),
    [
        (3, 1, 8, False),
        (3, 2, 8, True),
        (3, (2, 1), 8, True),
        (5, 1, 8, True),
        (1, 2, 8, True),
        (5, 2, 1, False),
        (3, 2, 2, False),  # grouped, but not depthwise
    ],
)
def test_depthwise_convolutions_are_slow_unless_they_are_3_by_3_with_stride_1(kernel, stride, groups, slow):
    layer = nn.Conv2d(8, 8, kernel, stride, groups=groups)
    assert is_slow_in_bf16(layer.weight, stride, groups) == slow


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 8, 3, 2, 1, groups=8), Conv2dSame(8, 8, 5, 2, groups=8)])
def test_a_slow_convolution_has_the_values_of_float32_in_the_type_of_autocast(layer):
    found = outputs(layer, SlowConvolutionsInFloat32())
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, layer(IMAGES).bfloat16())
    assert not torch.equal(found, outputs(layer, nullcontext())), "autocast alone rounds the weights, too"


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 8, 5, 2), nn.Linear(6, 4)])
def test_another_layer_is_computed_as_autocast_does(layer):
    assert torch.equal(outputs(layer, SlowConvolutionsInFloat32()), outputs(layer, nullcontext()))


def test_without_autocast_nothing_changes():
    layer = nn.Conv2d(8, 8, 3, 2, groups=8)
    with SlowConvolutionsInFloat32():
        assert layer(IMAGES).dtype == torch.float32


def test_gradients_reach_the_weights_of_a_slow_convolution():
    layer, expected = nn.Conv2d(8, 8, 3, 2, groups=8), nn.Conv2d(8, 8, 3, 2, groups=8)
    expected.load_state_dict(layer.state_dict())
    outputs(layer, SlowConvolutionsInFloat32()).float().square().sum().backward()
    expected(IMAGES).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, expected.weight.grad, rtol=0.01, atol=0.05)


@pytest.mark.parametrize(("precision", "used"), [("bf16-mixed", True), ("32-true", False)])
def test_only_a_training_in_bf16_computes_them_apart(precision, used):
    context = slow_convolutions_in_float32(Fabric(accelerator="cpu", precision=precision))
    assert isinstance(context, SlowConvolutionsInFloat32) == used
