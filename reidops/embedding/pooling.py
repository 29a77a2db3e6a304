"""Pool the map of a backbone to one vector, as a whole or in horizontal stripes, and the frames of tracklets."""

import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

POOLINGS = ("avg", "max", "avgmax", "gem", "token")


class GeM(nn.Module):
    """Generalized mean pooling with a learned exponent (Radenović et al. 2018); 1 = average, ∞ = maximum."""

    def __init__(self, exponent: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor([exponent]))
        self.floor = floor

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, C] of maps [N, C, h, w], in float32 because powers overflow in half precision."""
        powers = maps.float().clamp(min=self.floor).pow(self.exponent)
        return powers.mean(dim=(2, 3)).pow(1 / self.exponent)


def make_pool(pooling: str) -> nn.Module:
    """Return the pooling layer from maps [N, C, h, w] to [N, C]; `pooling` is one of POOLINGS but token."""
    return GeM() if pooling == "gem" else SelectAdaptivePool2d(pool_type=pooling, flatten=True)


def pool_frames(values: Tensor, frames: int, how: str) -> Tensor:
    """Return the mean, or the maximum if `how` is max, of each `frames` successive rows, [N / frames, …] of [N, …]."""
    grouped = values.unflatten(0, (-1, frames))
    return grouped.amax(dim=1) if how == "max" else grouped.mean(dim=1)


def cut_stripes(maps: Tensor, parts: int) -> list[Tensor]:
    """Return `parts` horizontal stripes of maps [N, C, h, w], from top to bottom.

    Stripe i has the rows ⌊i · h / parts⌋ … ⌈(i + 1) · h / parts⌉ − 1. Stripes share a row if h is not a multiple of
    `parts`, and none is empty.
    """
    height = maps.shape[2]
    return [maps[:, :, i * height // parts : -(-(i + 1) * height // parts)] for i in range(parts)]
