"""Run an exported network with OpenVINO (extra `openvino`)."""

from pathlib import Path
from threading import local

import numpy as np
import openvino

from reidops.errors import ReidopsError


class OpenVinoNetwork:
    """A network from an OpenVINO file, on the CPU; `threads` 0 = one per core.

    A network that is not `rounded` computes in float32 also where the processor has bfloat16.
    """

    def __init__(self, path: Path, threads: int = 0, *, rounded: bool = False) -> None:
        """Compile the network.

        Raises:
            ReidopsError: the file is missing or damaged.
        """
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if not rounded:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            self._compiled = openvino.Core().compile_model(path, "CPU", settings)
        except RuntimeError as error:
            raise ReidopsError(
                f"{path}: OpenVINO cannot read it ({str(error).splitlines()[0]}); make it again with `dvc repro -f "
                "export`"
            ) from None
        self._rounded = rounded
        self._requests = local()  # a request serves one thread at a time

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""
        if not hasattr(self._requests, "one"):
            self._requests.one = self._compiled.create_infer_request()
        embeddings = self._requests.one.infer({0: images})[0]
        # The last layer of a rounded network is rounded, too, so that its rows are not quite unit vectors.
        scale = np.linalg.norm(embeddings, axis=1, keepdims=True) if self._rounded else 1
        return np.divide(embeddings, scale, dtype=np.float32)
