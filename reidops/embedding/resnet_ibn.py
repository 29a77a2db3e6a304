"""ResNet-IBN (Pan et al. 2018) and a light variant with squeeze-and-excitation, for timm, built on timm's ResNet.

Importing this module registers resnet18_ibn_a, resnet34_ibn_a, resnet50_ibn_a, resnet101_ibn_a, resnet50_ibn_b,
seresnet18_ibn_a and seresnet18_ibn_dense. The attributes of variant a have the names of the weights that the authors of
IBN-Net publish, which `pretrained` loads.
"""

from typing import Any

import torch
from timm.layers import SEModule
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn


class IBN(nn.Module):
    """Normalize the first half of the channels by instance, which removes style (light, camera), the rest by batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._halves = [channels // 2, channels - channels // 2]
        self.IN = nn.InstanceNorm2d(self._halves[0], affine=True)
        self.BN = nn.BatchNorm2d(self._halves[1])

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalized maps [N, C, h, w]."""
        by_instance, by_batch = maps.split(self._halves, dim=1)
        return torch.cat([self.IN(by_instance), self.BN(by_batch)], dim=1)


class ResNetIbn(ResNet):
    """The ResNet of timm with IBN after the first convolution of each block of the stages 1 … 3 (variant a)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for stage in (self.layer1, self.layer2, self.layer3):
            for block in stage:
                block.bn1 = IBN(block.bn1.num_features)


class ResNetIbnB(ResNet):
    """The ResNet of timm with instance normalization after the first layer and after the stages 1 and 2 (variant b)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bn1 = nn.InstanceNorm2d(self.conv1.out_channels, affine=True)
        for stage in (self.layer1, self.layer2):
            last = stage[-1]
            normalization = nn.InstanceNorm2d(last.bn3.num_features, affine=True)
            last.act3 = nn.Sequential(normalization, last.act3)  # of the sum with the shortcut


class DenseBlock(BasicBlock):
    """A basic block with a second skip connection: squeeze-and-excitation of its output plus its input."""

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None, **options: Any
    ) -> None:
        super().__init__(inplanes, planes, stride, downsample, **options)
        self.outer_se = SEModule(planes, rd_ratio=1 / 16, rd_divisor=8)
        self.outer_skip = nn.Identity() if downsample is None else _projected_skip(inplanes, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, planes, h / stride, w / stride] of maps [N, inplanes, h, w]."""
        return self.outer_se(super().forward(x)) + self.outer_skip(x)


def _projected_skip(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


_WEIGHTS = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"


def _config(file: str) -> dict[str, Any]:
    """Return the configuration for timm of a network that is initialized from this published file."""
    return {
        "url": _WEIGHTS + file,
        "num_classes": 1000,
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "conv1",
        "classifier": "fc",
    }


default_cfgs = generate_default_cfgs(
    {
        "resnet18_ibn_a": _config("resnet18_ibn_a-2f571257.pth"),
        "resnet34_ibn_a": _config("resnet34_ibn_a-94bc1577.pth"),
        "resnet50_ibn_a": _config("resnet50_ibn_a-d9d0bb7b.pth"),
        "resnet101_ibn_a": _config("resnet101_ibn_a-59ea0ac6.pth"),
        "resnet50_ibn_b": _config("") | {"url": ""},
        # These two are initialized from the weights of the plain network; additional layers are random.
        "seresnet18_ibn_a": _config("resnet18_ibn_a-2f571257.pth"),
        "seresnet18_ibn_dense": _config("resnet18_ibn_a-2f571257.pth"),
    }
)


def _create(
    variant: str, pretrained: bool, block: type[nn.Module], layers: tuple[int, ...], **options: Any
) -> ResNetIbn:
    return build_model_with_cfg(ResNetIbn, variant, pretrained, block=block, layers=layers, **options)


@register_model
def resnet18_ibn_a(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-18-IBN-a."""
    return _create("resnet18_ibn_a", pretrained, BasicBlock, (2, 2, 2, 2), **options)


@register_model
def resnet34_ibn_a(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-34-IBN-a."""
    return _create("resnet34_ibn_a", pretrained, BasicBlock, (3, 4, 6, 3), **options)


@register_model
def resnet50_ibn_a(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-50-IBN-a, the usual backbone of strong person re-identification."""
    return _create("resnet50_ibn_a", pretrained, Bottleneck, (3, 4, 6, 3), **options)


@register_model
def resnet101_ibn_a(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-101-IBN-a."""
    return _create("resnet101_ibn_a", pretrained, Bottleneck, (3, 4, 23, 3), **options)


@register_model
def resnet50_ibn_b(pretrained: bool = False, **options: Any) -> ResNetIbnB:
    """ResNet-50-IBN-b."""
    return build_model_with_cfg(
        ResNetIbnB, "resnet50_ibn_b", pretrained, block=Bottleneck, layers=(3, 4, 6, 3), **options
    )


@register_model
def seresnet18_ibn_a(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-18-IBN-a with squeeze-and-excitation (1/16) in every block."""
    options = {"block_args": {"attn_layer": "se"}} | options
    return _create("seresnet18_ibn_a", pretrained, BasicBlock, (2, 2, 2, 2), **options)


@register_model
def seresnet18_ibn_dense(pretrained: bool = False, **options: Any) -> ResNetIbn:
    """ResNet-18-IBN-a with a second skip and SE around each block, as in SuperbTUM's real-time ReID tracking.

    Batch renormalization, a bias per camera and layer normalization inside SE are left out; the author calls them
    experiments. IBN is in the blocks of the published weights (all of the stages 1 … 3).
    """
    return _create("seresnet18_ibn_dense", pretrained, DenseBlock, (2, 2, 2, 2), **options)
