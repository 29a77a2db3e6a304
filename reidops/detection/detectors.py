"""Detectors by name: torchvision's, and ONNX files."""

from typing import Protocol

import numpy as np
import supervision as sv

from reidops.detection.settings import DetectorSettings
from reidops.files import repository_path


class Detector(Protocol):
    """What finds people in a picture."""

    def detect(self, picture: np.ndarray) -> sv.Detections:
        """Return the people in a picture, BGR uint8 [h, w, 3]: `xyxy` is box_ltrb in px inside it, `confidence` from 0
        to 1.
        """


def new_detector(name: str, settings: DetectorSettings = DetectorSettings()) -> Detector:
    """Return a detector of torchvision by its name, or the one in an ONNX file, by its path relative to the repository.

    Raises:
        ReidopsError: there is none of that name, or it cannot be loaded.
    """
    # Imported here, as each takes a second and only one is needed.
    if name.endswith(".onnx"):
        from reidops.detection.onnx_detector import OnnxDetector

        return OnnxDetector(repository_path(name), settings)
    from reidops.detection.torchvision_detector import TorchvisionDetector

    return TorchvisionDetector(name, settings)
