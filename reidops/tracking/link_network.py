"""AFLink's network, evaluated with NumPy: do two tracks belong to one person, from frames and positions alone?

After Du et al., "StrongSORT: Make DeepSORT great again", 2023, section 3.3: each track is a branch of convolutions
along time, whose weights the three numbers of a row (frame, x, y) share; a convolution over the three numbers follows,
then the mean over time. A classifier decides on both branches. `tuning/link_training.py` trains it with torch.
"""

from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.errors import ReidopsError

WINDOW = 30  # boxes of the end of one track, and of the start of the other
KERNEL = 7  # boxes, of each convolution along time
CHANNELS = (8, 16, 32, 64)  # of the convolutions along time; the paper's are four times as many
FILE = Path(__file__).with_name("aflink.npz")  # the weights that are shipped, trained on drawn streets


class LinkNetwork:
    """The network with its weights, by the names of torch's state_dict."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}

    def probabilities(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the probability that each pair of tracks is one person, [n].

        Args:
            before, after: from `track_windows`, [n, WINDOW, 3].
        """
        features = np.concatenate([self._branch("before", before), self._branch("after", after)], axis=1)
        hidden = np.maximum(features @ self._weights["hidden.weight"].T + self._weights["hidden.bias"], 0)
        logits = (hidden @ self._weights["output.weight"].T + self._weights["output.bias"])[:, 0]
        return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))

    def _branch(self, name: str, windows: np.ndarray) -> np.ndarray:
        """Return the features of a branch, [n, CHANNELS[-1]]."""
        values = np.asarray(windows, np.float32)[..., None]  # [n, time, 3, channels]
        for layer in range(len(CHANNELS)):
            weight, bias = self._weights[f"{name}.time.{layer}.weight"], self._weights[f"{name}.time.{layer}.bias"]
            pieces = np.lib.stride_tricks.sliding_window_view(values, KERNEL, axis=1)  # [n, time, 3, channels, KERNEL]
            values = np.maximum(np.tensordot(pieces, weight[..., 0], axes=([3, 4], [1, 2])) + bias, 0)
        weight, bias = self._weights[f"{name}.fusion.weight"], self._weights[f"{name}.fusion.bias"]
        fused = np.maximum(np.tensordot(values, weight[:, :, 0], axes=([2, 3], [2, 1])) + bias, 0)
        return fused.mean(axis=1)


@cache
def load_network(path: Path = FILE) -> LinkNetwork:
    """Return the network of a weights file.

    Raises:
        ReidopsError: the file is missing, is no such file, or lacks a weight.
    """
    try:
        with np.load(path) as found:
            weights = dict(found)
    except (OSError, ValueError, BadZipFile) as error:
        raise ReidopsError(
            f"{path}: no weights for linking tracks ({error}); write them with `reidops train-linking`"
        ) from None
    network = LinkNetwork(weights)
    blank = np.zeros((1, WINDOW, 3), np.float32)
    try:
        network.probabilities(blank, blank)
    except (KeyError, ValueError, IndexError) as error:
        raise ReidopsError(
            f"{path}: the weights are of another network ({error}); write them with `reidops train-linking`"
        ) from None
    return network


def track_windows(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of the network for one pair of tracks, two arrays [WINDOW, 3].

    Frames are counted from the last of `before`, in units of WINDOW frames; positions are relative to its last centre,
    in units of the mean height of both tracks there. A shorter track repeats its outermost box.

    Args:
        before, after: frame, centre x, centre y, height of each box in order of time, [n, 4], px.
    """
    last, height = before[-1], (before[-1, 3] + after[0, 3]) / 2
    scale = np.array([WINDOW, height, height])
    ends = before[-WINDOW:, :3], after[:WINDOW, :3]
    missing = [WINDOW - len(end) for end in ends]
    padded = np.pad(ends[0], ((missing[0], 0), (0, 0)), "edge"), np.pad(ends[1], ((0, missing[1]), (0, 0)), "edge")
    first, second = (((end - last[:3]) / scale).astype(np.float32) for end in padded)
    return first, second
