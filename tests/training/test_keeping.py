"""reidops/training/keeping.py: an epoch with collapsed embeddings is never kept."""

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError
from reidops.retrieval.ranking import score_embeddings
from reidops.training.keeping import Keeper
from reidops.training.progress import Progress
from reidops.training.validation import HeldOut


@pytest.fixture
def network() -> TrainingNetwork:
    torch.manual_seed(0)
    network = TrainingNetwork(EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=8, last_stride=2), 4)
    network.embedding.projection.bias.data.normal_()
    return network


@pytest.fixture
def keeper(network: TrainingNetwork) -> Keeper:
    """Return the keeper of that network and of three held-out people, four noisy images each."""
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(3), 4)
    images = rng.integers(0, 256, (3, 1, 1, 3))[pids] + rng.integers(-30, 30, (12, 64, 32, 3))
    crops = pd.DataFrame({"dataset": "MOT17", "camid": 0, "frame": np.tile([1, 50, 100, 150], 3), "pid": pids})
    held_out = HeldOut(np.clip(images, 0, 255).astype(np.uint8), crops, score_embeddings)
    return Keeper(network, 0.0, held_out, Fabric(accelerator="cpu", devices=1))


def collapse(network: TrainingNetwork, left: float = 0.0) -> None:
    """Scale down the part of the embeddings that depends on the image."""
    network.embedding.projection.weight.data *= left


def spoil(network: TrainingNetwork) -> None:
    network.embedding.neck.running_mean[0] = torch.nan


def test_a_collapsed_epoch_is_not_kept_even_if_no_other_is_better(network, keeper, caplog):
    progress, healthy = Progress(), {name: values.clone() for name, values in network.embedding.state_dict().items()}
    assert keeper.evaluate(1, progress)["val_mAP"] > 0
    progress.best["mAP"] = 0.0  # so that any figure of a later epoch is better
    for epoch, left in ((2, 1e-3), (3, 0.0)):
        collapse(network, left)
        assert np.isnan(keeper.evaluate(epoch, progress)["val_mAP"])
        assert f"epoch {epoch} is not kept" in caplog.text and "collapsed" in caplog.text
    kept = keeper.choose(3, progress)
    assert kept.epoch == 1 and all(torch.equal(values, healthy[name]) for name, values in kept.weights.items())


@pytest.mark.parametrize("break_down", [collapse, spoil])
def test_if_every_epoch_has_collapsed_the_error_names_the_params_to_change(network, keeper, break_down):
    progress = Progress()
    break_down(network)
    for epoch in (1, 2):
        keeper.evaluate(epoch, progress)
    with pytest.raises(ReidopsError, match=r"collapsed in every .*epoch.*train\.learning_rate.*train\.losses"):
        keeper.choose(2, progress)


def test_weights_without_a_score_are_not_kept_if_a_statistic_is_nan(network):
    keeper = Keeper(network, 0.0, None, Fabric(accelerator="cpu", devices=1))
    spoil(network)
    keeper.evaluate(1, Progress())
    with pytest.raises(ReidopsError, match=r"NaN or infinite values in neck\.running_mean \(1 of 8 values\)"):
        keeper.choose(1, Progress())
