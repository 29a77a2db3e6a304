"""The constants of each tracker, as published. Light to import, as params.yaml is checked against them before anything
runs.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reidops.errors import ReidopsError
from reidops.params import check_section, params_dataclass

# The 95 % point of χ² with 4 degrees of freedom: a squared Mahalanobis distance above it is no likely measurement of a
# box.
CHI2_GATE = 9.4877

# DeepSORT's largest cosine distance. It was tuned for its own network: every other one needs its own
# (calibration.json).
DEEPSORT_COSINE_GATE = 0.2

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]

# The box that a tracker returns for a track that was seen in this frame: the Kalman filter's after the detection
# corrected it, or the detection's own. docs/deviations.md says which one each tracker was published with.
Boxes = Literal["filter", "detections"]


@params_dataclass
class DeepSortConstants:
    """DeepSORT's constants (Wojke, Bewley and Paulus 2017) and one of ours."""

    # largest squared Mahalanobis distance; null = no gate
    motion_gate: Annotated[float, Field(gt=0)] | None = CHI2_GATE
    motion_weight: Share = 0.0  # λ of equation 5: share of motion in the cost of the first stage
    iou_gate: Share = 0.7  # largest 1 − IoU in the second stage
    max_age: Count = 30  # frames that a track is kept unseen
    n_init: Count = 3  # detections in a row that confirm a track
    budget: Count = 100  # embeddings that a track keeps
    # Ours: unseen tracks that both stages left are taken up again by appearance alone, wherever they come back, at this
    # share of the cosine gate; 0 = never, as published.
    reassociate: Share = 0.0
    boxes: Boxes = "filter"  # whose box is returned, see `Boxes`
    # frames that a confirmed track is returned unseen, at its predicted box; 0 = never
    coast: Annotated[int, Field(ge=0)] = 1


@params_dataclass
class SortConstants:
    """SORT's constants (Bewley et al. 2016)."""

    iou: Share = 0.3  # least IoU of a pair
    max_age: Count = 1  # frames that a track is kept unseen
    min_hits: Count = 3  # detections in a row that prove a track; from the last of them on it is shown
    boxes: Boxes = "filter"  # whose box is returned, see `Boxes`


@params_dataclass
class StrongSortConstants:
    """StrongSORT's constants (Du et al. 2023)."""

    gate: ClassVar[float] = 0.4  # largest cosine distance

    high: float = 0.6  # least score of a detection that is looked at
    ema: Share = 0.9  # α: share of what was remembered of a track's looks
    appearance_weight: Share = 0.98  # λ of equation 6; motion has the rest
    # largest squared Mahalanobis distance; null = no gate
    motion_gate: Annotated[float, Field(gt=0)] | None = CHI2_GATE
    iou_gate: Share = 0.7  # largest 1 − IoU in the second stage
    max_age: Count = 30  # frames that a track is kept unseen
    n_init: Count = 3  # detections in a row that confirm a track
    nsa: bool = True  # a confident detection is believed more
    # What the gate bounds: `cost`, appearance and motion together, as in the published code; or `appearance` alone
    # (ours), so that a gate that was calibrated on embeddings holds as it is.
    gate_on: Literal["cost", "appearance"] = "cost"
    # What the published code does and the paper does not say: a confidence c multiplies the standard deviation of the
    # noise by 1 − c (the paper: its variance), and the camera's motion moves the boxes of the tracks before prediction.
    # false = the variance, and the camera's motion moves the whole state (speeds and covariances too) after prediction.
    as_coded: bool = True
    reassociate: Share = 0.0  # ours, as DeepSORT's; 0 = never, as published
    boxes: Boxes = "filter"  # whose box is returned, see `Boxes`
    coast: Annotated[int, Field(ge=0)] = 1  # as DeepSORT's


@params_dataclass
class OcSortConstants:
    """OC-SORT's constants (Cao et al. 2023)."""

    high: float = 0.6  # least score of a detection that may be a track's, or begin one
    low: float = 0.1  # with `byte`: least score of the others
    iou: Share = 0.3  # least IoU of a pair, in each association
    delta: Count = 3  # Δt: frames over which a direction is told
    inertia: Annotated[float, Field(ge=0)] = 0.2  # λ: weight of the direction beside the IoU
    byte: bool = False  # a second association with unsure detections, as in ByteTrack
    # What the published code does and the paper does not say: a detection that ends a gap corrects the filter twice,
    # and a track's first detection has no part in its direction. false = as in the paper.
    as_coded: bool = True
    max_age: Count = 30  # frames that a track is kept unseen
    min_hits: Annotated[int, Field(ge=0)] = 3  # detections in a row, after the first, from which on a track is shown
    boxes: Boxes = "detections"  # whose box is returned, see `Boxes`


@params_dataclass
class DeepOcSortConstants(OcSortConstants):
    """Deep OC-SORT's constants (Maggiolino et al. 2023), and OC-SORT's.

    Its published code weighs no embedding in a frame in which overlap leaves no choice nor for a pair that does not
    overlap, and where the best match does not stand out it lowers the weight by the ratio of the second best to the
    best, instead of raising it by their difference where it does. `as_coded` does the same; false = as in the paper.
    """

    # the published code's, BoT-SORT's over width and height; or OC-SORT's over area and aspect
    filter: Literal["xywh", "xysr"] = "xywh"

    appearance_weight: Annotated[float, Field(ge=0)] = 0.75  # of the cosine beside the IoU
    # ε: most that is added to that weight where a match stands out; `as_coded`: ratio of second best to best up to
    # which it stands out.
    clearest: Annotated[float, Field(ge=0)] = 0.5
    # least share of what was remembered of a track's looks; the surer a detection, the nearer to it
    alpha: Share = 0.95
    # Cosine distance from which on looks speak for no pair; none is forbidden by it. Nothing was published: all pairs
    # are weighed.
    gate: ClassVar[float | None] = None


@params_dataclass
class ByteTrackConstants:
    """ByteTrack's constants (Zhang et al. 2022); the three scores are in the detector's own scale, published for 0 …
    1.
    """

    high: float = 0.6  # least score of a sure detection
    low: float = 0.1  # least score of an unsure one; others are not looked at
    new: float = 0.7  # least score of a detection that begins a track
    match: Share = 0.8  # most that a pair with a sure detection costs: 1 − IoU · score
    second: Share = 0.5  # largest 1 − IoU of a pair with an unsure one
    unconfirmed: Share = 0.7  # most that a pair of a track on probation costs
    # the IoU counts by the score, clipped to 0 … 1; false for detectors with another scale (DPM)
    fuse_score: bool = True
    duplicate: Share = 0.85  # IoU of a lost track and one that was seen, above which the younger goes; 1 = never
    max_age: Count = 30  # frames that a track is kept unseen: a second at 30 fps
    # The paper's algorithm 1 to the letter: all tracks take part in both turns. The authors' code, and so the default,
    # lets those on probation have what is left, and lost ones no unsure detection.
    all_tracks: bool = False
    boxes: Boxes = "filter"  # whose box is returned, see `Boxes`


@params_dataclass
class BotSortConstants(ByteTrackConstants):
    """BoT-SORT's constants (Aharon, Orfaig and Bobrovsky 2022), and ByteTrack's."""

    gate: ClassVar[float] = 0.25  # largest half of a cosine distance

    # largest 1 − IoU at which looks count; null = everywhere (ours): who was lost is found again
    proximity: Share | None = 0.5
    ema: Share = 0.9  # α: share of what was remembered of a track's looks


# Trackers that look at no embedding.
WITHOUT_APPEARANCE = ("sort", "bytetrack", "ocsort")

# Tracker → its own cost of appearance: the entry of calibration.json's gates that is of this kind, and what the cosine
# distance is multiplied by.
GATES: dict[str, tuple[str, float]] = {
    "deepsort": ("cosine", 1.0),  # to the nearest of a track's embeddings
    "strongsort": ("ema_cosine", 1.0),  # to their moving average
    "botsort": ("ema_cosine", 0.5),  # half of that
    "deepocsort": ("ema_cosine", 1.0),
}


# The method by which a tracker was published to compensate the camera's motion; the others were published without.
PUBLISHED_CAMERA: dict[str, str] = {"strongsort": "ecc", "botsort": "sparse_flow", "deepocsort": "sparse_flow"}


def camera_of(setting: str, tracker: str) -> str | None:
    """Return the method by which the camera's motion is estimated for a tracker; None = it is not.

    Args:
        setting: `published`, `none`, or a name of `camera_motion.METHODS`.
    """
    method = PUBLISHED_CAMERA.get(tracker, "none") if setting == "published" else setting
    return None if method == "none" else method


def gate_of(setting: float | str, tracker: str, gates: Mapping[str, float], *, missing: str) -> float | None:
    """Return the appearance gate in the tracker's own cost; None = the published one, or a tracker without appearance.

    Args:
        setting: `calibrated`, `published`, or the gate itself.
        gates: of a calibration, by cost.
        missing: what is told where the calibration lacks the gate, `{entry}` in the place of its name.

    Raises:
        ReidopsError: it does.
    """
    if setting == "published" or tracker not in GATES:
        return None
    if setting != "calibrated":
        return float(setting)
    entry, factor = GATES[tracker]
    if entry not in gates:
        raise ReidopsError(missing.format(entry=entry))
    return factor * float(gates[entry])


# Between one person's vectors (distance 0) and two people's, which the oracle holds at a right angle (distance 1).
ORACLE_COSINE_GATE = 0.5


def oracle_gate(tracker: str) -> float:
    """Return the gate, in the tracker's own cost, that lets the oracle's same person pass and everybody else not."""
    return ORACLE_COSINE_GATE * GATES[tracker][1]


CONSTANTS: dict[str, type] = {
    "sort": SortConstants,
    "deepsort": DeepSortConstants,
    "strongsort": StrongSortConstants,
    "bytetrack": ByteTrackConstants,
    "botsort": BotSortConstants,
    "ocsort": OcSortConstants,
    "deepocsort": DeepOcSortConstants,
}


def constants_of(tracker: str, changed: Mapping[str, Any]) -> Any:
    """Return a tracker's published constants with some changed; an unknown name or an ill-typed value is refused.

    Raises:
        ReidopsError: names the constant, what it may be, and the names that are near.
    """
    return check_section(CONSTANTS[tracker], {tracker: {**_published(tracker), **changed}}, tracker, Path("constants"))


def check_constants(constants: Mapping[str, Mapping[str, Any]]) -> None:
    """Check what params.yaml says of any tracker's constants.

    Raises:
        ReidopsError: a tracker or a constant is unknown, or a value is ill-typed.
    """
    for tracker, changed in constants.items():
        if tracker not in CONSTANTS:
            raise ReidopsError(f"{tracker} is no tracker; known: {', '.join(CONSTANTS)}")
        constants_of(tracker, changed)


def _published(tracker: str) -> dict[str, Any]:
    return dataclasses.asdict(CONSTANTS[tracker]())
