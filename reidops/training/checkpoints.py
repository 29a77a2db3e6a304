"""Checkpoints of a training that must survive a kill at any moment."""

import hashlib
import json
import logging
import pickle
import shutil
import time
from pathlib import Path
from typing import Any

import torch

from reidops.errors import ReidopsError
from reidops.files import whole_file

log = logging.getLogger(__name__)

_NUM_KEPT = 3  # trainings, the present one among them
_LIVE_SECONDS = 3600  # a folder that was written to since then may belong to a training that runs


class Checkpoints:
    """Keep the last state of one training in a folder of its own; a half-written state never bears the final name.

    A training that ends well deletes its folder. Those that were given up would gather: `prune` keeps the newest.

    Args:
        root: folder of all trainings' checkpoints.
        identity: what makes this training this one (params, digests of its data): another identity is another folder.
    """

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
        self.folder = Path(root) / digest[:16]
        self._path = self.folder / "state.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state; on failure (a full disk) the one before stays.

        Raises:
            ReidopsError: the state cannot be written.
        """
        try:
            with whole_file(self._path) as partial:
                torch.save(state, partial)
        except (OSError, RuntimeError) as error:  # torch raises RuntimeError where its zip writer cannot write
            raise ReidopsError(
                f"{self._path}: the checkpoint cannot be written: {error}; make room and run again, the checkpoint "
                f"before this one is kept"
            ) from None

    def load(self) -> dict[str, Any] | None:
        """Return the last state, None where there is none; tensors and plain values only, nothing else is unpickled.

        Raises:
            ReidopsError: the file is damaged.
        """
        if not self._path.is_file():
            return None
        try:
            return torch.load(self._path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ReidopsError(
                f"{self._path}: is no whole checkpoint ({error}); delete {self.folder} to train from the start"
            ) from None

    def prune(self) -> None:
        """Delete all but the three newest trainings' folders; one that was written to within the hour stays."""
        others = [folder for folder in self.folder.parent.glob("*") if folder.is_dir() and folder != self.folder]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[_NUM_KEPT - 1 :]:
            if time.time() - folder.stat().st_mtime > _LIVE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                log.info("deleted %s, the checkpoint of a training that was given up", folder)

    def delete(self) -> None:
        """Remove the folder: the training is over."""
        shutil.rmtree(self.folder, ignore_errors=True)
