"""Run a network that was saved as TorchScript or by torch.export."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch

from reidops.errors import ReidopsError


class TorchExported:
    """A network from a `.pt` file (TorchScript) or a `.pt2` file (torch.export), on the CPU."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            ReidopsError: it is missing or damaged.
        """
        if not path.is_file() or not zipfile.is_zipfile(path):
            raise ReidopsError(f"{path}: missing or damaged; make it again with `dvc repro -f export`")
        with warnings.catch_warnings(action="ignore"):  # that TorchScript is deprecated
            is_script = path.suffix == ".pt"
            self._network = torch.jit.load(path, map_location="cpu") if is_script else torch.export.load(path).module()

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""
        with torch.inference_mode():
            return self._network(torch.from_numpy(images)).numpy()
