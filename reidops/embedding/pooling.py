"""From the backbone's map to one vector: the poolings, and the stripes that are pooled each for itself."""

import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

POOLINGS = ("avg", "max", "avgmax", "gem")


class GeM(nn.Module):
    """Pool by the generalised mean with a learnt exponent (Radenović et al. 2018): 1 is the average, ∞ the maximum."""

    def __init__(self, exponent: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor([exponent]))
        self.floor = floor

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, C] of maps [N, C, h, w]; in float32, for powers overflow in half precision."""
        powers = maps.float().clamp(min=self.floor).pow(self.exponent)
        return powers.mean(dim=(2, 3)).pow(1 / self.exponent)


def make_pool(pooling: str) -> nn.Module:
    """Return the layer from maps [N, C, h, w] to [N, C]; `pooling` is one of POOLINGS."""
    return GeM() if pooling == "gem" else SelectAdaptivePool2d(pool_type=pooling, flatten=True)


def cut_stripes(maps: Tensor, parts: int) -> list[Tensor]:
    """Return `parts` horizontal stripes of maps [N, C, h, w], from top to bottom.

    Stripe i holds the rows ⌊i · h / parts⌋ … ⌈(i + 1) · h / parts⌉ − 1, so that stripes share a row where h is no
    multiple of parts, and none is empty.
    """
    height = maps.shape[2]
    return [maps[:, :, i * height // parts : -(-(i + 1) * height // parts)] for i in range(parts)]
