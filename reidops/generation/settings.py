"""The settings of an adversarial training."""

from dataclasses import dataclass
from typing import Literal

LossName = Literal["wgan-gp", "logistic"]


@dataclass(frozen=True)
class GanSettings:
    """The settings of an adversarial training; stages/params/generate.py describes them."""

    epochs: int
    autoencoder_epochs: int
    height: int
    loss: LossName
    critic_steps: int
    gradient_penalty: float
    latent_dim: int
    channels: int
    batch_size: int
    learning_rate: float
    ema: float
    seed: int

    @property
    def width(self) -> int:
        """Return the width of the crops, px."""
        return self.height // 2

    @property
    def betas(self) -> tuple[float, float]:
        """Return the decays of Adam as published for WGAN-GP and for networks with R1: both use no momentum."""
        return (0.0, 0.9) if self.loss == "wgan-gp" else (0.0, 0.99)
