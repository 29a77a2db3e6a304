"""The network from a crop to its embedding: a timm backbone, pooling, an optional projection and BNNeck.

A crop is pooled as a whole and, where `parts` is above 0, in so many horizontal stripes as well (Sun et al. 2018, PCB):
from head to foot, each with a projection, a neck and a classifier of its own. A branch is one of these, the whole is
the first.
"""

import difflib
from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.layers import set_layer_config
from timm.models import is_model_in_modules
from torch import Tensor, nn
from torch.nn import functional

from reidops.embedding import osnet, resnet_ibn  # noqa: F401 – they register their networks with timm
from reidops.embedding.pooling import POOLINGS, GeM, cut_stripes, make_pool
from reidops.errors import ReidopsError


class EmbeddingNetwork(nn.Module):
    """Map RGB images to unit embeddings.

    Args:
        backbone: a name of timm, or of the families that this package registers with it: OSNet and ResNet-IBN-a.
        embedding_dim: width of a projection after the pooling, 0 = none; of each branch.
        parts: horizontal stripes that are embedded beside the whole, 0 = none.
        pooling: avg, max, avgmax or gem.
        last_stride: 1 keeps the last stage's map at twice the height and width; 2 leaves the backbone as it is. OSNet's
            last stage has no stride, so that both leave it as it is.
        mean, std: of the input per RGB channel in 0 … 1; None = the backbone's own.
        pretrained: with timm's weights.
        flip_average: average each embedding with its mirror image's.

    Raises:
        ReidopsError: the backbone or the pooling is unknown, they do not fit each other, or the backbone takes images
            of one size only.
    """

    def __init__(
        self,
        backbone: str,
        *,
        embedding_dim: int = 0,
        parts: int = 0,
        pooling: str = "avg",
        last_stride: int = 2,
        pretrained: bool = False,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
        flip_average: bool = False,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ReidopsError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}")
        self.backbone_name = backbone
        self.parts, self.num_branches = parts, 1 + parts
        own_pool = pooling == "gem" and not _pools_by_gem(backbone)
        self.backbone = _create_backbone(backbone, "" if parts or own_pool else pooling, pretrained)
        if last_stride == 1 and getattr(self.backbone, "last_stage_stride", 2) == 2:
            _remove_last_stride(self.backbone, backbone)
        self.pool = make_pool(pooling) if parts or own_pool else nn.Identity()
        num_features = self._num_features(backbone)
        self.branch_dim = embedding_dim or num_features
        self.dim = self.num_branches * self.branch_dim
        self.projection = _projections(num_features, embedding_dim, self.num_branches)
        self.neck = nn.BatchNorm1d(self.dim)
        self.neck.bias.requires_grad_(False)  # the neck only scales: Luo et al. 2019, BNNeck
        config = self.backbone.pretrained_cfg
        self.mean, self.std = tuple(mean or config["mean"]), tuple(std or config["std"])
        self.register_buffer("_mean", 255 * torch.tensor(self.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", 255 * torch.tensor(self.std).view(3, 1, 1), persistent=False)
        self.flip_average = flip_average

    def features(self, inputs: Tensor) -> Tensor:
        """Return what the neck gets, [N, dim], of normalised inputs [N, 3, H, W]: the branches side by side."""
        maps = self._maps(inputs)
        if not self.parts:
            return self.projection(self.pool(maps))
        pooled = [self.pool(maps), *(self.pool(stripe) for stripe in cut_stripes(maps, self.parts))]
        return torch.cat([project(branch) for project, branch in zip(self.projection, pooled, strict=True)], dim=1)

    def _maps(self, inputs: Tensor) -> Tensor:
        """Return the backbone's maps, [N, C, h, w], or what it has pooled itself, [N, C]."""
        maps = self.backbone(inputs)
        is_channels_last = maps.ndim == 4 and getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
        return maps.permute(0, 3, 1, 2) if is_channels_last else maps

    def split_branches(self, values: Tensor) -> Tensor:
        """Return [N, num_branches, branch_dim] of [N, dim]."""
        return values.unflatten(1, (self.num_branches, self.branch_dim))

    def forward(self, images: Tensor) -> Tensor:
        """Return unit embeddings, float32 [N, dim], of RGB uint8 images [N, H, W, 3]; all preprocessing is in here."""
        inputs = (images.permute(0, 3, 1, 2).float() - self._mean) / self._std
        embeddings = self._embed(inputs)
        if self.flip_average:
            embeddings = functional.normalize(embeddings + self._embed(inputs.flip(3)))
        return embeddings

    def _embed(self, inputs: Tensor) -> Tensor:
        embeddings = self.neck(self.features(inputs)).float()
        if self.parts:  # each branch has an equal say
            embeddings = functional.normalize(self.split_branches(embeddings), dim=2).flatten(1)
        return functional.normalize(embeddings)

    def _num_features(self, name: str) -> int:
        """Return the width of the pooled backbone, by trying: timm's own figure leaves out the head of some
        families.
        """
        training = self.training
        with torch.inference_mode():
            maps = _tried(self.eval()._maps, name)
            if self.parts and maps.ndim != 4:
                raise ReidopsError(
                    f"parts is {self.parts}, but the backbone {name} gives {list(maps.shape)}, no map to cut; set "
                    f"train.parts to 0"
                )
            if isinstance(self.pool, GeM) and maps.ndim != 4:
                raise ReidopsError(
                    f"pooling is gem, but the backbone {name} gives {list(maps.shape)}, no map; set train.pooling to "
                    f"avg"
                )
            features = self.pool(maps)
        self.train(training)
        if features.ndim != 2:
            raise ReidopsError(
                f"the backbone {name} gives features {list(features.shape)}, expected [N, C]: it does not go with this "
                f"pooling"
            )
        return features.shape[1]


class TrainingNetwork(nn.Module):
    """An embedding network with the classifiers, one per branch, that only training needs."""

    def __init__(self, embedding: EmbeddingNetwork, num_people: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.classifier = nn.ModuleList(
            [nn.Linear(embedding.branch_dim, num_people, bias=False) for _ in range(embedding.num_branches)]
        )
        for classifier in self.classifier:
            nn.init.normal_(classifier.weight, std=0.001)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features before the neck [N, B, d], logits [N, B, num_people] and embeddings after the neck [N, B, d],
        B branches.

        `inputs` are normalised, [N, 3, H, W]; the embeddings are not yet of unit length.
        """
        features = self.embedding.features(inputs)
        embeddings = self.embedding.split_branches(self.embedding.neck(features))
        logits = [classify(branch) for classify, branch in zip(self.classifier, embeddings.unbind(1), strict=True)]
        return self.embedding.split_branches(features), torch.stack(logits, dim=1), embeddings

    def train(self, mode: bool = True) -> "TrainingNetwork":
        """Set the mode of all modules but the frozen ones, which stay as in use: fixed statistics, no dropout."""
        super().train(mode)
        if mode and not all(p.requires_grad for p in self.parameters() if p is not self.embedding.neck.bias):
            for module in filter(_is_frozen, self.modules()):
                module.eval()
        return self


def _is_frozen(module: nn.Module) -> bool:
    """Tell whether a module has parameters and none of them learns."""
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def check_backbone(name: str) -> None:
    """Find out whether timm has a model of that name, with or without a tag (resnet18, resnet18.a1_in1k).

    Raises:
        ReidopsError: it has none; near names are offered.
    """
    model, _, tag = name.partition(".")
    if not timm.is_model(model):
        near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.5)
        raise ReidopsError(
            f"the backbone {name!r} is unknown to timm {timm.__version__}; near: {', '.join(near) or 'none'}"
        )
    if tag and name not in timm.list_pretrained():
        near = timm.list_pretrained(f"{model}.*")
        raise ReidopsError(
            f"timm {timm.__version__} knows no weights {tag!r} of {model}; known: {', '.join(near) or 'none'}"
        )


def _projections(num_features: int, embedding_dim: int, num_branches: int) -> nn.Module:
    layers = [nn.Linear(num_features, embedding_dim) if embedding_dim else nn.Identity() for _ in range(num_branches)]
    return layers[0] if num_branches == 1 else nn.ModuleList(layers)


def _create_backbone(name: str, global_pool: str, pretrained: bool) -> nn.Module:
    check_backbone(name)
    # Fused attention leaves no graph that an ONNX exporter can follow on every version.
    with set_layer_config(exportable=True):
        try:
            return timm.create_model(
                name, pretrained=pretrained, num_classes=0, global_pool=global_pool, **_input_size(name)
            )
        except OSError as error:  # of requests, the hub and the disk alike
            raise ReidopsError(
                f"the published weights of {name} cannot be had: {error}; set train.pretrained to false"
            ) from None


def _pools_by_gem(name: str) -> bool:
    """Tell whether the backbone itself knows GeM: OSNet does, for it has an embedding layer behind the pooling."""
    return is_model_in_modules(name, "osnet")


def _input_size(name: str) -> dict[str, Any]:
    """Let transformers, which are built for one input size, take any."""
    return (
        {"dynamic_img_size": True}
        if name.startswith(("vit_", "deit", "eva", "swin_", "swinv2_")) and "_cr_" not in name
        else {}
    )


def _remove_last_stride(backbone: nn.Module, name: str) -> None:
    """Set the stride of the backbone's last reduction from 2 to 1: of all layers of stride 2 that see the smallest
    map.
    """
    seen: dict[str, int] = {}
    strided = {
        n: m
        for n, m in backbone.named_modules()
        if isinstance(m, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d) and _stride(m) == 2
    }
    hooks = [
        m.register_forward_pre_hook(lambda _, x, n=n: seen.__setitem__(n, x[0].shape[2])) for n, m in strided.items()
    ]
    with torch.inference_mode():
        _tried(backbone.eval(), name)
    for hook in hooks:
        hook.remove()
    backbone.train()
    if not seen:
        raise ReidopsError(
            f"last_stride is 1, but the backbone {name} has no layer of stride 2; set train.last_stride to 2"
        )
    for n in (n for n, size in seen.items() if size == min(seen.values())):
        if isinstance(strided[n], nn.Conv2d):
            strided[n].stride = (1, 1)
        else:
            backbone.set_submodule(n, nn.Identity())


def _tried(network: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """Return what a network makes of an image of 128 × 64 px."""
    try:
        return network(torch.zeros(1, 3, 128, 64))
    except (AssertionError, RuntimeError) as error:
        told = (str(error).splitlines() or ["it does not say why"])[0]
        raise ReidopsError(
            f"the backbone {name} takes no image of 128 × 64 px ({told}); take one for images of any size"
        ) from None


def _stride(module: nn.Module) -> int:
    return module.stride[0] if isinstance(module.stride, tuple) else module.stride
