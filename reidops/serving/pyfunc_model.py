"""The registered model as MLflow loads it, defined by code (models-from-code) so that nothing is pickled.

MLflow runs this file when the model is loaded. It needs ONNX Runtime and OpenCV, but neither torch nor timm.
"""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from reidops.serving.onnx_embedder import OnnxEmbedder


class PersonReidModel(PythonModel):
    """A model from crops to embeddings, including resizing and normalization."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network from the registered folder."""
        self.embedder = OnnxEmbedder.load(context.artifacts["embedder"])

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Return unit rows, float32 [N, D].

        `model_input` is uint8 [N, h, w, 3], BGR. Pass crops of different sizes as a one-dimensional array of dtype
        object: `np.fromiter(crops, dtype=object)`.
        """
        return self.embedder.embed(list(model_input))


set_model(PersonReidModel())
