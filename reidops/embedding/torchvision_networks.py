"""SqueezeNet (Iandola et al. 2016) and ShuffleNet V2 (Ma et al. 2018) of torchvision, for timm.

Importing this module registers squeezenet1_0, squeezenet1_1 and shufflenetv2_{x0_5, x1_0, x1_5, x2_0}. The tensors have
torchvision's names, so that its ImageNet weights load.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torchvision import models
from torchvision.models.shufflenetv2 import InvertedResidual
from torchvision.models.squeezenet import Fire

from reidops.embedding.published_network import PublishedNetwork, config, mark_recomputed

_SQUEEZE = {"squeezenet1_0": models.SqueezeNet1_0_Weights, "squeezenet1_1": models.SqueezeNet1_1_Weights}
_SHUFFLE = {
    "shufflenetv2_x0_5": (models.ShuffleNet_V2_X0_5_Weights, (24, 48, 96, 192, 1024)),
    "shufflenetv2_x1_0": (models.ShuffleNet_V2_X1_0_Weights, (24, 116, 232, 464, 1024)),
    "shufflenetv2_x1_5": (models.ShuffleNet_V2_X1_5_Weights, (24, 176, 352, 704, 1024)),
    "shufflenetv2_x2_0": (models.ShuffleNet_V2_X2_0_Weights, (24, 244, 488, 976, 2048)),
}
_SHUFFLE_UNITS = (4, 8, 4)  # of each stage


class SqueezeNet(PublishedNetwork):
    """The fire modules of SqueezeNet: maps of 512 channels, reduced by 16."""

    def __init__(
        self, version: str, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any
    ) -> None:
        super().__init__(512, num_classes, global_pool)
        self.features = models.SqueezeNet(version).features
        mark_recomputed(self, Fire)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, 512, H / 16, W / 16]."""
        return self.features(images)


class ShuffleNet(PublishedNetwork):
    """The convolutions of ShuffleNet V2: maps reduced by 32."""

    def __init__(
        self,
        channels: tuple[int, ...],
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        global_pool: str = "avg",
        **_: Any,
    ) -> None:
        super().__init__(channels[-1], num_classes, global_pool)
        whole = models.ShuffleNetV2(list(_SHUFFLE_UNITS), list(channels))
        self.conv1, self.maxpool = whole.conv1, whole.maxpool
        self.stage2, self.stage3, self.stage4 = whole.stage2, whole.stage3, whole.stage4
        self.conv5 = whole.conv5
        mark_recomputed(self, InvertedResidual)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, num_features, H / 32, W / 32]."""
        maps = images
        for part in (self.conv1, self.maxpool, self.stage2, self.stage3, self.stage4, self.conv5):
            maps = part(maps)
        return maps


def _without_classifier(tensors: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return torchvision's tensors of the layers that the network has."""
    expected = network.state_dict()
    return {name: values for name, values in tensors.items() if name in expected and not name.startswith("classifier")}


default_cfgs = generate_default_cfgs(
    {
        **{name: config(url=w.DEFAULT.url, first_conv="features.0") for name, w in _SQUEEZE.items()},
        **{name: config(url=w.DEFAULT.url, first_conv="conv1.0") for name, (w, _) in _SHUFFLE.items()},
    }
)


def _register(name: str, network: type[PublishedNetwork], design: dict[str, Any]) -> None:
    def create(pretrained: bool = False, **options: Any) -> PublishedNetwork:
        """Return the network; weights of the classifier are left out."""
        given = {"pretrained_filter_fn": _without_classifier, "pretrained_strict": False}
        return build_model_with_cfg(network, name, pretrained, **given, **options, **design)

    create.__name__ = name  # timm registers the model by this name
    register_model(create)


for _name in _SQUEEZE:
    _register(_name, SqueezeNet, {"version": _name.removeprefix("squeezenet")})
for _name, (_, _channels) in _SHUFFLE.items():
    _register(_name, ShuffleNet, {"channels": _channels})
