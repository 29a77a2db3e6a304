"""How a network is adapted in rounds."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from reidops.adaptation.clustering import ClusterSettings
from reidops.training.fitting import FitSettings
from reidops.training.optimization import RateCurve
from reidops.training.training import Loop


@dataclass(frozen=True)
class AdaptationSettings:
    """How a network is adapted; see the params of `adapt`."""

    rounds: int
    epochs: int = 1
    clusters: ClusterSettings = ClusterSettings()
    temperature: float = 0.05
    momentum: float = 0.8
    update: Literal["mean", "hard", "each"] = "each"
    camera_proxies: bool = True
    rival_weight: float = 1.0
    source_share: float = 0.0
    norm_share: float = 0.0
    people_per_batch: int = 16
    crops_per_person: int = 4
    optimizer: str = "adamw"
    learning_rate: float = 3.5e-4
    final_share: float = 0.05
    warmup_steps: int = 0
    weight_decay: float = 5e-4
    ema: float = 0.0
    stable: float = 1.0
    checkpoint_activations: bool = False
    seed: int = 0

    @property
    def memory(self) -> dict[str, Any]:
        """Return the options of the cluster memory."""
        return {name: getattr(self, name) for name in ("temperature", "momentum", "update", "rival_weight")}

    def rate(self, number: int) -> float:
        """Return the learning rate of round `number` (1 … rounds)."""
        share = (number - 1) / max(1, self.rounds - 1)
        curve = (1 + math.cos(math.pi * share)) / 2
        return self.learning_rate * (self.final_share + (1 - self.final_share) * curve)

    def fit_settings(self, number: int, seed: int, num_batches: int) -> FitSettings:
        """Return the settings of round `number`: a constant rate, because it falls from round to round.

        The warm-up takes at most half of the steps: a round on few crops may have fewer than `warmup_steps`.
        """
        warmup = min(self.warmup_steps, self.epochs * num_batches // 2)
        return FitSettings(
            self.epochs,
            {},
            self.rate(number),
            self.weight_decay,
            curve=RateCurve("step", warmup_steps=warmup),
            loop=Loop(seed, ema_decay=self.ema, recomputes=self.checkpoint_activations, section="adapt"),
            optimizer=self.optimizer,
        )
