"""The section `embed` of params.yaml."""

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import Positive, Share


@params_dataclass
class EmbedParams:
    """Which detections are embedded."""

    min_confidence: float | dict[str, float] | None = Field(
        description="Least confidence of a detection that is embedded, in the detector's own scale. A mapping has one "
        "value per detector: {DPM: 0.0, FRCNN: 0.3}. null: all detections."
    )
    nms: Share | None = Field(
        description="IoU above which non-maximum suppression removes the less confident of two detections. null: no "
        "suppression. Set it for detectors that return duplicates."
    )
    annotations: bool = Field(
        description="Embed the annotated boxes too, so that evaluate_reid separates errors of the model from errors of "
        "the detector."
    )
    batch_size: Positive = Field(
        description="Number of crops per forward pass. A CPU takes up to 8 of them at a time. Reduce it if the GPU "
        "memory is too small."
    )
