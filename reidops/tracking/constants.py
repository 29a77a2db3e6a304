"""The constants of each tracker, as published. Light to import, as params.yaml is checked against them before anything runs."""

from reidops.params import params_dataclass

# The 95 % point of χ² with 4 degrees of freedom: a squared Mahalanobis distance above it is no likely measurement of a box.
CHI2_GATE = 9.4877

# DeepSORT's largest cosine distance. It was tuned for its own network: every other one needs its own (calibration.json).
DEEPSORT_COSINE_GATE = 0.2


@params_dataclass
class DeepSortConstants:
    """DeepSORT's constants (Wojke, Bewley and Paulus 2017).

    Attributes:
        motion_gate: largest squared Mahalanobis distance in the first stage; None = no gate.
        motion_weight: λ of the paper's equation 5, the share of motion in the cost of the first stage, 0 … 1.
        iou_gate: largest 1 − IoU in the second stage.
        max_age: frames that a track is kept unseen.
        n_init: detections in a row that confirm a track.
        budget: embeddings that a track keeps.
        reassociate: ours, not published: unseen tracks that both stages left are taken up again by appearance alone, wherever
            they are, at this share of the cosine gate; 0 = never.
    """

    motion_gate: float | None = CHI2_GATE
    motion_weight: float = 0.0
    iou_gate: float = 0.7
    max_age: int = 30
    n_init: int = 3
    budget: int = 100
    reassociate: float = 0.0
