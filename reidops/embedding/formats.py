"""The formats of an exported embedder: their names, their files, and the list of those that passed their checks.

`formats.json` is written by the stage `export` if formats beside `onnx` were asked for. This module imports nothing
heavy, because a registered model carries it.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import read_json, sha256, write_json

ONNX = "onnx"
FORMATS_FILE = "formats.json"


@dataclass(frozen=True)
class ExportFormat:
    """A format: its files, the first of which is opened, what runs it, and whether its values are rounded.

    Attributes:
        runtime: onnxruntime, torch or openvino.
        extra: the extra of this package that installs the runtime, "" = it is always installed.
        packages: what has to be importable to write and to run the format.
        rounded: whether weights or activations have fewer bits than float32.
    """

    files: tuple[str, ...]
    runtime: str
    extra: str = ""
    packages: tuple[str, ...] = ()
    rounded: bool = False


FORMATS = {
    ONNX: ExportFormat(("model.onnx",), "onnxruntime"),
    "onnx-fp16": ExportFormat(("model-fp16.onnx",), "onnxruntime", rounded=True),
    "onnx-int8": ExportFormat(("model-int8.onnx",), "onnxruntime", rounded=True),
    "torchscript": ExportFormat(("model-torchscript.pt",), "torch"),
    "torch-export": ExportFormat(("model-export.pt2",), "torch"),
    "openvino": ExportFormat(
        ("model-openvino.xml", "model-openvino.bin"), "openvino", extra="openvino", packages=("openvino",)
    ),
    "openvino-int8": ExportFormat(
        ("model-openvino-int8.xml", "model-openvino-int8.bin"),
        "openvino",
        extra="openvino",
        packages=("openvino", "nncf"),
        rounded=True,
    ),
    "tensorrt": ExportFormat(("model-tensorrt.onnx",), "onnxruntime", rounded=True),
}
"""All formats by name. `tensorrt` is an engine inside an ONNX file, which ONNX Runtime's TensorRT provider runs."""


ONNX_MODEL = FORMATS[ONNX].files[0]
"""The file of the format `onnx`, which is always written."""


@dataclass(frozen=True)
class Bounds:
    """The least cosine of a held-out crop's embedding to torch's, and the largest loss of mAP."""

    min_cosine: float
    max_loss: float


@dataclass(frozen=True)
class FormatFigures:
    """The figures of one format against torch in float32, and whether it is shipped.

    Attributes:
        sha256: of each file.
        num_bytes: of all files.
        min_cosine, mean_cosine: between the embeddings of the held-out crops.
        mAP, mAP_loss: on the held-out people, and the loss against torch; None if they cannot be ranked.
        num_crops: number of held-out crops.
        reason: why it is not shipped, "" = it is.
        golden_embeddings: of `golden_crops()` in this format; the self-test of a rounded format compares with them.
        remark: how the format was made, such as the layers that keep float32.
    """

    sha256: dict[str, str]
    num_bytes: int
    min_cosine: float
    mean_cosine: float
    mAP: float | None
    mAP_loss: float | None
    num_crops: int
    reason: str
    golden_embeddings: list[list[float]]
    remark: str = ""

    @property
    def passed(self) -> bool:
        """Return whether the format is shipped."""
        return not self.reason


def write_formats(figures: dict[str, FormatFigures], path: Path) -> None:
    """Write formats.json."""
    write_json({name: {**dataclasses.asdict(row), "passed": row.passed} for name, row in figures.items()}, path)


def read_figures(folder: Path) -> dict[str, FormatFigures]:
    """Return the figures of the formats beside `onnx` that were tried, by name; empty if there are none."""
    if not (folder / FORMATS_FILE).is_file():
        return {}
    names = {field.name for field in dataclasses.fields(FormatFigures)}
    rows: dict[str, dict[str, Any]] = read_json(folder / FORMATS_FILE)
    return {name: FormatFigures(**{k: v for k, v in row.items() if k in names}) for name, row in rows.items()}


def shipped_formats(folder: Path) -> list[str]:
    """Return the formats in a folder that passed their checks and whose files are there, in the order of FORMATS."""
    passed = {ONNX} | {name for name, row in read_figures(folder).items() if row.passed}
    return [
        name for name, known in FORMATS.items() if name in passed and all((folder / f).is_file() for f in known.files)
    ]


def check_format(folder: Path, name: str) -> FormatFigures | None:
    """Return the figures of a shipped format, None for `onnx`, whose description has its digest and embeddings.

    Raises:
        ReidopsError: the format is unknown or not shipped, or a file was replaced.
    """
    if name not in FORMATS:
        raise ReidopsError(f"format {name!r}: unknown; use auto or one of {', '.join(FORMATS)}")
    if name == ONNX:
        return None
    row = read_figures(folder).get(name)
    shipped = ", ".join(shipped_formats(folder)) or "none"
    if row is None:
        raise ReidopsError(
            f"{folder}: has no format {name} (it has: {shipped}); add it to export.formats and run `dvc repro export`"
        )
    if not row.passed:
        raise ReidopsError(f"{folder}: the format {name} was not shipped ({row.reason}); it has: {shipped}")
    for file, digest in row.sha256.items():
        if not (folder / file).is_file() or sha256(folder / file) != digest:
            raise ReidopsError(
                f"{folder / file}: missing, or its SHA-256 differs from {FORMATS_FILE}; make it again with `dvc repro "
                "-f export`"
            )
    return row
