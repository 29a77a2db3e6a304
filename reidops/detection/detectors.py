"""Create detectors by name: torchvision detectors and ONNX files."""

from pathlib import Path
from typing import Protocol

import numpy as np
import supervision as sv

from reidops.detection.file_formats import is_onnx
from reidops.detection.onnx_detector import OnnxDetector
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
    if is_onnx(Path(name)):
        return OnnxDetector(repository_path(name), settings)
    # Imported here, because torch takes seconds to import, and an ONNX detector runs without it.
    from reidops.detection.torchvision_detector import TorchvisionDetector

    return TorchvisionDetector(name, settings)
