"""Read and write embedder.json, which describes an embedder's network and preprocessing. Does not import torch."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reidops.embedding.resizing import INTERPOLATION
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json

_GOLDEN_LENGTH = 32
_GOLDEN_TOLERANCE = 1e-3


@dataclass(frozen=True)
class EmbedderDescription:
    """The network, its preprocessing, and its embedding of a synthetic crop for a self-test.

    Attributes:
        dim: length of an embedding.
        embedding_dim: width of the projection layer of each branch, 0 = none.
        parts: number of horizontal stripes that are embedded in addition to the whole crop.
        height, width: size of the network's input, px.
        colour_order: colour order of the network's input; crops are always passed as BGR.
        mean, std: per channel, in 0 … 1; the network applies them.
        flip_average: whether the embedding is the mean over a crop and its mirror image.
        weights_sha256: SHA-256 of model.safetensors.
        golden: first values of the embedding of `golden_crop()`.
        trained_on: information about the training, for readers.
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
        """Write embedder.json with the fields and `more`."""
        write_json({**dataclasses.asdict(self), **more}, path)


def read_description(path: Path) -> EmbedderDescription:
    """Read embedder.json; unknown names are ignored.

    Raises:
        ReidopsError: the file is missing or not valid JSON, or a name is missing.
    """
    data = read_json(path)
    fields = {f.name: f for f in dataclasses.fields(EmbedderDescription)}
    known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items() if name in fields}
    missing = [n for n, f in fields.items() if n not in known and f.default is f.default_factory is dataclasses.MISSING]
    if missing:
        raise ReidopsError(
            f"{path}: {', '.join(missing)} missing; the file is not of this version, run `dvc repro -f train`"
        )
    return EmbedderDescription(**known)


def golden_crop() -> np.ndarray:
    """Return the crop of the self-test, BGR uint8 [150, 70, 3]; integer arithmetic makes it equal on every machine."""
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
    """Return the values of the golden crop's embedding [D] that embedder.json stores."""
    return tuple(round(float(value), 6) for value in embedding[:_GOLDEN_LENGTH])


def check_golden(embedding: np.ndarray, description: EmbedderDescription, where: str) -> None:
    """Compare the golden crop's embedding [D] with the stored one.

    Raises:
        ReidopsError: a value differs by more than 1e-3 or is NaN.
    """
    values = np.array(golden_values(embedding))
    difference = np.abs(values - description.golden).max() if len(values) == len(description.golden) else np.inf
    if not difference <= _GOLDEN_TOLERANCE:
        raise ReidopsError(
            f"{where}: the self-test failed: the golden crop's embedding differs by {difference:.2g} from the one in "
            f"embedder.json (at most {_GOLDEN_TOLERANCE:g} is allowed). Either weights and embedder.json are of "
            "different trainings, or the versions of timm or OpenCV differ; use the complete folder and the versions "
            "in constraints.txt"
        )
