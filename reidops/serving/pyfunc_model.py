"""The registered model as MLflow serves it: models-from-code, so nothing is pickled.

MLflow runs this file when somebody pulls the model; it needs ONNX Runtime and OpenCV, but neither torch nor timm.
"""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from reidops.serving.onnx_embedder import OnnxEmbedder


class PersonReidModel(PythonModel):
    """Crops in, embeddings out; resizing and normalising happen inside."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the network from the folder that was registered."""
        self.embedder = OnnxEmbedder.load(context.artifacts["embedder"])

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Return unit rows, float32 [N, D].

        `model_input` is uint8 [N, h, w, 3], BGR. Crops of different sizes come as a one-dimensional array of dtype
        object, which `np.fromiter(crops, dtype=object)` makes of a list.
        """
        return self.embedder.embed(list(model_input))


set_model(PersonReidModel())
