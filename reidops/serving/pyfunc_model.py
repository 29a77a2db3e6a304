"""The registered model as MLflow loads it, defined by code (models-from-code) so that nothing is pickled.

MLflow runs this file when the model is loaded. It needs ONNX Runtime, NumPy and Pillow, but neither torch nor OpenCV.
"""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.serving.crop_inputs import read_crops
from reidops.serving.onnx_embedder import OnnxEmbedder

_IN_SERVER = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"  # set by MLflow's scoring server

# `predict` checks its input itself; MLflow advises to annotate it whenever the model is loaded.
warnings.filterwarnings("ignore", message=r".*Add type hints to the `predict` method", category=UserWarning)


class RefusedInput(MlflowException):
    """The input is not what the model accepts; over HTTP this is a 400 with the message alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)
        self._reason = reason

    def serialize_as_json(self) -> str:
        """Return the body of the response. MLflow's server puts the whole input before `message`; it is left out."""
        return json.dumps({"error_code": self.error_code, "message": self._reason})


class PersonReidModel(PythonModel):
    """A model from crops to embeddings, including decoding, resizing and normalization.

    After loading, `embedder` has the description of the network, and `calibration` and `gates` the thresholds that
    were calibrated for it: `mlflow.pyfunc.load_model(uri).unwrap_python_model().gates`.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network and its calibration from the registered folder, and check the golden embeddings."""
        folder = Path(context.artifacts["embedder"])
        self.embedder = OnnxEmbedder.load(folder)
        self.calibration = read_json(folder / "calibration.json")
        self.gates = self.calibration.get("gates", {})

    # MLflow would derive a signature from an annotation of `model_input`, and it has no type for pictures.
    def predict(  # type: ignore[no-untyped-def]
        self, context: PythonModelContext | None, model_input, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Return unit rows, float32 [N, D]; zeros for a box that is too small or outside its frame.

        `model_input` is one picture or several of any sizes: arrays [h, w, 3] (uint8, or floats in 0 … 1), PIL images,
        JPEG or PNG as bytes, base64 or paths, or a mapping with `frame` and `box_ltwh` or `box_ltrb`. Arrays are BGR
        unless `params` has `colour_order: rgb`. A server reads no paths.

        Raises:
            RefusedInput: something is not a picture; the message gives its index.
        """
        colour_order = (params or {}).get("colour_order", "bgr")
        try:
            crops = read_crops(model_input, colour_order=colour_order, allow_paths=_IN_SERVER not in os.environ)
        except ReidopsError as error:
            raise RefusedInput(str(error)) from None
        return self.embedder.embed(crops)


set_model(PersonReidModel())
