"""reidops/generation/adversarial_training.py: a training can be resumed, and failures are reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidops.errors import ReidopsError
from reidops.generation.adversarial_training import AdversarialTraining, draw_crops, to_unit_range
from reidops.generation.networks import Generator
from reidops.generation.settings import GanSettings
from reidops.training.checkpoints import Checkpoints

TINY = GanSettings(
    epochs=2, autoencoder_epochs=0, height=32, loss="logistic", critic_steps=1, gradient_penalty=10.0, latent_dim=4,
    channels=2, batch_size=4,
    learning_rate=0.01, ema=0.9, seed=0,
)  # fmt: skip


class Images:
    """Random crops in memory, with the methods of `ImageBatches`."""

    def __init__(self, num: int = 12) -> None:
        self._images = np.random.default_rng(0).integers(0, 256, (num, 32, 16, 3), np.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices):
        return self._images[indices]

    def stream(self, batches):
        for indices in batches:
            yield indices, self.batch(indices)


@pytest.fixture(autouse=True)
def _no_least_diversity(monkeypatch):
    monkeypatch.setattr("reidops.generation.adversarial_training.LEAST_DIVERSITY", 0.0)


def training_of(folder: Path, settings: GanSettings = TINY, num: int = 12) -> AdversarialTraining:
    return AdversarialTraining(Images(num), settings, Checkpoints(folder, vars(settings)), "cpu")


def weights_of(network: torch.nn.Module) -> list[torch.Tensor]:
    return [values.clone() for values in network.state_dict().values()]


class Death(BaseException):
    pass


def die_after(training: AdversarialTraining, step: int, monkeypatch) -> None:
    count = training._count_step

    def count_and_die(values):
        count(values)
        if training._progress.step == step:
            raise Death

    monkeypatch.setattr(training, "_count_step", count_and_die)


@pytest.mark.parametrize("change", [{}, {"loss": "wgan-gp", "critic_steps": 2}, {"ema": 0.0, "autoencoder_epochs": 1}])
@pytest.mark.parametrize("step", [2, 4])
def test_a_training_that_dies_goes_on_to_the_same_weights(tmp_path, monkeypatch, change, step):
    settings = replace(TINY, **change)
    whole, history = training_of(tmp_path / "whole", settings).fit()
    dying = training_of(tmp_path / "dying", settings)
    die_after(dying, step, monkeypatch)
    with pytest.raises(Death):
        dying.fit()
    resumed, of_resumed = training_of(tmp_path / "dying", settings).fit()
    assert all(torch.equal(*pair) for pair in zip(weights_of(whole), weights_of(resumed), strict=True))
    assert history.equals(of_resumed)


def test_the_history_has_a_row_per_epoch(tmp_path):
    _, history = training_of(tmp_path, replace(TINY, critic_steps=2)).fit()
    assert list(history) == ["epoch", "critic", "generator", "score_real", "score_generated", "diversity"]
    assert history["epoch"].tolist() == [1, 2] and history.notna().all(axis=None)


def test_an_autoencoder_starts_the_training_and_has_its_own_column(tmp_path):
    _, history = training_of(tmp_path, replace(TINY, epochs=3, autoencoder_epochs=2)).fit()
    assert history["autoencoder"].notna().tolist() == [True, True, False]
    assert history["critic"].notna().tolist() == [False, False, True]
    assert history["autoencoder"][1] < history["autoencoder"][0]


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_checkpoint(tmp_path):
    training_of(tmp_path, replace(TINY, epochs=1)).fit()
    spoiled = training_of(tmp_path)
    spoiled._critic.layers[-1].bias.data.fill_(torch.nan)
    with pytest.raises(ReidopsError, match=r"critic is nan at step 1 of epoch 1; lower generate\.learning_rate"):
        spoiled.fit()
    assert not list(tmp_path.glob("*/.state.pt.partial"))


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch):
    training = training_of(tmp_path)
    update = training._train_generator

    def update_and_spoil(fake):
        loss = update(fake)
        if training._progress.step == 2:
            training._generator.last.bias.data.fill_(torch.nan)
        return loss

    monkeypatch.setattr(training, "_train_generator", update_and_spoil)
    with pytest.raises(ReidopsError, match=r"the weights are not finite at step 3 of epoch 1"):
        training.fit()
    assert not list(tmp_path.glob("*/state.pt"))


def spread_of(training: AdversarialTraining, values: list[float], monkeypatch) -> None:
    monkeypatch.setattr("reidops.generation.adversarial_training.LEAST_DIVERSITY", 0.1)
    rest = iter(values)
    monkeypatch.setattr(training, "_measure_diversity", lambda: next(rest))


def test_a_generator_that_collapses_stops_with_its_diversity(tmp_path, monkeypatch):
    training = training_of(tmp_path, replace(TINY, epochs=3))
    spread_of(training, [0.4, 0.03], monkeypatch)
    with pytest.raises(ReidopsError, match=r"has collapsed: .* 0\.030 of that of .* at step 3 of epoch 2"):
        training.fit()


def test_a_generator_whose_crops_stay_alike_is_not_used(tmp_path, monkeypatch):
    training = training_of(tmp_path)
    spread_of(training, [0.02, 0.04], monkeypatch)
    with pytest.raises(ReidopsError, match=r"has not learnt enough in 2 epochs: .*increase generate\.epochs"):
        training.fit()


def test_too_few_training_crops_are_reported(tmp_path):
    with pytest.raises(ReidopsError, match=r"generate\.batch_size is 4, but there are 3 training crops"):
        training_of(tmp_path, num=3)


def test_equal_seeds_draw_equal_crops_of_any_batch_size():
    torch.manual_seed(0)
    generator = Generator(32, 4, 2)
    crops = draw_crops(generator, 5, seed=1)
    assert crops.shape == (5, 32, 16, 3) and crops.dtype == np.uint8 and generator.training
    assert np.array_equal(crops, draw_crops(generator, 5, seed=1, batch_size=2))
    assert not np.array_equal(crops, draw_crops(generator, 5, seed=2))


def test_pixels_become_values_from_minus_1_to_1():
    assert to_unit_range(np.array([[[[0, 255, 51]]]], np.uint8)).flatten().tolist() == pytest.approx([-1, 1, -0.6])
