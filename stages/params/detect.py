"""The section `detect` of params.yaml."""

from pydantic import Field

from reidops.detection.settings import DetectorSettings
from reidops.params import params_dataclass


@params_dataclass
class DetectParams:
    """Where the detections of the tracked sequences come from."""

    source: str = Field(
        description="public: the det.txt of each sequence. Or a file of that format, a folder of <sequence>.txt, the "
        "name of a torchvision detector, or FILE.onnx. After an edit of your files run `dvc repro -f detect`."
    )
    detector: DetectorSettings = Field(description="Settings of torchvision and ONNX detectors.")
