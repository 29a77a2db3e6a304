"""The rules by which tracklets are joined, split and chosen. The stage `tracklets` has a param for each."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class JoinRules:
    """How detections are joined and where their tracks are split.

    Attributes:
        tracker: name of a tracker that uses motion only.
        min_confidence: least confidence of a detection; None = all.
        match_iou: least IoU of a detection with the predicted box of its track.
        max_gap: most frames without a detection inside a tracklet.
        max_overlap: largest IoU with another box of the frame.
        max_jump: largest distance of a box's centre from its expected position, in heights of the box.
        max_growth: largest ratio of the heights of two consecutive boxes.
        cut_threshold: share of changed pixels above which a camera cut is assumed.
        min_length: least number of boxes of a tracklet.
    """

    tracker: str = "bytetrack"
    min_confidence: float | None = None
    match_iou: float = 0.5
    max_gap: int = 2
    max_overlap: float = 0.3
    max_jump: float = 0.35
    max_growth: float = 1.35
    cut_threshold: float = 0.5
    min_length: int = 8


@dataclass(frozen=True)
class CropRules:
    """Which boxes of a tracklet become crops.

    Attributes:
        number: most crops of a tracklet, spread in time.
        min_height: least height of a box in px.
        min_visible: least share of a box that is inside the frame and not covered by a box in front of it.
        min_sharpness: least variance of the Laplacian of the crop at a height of 128 px.
    """

    number: int = 16
    min_height: int = 48
    min_visible: float = 0.6
    min_sharpness: float = 0.0


@dataclass(frozen=True)
class Rules:
    """All rules of the stage.

    Attributes:
        run_gap: largest distance of two crops of a run of a ReID set, frames.
        jpeg_quality: quality of the crops that are cut from frames, 1 … 100.
    """

    joining: JoinRules = field(default_factory=JoinRules)
    choosing: CropRules = field(default_factory=CropRules)
    run_gap: int = 100
    jpeg_quality: int = 95
