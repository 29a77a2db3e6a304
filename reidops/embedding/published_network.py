"""What timm expects of a network, for networks that are built from their papers."""

from typing import Any

from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from reidops.errors import ReidopsError


class PublishedNetwork(nn.Module):
    """A network with a classifier whose embedding is its pooled map, or a vector of its own.

    A subclass computes `forward_features`: maps [N, num_features, h, w], or vectors [N, num_features] if its pooling is
    part of the architecture.

    The attribute `recomputed` of a module names the methods whose activations a training may recompute in its backward
    pass instead of keeping them (`training/recomputation.py`); none of them calls another.
    """

    has_own_pooling = False

    def __init__(self, num_features: int, num_classes: int, global_pool: str) -> None:
        super().__init__()
        self.num_features = self.head_hidden_size = num_features
        self._set_pooling(global_pool)
        self.reset_classifier(num_classes)

    def get_classifier(self) -> nn.Module:
        """Return the classifier, as timm's interface requires."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier (0 = none) and, unless None, the pooling."""
        self.num_classes = num_classes
        if global_pool is not None:
            self._set_pooling(global_pool)
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps or vectors of images [N, 3, H, W]."""
        raise NotImplementedError

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Return logits, or embeddings [N, num_features] without a classifier or with `pre_logits`."""
        pooled = self.global_pool(features)
        return pooled if pre_logits else self.classifier(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Return the output of `forward_head` for images [N, 3, H, W]."""
        return self.forward_head(self.forward_features(images))

    def _set_pooling(self, global_pool: str) -> None:
        if not self.has_own_pooling:
            self.global_pool: nn.Module = SelectAdaptivePool2d(pool_type=global_pool, flatten=bool(global_pool))
        elif global_pool in ("avg", ""):
            self.global_pool = nn.Identity()
        else:
            raise ReidopsError(
                f"pooling is {global_pool}, but {type(self).__name__} pools by its own architecture; set train.pooling "
                "to avg"
            )


def mark_recomputed(network: nn.Module, kind: type[nn.Module]) -> None:
    """Let a training recompute the activations of the modules of a class of another package."""
    for module in network.modules():
        if isinstance(module, kind):
            module.recomputed = ("forward",)


class ConvNormRelu(nn.Sequential):
    """A convolution, batch normalization and ReLU, as `conv`, `bn` and `relu`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (sides[0] // 2, sides[1] // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, sides, stride, padding, bias=bias)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


def dense_layer(in_features: int, out_features: int) -> nn.Sequential:
    """Return a linear layer with batch normalization and ReLU."""
    return nn.Sequential(nn.Linear(in_features, out_features), nn.BatchNorm1d(out_features), nn.ReLU(inplace=True))


def init_from_he(network: nn.Module) -> None:
    """Initialize all modules of a network, parents before children, see `init_module_from_he`."""
    for module in network.modules():
        init_module_from_he(module)


def init_module_from_he(module: nn.Module) -> None:
    """Initialize a convolution by He's normal distribution, a linear layer by a narrow one, and their bias by 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def config(height: int = 256, width: int = 128, *, url: str = "", first_conv: str = "conv1") -> dict[str, Any]:
    """Return the configuration for timm of a network with ImageNet's mean and standard deviation.

    Args:
        height, width: of the published input, px.
        url: of published weights, "" = none.
    """
    return {
        "url": url,
        "num_classes": 1000,
        "input_size": (3, height, width),
        "pool_size": None,
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": first_conv,
        "classifier": "classifier",
    }
