"""The section `tracklets` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import Count, NotNegative, Positive, Share

Ratio = Annotated[float, Field(gt=1)]
Quality = Annotated[int, Field(ge=1, le=100)]


@params_dataclass
class TrackletsParams:
    """How tracklets without labels are cut from unlabelled video, and which of their crops are used."""

    tracker: Literal["bytetrack", "sort", "ocsort"] = Field(
        description="Tracker that joins detections by motion only. Its tracks are then split where a mix-up is "
        "possible."
    )
    min_confidence: float | None = Field(
        description="Least confidence of a detection that is tracked, in the detector's own scale. null: all "
        "detections."
    )
    match_iou: Share = Field(description="Least IoU of a detection with the predicted box of its track.")
    max_gap: Count = Field(description="Largest number of frames without a detection inside a tracklet.")
    max_overlap: Share = Field(
        description="IoU with another box of the frame above which a tracklet is split, because people may be "
        "exchanged."
    )
    max_jump: NotNegative = Field(
        description="Largest difference of the centre of a box from its expected position, as a share of its height. "
        "Above it a tracklet is split."
    )
    max_growth: Ratio = Field(
        description="Largest ratio of the heights of two consecutive boxes. Above it a tracklet is split."
    )
    cut_threshold: Share = Field(
        description="Share of the pixels that change their colour between two frames above which a camera cut is "
        "assumed, and all tracklets are split. 1: no cuts."
    )
    min_length: Positive = Field(description="Least number of boxes of a tracklet of a video.")
    min_height: Positive = Field(description="Least height of a box that becomes a crop, px.")
    min_visible: Share = Field(
        description="Least share of a box that becomes a crop that is inside the frame and not covered by a box in "
        "front of it."
    )
    run_gap: Positive = Field(
        description="Largest distance between consecutive crops of a tracklet of a ReID set, in frames of the file "
        "names."
    )
    crops_per_tracklet: Positive = Field(
        description="Largest number of crops of a tracklet. They are spread in time, and the visible and sharp ones "
        "are preferred."
    )
    min_sharpness: NotNegative = Field(
        description="Least sharpness of a crop of a video: the variance of the Laplacian at a height of 128 px. 0: any."
    )
    jpeg_quality: Quality = Field(description="Quality of the JPEG files of crops that are cut from frames.")
    workers: Positive | None = Field(
        description="Number of processes. null: one per core. The result does not depend on it."
    )
