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
