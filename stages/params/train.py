"""The section `train` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import AboveZero, Count, NotNegative, Positive, Share


@params_dataclass
class TrackletParams:
    """The tracklets of a training on tracklets."""

    frames: Positive = Field(description="Number of crops of a tracklet in a batch.")
    sample: Literal["evenly", "random"] = Field(
        description="Which crops of a tracklet are used. evenly: spread over it. random: drawn for each batch."
    )
    pool: Literal["mean", "max"] = Field(description="How the features of the crops of a tracklet are pooled.")


@params_dataclass
class TrainParams:
    """Network, batches, losses, optimizer, schedule and augmentation."""

    backbone: str = Field(
        description="Name of the network: one of timm, of OSNet (osnet_x1_0, osnet_ain_x1_0, …), of ResNet-IBN-a "
        "(resnet50_ibn_a, seresnet18_ibn_dense, …), or hacnn, lmbn_n, mlfn, mudeep, nasnetamobile, resnet50mid, "
        "squeezenet1_0, shufflenet, shufflenetv2_x1_0, deep_sort_net."
    )
    pretrained: bool = Field(
        description="Start from timm's published weights (ImageNet). The first run downloads them."
    )
    weights: str | None = Field(
        description="File with the weights to start from, relative to the repository: safetensors, a torch state dict "
        "or the checkpoint of another training. package:efficientnet-lite0 and package:mobilenetv2: ImageNet weights "
        "of the extra `starts`, without download. zoo:NAME: published ReID weights, fetched once (docs/training.md). "
        "null: random weights, or those of `pretrained`."
    )
    weights_match: Literal["exact", "fitting"] = Field(
        description="exact: all tensors of the backbone must be in the file of `weights`. fitting: those that fit are "
        "loaded and the others are logged, for a backbone that differs in some layers."
    )
    height: Positive = Field(description="Height of the network's input, px.")
    width: Positive = Field(description="Width of the network's input, px.")
    early_sizes: tuple[tuple[Share, Positive, Positive], ...] = Field(
        description="Smaller input sizes for the first epochs, [[share, height, width], …]: the size in px is used "
        "until that share of the epochs. It makes training faster. []: one size."
    )
    embedding_dim: Count = Field(
        description="Size of a linear projection after the backbone, per part. 0: no projection."
    )
    hidden_dim: Count = Field(
        description="Size of a layer with batch normalization and ReLU before the projection, per part, as in the head "
        "of mmdetection. 0: none."
    )
    parts: Count = Field(
        description="Number of horizontal stripes that are embedded beside the whole crop. 0: the whole crop only."
    )
    whole: bool = Field(
        description="Embed the whole crop beside the stripes of `parts`. false: the stripes only, as in PCB."
    )
    pooling: Literal["avg", "max", "avgmax", "gem", "token"] = Field(
        description="Pooling of the last feature map. token: the class token or the attention pooling of a "
        "transformer, as in its published weights."
    )
    last_stride: Literal[1, 2] = Field(
        description="Stride of the last stage of the backbone. 1 doubles the height and width of the last feature map. "
        "OSNet has no such stride."
    )
    members: Annotated[tuple[AboveZero, ...], Field(min_length=1)] = Field(
        description="Networks of this kind that are trained on the same batches, each by the size of its input "
        "relative to height and width. Their embeddings are joined, as in an ensemble. [1.0]: one network."
    )
    patch_stride: Positive | None = Field(
        description="Distance of a transformer's patches, px. Less than their size: the patches overlap, as in "
        "TransReID. null: no overlap."
    )
    camera_embedding: bool = Field(
        description="Add a learned vector per camera to the tokens of a transformer, as in TransReID. After the "
        "training all crops get the mean of the vectors."
    )
    freeze: Literal["backbone"] | tuple[str, ...] | None = Field(
        description="Layers that do not train. backbone: all of the backbone. A list names the only modules that "
        "train: [classifier, neck, backbone.layer4]. null: all layers train."
    )
    freeze_epochs: Count = Field(description="Number of first epochs that `freeze` holds for. 0: all epochs.")
    people_per_batch: Positive = Field(description="Number of people in a batch, P.")
    crops_per_person: Positive = Field(description="Number of crops of each person in a batch, K. A batch has P × K.")
    tracklets: TrackletParams | None = Field(
        description="Train on tracklets: a batch has P people × K tracklets, the losses compare the pooled features of "
        "tracklets, and the held-out people are ranked by tracklets. {frames: 15, sample: evenly, pool: mean}: 15 "
        "crops of each tracklet, sampled evenly or random, pooled by mean or max. null: single crops."
    )
    accumulate: Positive = Field(
        description="Number of batches whose mean gradient makes one step of the optimizer. Losses compare the crops "
        "of one batch only. Increase it if the GPU memory is too small for the batch."
    )
    prefer_cameras: bool = Field(description="Sample the K crops of a person from several cameras, if possible.")
    epochs: Count = Field(description="Number of epochs. 0: keep the loaded weights as they are.")
    resume: bool = Field(
        description="Lengthen the last finished training to `epochs` epochs; all other values must be the same. The "
        "learning rate continues by the schedule of the longer training, and a change of it is logged."
    )
    optimizer: str = Field(description="Name of the optimizer in timm: adamw, adam, sgd, ….")
    learning_rate: AboveZero = Field(description="Peak learning rate of the optimizer, for the whole batch.")
    weight_decay: NotNegative = Field(description="Weight decay of the optimizer.")
    optimizer_options: dict[str, bool | int | float | str | list[float]] = Field(
        description="Further options of the optimizer: {momentum: 0.9}, {betas: [0.9, 0.99]}, {amsgrad: true}, …."
    )
    head_factor: AboveZero = Field(
        description="Learning rate of all layers outside the backbone, as a multiple of learning_rate."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Factor of the learning rate from each layer of the backbone to the one before it, for "
        "transformers 0.65 to 0.9. 1: all layers have the same rate."
    )
    schedule: Literal["cosine", "step"] = Field(description="How the learning rate decreases.")
    warmup_epochs: NotNegative = Field(
        description="Epochs in which the learning rate rises from a hundredth to its peak. A fraction is allowed."
    )
    warmup_steps: Count | None = Field(
        description="Number of optimizer steps of the warm-up. It replaces warmup_epochs. null: use warmup_epochs."
    )
    flat_epochs: NotNegative = Field(
        description="Epochs, warm-up included, before the cosine schedule decreases the rate. 0: it decreases at once."
    )
    final_share: Share = Field(description="Learning rate at the end of the cosine schedule, as a share of the peak.")
    milestones: tuple[NotNegative, ...] = Field(
        description="Epochs at which the step schedule multiplies the learning rate by step_factor: [40, 70]."
    )
    step_factor: AboveZero = Field(description="Factor of the learning rate at each milestone of the step schedule.")
    losses: dict[str, NotNegative] = Field(
        description="Losses and their weights in the sum: cross-entropy, triplet (batch-hard), weighted-triplet "
        "(AGW), triplet-random, center, circle, circle-softmax, arcface, cosface, supcon, multi-similarity, "
        "cluster-contrast."
    )
    loss_options: dict[str, dict[str, float | str]] = Field(
        description="Options of the losses. reidops/training/losses.py lists all options and the values of those that "
        "are not given here. A triplet margin is soft or a Euclidean distance."
    )
    generated: Literal["lsro", "extra-class", "pseudo"] | None = Field(
        description="How the crops of the stage generate join the cross-entropy. lsro: with a uniform label. "
        "extra-class: as one more person. pseudo: with the person that the network finds most likely. null: they do "
        "not train."
    )
    generated_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Generated crops in a batch, as a share of the whole batch, if `generated` is set."
    )
    teacher: str | None = Field(
        description="Trained model whose embeddings the network learns as well (distillation): a folder with "
        "model.safetensors and embedder.json, relative to the repository, or models:/NAME@ALIAS. null: none."
    )
    teacher_losses: dict[str, NotNegative] = Field(
        description="Losses between the embeddings of network and teacher, with their weights. similarity: squared "
        "differences of the cosines within a batch. features: 1 − cosine after a learned projection."
    )
    flip: Share = Field(description="Probability that a crop is mirrored.")
    pad: Share = Field(description="Largest random shift of a crop, as a share of its height.")
    erasing: Share = Field(description="Probability that a random rectangle of a crop is erased.")
    jitter: Share = Field(description="Largest relative change of the brightness.")
    contrast: Share = Field(description="Largest relative change of the contrast.")
    saturation: Share = Field(description="Largest relative change of the saturation.")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="Largest rotation of the hue, as a share of the colour circle."
    )
    grey: Share = Field(description="Probability that a crop is converted to grey.")
    local_grey: Share = Field(description="Probability that a random rectangle of a crop is converted to grey.")
    auto_augment: str | None = Field(
        description="Name of an augmentation policy of timm: rand-m7-n2, original, …. null: none."
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Decay of the exponential moving average of the weights, per step. 0: no average."
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        description="Number format of the training. auto: the fastest that the device supports. 16-mixed needs a GPU."
    )
    compile: bool = Field(
        description="Compile the network with torch.compile. It takes minutes at the start and needs a C++ compiler. "
        "Steps on a GPU become faster."
    )
    checkpoint_activations: bool = Field(
        description="Recompute the activations of the backbone's blocks in the backward pass, block by block, instead "
        "of keeping all of them: less memory, more time, the same weights. Set it to true if the memory is too small."
    )
    clip: NotNegative = Field(description="Largest norm of the gradient. 0: no limit.")
    val_every: Positive = Field(description="Epochs between two validations on the held-out people.")
    checkpoint_people: Literal["all", "half"] = Field(
        description="Held-out people who choose the checkpoint. all: the same people fit the gate. half: the other "
        "half fits the gate."
    )
    processes: Positive = Field(
        description="Number of training processes on this host, which share the batch: one per GPU, or each with its "
        "share of the cores. torchrun overrides it."
    )
    sync_norms: bool = Field(
        description="Compute batch normalization over the crops of all processes, so that their number does not "
        "change the result. false: over those of each process, which is faster."
    )
    track: str | None = Field(
        description="MLflow experiment that shows the training curves while it runs. null: no run is logged."
    )
    threads: Positive | None = Field(
        description="Number of threads of torch. null: one per core, for large networks on a CPU. Steps of a small "
        "network are faster in one thread. The last bits of the weights depend on the number."
    )
    seed: Count = Field(description="Seed of the initial weights, the batches and the augmentation.")
