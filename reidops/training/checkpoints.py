"""Save and load the checkpoints of a training, so that it can be killed at any time and resumed."""

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

FINISHED = "finished"  # folder of `FinishedState`
_NUM_KEPT = 3  # trainings, including the current one
_LIVE_SECONDS = 3600  # a folder that was modified within this time may belong to a running training


class Checkpoints:
    """The last state of one training, in its own folder; the file is replaced only by a completely written one.

    A training that succeeds deletes its folder. `prune` deletes old folders of interrupted trainings.

    Args:
        root: folder with the checkpoints of all trainings.
        identity: the params and digests of the data of this training; each identity has its own folder.
    """

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
        self.folder = Path(root) / digest[:16]
        self._path = self.folder / "state.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state; if writing fails (full disk) the previous state is kept.

        Raises:
            ReidopsError: the state cannot be written.
        """
        try:
            # Python's stream, because torch's own does not say why it cannot write.
            with whole_file(self._path) as temporary, open(temporary, "wb") as stream:
                torch.save(state, stream)
        except (OSError, RuntimeError) as error:
            raise ReidopsError(
                f"{self._path}: the checkpoint cannot be written: {error}; free disk space and run again; the previous "
                "checkpoint is kept"
            ) from None

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None; only tensors and plain values are unpickled.

        Raises:
            ReidopsError: the file is damaged.
        """
        return self.read(self._path) if self._path.is_file() else None

    @staticmethod
    def read(path: Path) -> dict[str, Any]:
        """Return the state in a file; only tensors and plain values are unpickled.

        Raises:
            ReidopsError: the file is damaged.
        """
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ReidopsError(
                f"{path}: the checkpoint is damaged ({error}); delete {path.parent} to train from the start"
            ) from None

    def prune(self) -> None:
        """Delete the folders of all but the three newest trainings, except those modified within the last hour.

        The state of the last finished training is kept.
        """
        kept = (self.folder.name, FINISHED)
        others = [folder for folder in self.folder.parent.glob("*") if folder.is_dir() and folder.name not in kept]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[_NUM_KEPT - 1 :]:
            if time.time() - folder.stat().st_mtime > _LIVE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                log.info("deleted %s, the checkpoint of an interrupted training", folder)

    def delete(self) -> None:
        """Delete the folder after the training."""
        shutil.rmtree(self.folder, ignore_errors=True)
