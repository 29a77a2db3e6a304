"""The section `detect` of params.yaml."""

from pydantic import Field

from reidops.detection.settings import DetectorSettings
from reidops.params import params_dataclass
from stages.params.types import AboveZero


@params_dataclass
class DetectParams:
    """Where the detections of the tracked sequences come from."""

    source: str = Field(
        description="public: the det.txt of each sequence. Or a file of that format, a folder of <sequence>.txt, the "
        "name of a torchvision detector, or FILE.onnx. After an edit of your files run `dvc repro -f detect`."
    )
    scale: AboveZero | dict[str, AboveZero] = Field(
        description="Factor that boxes of files are multiplied by, if they are of another resolution than the frames: "
        "0.625 for boxes of 768 × 576 px in frames of 480 × 360. A mapping has one value per sequence; others have 1."
    )
    detector: DetectorSettings = Field(description="Settings of torchvision and ONNX detectors.")
