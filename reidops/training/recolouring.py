"""Change the colours of a batch of images: brightness, contrast, saturation, hue, and conversion to grey."""

import math

import torch
from torch import Tensor

from reidops.training.draws import Draws

_LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601: brightness of red, green and blue
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_LOCAL_SHARE = (0.02, 0.4)  # fraction of the image that local grey covers (Gong et al. 2021)
_LOCAL_ASPECT = (0.3, 1 / 0.3)


class ColourJitter:
    """Change brightness, contrast, saturation and hue by one linear map per image, followed by one clipping.

    Args:
        brightness: largest relative change; single colours additionally change by up to half of it.
        contrast: largest relative change of the distance from the image's mean grey.
        saturation: largest relative change of the distance of each pixel from its grey value.
        hue: largest rotation of the colours, as a fraction of the full circle.
    """

    def __init__(self, brightness: float, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0) -> None:
        self._brightness, self._contrast, self._saturation, self._hue = brightness, contrast, saturation, hue

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Return float32 [N, H, W, 3] in 0 … 255 of RGB uint8 [N, H, W, 3]."""
        num, height, width, _ = images.shape
        gain = self._gain(num, draws)
        if self._contrast == self._saturation == self._hue == 0:
            # The last axis is a whole line of pixels; a last axis of 3 would take twice the time.
            lines = torch.empty(num, height, 3 * width)
            chunks = (
                in_cache(values)
                for values in (lines, images.view(lines.shape), gain.repeat(1, 1, width).expand_as(lines))
            )
            for out, chunk, factor in zip(*chunks, strict=True):
                torch.mul(chunk, factor, out=out).clamp_(max=255)
            return lines.view(images.shape)
        pixels = images.view(num, -1, 3).float()
        matrix, offset = self._linear_map(gain, pixels, draws)
        return torch.baddbmm(offset, pixels, matrix).clamp_(0, 255).view(images.shape)

    def _gain(self, num: int, draws: Draws) -> Tensor:
        """Return the factor of each colour, [num, 1, 3]."""
        gain = torch.ones(num, 1, 3)
        if self._brightness > 0:
            gain = gain + self._brightness * draws.uniform(-1, 1, 1, 1)
            gain = gain + self._brightness / 2 * draws.uniform(-1, 1, 1, 3)
        return gain

    def _linear_map(self, gain: Tensor, pixels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return matrices [N, 3, 3] and offsets [N, 1, 3]: gain, then contrast, then saturation, then hue."""
        contrast, saturation = (1 + draws.uniform(-size, size, 1, 1) for size in (self._contrast, self._saturation))
        mean_grey = (pixels.mean(dim=1, keepdim=True) * gain) @ _LUMA[:, None]
        towards_grey = _LUMA[:, None].expand(3, 3)
        late = (saturation * torch.eye(3) + (1 - saturation) * towards_grey) @ _hue_turns(
            draws.uniform(-self._hue, self._hue)
        )
        return (torch.diag_embed(gain[:, 0]) * contrast) @ late, ((1 - contrast) * mean_grey).expand(-1, 1, 3) @ late


def in_cache(batch: Tensor) -> tuple[Tensor, ...]:
    """Split a batch into chunks of whole images; a chunk has about 1 MB of floats, which fits into a core's cache."""
    return batch.split(max(1, (1 << 18) // batch[0].numel()))


def _hue_turns(turns: Tensor) -> Tensor:
    """Return matrices [N, 3, 3] for row vectors that rotate the hue by these fractions of the full circle [N]."""
    angle = 2 * math.pi * turns
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.eye(3).repeat(len(turns), 1, 1)
    rotation[:, 1, 1], rotation[:, 1, 2], rotation[:, 2, 1], rotation[:, 2, 2] = cos, sin, -sin, cos
    return (torch.linalg.inv(_YIQ) @ rotation @ _YIQ).transpose(1, 2)


class Greying:
    """Convert whole images or rectangles to grey (global and local greyscale of Gong et al. 2021).

    Args:
        whole: probability of converting an image.
        local: probability of converting a rectangle of 2 to 40 % of the image, cut off at its border.
    """

    def __init__(self, whole: float, local: float) -> None:
        self._whole, self._local = whole, local

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the RGB images, float32 [N, H, W, 3], some of them converted."""
        is_whole, is_local = draws.coins(self._whole), draws.coins(self._local)
        inside = self._rectangles(images.shape[1], images.shape[2], draws) | is_whole[:, None, None]
        chosen = (is_whole | is_local).nonzero()[:, 0]
        coloured = images[chosen]
        return images.index_copy(
            0, chosen, torch.where(inside[chosen, :, :, None], (coloured @ _LUMA)[..., None], coloured)
        )

    def _rectangles(self, height: int, width: int, draws: Draws) -> Tensor:
        """Return a mask with a random rectangle for each image, bool [N, H, W]."""
        area = draws.uniform(*_LOCAL_SHARE) * height * width
        narrowest, widest = map(math.log, _LOCAL_ASPECT)
        aspect = draws.uniform(narrowest, widest).exp()
        down = _span((area * aspect).sqrt(), height, draws)
        across = _span((area / aspect).sqrt(), width, draws)
        return down[:, :, None] & across[:, None, :]


def _span(lengths: Tensor, size: int, draws: Draws) -> Tensor:
    """Return a mask of spans of the given lengths [N] at random starts, bool [N, size]."""
    lengths = lengths.round().clamp(1, size)
    starts = (draws.uniform(0, 1) * (size - lengths + 1)).floor()
    places = torch.arange(size)
    return (places >= starts[:, None]) & (places < (starts + lengths)[:, None])
