"""Read and write embedder.json, which describes an embedder's network and preprocessing. Does not import torch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reidops.embedding.resizing import INTERPOLATION
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json

_GOLDEN_LENGTH = 32
_GOLDEN_TOLERANCE = 1e-3
_GOLDEN_SIZES = ((150, 70), (40, 21), (420, 190), (300, 24))  # height, width, px


@dataclass(frozen=True)
class EmbedderDescription:
    """The network, its preprocessing, and its embedding of a synthetic crop for a self-test.

    Attributes:
        dim: length of an embedding.
        embedding_dim: width of the projection layer of each branch, 0 = none.
        hidden_dim: width of the layer before the projection, 0 = none.
        parts: number of horizontal stripes that are embedded in addition to the whole crop.
        whole: whether the whole crop is embedded beside the stripes.
        patch_stride: px between the patches of a transformer, None = they do not overlap.
        num_cameras: number of cameras of the camera embedding of a transformer, 0 = none.
        members: the size of each backbone's input, relative to the network's; one backbone for each.
        height, width: size of the network's input, px.
        colour_order: colour order of the network's input; crops are always passed as BGR.
        mean, std: per channel, in 0 … 1; the network applies them.
        flip_average: whether the embedding is the mean over a crop and its mirror image.
        weights_sha256: SHA-256 of model.safetensors.
        golden: first values of the embedding of `golden_crop()`.
        golden_embeddings: whole embeddings of `golden_crops()`, of an exported model; empty elsewhere.
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
    hidden_dim: int = 0
    whole: bool = True
    patch_stride: int | None = None
    num_cameras: int = 0
    members: tuple[float, ...] = (1.0,)
    flip_average: bool = False
    normalised: bool = True
    colour_order: str = "rgb"
    interpolation: str = INTERPOLATION
    num_classes: int = 0
    trained_on: dict[str, Any] = field(default_factory=dict)
    golden_embeddings: tuple[list[float], ...] = ()

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


def network_name(facts: Mapping[str, Any]) -> str:
    """Return the backbone that the content of an embedder.json names, with the number of members if it has several."""
    num_members = len(facts.get("members", [1.0]))
    return facts["backbone"] if num_members == 1 else f"{num_members} × {facts['backbone']}"


def golden_crop(height: int = 150, width: int = 70) -> np.ndarray:
    """Return a crop of the self-test, BGR uint8 [height, width, 3]; integer arithmetic makes it equal on every machine.

    Both sides have at least 20 px.
    """
    row, column = np.mgrid[0:height, 0:width]
    blue, green, red = (
        (row * 5 + column * 3) % 256,
        (row * row + 7 * column) % 256,
        (row // 25 * 40 + column // 14 * 17) % 256,
    )
    crop_bgr = np.stack([blue, green, red], axis=-1).astype(np.uint8)
    crop_bgr[height * 20 // 150 : height * 70 // 150, width * 15 // 70 : width * 55 // 70] = (40, 60, 200)
    crop_bgr[height * 70 // 150 : height * 140 // 150, width * 20 // 70 : width * 50 // 70] = (120, 40, 30)
    return crop_bgr


def golden_crops() -> list[np.ndarray]:
    """Return the crops whose whole embeddings an exported model stores: enlarged, shrunk, and both at once."""
    return [golden_crop(*size) for size in _GOLDEN_SIZES]


def golden_values(embedding: np.ndarray) -> tuple[float, ...]:
    """Return the values of the golden crop's embedding [D] that embedder.json stores."""
    return tuple(round(float(value), 6) for value in embedding[:_GOLDEN_LENGTH])


def golden_rows(embeddings: np.ndarray) -> list[list[float]]:
    """Return the embeddings [N, D] of the golden crops as embedder.json stores them."""
    return [[round(float(value), 6) for value in row] for row in embeddings]


def check_golden(embedding: np.ndarray, description: EmbedderDescription, where: str) -> None:
    """Compare the golden crop's embedding [D] with the stored one.

    Raises:
        ReidopsError: a value differs by more than 1e-3 or is NaN.
    """
    _compare(np.array(golden_values(embedding)), np.array(description.golden), where)


def check_golden_embeddings(embeddings: np.ndarray, description: EmbedderDescription, where: str) -> None:
    """Compare the embeddings [N, D] of `golden_crops()` with the stored ones; a model without them passes.

    Raises:
        ReidopsError: a value differs by more than 1e-3 or is NaN.
    """
    if description.golden_embeddings:
        _compare(embeddings, np.array(description.golden_embeddings), where)


def _compare(values: np.ndarray, expected: np.ndarray, where: str) -> None:
    difference = np.abs(values - expected).max() if values.shape == expected.shape else np.inf
    if not difference <= _GOLDEN_TOLERANCE:
        raise ReidopsError(
            f"{where}: the self-test failed: a golden crop's embedding differs by {difference:.2g} from the one in "
            f"embedder.json (at most {_GOLDEN_TOLERANCE:g} is allowed). Either weights and embedder.json are of "
            "different trainings, or the versions of timm, OpenCV or ONNX Runtime differ; use the complete folder and "
            "the versions in constraints.txt"
        )
