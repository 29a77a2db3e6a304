"""The embedding network: a timm backbone, pooling, an optional projection and BNNeck.

The map of a crop is pooled as a whole and, if `parts` is above 0, also in `parts` horizontal stripes (Sun et al. 2018,
PCB). The whole and each stripe are branches with their own projection, neck and classifier; the whole is the first.
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
        backbone: a model name of timm, including the OSNet and ResNet-IBN-a models that this package registers.
        embedding_dim: width of the projection after the pooling of each branch, 0 = none.
        parts: number of horizontal stripes that are embedded in addition to the whole, 0 = none.
        pooling: avg, max, avgmax or gem.
        last_stride: 1 doubles the height and width of the last stage's map; 2 keeps the backbone unchanged. The last
            stage of OSNet has no stride, so the value has no effect.
        mean, std: of the input per RGB channel, in 0 … 1; None = those of the backbone.
        pretrained: whether to load the weights of timm.
        flip_average: whether to average the embeddings of each image and its mirror image.

    Raises:
        ReidopsError: the backbone or the pooling is unknown, they are incompatible, or the backbone accepts only one
            image size.
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
        self.neck.bias.requires_grad_(False)  # BNNeck of Luo et al. 2019 has no bias
        config = self.backbone.pretrained_cfg
        self.mean, self.std = tuple(mean or config["mean"]), tuple(std or config["std"])
        self.register_buffer("_mean", 255 * torch.tensor(self.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", 255 * torch.tensor(self.std).view(3, 1, 1), persistent=False)
        self.flip_average = flip_average

    def features(self, inputs: Tensor) -> Tensor:
        """Return the concatenated features of the branches before the neck, [N, dim], of inputs [N, 3, H, W]."""
        maps = self._maps(inputs)
        if not self.parts:
            return self.projection(self.pool(maps))
        pooled = [self.pool(maps), *(self.pool(stripe) for stripe in cut_stripes(maps, self.parts))]
        return torch.cat([project(branch) for project, branch in zip(self.projection, pooled, strict=True)], dim=1)

    def _maps(self, inputs: Tensor) -> Tensor:
        """Return the backbone's maps, [N, C, h, w], or its pooled features, [N, C]."""
        maps = self.backbone(inputs)
        is_channels_last = maps.ndim == 4 and getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"
        return maps.permute(0, 3, 1, 2) if is_channels_last else maps

    def split_branches(self, values: Tensor) -> Tensor:
        """Return [N, num_branches, branch_dim] of [N, dim]."""
        return values.unflatten(1, (self.num_branches, self.branch_dim))

    def forward(self, images: Tensor) -> Tensor:
        """Return unit embeddings, float32 [N, dim], of RGB uint8 images [N, H, W, 3]; includes the preprocessing."""
        inputs = (images.permute(0, 3, 1, 2).float() - self._mean) / self._std
        embeddings = self._embed(inputs)
        if self.flip_average:
            embeddings = functional.normalize(embeddings + self._embed(inputs.flip(3)))
        return embeddings

    def _embed(self, inputs: Tensor) -> Tensor:
        embeddings = self.neck(self.features(inputs)).float()
        if self.parts:  # gives each branch the same weight
            embeddings = functional.normalize(self.split_branches(embeddings), dim=2).flatten(1)
        return functional.normalize(embeddings)

    def _num_features(self, name: str) -> int:
        """Return the width of the pooled features by running the backbone; timm's `num_features` ignores some heads."""
        training = self.training
        with torch.inference_mode():
            maps = _tried(self.eval()._maps, name)
            if self.parts and maps.ndim != 4:
                raise ReidopsError(
                    f"parts is {self.parts}, but the output of the backbone {name} has the shape {list(maps.shape)} "
                    "and is not a map; set train.parts to 0"
                )
            if isinstance(self.pool, GeM) and maps.ndim != 4:
                raise ReidopsError(
                    f"pooling is gem, but the output of the backbone {name} has the shape {list(maps.shape)} and is "
                    "not a map; set train.pooling to avg"
                )
            features = self.pool(maps)
        self.train(training)
        if features.ndim != 2:
            raise ReidopsError(
                f"the features of the backbone {name} have the shape {list(features.shape)}, expected [N, C]; set "
                "another train.pooling"
            )
        return features.shape[1]


class TrainingNetwork(nn.Module):
    """An embedding network with one classifier per branch, for training."""

    def __init__(self, embedding: EmbeddingNetwork, num_people: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.classifier = nn.ModuleList(
            [nn.Linear(embedding.branch_dim, num_people, bias=False) for _ in range(embedding.num_branches)]
        )
        for classifier in self.classifier:
            nn.init.normal_(classifier.weight, std=0.001)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features before the neck, the logits, and the embeddings after the neck, of B branches.

        The shapes are [N, B, d], [N, B, num_people] and [N, B, d]. `inputs` are normalized, [N, 3, H, W]; the
        embeddings are not scaled to unit length.
        """
        features = self.embedding.features(inputs)
        embeddings = self.embedding.split_branches(self.embedding.neck(features))
        logits = [classify(branch) for classify, branch in zip(self.classifier, embeddings.unbind(1), strict=True)]
        return self.embedding.split_branches(features), torch.stack(logits, dim=1), embeddings

    def train(self, mode: bool = True) -> "TrainingNetwork":
        """Set the mode of all modules except frozen ones, which stay in evaluation mode."""
        super().train(mode)
        if mode and not all(p.requires_grad for p in self.parameters() if p is not self.embedding.neck.bias):
            for module in filter(_is_frozen, self.modules()):
                module.eval()
        return self


def _is_frozen(module: nn.Module) -> bool:
    """Return whether a module has parameters and none of them requires gradients."""
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def check_backbone(name: str) -> None:
    """Check that timm has a model of that name, with or without a tag (resnet18, resnet18.a1_in1k).

    Raises:
        ReidopsError: the model or the tag is unknown; similar names are suggested.
    """
    model, _, tag = name.partition(".")
    if not timm.is_model(model):
        near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.5)
        raise ReidopsError(
            f"timm {timm.__version__} has no backbone {name!r}; similar names: {', '.join(near) or 'none'}"
        )
    if tag and name not in timm.list_pretrained():
        near = timm.list_pretrained(f"{model}.*")
        raise ReidopsError(
            f"timm {timm.__version__} has no weights {tag!r} of {model}; known: {', '.join(near) or 'none'}"
        )


def _projections(num_features: int, embedding_dim: int, num_branches: int) -> nn.Module:
    layers = [nn.Linear(num_features, embedding_dim) if embedding_dim else nn.Identity() for _ in range(num_branches)]
    return layers[0] if num_branches == 1 else nn.ModuleList(layers)


def _create_backbone(name: str, global_pool: str, pretrained: bool) -> nn.Module:
    check_backbone(name)
    # Fused attention cannot be exported to ONNX with every version of torch.
    with set_layer_config(exportable=True):
        try:
            return timm.create_model(
                name, pretrained=pretrained, num_classes=0, global_pool=global_pool, **_input_size(name)
            )
        except OSError as error:  # raised by requests, by the model hub and for disk errors
            raise ReidopsError(
                f"the published weights of {name} cannot be loaded: {error}; set train.pretrained to false"
            ) from None


def _pools_by_gem(name: str) -> bool:
    """Return whether the backbone applies GeM itself, as OSNet does before its embedding layer."""
    return is_model_in_modules(name, "osnet")


def _input_size(name: str) -> dict[str, Any]:
    """Return options that make transformers, which are built for one input size, accept any size."""
    return (
        {"dynamic_img_size": True}
        if name.startswith(("vit_", "deit", "eva", "swin_", "swinv2_")) and "_cr_" not in name
        else {}
    )


def _remove_last_stride(backbone: nn.Module, name: str) -> None:
    """Set the stride of the backbone's last reduction from 2 to 1.

    These are all layers of stride 2 whose input is the smallest map.
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
    """Return the output of a network for an image of 128 × 64 px."""
    try:
        return network(torch.zeros(1, 3, 128, 64))
    except (AssertionError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ReidopsError(
            f"the backbone {name} does not accept an image of 128 × 64 px ({reason}); set train.backbone to one for "
            "images of any size"
        ) from None


def _stride(module: nn.Module) -> int:
    return module.stride[0] if isinstance(module.stride, tuple) else module.stride
