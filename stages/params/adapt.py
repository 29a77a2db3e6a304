"""The section `adapt` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import AboveZero, Count, NotNegative, Positive, Share


@params_dataclass
class AdaptParams:
    """Adaptation to tracklets without labels: distances, clusters, constraints and training."""

    rounds: Count = Field(
        description="Number of rounds. A round clusters the crops of data/tracklets and trains on the clusters. 0: no "
        "training. With norm_share 0 the trained model is then copied unchanged."
    )
    norm_share: Share = Field(
        description="Before the first round, the statistics of batch norm become this share of those of the crops of "
        "data/tracklets, and the rest of the old ones (AdaBN). 1: only the new ones, for other light or cameras. 0: "
        "they are kept."
    )
    epochs: Positive = Field(description="Number of epochs of a round. An epoch uses each clustered crop about once.")
    stable: Share = Field(
        description="Stability at which the adaptation ends: adjusted Rand index of the clusters of two rounds. 1: all "
        "rounds are run."
    )
    constraints: Literal["both", "must-link", "cannot-link", "none"] = Field(
        description="Knowledge of the tracker that clusters keep. must-link: the crops of a tracklet are one person. "
        "cannot-link: two tracklets of one camera that share a frame are two people."
    )
    centre_cameras: bool = Field(
        description="Subtract the mean embedding of each camera before distances are computed, if there are several."
    )
    k1: Positive = Field(description="Number of nearest neighbours of the k-reciprocal encoding.")
    k2: Positive = Field(description="Number of nearest neighbours over which an encoding is averaged.")
    clustering: Literal["average", "dbscan", "hdbscan"] = Field(
        description="Algorithm that clusters. average: average linkage, which joins no two tracklets of different "
        "people. dbscan, hdbscan: of scikit-learn; clusters with such tracklets are split."
    )
    eps: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Largest Jaccard distance, 0 … 1: of two clusters that are joined, as the mean over their pairs "
        "(average), or of two neighbours (dbscan). hdbscan needs none."
    )
    min_samples: Positive = Field(
        description="Number of neighbours, itself included, that make a tracklet (without must-link: a crop) the core "
        "of a cluster of dbscan or hdbscan. 1: a single tracklet is a cluster. From 2 on it is an outlier."
    )
    outliers: Literal["drop", "instance"] = Field(
        description="Tracklets (without must-link: crops) outside clusters. drop: they do not train. instance: each is "
        "a class of its own."
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Share of the tracklets of each camera that never train. They measure the re-association that "
        "chooses the round."
    )
    temperature: AboveZero = Field(description="Temperature of the cluster contrast.")
    momentum: Share = Field(
        description="Share of its old value that an entry of the cluster memory keeps in an update."
    )
    update: Literal["mean", "hard", "each"] = Field(
        description="How the crops of a batch update the memory entry of their cluster. mean: by their mean. hard: by "
        "the least similar crop. each: by each crop in turn."
    )
    camera_proxies: bool = Field(
        description="Contrast crops also with the mean of each cluster in each camera, across cameras and within the "
        "crop's camera, if there are several cameras."
    )
    rival_weight: Annotated[float, Field(ge=1)] = Field(
        description="Weight of clusters and tracklets that cannot be the same person as a crop, in the denominator of "
        "the cluster contrast. 1: the weight of all others."
    )
    source_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Share of labelled crops (split train of data/crops) among the crops of a round, against "
        "forgetting. 0: none."
    )
    people_per_batch: Positive = Field(description="Number of clusters in a batch, at most.")
    crops_per_person: Positive = Field(description="Number of crops of each cluster in a batch.")
    optimizer: str = Field(description="Name of the optimizer in timm: adamw, adam, sgd, ….")
    learning_rate: AboveZero = Field(description="Learning rate of the first round.")
    final_share: Share = Field(
        description="Learning rate of the last round, as a share of the first. It falls along a cosine over the rounds."
    )
    warmup_steps: Count = Field(
        description="Number of steps in which the learning rate rises at the start of each round, at most half of "
        "its steps."
    )
    weight_decay: NotNegative = Field(description="Weight decay of the optimizer.")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Decay of the exponential moving average of the weights, per step. 0: no average."
    )
    flip: Share = Field(description="Probability that a crop is mirrored.")
    pad: Share = Field(description="Largest random shift of a crop, as a share of its height.")
    erasing: Share = Field(description="Probability that a random rectangle of a crop is erased.")
    jitter: Share = Field(description="Largest relative change of the brightness.")
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        description="Number format of the training. auto: the fastest that the device supports. 16-mixed needs a GPU."
    )
    checkpoint_activations: bool = Field(
        description="Recompute the activations of the backbone's blocks in the backward pass, block by block, instead "
        "of keeping all of them: less memory, more time, the same weights. Set it to true if the memory is too small."
    )
    track: str | None = Field(
        description="MLflow experiment that shows the curves of the rounds while they run. null: no run is logged."
    )
    threads: Positive | None = Field(
        description="Number of threads of torch. null: one per core. The last bits of the weights depend on it."
    )
    seed: Count = Field(description="Seed of the held-out tracklets, the batches and the augmentation.")
