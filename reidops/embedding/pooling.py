"""Pooling that timm lacks."""

import torch
from torch import Tensor, nn


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
