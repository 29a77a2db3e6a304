"""embedder.json: all that somebody needs to use an embedder as it was trained. Knows no torch."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reidops.embedding.images import INTERPOLATION
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json

_GOLDEN_LENGTH = 32
_GOLDEN_TOLERANCE = 1e-3


@dataclass(frozen=True)
class EmbedderDescription:
    """Name the network, its preprocessing and what it gives for a crop that is drawn by code.

    Attributes:
        dim: length of an embedding.
        embedding_dim: width of the projection layer, 0 = none; of each branch.
        parts: horizontal stripes that are embedded beside the whole.
        height, width: px, the network's input.
        colour_order: of the network's input; crops are handed over as BGR all the same.
        mean, std: per channel, in 0 … 1; the network applies them itself.
        flip_average: the embedding is the mean over a crop and its mirror image.
        weights_sha256: of model.safetensors.
        golden: first values of the embedding of `golden_crop()`.
        trained_on: what is known of the training, for the reader.
    """

    backbone: str
    dim: int
    embedding_dim: int
    pooling: str
    last_stride: int
    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights_sha256: str
    golden: tuple[float, ...]
    parts: int = 0
    flip_average: bool = False
    normalised: bool = True
    colour_order: str = "rgb"
    interpolation: str = INTERPOLATION
    num_classes: int = 0
    trained_on: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path, **more: Any) -> None:
        """Write embedder.json, with `more` beside the fields."""
        write_json({**dataclasses.asdict(self), **more}, path)


def read_description(path: Path) -> EmbedderDescription:
    """Read embedder.json; names that this version does not know are passed over.

    Raises:
        ReidopsError: the file is missing, is no JSON, or lacks a name.
    """
    data = read_json(path)
    fields = {f.name: f for f in dataclasses.fields(EmbedderDescription)}
    known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items() if name in fields}
    missing = [n for n, f in fields.items() if n not in known and f.default is f.default_factory is dataclasses.MISSING]
    if missing:
        raise ReidopsError(
            f"{path}: {', '.join(missing)} missing; this is no embedder.json of this version, train again"
        )
    return EmbedderDescription(**known)


def golden_crop() -> np.ndarray:
    """Draw the self-test's crop, BGR uint8 [150, 70, 3]: whole-number arithmetic, equal on every machine."""
    row, column = np.mgrid[0:150, 0:70]
    blue, green, red = (
        (row * 5 + column * 3) % 256,
        (row * row + 7 * column) % 256,
        (row // 25 * 40 + column // 14 * 17) % 256,
    )
    crop_bgr = np.stack([blue, green, red], axis=-1).astype(np.uint8)
    crop_bgr[20:70, 15:55] = (40, 60, 200)
    crop_bgr[70:140, 20:50] = (120, 40, 30)
    return crop_bgr


def golden_values(embedding: np.ndarray) -> tuple[float, ...]:
    """Return what embedder.json keeps of the golden crop's embedding [D]."""
    return tuple(round(float(value), 6) for value in embedding[:_GOLDEN_LENGTH])


def check_golden(embedding: np.ndarray, description: EmbedderDescription, where: str) -> None:
    """Compare the golden crop's embedding [D] with the one that was stored when the embedder was saved.

    Raises:
        ReidopsError: a value differs by more than 1e-3 (or is not a number).
    """
    values = np.array(golden_values(embedding))
    difference = np.abs(values - description.golden).max() if len(values) == len(description.golden) else np.inf
    if not difference <= _GOLDEN_TOLERANCE:
        raise ReidopsError(
            f"{where}: the self-test fails: the golden crop's embedding differs by {difference:.2g} from the one "
            f"stored in embedder.json"
            f" (at most {_GOLDEN_TOLERANCE:g} is allowed). The weights and embedder.json are not of one training, or "
            f"another version of"
            " timm or OpenCV builds the network or resizes crops otherwise; take the folder whole, with the versions "
            "of constraints.txt"
        )
