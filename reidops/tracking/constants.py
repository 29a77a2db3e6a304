"""The published constants of each tracker.

The module imports nothing heavy: params.yaml is checked against it before a stage runs.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reidops.errors import ReidopsError
from reidops.params import check_section, params_dataclass

# The 95 % quantile of χ² with 4 degrees of freedom, for the squared Mahalanobis distance of a box.
CHI2_GATE = 9.4877

# DeepSORT's largest cosine distance, tuned for its network. Other networks need their own gate (calibration.json).
DEEPSORT_COSINE_GATE = 0.2

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]

# The appearance gate of a tracker: a number in its own cost; or, of the evidence tracker, the rows [cosine distance,
# log likelihood ratio] of a table.
Gate = float | tuple[tuple[float, float], ...]

# The box that a tracker returns for a matched track: the corrected one of the Kalman filter, or the detection's.
# docs/deviations.md lists the published choice of each tracker.
Boxes = Literal["filter", "detections"]


@params_dataclass
class DeepSortConstants:
    """DeepSORT's constants (Wojke, Bewley and Paulus 2017) and one of ours."""

    # largest squared Mahalanobis distance; null = no gate
    motion_gate: Annotated[float, Field(gt=0)] | None = CHI2_GATE
    motion_weight: Share = 0.0  # λ of equation 5: share of motion in the cost of the first stage
    iou_gate: Share = 0.7  # largest 1 − IoU in the second stage
    max_age: Count = 30  # frames that a lost track is kept
    n_init: Count = 3  # consecutive matches that confirm a track
    budget: Count = 100  # embeddings stored per track
    # Ours: lost tracks that both stages left unmatched are matched by appearance alone at any position, at this share
    # of the cosine gate; 0 = never, as published.
    reassociate: Share = 0.0
    boxes: Boxes = "filter"  # the returned box, see `Boxes`
    # frames without a detection in which a confirmed track is returned at its predicted box; 0 = never
    coast: Annotated[int, Field(ge=0)] = 1


@params_dataclass
class SortConstants:
    """SORT's constants (Bewley et al. 2016)."""

    iou: Share = 0.3  # least IoU of a pair
    max_age: Count = 1  # frames that a lost track is kept
    min_hits: Count = 3  # consecutive matches from which on a track is returned
    boxes: Boxes = "filter"  # the returned box, see `Boxes`


@params_dataclass
class StrongSortConstants:
    """StrongSORT's constants (Du et al. 2023)."""

    gate: ClassVar[float] = 0.4  # largest cosine distance

    high: float = 0.6  # least confidence of a detection that is used
    ema: Share = 0.9  # α: weight of the previous mean embedding
    appearance_weight: Share = 0.98  # λ of equation 6; motion has the rest
    # largest squared Mahalanobis distance; null = no gate
    motion_gate: Annotated[float, Field(gt=0)] | None = CHI2_GATE
    iou_gate: Share = 0.7  # largest 1 − IoU in the second stage
    max_age: Count = 30  # frames that a lost track is kept
    n_init: Count = 3  # consecutive matches that confirm a track
    nsa: bool = True  # measurement noise decreases with confidence
    # What the gate bounds: `cost`, appearance and motion together, as in the published code; or `appearance` alone
    # (ours), for which a calibrated gate is valid.
    gate_on: Literal["cost", "appearance"] = "cost"
    # true = the published code: a confidence c multiplies the standard deviation of the noise by 1 − c, and camera
    # motion is applied to the boxes of the tracks before prediction. false = the paper: c multiplies the variance, and
    # camera motion is applied to the whole state (speeds and covariances too) after prediction.
    as_coded: bool = True
    reassociate: Share = 0.0  # ours, as DeepSORT's; 0 = never, as published
    boxes: Boxes = "filter"  # the returned box, see `Boxes`
    coast: Annotated[int, Field(ge=0)] = 1  # as DeepSORT's


@params_dataclass
class OcSortConstants:
    """OC-SORT's constants (Cao et al. 2023)."""

    high: float = 0.6  # least confidence of a detection that is matched first, or starts a track
    low: float = 0.1  # with `byte`: least confidence of the others
    iou: Share = 0.3  # least IoU of a pair, in each association
    delta: Count = 3  # Δt: frames between the two observations of a direction
    inertia: Annotated[float, Field(ge=0)] = 0.2  # λ: weight of the direction beside the IoU
    byte: bool = False  # a second association with low-score detections, as in ByteTrack
    # true = the published code: a detection that ends a gap corrects the filter twice, and the direction of a track
    # ignores its first detection. false = the paper.
    as_coded: bool = True
    max_age: Count = 30  # frames that a lost track is kept
    # consecutive matches after the first detection, from which on a track is returned
    min_hits: Annotated[int, Field(ge=0)] = 3
    boxes: Boxes = "detections"  # the returned box, see `Boxes`


@params_dataclass
class DeepOcSortConstants(OcSortConstants):
    """Deep OC-SORT's constants (Maggiolino et al. 2023), and OC-SORT's.

    The published code ignores embeddings in a frame in which the IoU alone fixes the assignment, and for a pair without
    overlap. If the best match is not distinct it lowers the weight by the ratio of the second best to the best; the
    paper raises the weight by their difference if it is. `as_coded` = as the code; false = as the paper.
    """

    # motion model: xywh as in the published code and BoT-SORT; xysr (area and aspect ratio) as in OC-SORT
    filter: Literal["xywh", "xysr"] = "xywh"

    appearance_weight: Annotated[float, Field(ge=0)] = 0.75  # of the cosine beside the IoU
    # ε: most that is added to that weight for a distinct match; `as_coded`: largest ratio of second best to best of a
    # distinct match.
    clearest: Annotated[float, Field(ge=0)] = 0.5
    # least weight of the previous mean embedding, reached at confidence 1
    alpha: Share = 0.95
    # Cosine distance from which on the similarity is 0; it forbids no pair. Published: none, all pairs are compared.
    gate: ClassVar[float | None] = None


@params_dataclass
class ByteTrackConstants:
    """ByteTrack's constants (Zhang et al. 2022).

    The three confidences are in the detector's own scale; the published ones are for 0 … 1.
    """

    high: float = 0.6  # least confidence of a high-score detection
    low: float = 0.1  # least confidence of a low-score detection; others are ignored
    new: float = 0.7  # least confidence of a detection that starts a track
    match: Share = 0.8  # largest cost of a pair with a high-score detection: 1 − IoU · confidence
    second: Share = 0.5  # largest 1 − IoU of a pair with a low-score detection
    unconfirmed: Share = 0.7  # largest cost of a pair with a tentative track
    # multiply the IoU by the confidence, clipped to 0 … 1; false for detectors with another scale (DPM)
    fuse_score: bool = True
    duplicate: Share = 0.85  # IoU of a lost and a matched track above which the younger is removed; 1 = never
    max_age: Count = 30  # frames that a lost track is kept: a second at 30 fps
    # true = the paper's algorithm 1: all tracks take part in both associations. false = the authors' code: tentative
    # tracks get the remaining detections, and lost tracks no low-score detection.
    all_tracks: bool = False
    boxes: Boxes = "filter"  # the returned box, see `Boxes`


@params_dataclass
class BotSortConstants(ByteTrackConstants):
    """BoT-SORT's constants (Aharon, Orfaig and Bobrovsky 2022), and ByteTrack's."""

    gate: ClassVar[float] = 0.25  # largest half of a cosine distance

    # largest 1 − IoU at which appearance counts; null = any (ours): lost tracks are recovered at any position
    proximity: Share | None = 0.5
    ema: Share = 0.9  # α: weight of the previous mean embedding


@params_dataclass
class CBiouConstants:
    """C-BIoU's constants (Yang et al. 2023); the paper states the buffers, the others are chosen here."""

    small: Annotated[float, Field(ge=0)] = 0.3  # b1: buffer of the first stage, as a share of width and height
    large: Annotated[float, Field(ge=0)] = 0.5  # b2: buffer of the second stage
    window: Count = 5  # n: displacements between observations that are averaged
    biou: Share = 0.3  # least IoU of the buffered boxes of a pair
    max_age: Count = 30  # frames that a lost track is kept
    min_hits: Count = 3  # consecutive matches from which on a track is returned


@params_dataclass
class HybridSortConstants(OcSortConstants):
    """Hybrid-SORT's constants (Yang et al. 2024), and OC-SORT's; the confidences are for a scale of 0 … 1."""

    gate: ClassVar[float | None] = None  # as in Deep OC-SORT

    iou: Share = 0.25  # least HMIoU of a pair, in each association
    byte: bool = True
    # weight of the difference between a detection's confidence and the predicted one, in the first association
    confidence_weight: Annotated[float, Field(ge=0)] = 1.0
    second_confidence_weight: Annotated[float, Field(ge=0)] = 1.0  # the same for low-score detections
    appearance_weight: Annotated[float, Field(ge=0)] = 4.6  # of the cosine beside HMIoU
    ema: Share = 0.9  # weight of the previous mean embedding


@params_dataclass
class BoostTrackConstants:
    """BoostTrack++'s constants (Stanojević and Todorović 2024); the confidences are for a scale of 0 … 1."""

    # Largest cosine distance of a pair that overlaps by half of `iou`; published as a least similarity of 0.75.
    gate: ClassVar[float] = 0.25

    high: float = 0.6  # τ: least confidence, after boosting, of a detection that is used
    iou: Share = 0.3  # least IoU of a pair
    iou_weight: Annotated[float, Field(ge=0)] = 0.5  # λ of the IoU times both confidences
    mahalanobis_weight: Annotated[float, Field(ge=0)] = 0.25  # λ of the Mahalanobis similarity
    shape_weight: Annotated[float, Field(ge=0)] = 0.25  # λ of the shape similarity times both confidences
    # of the cosine similarity, as a multiple of the sum of the other weights
    appearance_weight: Annotated[float, Field(ge=0)] = 1.5
    ema: Share = 0.95  # least weight of the previous mean embedding, reached at confidence 1
    youth: Count = 7  # frames in which the confidence of a new track grows to 1
    decay: Share = 0.9  # factor of a track's confidence, per frame short of `youth` and per frame without a match
    soft_boost: bool = True  # SB: a detection similar to a track gets a higher confidence
    keep_share: Share = 0.65  # α of SB: weight of a detection's own confidence
    power: Annotated[float, Field(gt=0)] = 1.5  # q of SB: exponent of the similarity
    varying_threshold: bool = True  # VT: one very similar to a track gets the confidence `high`
    unlikely_boost: bool = True  # DUO: one far from all tracks gets the confidence `high`
    max_age: Count = 30  # frames that a lost track is kept
    # consecutive matches after the first detection, from which on a track is returned
    min_hits: Annotated[int, Field(ge=0)] = 3
    boxes: Boxes = "filter"  # the returned box, see `Boxes`


@params_dataclass
class EvidenceConstants:
    """The constants of the evidence tracker (ours, docs/evidence.md): times in seconds, lengths in box heights."""

    gate: ClassVar[float] = 0.5  # cosine distance that says nothing, of a model without calibration
    slope: ClassVar[float] = 12.0  # decrease of the log likelihood ratio per unit of cosine distance, without one
    limit: ClassVar[float] = 4.0  # largest absolute log likelihood ratio, without one

    speed_x: Positive = 0.5  # standard deviation of people's horizontal velocity, heights/s
    speed_y: Positive = 0.085  # of their vertical velocity, heights/s
    decay: Positive = 4.0  # correlation time of the velocity, s
    aspect_change: Positive = 0.19  # growth of the uncertainty of the log aspect ratio, per √s
    height_change: Positive = 0.06  # of the log height, per √s
    noise_x: Positive = 0.046  # standard deviation of a detection's foot point, heights
    noise_y: Positive = 0.049
    noise_aspect: Positive = 0.18  # of its log aspect ratio
    noise_height: Positive = 0.042  # of its log height
    freedom: Positive = 8.0  # degrees of freedom of the motion density; a small number allows sudden moves
    hide: Positive = 0.17  # rate at which visible people become hidden, 1/s
    back: Positive = 0.48  # rate at which hidden people become visible, 1/s
    leave: Positive = 0.15  # rate at which people leave for good, 1/s
    detect: Annotated[float, Field(gt=0, lt=1)] = 0.95  # probability that a visible person is detected
    arrivals: Positive = 0.09  # new people per second
    memory: Positive = 6.0  # time in which the mean embedding forgets, s
    occlusion: Annotated[float, Field(ge=0, le=1)] = 0.3  # decrease of appearance evidence of a fully covered box
    new: float | None = None  # least confidence of a detection that starts a track; null = any
    confirm_hits: Count = 4  # matches that confirm a track …
    confirm_seconds: Annotated[float, Field(ge=0)] = 0.2  # … or matches over this time, at a low frame rate
    tentative_seconds: Annotated[float, Field(ge=0)] = 0.35  # time that an unmatched tentative track is kept
    identify: Annotated[float, Field(ge=0)] = (
        1.0  # age up to which a new track may take the id of a lost one; 0 = never
    )
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.01  # a track is removed if the person is still here with less


# Trackers without appearance.
WITHOUT_APPEARANCE = ("sort", "bytetrack", "ocsort", "cbiou")

# Tracker → its cost of appearance: the entry of calibration.json's gates, and the factor of the cosine distance.
GATES: dict[str, tuple[str, float]] = {
    "deepsort": ("cosine", 1.0),  # to the nearest of a track's embeddings
    "strongsort": ("ema_cosine", 1.0),  # to their moving average
    "botsort": ("ema_cosine", 0.5),  # half of that
    "deepocsort": ("ema_cosine", 1.0),
    "hybridsort": ("ema_cosine", 1.0),
    "boosttrack": ("ema_cosine", 1.0),
    "evidence": ("evidence", 1.0),  # a likelihood table of the distance to the mean embedding
}


# Ways to link tracks after tracking: by their motion, or by AFLink's network.
MOTION_LINKING, AFLINK = "motion", "aflink"

# The published camera motion compensation of a tracker; the others have none.
PUBLISHED_CAMERA: dict[str, str] = {
    "strongsort": "ecc",
    "botsort": "sparse_flow",
    "deepocsort": "sparse_flow",
    "hybridsort": "ecc",
    "boosttrack": "ecc",
}


def camera_of(setting: str, tracker: str) -> str | None:
    """Return the method that estimates the camera motion for a tracker; None = none.

    Args:
        setting: `published`, `none`, or a name of `camera_motion.METHODS`.
    """
    method = PUBLISHED_CAMERA.get(tracker, "none") if setting == "published" else setting
    return None if method == "none" else method


def calibrated_gates(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gates and the likelihood tables of a calibration.json by name."""
    return {**calibration.get("gates", {}), **calibration.get("likelihoods", {})}


def is_calibrated(calibration: Mapping[str, Any]) -> bool:
    """Return whether the gates of a calibration.json were fitted; without held-out people they are published ones."""
    return not str(calibration.get("fitted_on", {}).get("scope", "")).startswith("none")


def gate_of(setting: float | str, tracker: str, gates: Mapping[str, Any], *, missing: str) -> Gate | None:
    """Return the appearance gate in the tracker's own cost; None = the published one, or a tracker without appearance.

    Args:
        setting: `calibrated`, `published`, or the gate itself.
        gates: of a calibration, see `calibrated_gates`.
        missing: message if the calibration lacks the gate; `{entry}` is replaced by its name.

    Raises:
        ReidopsError: the calibration lacks the gate.
    """
    if setting == "published" or tracker not in GATES:
        return None
    if setting != "calibrated":
        return float(setting)
    entry, factor = GATES[tracker]
    if entry not in gates:
        raise ReidopsError(missing.format(entry=entry))
    found = gates[entry]
    return factor * float(found) if isinstance(found, int | float) else tuple((float(d), float(r)) for d, r in found)


def describe_gate(gate: Gate | None) -> str:
    """Return a gate for a message: `0.312`, or the distance at which the evidence of a table is 0."""
    if gate is None:
        return "published"
    if isinstance(gate, tuple):
        zero = next((place for place, value in gate if value <= 0), gate[-1][0])
        return f"likelihood table (0 at {zero:.3f})"
    return f"{gate:.3f}"


# The oracle's vectors of one person have distance 0, those of two people about 1.
ORACLE_COSINE_GATE = 0.5


# The evidence of the oracle's vectors: certain, but not more than a box on the other side of the frame can outweigh.
ORACLE_TABLE = ((ORACLE_COSINE_GATE, 8.0), (ORACLE_COSINE_GATE + 1e-3, -8.0))


def oracle_gate(tracker: str) -> Gate:
    """Return the gate of the oracle's embeddings, in the tracker's own cost; only the same person passes it."""
    if tracker == "evidence":
        return ORACLE_TABLE
    return ORACLE_COSINE_GATE * GATES[tracker][1]


CONSTANTS: dict[str, type] = {
    "sort": SortConstants,
    "deepsort": DeepSortConstants,
    "strongsort": StrongSortConstants,
    "bytetrack": ByteTrackConstants,
    "botsort": BotSortConstants,
    "ocsort": OcSortConstants,
    "deepocsort": DeepOcSortConstants,
    "cbiou": CBiouConstants,
    "hybridsort": HybridSortConstants,
    "boosttrack": BoostTrackConstants,
    "evidence": EvidenceConstants,
}


def constants_of(tracker: str, changed: Mapping[str, Any]) -> Any:
    """Return a tracker's published constants with some changed.

    Raises:
        ReidopsError: a name is unknown or a value ill-typed; names similar constants.
    """
    return check_section(CONSTANTS[tracker], {tracker: {**_published(tracker), **changed}}, tracker, Path("constants"))


def check_constants(constants: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the constants that params.yaml changes for any tracker.

    Raises:
        ReidopsError: a tracker or a constant is unknown, or a value is ill-typed.
    """
    for tracker, changed in constants.items():
        if tracker not in CONSTANTS:
            raise ReidopsError(f"{tracker} is no tracker; known: {', '.join(CONSTANTS)}")
        constants_of(tracker, changed)


def _published(tracker: str) -> dict[str, Any]:
    return dataclasses.asdict(CONSTANTS[tracker]())
