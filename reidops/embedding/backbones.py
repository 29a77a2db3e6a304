"""Build a backbone of timm for one input size: its options, its last stride and its patches."""

import difflib
import math
from collections.abc import Callable, Iterator
from typing import Any

import timm
import torch
from timm.layers import resample_abs_pos_embed, set_layer_config
from torch import Tensor, nn

from reidops.embedding import (  # noqa: F401 – they register their networks with timm
    deep_sort_net,
    hacnn,
    lmbn,
    mlfn,
    mudeep,
    nasnet_mobile,
    osnet,
    resnet_ibn,
    resnet_mid,
    shufflenet,
    torchvision_networks,
)
from reidops.errors import ReidopsError

Size = tuple[int, int]  # height and width, px

_IMAGE_CHANNELS = 3
PROBE_SIZE = (128, 64)  # for a network whose input size is not given
_REFUSALS = (  # what networks raise for a wrong size
    AssertionError,
    RuntimeError,
    TypeError,
    IndexError,
    ValueError,
    ZeroDivisionError,
)
_TRANSFORMERS = (
    "vit_",
    "deit",
    "eva",
    "beit",
    "flexivit_",
    "test_vit",
    "test_eva",
)  # plain ones, built for one size, but not bound to it
_WINDOWED = ("swin_", "swinv2_")


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


def create_backbone(name: str, pooling: str, size: Size, *, pretrained: bool = False) -> nn.Module:
    """Return timm's network without its classifier, for images of a height and width.

    A network that is built for one image size is built for this one. Its position embeddings are resized, also those of
    published weights. A transformer has its normalization at the place where the published weights have it. A map of a
    small image that is smaller than the kernel of its convolution is padded with zeros.

    Args:
        pooling: of timm; "" = none, "token" = that of the published network (class token or attention).

    Raises:
        ReidopsError: the name is unknown, the network accepts no image of this size, or the weights cannot be loaded.
    """
    check_backbone(name)
    reasons: list[str] = []
    for options in _options(name, pooling, size):
        try:
            backbone = _create(name, options)
            pad_small_maps(backbone, size)
        except _REFUSALS as error:
            reasons += [] if isinstance(error, TypeError) else [_first_line(error)]
        else:
            if pretrained:
                backbone = _create(name, options, pretrained=True)
                pad_small_maps(backbone, size)
            return backbone
    height, width = size
    raise ReidopsError(
        f"the backbone {name} does not accept an image of {height} × {width} px "
        f"({reasons[0] if reasons else 'no reason given'}); set train.height and train.width to a size that it "
        "accepts, or train.backbone to a network for images of any size"
    )


def probe(network: Callable[[Tensor], Tensor], size: Size) -> Tensor:
    """Return the output of a network for one black image [1, 3, height, width], in evaluation mode."""
    training = isinstance(network, nn.Module) and network.training
    if isinstance(network, nn.Module):
        network.eval()
    with torch.inference_mode():
        output = network(torch.zeros(1, _IMAGE_CHANNELS, *size))
    if isinstance(network, nn.Module):
        network.train(training)
    return output


def pad_small_maps(backbone: nn.Module, size: Size) -> None:
    """Pad the input of each convolution whose kernel is larger than its map of an image of this size.

    FasterNet, for example, halves an image of 32 × 16 px to 2 × 1 before a kernel of 2 × 2. No other convolution
    changes, and none that reads the image: an image that is smaller than a patch is refused.
    """
    convolutions = [
        m
        for m in backbone.modules()
        if isinstance(m, nn.Conv2d) and not isinstance(m.padding, str) and m.in_channels != _IMAGE_CHANNELS
    ]
    hooks = [conv.register_forward_pre_hook(_pad_small_map) for conv in convolutions]
    try:
        probe(backbone, size)
    finally:
        for hook in hooks:
            hook.remove()


def _pad_small_map(conv: nn.Module, inputs: tuple[Tensor]) -> None:
    """Raise the padding of a convolution so that its kernel fits onto its input [N, C, h, w]."""
    if isinstance(conv, nn.Conv2d):
        reach = (d * (k - 1) + 1 for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
        missing = [max(0, math.ceil((side - rows) / 2)) for side, rows in zip(reach, inputs[0].shape[2:], strict=True)]
        conv.padding = tuple(max(pair) for pair in zip(conv.padding, missing, strict=True))


def check_size(network: Callable[[Tensor], Tensor], size: Size, param: str) -> None:
    """Check that a network accepts images of a size that a param names.

    Raises:
        ReidopsError: it does not; the message has the param.
    """
    try:
        probe(network, size)
    except _REFUSALS as error:
        raise ReidopsError(
            f"{param}: the backbone does not accept an image of {size[0]} × {size[1]} px ({_first_line(error)}); "
            "remove this size"
        ) from None


def remove_last_stride(backbone: nn.Module, name: str, size: Size) -> None:
    """Set the stride of the backbone's last reduction from 2 to 1.

    These are all layers of stride 2 whose input is the smallest map.

    Raises:
        ReidopsError: the backbone has no layer of stride 2, or its branches would have maps of different sizes.
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
    probe(backbone, size)
    for hook in hooks:
        hook.remove()
    if not seen:
        raise ReidopsError(
            f"last_stride is 1, but the backbone {name} has no layer of stride 2; set train.last_stride to 2"
        )
    for n in (n for n, rows in seen.items() if rows == min(seen.values())):
        if isinstance(strided[n], nn.Conv2d):
            strided[n].stride = (1, 1)
        else:
            backbone.set_submodule(n, nn.Identity())
    try:
        pad_small_maps(backbone, size)
    except _REFUSALS as error:
        raise ReidopsError(
            f"last_stride is 1, but without its last stride the branches of the backbone {name} have maps of different "
            f"sizes ({_first_line(error)}); set train.last_stride to 2"
        ) from None


def overlap_patches(backbone: nn.Module, name: str, stride: int, size: Size) -> None:
    """Cut the patches of a transformer every `stride` px, so that they overlap (He et al. 2021, TransReID).

    The weights stay as they are; the position embeddings are resized to the new number of patches.

    Raises:
        ReidopsError: the backbone has no patches of one size, or the stride exceeds them.
    """
    embed: Any = getattr(backbone, "patch_embed", None)
    conv = getattr(embed, "proj", None)
    if not isinstance(conv, nn.Conv2d) or not hasattr(embed, "grid_size") or conv.kernel_size != conv.stride:
        raise ReidopsError(
            f"patch_stride is {stride}, but the backbone {name} does not cut an image into patches of one size; set "
            "train.patch_stride to null"
        )
    if stride > conv.kernel_size[0]:
        raise ReidopsError(
            f"patch_stride is {stride}, but the patches of the backbone {name} have {conv.kernel_size[0]} px; set "
            "train.patch_stride to that or less"
        )
    grid = [(side - patch) // stride + 1 for side, patch in zip(size, conv.kernel_size, strict=True)]
    if isinstance(getattr(backbone, "pos_embed", None), nn.Parameter):
        prefix = 0 if getattr(backbone, "no_embed_class", False) else backbone.num_prefix_tokens
        resized = resample_abs_pos_embed(
            backbone.pos_embed.detach(), grid, list(embed.grid_size), num_prefix_tokens=prefix
        )
        backbone.pos_embed = nn.Parameter(resized)
    conv.stride = (stride, stride)
    embed.grid_size, embed.num_patches = tuple(grid), grid[0] * grid[1]


def _options(name: str, pooling: str, size: Size) -> Iterator[dict[str, Any]]:
    """Yield the options to build a backbone with, until one accepts the size."""
    pool = {} if pooling == "token" else {"global_pool": pooling}
    if name.startswith(_TRANSFORMERS):
        yield {**pool, **_norm_place(name), "dynamic_img_size": True, "img_size": size}
    if name.startswith(_WINDOWED) and "_cr_" not in name:
        yield {**pool, "dynamic_img_size": True}
    yield pool
    yield {**pool, "img_size": size}


def _norm_place(name: str) -> dict[str, bool]:
    """Return the option that keeps the last normalization of a transformer where its published weights have it.

    timm moves it behind an average pooling, where weights of a network with a class token have none.
    """
    with torch.device("meta"), set_layer_config(exportable=True):
        published = timm.create_model(name, num_classes=0)
    if not hasattr(published, "fc_norm"):
        return {}
    option = {"VisionTransformer": "fc_norm", "VisionTransformerDistilled": "fc_norm", "Eva": "use_fc_norm"}.get(
        type(published).__name__
    )
    return {option: not isinstance(published.fc_norm, nn.Identity)} if option else {}


def _create(name: str, options: dict[str, Any], *, pretrained: bool = False) -> nn.Module:
    # Fused attention cannot be exported to ONNX with every version of torch.
    with set_layer_config(exportable=True):
        try:
            return timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
        except OSError as error:  # raised by requests, by the model hub and for disk errors
            raise ReidopsError(
                f"the published weights of {name} cannot be loaded: {error}; set train.pretrained to false"
            ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0]


def _stride(module: nn.Module) -> int:
    return module.stride[0] if isinstance(module.stride, tuple) else module.stride
