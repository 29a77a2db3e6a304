"""The section `evaluate_tracking` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from reidops.errors import ReidopsError
from reidops.params import params_dataclass
from reidops.tracking.constants import check_constants
from stages.params.types import Count, Positive

Tracker = Literal[
    "sort",
    "deepsort",
    "strongsort",
    "bytetrack",
    "botsort",
    "ocsort",
    "deepocsort",
    "cbiou",
    "hybridsort",
    "boosttrack",
    "evidence",
]
Linking = bool | Literal["motion", "aflink"] | Annotated[str, Field(pattern=r"\.npz$")]
Gate = Literal["calibrated", "published"] | Annotated[float, Field(ge=0, le=2)]


@params_dataclass
class EvaluateTrackingParams:
    """The tracker and its settings. All arms use the same ones, except the gate of the oracle."""

    tracker: Tracker = Field(description="The tracker that is evaluated.")
    gate: Gate = Field(
        description="Largest appearance cost of a match, in the tracker's own cost. calibrated: fitted to this model "
        "by evaluate_reid. published: the value of the tracker's paper."
    )
    min_confidence: float | dict[str, float] | None = Field(
        description="Least confidence of a detection that is tracked, in the detector's own scale. A mapping has one "
        "value per detector: {DPM: 0.0, FRCNN: 0.3}. null: all embedded detections."
    )
    constants: dict[str, dict[str, Any]] = Field(
        description="Constants of a tracker that differ from the published values. reidops/tracking/constants.py lists "
        "them all. The constants of a search replace those of its tracker."
    )
    tuning: str | None = Field(
        description="File constants.json of a search that was made elsewhere, relative to the repository. null: the "
        "result of the stage tune."
    )
    camera_motion: Literal["published", "none", "sparse_flow", "ecc"] = Field(
        description="Method that estimates the camera motion. published: ecc for strongsort, hybridsort and "
        "boosttrack, sparse_flow for botsort and deepocsort, none for the others."
    )
    frame_stride: Positive = Field(
        description="Every stride-th frame of a sequence is tracked and scored. It shows how the tracker works at a "
        "lower frame rate."
    )
    linking: Linking = Field(
        description="Join tracks of the same person after tracking. motion (or true): by their speed. aflink: by the "
        "network of StrongSORT's AFLink, trained on drawn streets. A file .npz: by the weights that `reidops "
        "train-linking` wrote."
    )
    interpolation: bool = Field(description="Fill the gaps of tracks after tracking.")
    window: Positive = Field(
        description="Length of the windows of a sequence from which confidence intervals are computed, frames. An "
        "interval needs at least 5 windows."
    )
    num_switches: Count = Field(description="Number of identity switches that are drawn per sequence.")
    num_frames: Count = Field(description="Number of annotated frames that are drawn per sequence.")
    num_clips: Count = Field(description="Number of video clips of the worst moments per sequence.")

    @field_validator("constants")
    @classmethod
    def _check_constants(cls, constants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            check_constants(constants)
        except ReidopsError as error:
            raise ValueError(str(error)) from None  # pydantic adds the name of the param to a ValueError
        return constants
