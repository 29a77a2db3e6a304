"""A learned vector per camera that is added to the tokens of a transformer (He et al. 2021, TransReID, SIE)."""

import torch
from torch import Tensor, nn

from reidops.errors import ReidopsError

_SCALE = 3.0  # λ of the paper for MSMT17 and Market-1501


class CameraEmbedding(nn.Module):
    """Add λ times the vector of each image's camera to its tokens, then apply the dropout that was in this place.

    An image of an unknown camera, as all images after the training, gets the mean of the vectors.
    """

    def __init__(self, dropout: nn.Module, num_cameras: int, dim: int) -> None:
        super().__init__()
        self.dropout = dropout
        self.cameras = nn.Parameter(torch.empty(num_cameras, dim))
        nn.init.trunc_normal_(self.cameras, std=0.02)
        self.camids: Tensor | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens [N, L, dim] with the vectors of `camids` [N], 0 … num_cameras − 1, or with their mean."""
        own = self.cameras.mean(dim=0, keepdim=True) if self.camids is None else self.cameras[self.camids]
        return self.dropout(tokens + _SCALE * own[:, None].to(tokens.dtype))


def embed_cameras(backbone: nn.Module, name: str, num_cameras: int) -> CameraEmbedding:
    """Add a camera embedding to a transformer of timm, where it has added its position embeddings.

    Raises:
        ReidopsError: the backbone adds no position embeddings to tokens.
    """
    dropout, dim = getattr(backbone, "pos_drop", None), getattr(backbone, "embed_dim", None)
    if not isinstance(dropout, nn.Module) or not isinstance(dim, int) or not hasattr(backbone, "_pos_embed"):
        raise ReidopsError(
            f"camera_embedding is true, but the backbone {name} is not a plain transformer of tokens (vit_…, deit…, "
            "eva…); set train.camera_embedding to false"
        )
    backbone.pos_drop = CameraEmbedding(dropout, num_cameras, dim)
    return backbone.pos_drop
