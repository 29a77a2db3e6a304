"""The input sizes and the maps of the members of an ensemble: backbones that see one image at several sizes."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def scaled_sizes(size: tuple[int, int], scales: Sequence[float]) -> list[tuple[int, int]]:
    """Return the height and width, px, times each scale. In a trace of TorchScript, `size` consists of tensors."""
    return [(round(int(size[0]) * scale), round(int(size[1]) * scale)) for scale in scales]


def resized(inputs: Tensor, scale: float) -> Tensor:
    """Return inputs [N, 3, H, W] of `scale` times the height and width, interpolated bilinearly as in ONNX."""
    if scale == 1:
        return inputs
    (size,) = scaled_sizes((inputs.shape[2], inputs.shape[3]), [scale])
    return functional.interpolate(inputs, size, mode="bilinear")


def compute_maps(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Return the backbone's maps, [N, C, h, w], or its pooled features, [N, C]."""
    maps = backbone(inputs)
    is_channels_last = maps.ndim == 4 and getattr(backbone, "output_fmt", "NCHW") == "NHWC"
    return maps.permute(0, 3, 1, 2) if is_channels_last else maps
