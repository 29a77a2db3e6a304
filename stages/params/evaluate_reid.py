"""The section `evaluate_reid` of params.yaml."""

from typing import Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import Count, NotNegative, Positive


@params_dataclass
class EvaluateReidParams:
    """How crops are ranked, how the gates are calibrated, and what is drawn."""

    junk: Literal["auto", "same-camera", "none"] = Field(
        description="Gallery crops that are left out of the ranking of a query. same-camera: crops of the same person "
        "in the same camera. auto: same-camera if people were seen by several cameras, else none."
    )
    max_rank: Positive = Field(description="Last rank of the CMC curve.")
    rerank: bool = Field(description="Report the metrics with k-reciprocal re-ranking too.")
    single_gallery_shot: Literal["auto"] | bool = Field(
        description="Compute the CMC on galleries with one random crop per person. auto: for the classic splits of "
        "CUHK03 only."
    )
    pool: Literal["auto", "none", "mean", "max"] = Field(
        description="How the embeddings of a tracklet are pooled before the ranking. none: crops are ranked. auto: "
        "in data sets of tracklets as in the training of the model (train.tracklets), mean if it was trained on single "
        "crops; in others none."
    )
    views: Literal[1, 5] = Field(
        description="Number of views of each ranked crop whose embeddings are averaged. 5: the crop and a window in "
        "each corner."
    )
    flip_average: bool | None = Field(
        description="Average the embeddings of a crop and its mirror image. null: as the model was saved."
    )
    batch_size: Positive = Field(
        description="Number of crops per forward pass. A CPU takes up to 8 of them at a time. Reduce it if the GPU "
        "memory is too small."
    )
    calibrate_on: Literal["crops", "detections"] = Field(
        description="Boxes of held-out people on which the gates are fitted. crops: annotated boxes. detections: the "
        "detections of their training scenes."
    )
    min_gap: Positive = Field(
        description="Least gap after which a track meets crops of its own person again, in calibration, frames."
    )
    num_candidates: NotNegative = Field(
        description="Mean number of lost tracks that compete for a person who returns, in calibration. Increase it for "
        "crowded scenes."
    )
    gallery_rows: Positive = Field(description="Number of queries that are drawn as best, as median and as worst ones.")
    gallery_columns: Positive = Field(description="Number of gallery crops that are drawn for each query.")
    visualize_ranks: Count = Field(
        description="Number of nearest gallery crops that are drawn for every query, one sheet each, and listed in "
        "ranked/ranked.parquet. 0: none."
    )
