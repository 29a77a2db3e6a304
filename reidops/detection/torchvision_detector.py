"""Run torchvision detectors with the published COCO weights or own weights."""

import difflib
import pickle
import socket
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
import torch
import torchvision
from torchvision.models import detection as zoo

from reidops.detection.boxes import found
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.files import repository_path

_PERSON = 1  # label of COCO
_TIMEOUT_SECONDS = 10.0


class TorchvisionDetector:
    """A torchvision detector that returns people; it runs on a GPU if there is one."""

    def __init__(self, name: str, settings: DetectorSettings = DetectorSettings()) -> None:
        """Build and load the network.

        Raises:
            ReidopsError: there is no such detector, its weights are missing, or they belong to another network.
        """
        if name not in torchvision_names():
            raise ReidopsError(f"{name}: torchvision has no detector of that name; {_near(name)}")
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._min_confidence = settings.min_confidence
        network = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        path = published_weights(name) if settings.weights is None else repository_path(settings.weights)
        _load(network, path, name)
        self._network = network.to(self._device).eval()

    @torch.inference_mode()
    def detect(self, picture: np.ndarray) -> sv.Detections:
        """Return the people in a picture, BGR uint8 [h, w, 3], in descending order of confidence."""
        pixels = torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).to(self._device).permute(2, 0, 1) / 255
        output = self._network([pixels])[0]
        people = output["labels"] == _PERSON
        return found(
            output["boxes"][people].cpu().numpy(), output["scores"][people].cpu().numpy(), picture, self._min_confidence
        )


def torchvision_names() -> list[str]:
    """Return the names of the torchvision detectors."""
    return torchvision.models.list_models(module=zoo)


def published_weights(name: str) -> Path:
    """Return the file of a detector's COCO weights in the cache of torch, and fetch it if it is missing.

    Raises:
        ReidopsError: the file cannot be fetched; the message has the path for a manual copy.
    """
    address = torchvision.models.get_model_weights(name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = path.stem.rpartition("-")[2]
    try:
        with _socket_timeout(_TIMEOUT_SECONDS):
            torch.hub.download_url_to_file(address, str(path), hash_prefix=digest)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ReidopsError(
            f"{name}: its weights cannot be fetched from {address} ({error}); fetch {path.name} on another machine and "
            f"copy it to {path}, or set detector.weights to its path"
        ) from None
    return path


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Set the default timeout of new sockets within the block."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load(network: torch.nn.Module, path: Path, name: str) -> None:
    """Load a state dict into the network."""
    if not path.is_file():
        raise ReidopsError(
            f"{path}: no such file; set detector.weights to a state dict of {name}, or to null for the published one"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except (
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        AttributeError,
        TypeError,
        ValueError,
        LookupError,
    ) as error:
        raise ReidopsError(
            f"{path}: is no state dict of {name} with COCO's 91 labels "
            f"({' '.join(str(error).split())[:200] or 'it is cut off'}); use a file that "
            f"torch.save(network.state_dict(), …) wrote for such a network"
        ) from None


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, torchvision_names(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(torchvision_names())}"
