"""The embedding network: a timm backbone, pooling, an optional projection and BNNeck.

The map of a crop is pooled as a whole and, if `parts` is above 0, also in `parts` horizontal stripes (Sun et al. 2018,
PCB). The whole and each stripe are branches with their own projection, neck and classifier; the whole is the first.
Without `whole` the stripes are the only branches, as in PCB. A backbone may also have branches of its own (LightMBN);
with a projection they are one branch. With several members, backbones of one kind embed the same image, each at
a size and with branches of its own, as an ensemble (Lakshminarayanan et al. 2017) in one network.
"""

from collections.abc import Sequence
from functools import partial

import torch
from timm.models import is_model_in_modules
from torch import Tensor, nn
from torch.nn import functional

from reidops.embedding.backbones import (
    PROBE_SIZE,
    create_backbone,
    overlap_patches,
    probe,
    remove_last_stride,
)
from reidops.embedding.cameras import embed_cameras
from reidops.embedding.members import compute_maps, resized, scaled_sizes
from reidops.embedding.pooling import POOLINGS, GeM, cut_stripes, make_pool, pool_frames
from reidops.errors import ReidopsError


class EmbeddingNetwork(nn.Module):
    """Map RGB images to unit embeddings.

    Args:
        backbone: a model name of timm, including the OSNet and ResNet-IBN-a models that this package registers.
        embedding_dim: width of the projection after the pooling of each branch, 0 = none.
        hidden_dim: width of a layer with batch normalization and ReLU before the projection, 0 = none.
        parts: number of horizontal stripes that are embedded in addition to the whole, 0 = none.
        whole: whether the whole is embedded beside the stripes; without stripes it always is.
        pooling: avg, max, avgmax or gem; token = the class token or the attention pooling of a transformer, as in its
            published weights.
        last_stride: 1 doubles the height and width of the last stage's map; 2 keeps the backbone unchanged. The last
            stage of OSNet has no stride, so the value has no effect.
        mean, std: of the input per RGB channel, in 0 … 1; None = those of the backbone.
        height, width: of the input, px, for which the backbone is built; None = 128 × 64, a size that most backbones
            accept. A network without position embeddings accepts other sizes, too.
        patch_stride: px between the patches of a transformer, less than their size = they overlap; None = no overlap.
        num_cameras: cameras that the training knows, for the camera embedding of a transformer; 0 = none.
        members: the size of each backbone's input, relative to that of the network's; one backbone for each.
        pretrained: whether to load the weights of timm.
        flip_average: whether to average the embeddings of each image and its mirror image.

    Raises:
        ReidopsError: the backbone or the pooling is unknown, they are incompatible, or the backbone does not accept the
            image size.
    """

    def __init__(
        self,
        backbone: str,
        *,
        embedding_dim: int = 0,
        hidden_dim: int = 0,
        parts: int = 0,
        whole: bool = True,
        pooling: str = "avg",
        last_stride: int = 2,
        height: int | None = None,
        width: int | None = None,
        patch_stride: int | None = None,
        num_cameras: int = 0,
        members: Sequence[float] = (1.0,),
        pretrained: bool = False,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
        flip_average: bool = False,
    ) -> None:
        super().__init__()
        _check_pooling(pooling, parts)
        self.backbone_name = backbone
        self.parts, self.whole = parts, whole or not parts
        num_maps = len(members) * (int(self.whole) + parts)
        own_pool = pooling == "gem" and not _pools_by_gem(backbone)
        size = (height or PROBE_SIZE[0], width or PROBE_SIZE[1])
        pool = "" if parts or own_pool else pooling
        built = [create_backbone(backbone, pool, own, pretrained=pretrained) for own in scaled_sizes(size, members)]
        for member, own in zip(built, scaled_sizes(size, members), strict=True):
            if pooling == "token":
                _check_token(member, backbone)
            if last_stride == 1 and getattr(member, "last_stage_stride", 2) == 2:
                remove_last_stride(member, backbone, own)
            if patch_stride is not None:
                overlap_patches(member, backbone, patch_stride, own)
        self.members = tuple(members)
        self.backbone = built[0] if len(built) == 1 else nn.ModuleList(built)
        self.num_cameras = num_cameras
        self._cameras = [embed_cameras(member, backbone, num_cameras) for member in built] if num_cameras else []
        self.pool = make_pool(pooling) if parts or own_pool else nn.Identity()
        num_features = self._num_features(backbone, size)
        own_branches = 1 if embedding_dim else getattr(built[0], "num_branches", 1)
        self.num_branches = num_maps * own_branches
        self.branch_dim = embedding_dim or num_features // own_branches
        self.dim = self.num_branches * self.branch_dim
        self.hidden_dim = hidden_dim
        self.projection = _make_projections(num_features, hidden_dim, embedding_dim, num_maps)
        self.neck = nn.BatchNorm1d(self.dim)
        self.neck.bias.requires_grad_(False)  # BNNeck of Luo et al. 2019 has no bias
        config = built[0].pretrained_cfg
        self.mean, self.std = tuple(mean or config["mean"]), tuple(std or config["std"])
        self.register_buffer("_mean", 255 * torch.tensor(self.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", 255 * torch.tensor(self.std).view(3, 1, 1), persistent=False)
        self.flip_average = flip_average

    def features(self, inputs: Tensor) -> Tensor:
        """Return the concatenated features of the branches before the neck, [N, dim], of inputs [N, 3, H, W]."""
        members = zip(self.backbones, self.members, strict=True)
        maps = [compute_maps(backbone, resized(inputs, scale)) for backbone, scale in members]
        pooled = [self.pool(branch) for member in maps for branch in self._cut(member)]
        return torch.cat([project(branch) for project, branch in zip(self._projections, pooled, strict=True)], dim=1)

    @property
    def backbones(self) -> list[nn.Module]:
        """Return the backbones of all members."""
        return list(self.backbone) if isinstance(self.backbone, nn.ModuleList) else [self.backbone]

    def member_sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the height and width, px, at which each member sees an image of a height and width."""
        return scaled_sizes(size, self.members)

    def _cut(self, maps: Tensor) -> list[Tensor]:
        """Return the whole map and its stripes, as far as they are branches."""
        return [*([maps] if self.whole else []), *(cut_stripes(maps, self.parts) if self.parts else [])]

    def idle_weights(self, size: tuple[int, int]) -> list[str]:
        """Return the names of the weights that the features of images of `size`, height and width, do not depend on.

        With stripes these are the layers behind the pooling of some backbones (OSNet).
        """
        training = self.training
        features = self.eval().features(torch.zeros(2, 3, *size))
        self.train(training)
        named = {n: p for n, p in self.named_parameters() if p.requires_grad and not n.startswith("neck.")}
        gradients = torch.autograd.grad(features.sum(), list(named.values()), allow_unused=True)
        return [name for name, gradient in zip(named, gradients, strict=True) if gradient is None]

    @property
    def _projections(self) -> list[nn.Module]:
        return list(self.projection) if isinstance(self.projection, nn.ModuleList) else [self.projection]

    def split_branches(self, values: Tensor) -> Tensor:
        """Return [N, num_branches, branch_dim] of [N, dim]."""
        return values.unflatten(1, (self.num_branches, self.branch_dim))

    def forward(self, images: Tensor) -> Tensor:
        """Return unit embeddings, float32 [N, dim], of RGB uint8 images [N, H, W, 3]; includes the preprocessing."""
        inputs = (images.permute(0, 3, 1, 2).float() - self._mean) / self._std
        return self.embed(inputs)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return unit embeddings, float32 [N, dim], of normalized inputs [N, 3, H, W]."""
        embeddings = self._embed(inputs)
        if self.flip_average:
            embeddings = functional.normalize(embeddings + self._embed(inputs.flip(3)))
        return embeddings

    def join_branches(self, embeddings: Tensor) -> Tensor:
        """Return one vector [N, dim] of the embeddings of the branches [N, B, d]; each branch has the same weight."""
        return functional.normalize(embeddings, dim=2).flatten(1) if self.num_branches > 1 else embeddings.flatten(1)

    def _embed(self, inputs: Tensor) -> Tensor:
        embeddings = self.neck(self.features(inputs)).float()
        return functional.normalize(self.join_branches(self.split_branches(embeddings)))

    def set_cameras(self, camids: Tensor | None) -> None:
        """Set the cameras, [N] in 0 … num_cameras − 1, of the images of the next calls; None = unknown."""
        for embedding in self._cameras:
            embedding.camids = camids

    def _num_features(self, name: str, size: tuple[int, int]) -> int:
        """Return the width of the pooled features by running the backbone; timm's `num_features` ignores some heads."""
        training = self.training
        with torch.inference_mode():
            maps = probe(partial(compute_maps, self.eval().backbones[0]), self.member_sizes(size)[0])
            if self.parts and maps.ndim != 4:
                raise ReidopsError(
                    f"parts is {self.parts}, but the output of the backbone {name} has the shape {list(maps.shape)} "
                    "and is not a map; set train.parts to 0"
                )
            if isinstance(self.pool, GeM) and maps.ndim != 4:
                raise ReidopsError(
                    f"pooling is gem, but the output of the backbone {name} has the shape {list(maps.shape)} and is "
                    "not a map; set train.pooling to avg"
                )
            features = self.pool(maps)
        self.train(training)
        if features.ndim != 2:
            raise ReidopsError(
                f"the features of the backbone {name} have the shape {list(features.shape)}, expected [N, C]; set "
                "another train.pooling"
            )
        return features.shape[1]


class TrainingNetwork(nn.Module):
    """An embedding network with one classifier per branch, for training.

    Args:
        num_people: number of classes.
        frames: successive crops that are one tracklet, whose features are pooled before the neck; 1 = single crops.
        frame_pool: mean or max, the pooling of a tracklet.
    """

    def __init__(
        self, embedding: EmbeddingNetwork, num_people: int, *, frames: int = 1, frame_pool: str = "mean"
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self._frames, self._frame_pool = frames, frame_pool
        self.classifier = nn.ModuleList(
            [nn.Linear(embedding.branch_dim, num_people, bias=False) for _ in range(embedding.num_branches)]
        )
        for classifier in self.classifier:
            nn.init.normal_(classifier.weight, std=0.001)

    def forward(self, inputs: Tensor, camids: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features before the neck, the logits, and the embeddings after the neck, of B branches.

        The shapes are [N, B, d], [N, B, num_people] and [N, B, d]; of tracklets N is their number. `inputs` are
        normalized, [number of crops, 3, H, W]; the embeddings are not scaled to unit length. `camids` are the cameras
        of the crops, for a camera embedding.
        """
        self.embedding.set_cameras(camids)
        features = self.embedding.features(inputs)
        self.embedding.set_cameras(None)
        if self._frames > 1:
            features = pool_frames(features, self._frames, self._frame_pool)
        embeddings = self.embedding.split_branches(self.embedding.neck(features))
        logits = [classify(branch) for classify, branch in zip(self.classifier, embeddings.unbind(1), strict=True)]
        return self.embedding.split_branches(features), torch.stack(logits, dim=1), embeddings

    def train(self, mode: bool = True) -> "TrainingNetwork":
        """Set the mode of all modules except frozen ones, which stay in evaluation mode."""
        super().train(mode)
        if mode and not all(p.requires_grad for p in self.parameters() if p is not self.embedding.neck.bias):
            for module in filter(_is_frozen, self.modules()):
                module.eval()
        return self


def _is_frozen(module: nn.Module) -> bool:
    """Return whether a module has parameters and none of them requires gradients."""
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def _check_pooling(pooling: str, parts: int) -> None:
    if pooling not in POOLINGS:
        raise ReidopsError(f"pooling is {pooling!r}, expected one of {', '.join(POOLINGS)}")
    if parts and pooling == "token":
        raise ReidopsError(f"parts is {parts}, but pooling is token, which has no stripes; set train.parts to 0")


def _check_token(backbone: nn.Module, name: str) -> None:
    own = getattr(backbone, "global_pool", "avg")
    if own not in ("token", "map"):
        raise ReidopsError(
            f"pooling is token, but the published backbone {name} has neither a class token nor an attention pooling; "
            "set train.pooling to avg"
        )


def _make_projections(num_features: int, hidden_dim: int, embedding_dim: int, num_branches: int) -> nn.Module:
    if hidden_dim and not embedding_dim:
        raise ReidopsError(
            f"hidden_dim is {hidden_dim}, but embedding_dim is 0, so that no projection follows; set "
            "train.embedding_dim, or set train.hidden_dim to 0"
        )
    layers = [_make_projection(num_features, hidden_dim, embedding_dim) for _ in range(num_branches)]
    return layers[0] if num_branches == 1 else nn.ModuleList(layers)


def _make_projection(num_features: int, hidden_dim: int, embedding_dim: int) -> nn.Module:
    """Return the layers after a pooling: none, a linear one, or a hidden layer and a linear one."""
    if not embedding_dim:
        return nn.Identity()
    if not hidden_dim:
        return nn.Linear(num_features, embedding_dim)
    return nn.Sequential(
        nn.Linear(num_features, hidden_dim),
        nn.BatchNorm1d(hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, embedding_dim),
    )


def _pools_by_gem(name: str) -> bool:
    """Return whether the backbone applies GeM itself, as OSNet does before its embedding layer."""
    return is_model_in_modules(name, "osnet")
