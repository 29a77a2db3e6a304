"""Train AFLink's network on pairs of pieces of ground-truth tracks, with torch; `link_network.py` evaluates it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from reidops.files import whole_file
from reidops.mot.sequences import PEDESTRIAN, read_annotations, read_sequence
from reidops.mot.synthetic.tracks import draw_tracks
from reidops.tracking.link_network import CHANNELS, KERNEL
from reidops.tracking.tuning.link_pairs import LinkPairs, draw_pairs

log = logging.getLogger(__name__)

_SIZES = ((640, 360), (1280, 720), (1920, 1080))
_FRAME_RATES = (6.0, 12.0, 25.0, 30.0)


@dataclass(frozen=True)
class LinkTraining:
    """How the network is trained; the paper gives 20 epochs of Adam, the amount of data is chosen here."""

    num_pairs: int = 20_000
    num_epochs: int = 8
    batch_size: int = 256
    learning_rate: float = 2e-3
    seed: int = 0


class Branch(nn.Module):
    """Convolutions along time, one over the three numbers of a row, and the mean over time."""

    def __init__(self) -> None:
        super().__init__()
        widths = zip((1, *CHANNELS[:-1]), CHANNELS, strict=True)
        self.time = nn.ModuleList(nn.Conv2d(before, after, (KERNEL, 1)) for before, after in widths)
        self.fusion = nn.Conv2d(CHANNELS[-1], CHANNELS[-1], (1, 3))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return features [n, CHANNELS[-1]] of windows [n, WINDOW, 3]."""
        values = windows[:, None]
        for layer in self.time:
            values = layer(values).relu()
        return self.fusion(values).relu().mean(dim=(2, 3))


class LinkModule(nn.Module):
    """Both branches and the classifier; its state_dict holds the weights of `LinkNetwork`."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = Branch(), Branch()
        self.hidden = nn.Linear(2 * CHANNELS[-1], CHANNELS[-1])
        self.output = nn.Linear(CHANNELS[-1], 1)

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Return the logits [n] of two windows [n, WINDOW, 3]."""
        features = torch.cat([self.before(before), self.after(after)], dim=1)
        return self.output(self.hidden(features).relu())[:, 0]


def draw_scenes(num_scenes: int, seed: int) -> list[pd.DataFrame]:
    """Return the tracks of drawn streets of several sizes and frame rates."""
    scenes = []
    for index in range(num_scenes):
        rng = np.random.default_rng([seed, index])
        frame_rate = float(rng.choice(_FRAME_RATES))
        size = _SIZES[int(rng.integers(len(_SIZES)))]
        num_people, num_frames = int(rng.integers(10, 17)), round(12.5 * frame_rate)
        scenes.append(
            draw_tracks(rng, index, size, num_people=num_people, num_frames=num_frames, frame_rate=frame_rate)
        )
    return scenes


def read_scene(folder: Path) -> pd.DataFrame:
    """Return the considered people of a sequence's ground truth.

    Raises:
        ReidopsError: the folder holds no sequence with a ground truth.
    """
    truth = read_annotations(read_sequence(folder))
    return truth[truth["considered"] & (truth["class_id"] == PEDESTRIAN)]


def train_linking(scenes: Sequence[pd.DataFrame], training: LinkTraining = LinkTraining()) -> dict[str, np.ndarray]:
    """Return the weights of a network trained on the ground truth of scenes.

    Args:
        scenes: frame, track_id, left, top, width, height of each scene; px.

    Raises:
        ReidopsError: as `draw_pairs`.
    """
    rng = np.random.default_rng(training.seed)
    pairs = draw_pairs(scenes, training.num_pairs, rng)
    torch.manual_seed(training.seed)
    network = LinkModule()
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.num_epochs)
    for epoch in range(training.num_epochs):
        loss = _train_epoch(network, optimizer, pairs, rng.permutation(len(pairs)), training.batch_size)
        schedule.step()
        log.info("epoch %d of %d: loss %.4f", epoch + 1, training.num_epochs, loss)
    return {name: value.numpy().astype(np.float16) for name, value in network.state_dict().items()}


def _train_epoch(
    network: LinkModule, optimizer: torch.optim.Optimizer, pairs: LinkPairs, order: np.ndarray, batch_size: int
) -> float:
    """Train on all pairs once and return the mean loss."""
    losses = []
    for rows in np.array_split(order, max(1, len(order) // batch_size)):
        before, after, same = (torch.from_numpy(values[rows]) for values in (pairs.before, pairs.after, pairs.same))
        loss = nn.functional.binary_cross_entropy_with_logits(network(before, after), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def write_weights(weights: dict[str, np.ndarray], path: Path) -> None:
    """Write weights as a compressed .npz file; it appears whole or not at all."""
    with whole_file(path) as partial, open(partial, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **weights)
