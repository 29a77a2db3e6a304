"""reidops/adaptation/norm_statistics.py: batch norms get the statistics of other crops, and weights stay."""

import copy

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from reidops.adaptation.norm_statistics import BATCH, mix_norm_statistics


class Standardised(nn.Module):
    """Images whose colours are standardised, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(3), nn.Dropout(0.5)
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return self.drop(self.norm(images.permute(0, 3, 1, 2).float())).flatten(1)


class Images:
    """Images [N, H, W, 3] in batches."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def stream(self, batches):
        return ((indices, self._images[indices]) for indices in batches)


def draw(num: int) -> np.ndarray:
    return np.random.default_rng(num).integers(0, 256, (num, 4, 2, 3), dtype=np.uint8)


def mix(network: nn.Module, images: np.ndarray, share: float, crops: np.ndarray | None = None) -> int:
    chosen = np.arange(len(images)) if crops is None else crops
    fabric = Fabric(accelerator="cpu")
    return mix_norm_statistics(network, Images(images), chosen, share, fabric=fabric, seed=0)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_statistics_are_the_share_of_the_means_over_batches_of_all_crops(share):
    network, images = Standardised(), draw(2 * BATCH + 1)
    assert mix(network, images, share) == 1
    batches = [batch.reshape(-1, 3).double() for batch in network.seen]
    assert sorted(map(len, network.seen)) == [43, 43, 43]
    mean = torch.stack([batch.mean(dim=0) for batch in batches]).mean(dim=0)
    variance = torch.stack([batch.var(dim=0) for batch in batches]).mean(dim=0)
    np.testing.assert_allclose(network.norm.running_mean, share * mean, rtol=1e-5)
    np.testing.assert_allclose(network.norm.running_var, (1 - share) + share * variance, rtol=1e-5)


def test_each_crop_that_trains_is_used_once_and_no_other_one():
    network, images = Standardised(), draw(20)
    mix(network, images, 1.0, crops=np.arange(5, 20))
    seen = torch.cat(network.seen).numpy()
    assert sorted(map(bytes, seen)) == sorted(map(bytes, images[5:]))


def test_another_light_has_no_effect_on_embeddings_with_the_statistics_of_its_crops():
    day = draw(30)
    evening = (day * np.array([0.25, 0.5, 0.75])).astype(np.float32)
    by_day, by_evening = Standardised().eval(), Standardised().eval()
    mix(by_day, day, 1.0)
    mix(by_evening, evening, 1.0)
    with torch.no_grad():
        embeddings = by_evening(torch.from_numpy(evening)), by_day(torch.from_numpy(day))
    np.testing.assert_allclose(*embeddings, atol=1e-4)


def test_weights_modes_and_the_momentum_stay_as_they_were():
    network = Standardised().train()
    network.norm.momentum = 0.03
    weights = copy.deepcopy(dict(network.named_parameters()))
    mix(network, draw(9), 1.0)
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    assert network.norm.momentum == 0.03 and not any(module.training for module in network.modules())


@pytest.mark.parametrize(
    ("network", "share", "num"), [(Standardised(), 0.0, 9), (Standardised(), 1.0, 1), (nn.Flatten(), 1.0, 9)]
)
def test_without_a_share_two_crops_or_batch_norm_nothing_changes(network, share, num):
    before = copy.deepcopy(network.state_dict())
    assert mix(network, draw(num), share) == 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
