"""Checkpoints of a training that must survive a kill at any moment."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from reidops.errors import ReidopsError
from reidops.files import whole_file


class Checkpoints:
    """Keep the last state of one training in a folder of its own; a half-written state never bears the final name.

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
                f"{self._path}: the checkpoint cannot be written: {error}; make room and run again, the checkpoint before this one is kept"
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
            raise ReidopsError(f"{self._path}: is no whole checkpoint ({error}); delete {self.folder} to train from the start") from None

    def delete(self) -> None:
        """Remove the folder: the training is over."""
        shutil.rmtree(self.folder, ignore_errors=True)
