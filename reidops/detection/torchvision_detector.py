"""torchvision's detectors by name, with the published COCO weights or some of your own."""

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

_PERSON = 1  # COCO's label
_PATIENCE_SECONDS = 10.0  # without an answer


class TorchvisionDetector:
    """Find people with a detector of torchvision; on a GPU where there is one."""

    def __init__(self, name: str, settings: DetectorSettings = DetectorSettings()) -> None:
        """Build and load the network.

        Raises:
            ReidopsError: there is no such detector, its weights are not at hand, or they are another network's.
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
        """Return the people in a picture, BGR uint8 [h, w, 3], the surest first."""
        pixels = torch.from_numpy(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).to(self._device).permute(2, 0, 1) / 255
        output = self._network([pixels])[0]
        people = output["labels"] == _PERSON
        return found(
            output["boxes"][people].cpu().numpy(), output["scores"][people].cpu().numpy(), picture, self._min_confidence
        )


def torchvision_names() -> list[str]:
    """Return the names of torchvision's detectors."""
    return torchvision.models.list_models(module=zoo)


def published_weights(name: str) -> Path:
    """Return the file of a detector's COCO weights in torch's cache, fetched where it is not there yet.

    Raises:
        ReidopsError: it cannot be fetched; where to put it by hand.
    """
    address = torchvision.models.get_model_weights(name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = path.stem.rpartition("-")[2]
    try:
        with _patience(_PATIENCE_SECONDS):
            torch.hub.download_url_to_file(address, str(path), hash_prefix=digest)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ReidopsError(
            f"{name}: its weights cannot be fetched from {address} ({error}); fetch {path.name} on another machine and "
            f"put it at {path},"
            " or name its place in detector.weights"
        ) from None
    return path


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Let no connection made within wait longer than that for an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load(network: torch.nn.Module, path: Path, name: str) -> None:
    """Load a state dict of torch."""
    if not path.is_file():
        raise ReidopsError(
            f"{path}: no such file; detector.weights names a state dict of {name}, null = the published ones"
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
            f"({' '.join(str(error).split())[:200] or 'it is cut off'});"
            " take a file that torch.save(network.state_dict(), …) wrote of such a network"
        ) from None


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, torchvision_names(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(torchvision_names())}"
