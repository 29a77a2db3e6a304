"""OSNet (Zhou et al. 2019) and its variants with instance normalization (Zhou et al. 2021), for timm.

Importing this module registers osnet_x0_25, osnet_x0_5, osnet_x0_75, osnet_x1_0, osnet_ibn_x1_0 and osnet_ain_{x0_25,
…, x1_0}. The attributes have the names of the weights that torchreid publishes.
"""

from collections.abc import Callable
from typing import Any

from timm.layers import SelectAdaptivePool2d
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from reidops.embedding.pooling import GeM
from reidops.embedding.published_network import init_module_from_he

NUM_STREAMS = 4
_BOTTLENECK = 4  # a block reduces its width by this factor
_GATE_REDUCTION = 16

Norm = Callable[[int], nn.Module]


def instance_norm(channels: int) -> nn.InstanceNorm2d:
    """Return an instance normalization with learned scale and shift."""
    return nn.InstanceNorm2d(channels, affine=True)


class ConvNorm(nn.Sequential):
    """A convolution, an optional normalization and, unless `linear`, a ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        norm: Norm | None = nn.BatchNorm2d,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        if norm is not None:
            self.bn = norm(out_channels)
        if not linear:
            self.relu = nn.ReLU(inplace=True)


class LiteConv(nn.Sequential):
    """The lite 3 × 3 layer of section 3.1: a pointwise convolution, then a depthwise one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)


class AggregationGate(nn.Module):
    """The unified aggregation gate of section 3.2: channel weights computed from a stream; all streams share it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // _GATE_REDUCTION
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps [N, C, h, w], each channel times its weight in 0 … 1."""
        weights = self.fc2(self.fc1(maps.mean(dim=(2, 3), keepdim=True)).relu()).sigmoid()
        return maps * weights


class Transition(nn.Sequential):
    """A pointwise layer and a pooling that halves the map."""

    recomputed = ("forward",)

    def __init__(self, channels: int) -> None:
        super().__init__(ConvNorm(channels, channels), nn.AvgPool2d(2))


class OSBlock(nn.Module):
    """The omni-scale residual block: streams of 1 … 4 lite layers with different receptive fields, summed by one gate.

    Args:
        after_norm: normalization of the sum with the shortcut (osnet_ibn).
    """

    recomputed = ("_reduce", "_weigh", "_join")

    def __init__(self, in_channels: int, out_channels: int, *, after_norm: Norm | None = None) -> None:
        super().__init__()
        width = out_channels // _BOTTLENECK
        self.conv1 = ConvNorm(in_channels, width)
        self._add_streams(width)
        self.gate = AggregationGate(width)
        self.conv3 = self._widen(width, out_channels)
        self.downsample = (
            ConvNorm(in_channels, out_channels, linear=True) if in_channels != out_channels else nn.Identity()
        )
        if after_norm is not None:
            self.IN = after_norm(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, out_channels, h, w] of maps [N, in_channels, h, w]."""
        reduced = self._reduce(maps)
        mixed = sum(self._weigh(stream, reduced) for stream in self._streams())
        return self._join(mixed, maps)

    def _reduce(self, maps: Tensor) -> Tensor:
        return self.conv1(maps)

    def _weigh(self, stream: nn.Module, reduced: Tensor) -> Tensor:
        return self.gate(stream(reduced))

    def _join(self, mixed: Tensor, maps: Tensor) -> Tensor:
        return self._merge(self.conv3(mixed), self.downsample(maps)).relu()

    def _add_streams(self, width: int) -> None:
        self.conv2a = LiteConv(width)
        self.conv2b, self.conv2c, self.conv2d = (
            nn.Sequential(*(LiteConv(width) for _ in range(depth))) for depth in (2, 3, 4)
        )

    def _streams(self) -> list[nn.Module]:
        return [self.conv2a, self.conv2b, self.conv2c, self.conv2d]

    def _widen(self, width: int, out_channels: int) -> ConvNorm:
        return ConvNorm(width, out_channels, linear=True)

    def _merge(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return self.IN(residual + shortcut) if hasattr(self, "IN") else residual + shortcut


class AinBlock(OSBlock):
    """A block of osnet_ain with batch normalization only."""

    def _add_streams(self, width: int) -> None:
        self.conv2 = nn.ModuleList(_Stream(width, depth) for depth in range(1, NUM_STREAMS + 1))

    def _streams(self) -> list[nn.Module]:
        return list(self.conv2)


class AinInnerBlock(AinBlock):
    """A block of osnet_ain with instance normalization of the residual before the shortcut is added."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, after_norm=instance_norm)

    def _widen(self, width: int, out_channels: int) -> ConvNorm:
        return ConvNorm(width, out_channels, linear=True, norm=None)

    def _merge(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        return self.IN(residual) + shortcut


class _Stream(nn.Sequential):
    """Lite layers with the attribute name of the osnet_ain weights."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(LiteConv(width) for _ in range(depth)))


Block = Callable[[int, int], nn.Module]


class OSNet(nn.Module):
    """Map images [N, 3, H, W] to embeddings (the output of `fc`) or to logits.

    Args:
        channels: widths of the stem and of the three stages.
        stem_norm: normalization of the first layer.
        blocks: two blocks for each of the three stages.
        pools_apart: whether transitions are the modules pool2 and pool3 (osnet_ain) or the last layers of a stage.
        num_classes: width of the classifier, 0 = none.
        global_pool: avg, max, avgmax, gem; "" = maps [N, C, h, w], and no `fc`.
        feature_dim: width of `fc`.
    """

    last_stage_stride = 1  # maps are reduced only between stages, so there is no last stride to remove
    recomputed = ("_stem",)

    def __init__(
        self,
        channels: tuple[int, int, int, int],
        *,
        blocks: tuple[tuple[Block, Block], ...] = ((OSBlock, OSBlock),) * 3,
        stem_norm: Norm = nn.BatchNorm2d,
        pools_apart: bool = False,
        num_classes: int = 1000,
        in_chans: int = 3,
        global_pool: str = "avg",
        feature_dim: int = 512,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_features, self.head_hidden_size = channels[3], feature_dim
        self.conv1 = ConvNorm(in_chans, channels[0], kernel=7, stride=2, norm=stem_norm)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self._add_stages(channels, blocks, pools_apart)
        self.conv5 = ConvNorm(channels[3], channels[3])
        self.fc = nn.Sequential(nn.Linear(channels[3], feature_dim), nn.BatchNorm1d(feature_dim), nn.ReLU(inplace=True))
        self.head_drop = nn.Dropout(drop_rate)
        self.reset_classifier(num_classes, global_pool)
        ends = (
            (("conv1", 0, 2), ("pool2", 1, 8), ("pool3", 2, 16), ("conv5", 3, 16))
            if pools_apart
            else (("conv1", 0, 2), ("conv2", 1, 8), ("conv3", 2, 16), ("conv5", 3, 16))
        )
        self.feature_info = [
            {"num_chs": channels[i], "reduction": reduction, "module": name} for name, i, reduction in ends
        ]
        self.apply(init_module_from_he)

    def _add_stages(
        self, channels: tuple[int, int, int, int], blocks: tuple[tuple[Block, Block], ...], pools_apart: bool
    ) -> None:
        for stage, (first, second) in enumerate(blocks, start=1):
            width = channels[stage]
            layers = [first(channels[stage - 1], width), second(width, width)]
            transition = Transition(width) if stage < 3 else None
            if transition is not None and not pools_apart:
                layers.append(transition)
            self.add_module(f"conv{stage + 1}", nn.Sequential(*layers))
            if transition is not None and pools_apart:
                self.add_module(f"pool{stage + 1}", transition)

    def get_classifier(self) -> nn.Module:
        """Return the classifier, as timm's interface requires."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier (0 = none) and, unless None, the pooling."""
        self.num_classes = num_classes
        if global_pool is not None:
            self.global_pool = (
                GeM()
                if global_pool == "gem"
                else SelectAdaptivePool2d(pool_type=global_pool, flatten=bool(global_pool))
            )
            self._pooled = bool(global_pool)
        self.classifier = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, num_features, H / 16, W / 16]."""
        maps = self._stem(images)
        for name in ("conv2", "pool2", "conv3", "pool3", "conv4", "conv5"):
            maps = self.get_submodule(name)(maps) if name in self._modules else maps
        return maps

    def _stem(self, images: Tensor) -> Tensor:
        return self.maxpool(self.conv1(images))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """Return logits, or embeddings [N, feature_dim] without a classifier or with `pre_logits`."""
        if not self._pooled:
            return maps
        embeddings = self.head_drop(self.fc(self.global_pool(maps)))
        return embeddings if pre_logits else self.classifier(embeddings)

    def forward(self, images: Tensor) -> Tensor:
        """Return the output of `forward_head` for images [N, 3, H, W]."""
        return self.forward_head(self.forward_features(images))


_CHANNELS = {
    "0_25": (16, 64, 96, 128),
    "0_5": (32, 128, 192, 256),
    "0_75": (48, 192, 288, 384),
    "1_0": (64, 256, 384, 512),
}


def _ibn_block(in_channels: int, out_channels: int) -> OSBlock:
    return OSBlock(in_channels, out_channels, after_norm=instance_norm)


_PLAIN: dict[str, Any] = {}
_IBN = {"blocks": ((_ibn_block, _ibn_block), (OSBlock, OSBlock), (OSBlock, OSBlock)), "stem_norm": instance_norm}
# The blocks with instance normalization found by the architecture search of Zhou et al. 2021.
_AIN = {
    "blocks": ((AinInnerBlock, AinInnerBlock), (AinBlock, AinInnerBlock), (AinInnerBlock, AinBlock)),
    "stem_norm": instance_norm,
    "pools_apart": True,
}
_VARIANTS = (
    {f"osnet_x{width}": _PLAIN for width in _CHANNELS}
    | {"osnet_ibn_x1_0": _IBN}
    | {f"osnet_ain_x{width}": _AIN for width in _CHANNELS}
)

default_cfgs = generate_default_cfgs(
    {
        name: {
            "url": "",
            "num_classes": 1000,
            "input_size": (3, 256, 128),
            "pool_size": (16, 8),
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "first_conv": "conv1.conv",
            "classifier": "classifier",
        }
        for name in _VARIANTS
    }
)


def _register(variant: str, design: dict[str, Any]) -> None:
    channels = _CHANNELS[variant.rpartition("_x")[2]]

    def create(pretrained: bool = False, **options: Any) -> OSNet:
        """Return the network; the options are those of `OSNet`."""
        features = {"out_indices": (0, 1, 2, 3), "flatten_sequential": False}
        return build_model_with_cfg(
            OSNet, variant, pretrained, channels=channels, feature_cfg=features, **design, **options
        )

    create.__name__ = variant  # timm registers the model by this name
    register_model(create)


for _name, _design in _VARIANTS.items():
    _register(_name, _design)
