"""Create detectors by name: torchvision detectors and ONNX files."""

from pathlib import Path
from typing import Protocol

import numpy as np
import supervision as sv

from reidops.detection.file_formats import is_onnx
from reidops.detection.settings import DetectorSettings
from reidops.files import repository_path


class Detector(Protocol):
    """A person detector."""

    def detect(self, picture: np.ndarray) -> sv.Detections:
        """Return the people in a picture, BGR uint8 [h, w, 3].

        `xyxy` is box_ltrb in px inside the picture, `confidence` is 0 … 1.
        """


def new_detector(name: str, settings: DetectorSettings = DetectorSettings()) -> Detector:
    """Return the torchvision detector `name`, or the detector in an ONNX file with a path relative to the repository.

    Raises:
        ReidopsError: there is no detector of that name, or it cannot be loaded.
    """
    # Imported here, because each import takes a second and only one is needed.
    if is_onnx(Path(name)):
        from reidops.detection.onnx_detector import OnnxDetector

        return OnnxDetector(repository_path(name), settings)
    from reidops.detection.torchvision_detector import TorchvisionDetector

    return TorchvisionDetector(name, settings)
