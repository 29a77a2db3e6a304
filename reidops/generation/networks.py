"""The networks of the adversarial training: generator and critic of convolutions (DCGAN, Radford et al. 2016), encoder.

Maps double from 4 × 2 to the size of the crops in the generator, and halve in the critic and the encoder.
"""

import math

import torch
from torch import Tensor, nn

_FIRST = (4, 2)  # height and width of the smallest map, px


class Generator(nn.Module):
    """Map random values to crops.

    Args:
        height: of the crops, px; 32, 64 or 128. The width is half of it.
        latent_dim: number of random values per crop.
        channels: of the largest map; each smaller map has twice as many, at most eight times.
    """

    def __init__(self, height: int, latent_dim: int, channels: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        widths = _widths(height, channels)[::-1]
        self.first = nn.Linear(latent_dim, widths[0] * math.prod(_FIRST), bias=False)
        self.first_norm = nn.BatchNorm2d(widths[0])
        self.blocks = nn.Sequential(*(_grow(*pair) for pair in zip(widths[:-1], widths[1:], strict=True)))
        self.last = nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1)
        _initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """Return crops, RGB in −1 … 1 [N, 3, height, height / 2], of standard normal values [N, latent_dim]."""
        maps = self.first(latents).unflatten(1, (-1, *_FIRST))
        return torch.tanh(self.last(self.blocks(self.first_norm(maps).relu())))


class Critic(nn.Module):
    """Map crops to scores, which are higher for real ones.

    Args:
        height, channels: as for the generator.

    There is no batch normalization, because the penalties are defined for each crop alone (Gulrajani et al. 2017).
    """

    def __init__(self, height: int, channels: int) -> None:
        super().__init__()
        widths = [3, *_widths(height, channels)]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * math.prod(_FIRST), 1))

    def forward(self, crops: Tensor) -> Tensor:
        """Return scores [N] of crops, RGB in −1 … 1 [N, 3, height, height / 2]."""
        return self.layers(crops)[:, 0]


class Encoder(nn.Module):
    """Map crops to distributions of the latents of a generator, for the autoencoder.

    Args:
        height, latent_dim, channels: as for the generator.
    """

    def __init__(self, height: int, latent_dim: int, channels: int) -> None:
        super().__init__()
        widths = [3, *_widths(height, channels)]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * math.prod(_FIRST), 2 * latent_dim))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances [N, latent_dim] of crops, RGB in −1 … 1 [N, 3, height, height / 2]."""
        means, log_variances = self.layers(crops).chunk(2, dim=1)
        return means, log_variances.clamp(-8, 4)


def _initialise(network: nn.Module) -> None:
    """Draw the weights from a normal distribution of standard deviation 0.02, as DCGAN does."""
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _widths(height: int, channels: int) -> list[int]:
    """Return the channels of the maps from the largest (half the height of the crop) to the smallest."""
    num_halvings = round(math.log2(height // _FIRST[0]))
    return [channels * min(8, 2**level) for level in range(num_halvings)]


def _grow(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
