"""The constants of each tracker, as published. Light to import, as params.yaml is checked against them before anything runs."""

from typing import Annotated

from pydantic import Field

from reidops.params import params_dataclass

# The 95 % point of χ² with 4 degrees of freedom: a squared Mahalanobis distance above it is no likely measurement of a box.
CHI2_GATE = 9.4877

# DeepSORT's largest cosine distance. It was tuned for its own network: every other one needs its own (calibration.json).
DEEPSORT_COSINE_GATE = 0.2

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@params_dataclass
class DeepSortConstants:
    """DeepSORT's constants (Wojke, Bewley and Paulus 2017) and one of ours."""

    motion_gate: Annotated[float, Field(gt=0)] | None = CHI2_GATE  # largest squared Mahalanobis distance; null = no gate
    motion_weight: Share = 0.0  # λ of equation 5: share of motion in the cost of the first stage
    iou_gate: Share = 0.7  # largest 1 − IoU in the second stage
    max_age: Count = 30  # frames that a track is kept unseen
    n_init: Count = 3  # detections in a row that confirm a track
    budget: Count = 100  # embeddings that a track keeps
    # Ours: unseen tracks that both stages left are taken up again by appearance alone, wherever they come back, at this share of
    # the cosine gate; 0 = never, as published.
    reassociate: Share = 0.0


@params_dataclass
class OcSortConstants:
    """OC-SORT's constants (Cao et al. 2023)."""

    high: float = 0.6  # least score of a detection that may be a track's, or begin one
    low: float = 0.1  # with `byte`: least score of the others
    iou: Share = 0.3  # least IoU of a pair, in each association
    delta: Count = 3  # Δt: frames over which a direction is told
    inertia: Annotated[float, Field(ge=0)] = 0.2  # λ: weight of the direction beside the IoU
    byte: bool = False  # a second association with unsure detections, as in ByteTrack
    max_age: Count = 30  # frames that a track is kept unseen
    min_hits: Annotated[int, Field(ge=0)] = 3  # detections in a row, after the first, from which on a track is shown


@params_dataclass
class DeepOcSortConstants(OcSortConstants):
    """Deep OC-SORT's constants (Maggiolino et al. 2023), and OC-SORT's."""

    appearance_weight: Annotated[float, Field(ge=0)] = 0.75  # of the cosine beside the IoU
    clearest: Annotated[float, Field(ge=0)] = 0.5  # ε: most that is added to that weight where a match stands out
    alpha: Share = 0.95  # least share of what was remembered of a track's looks; the surer a detection, the nearer to it
    gate: Annotated[float, Field(ge=0, le=2)] | None = None  # largest cosine distance; null = none, as published
