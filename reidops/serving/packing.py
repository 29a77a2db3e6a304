"""The code that travels with a registered model: few files, as a package with a name of its own.

A model that was registered by another version of this library would shadow the installed one, or be shadowed by it, if
both were named `reidops`. The name holds a digest of the code, so that several models work in one process.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = ("mlflow-skinny", "numpy", "onnxruntime", "pandas", "pillow")
"""Requirements of a user of the model, in the versions with which it was registered; MLflow itself needs pandas."""

FILES = (
    "errors.py",
    "files.py",
    "image_headers.py",
    "mot/boxes.py",
    "boxes/cutting.py",
    "embedding/description.py",
    "embedding/exported.py",
    "embedding/formats.py",
    "embedding/onnx_session.py",
    "embedding/resizing.py",
    "serving/crop_inputs.py",
    "serving/onnx_embedder.py",
    "serving/pyfunc_model.py",
)
"""The files of this library that a registered model needs."""

_LIBRARY = Path(__file__).parents[1]
_MODEL = "serving/pyfunc_model.py"
_IMPORT = re.compile(r"^(\s*(?:from|import) )reidops(?=\.)", re.MULTILINE)


@dataclass(frozen=True)
class PackedCode:
    """The folder of the package, and the file in it that MLflow runs."""

    package: Path
    model: Path


@contextmanager
def packed_code(folder: Path) -> Iterator[PackedCode]:
    """Write the code of a model below `folder`; it can be imported inside the block."""
    texts = {name: (_LIBRARY / name).read_text(encoding="utf-8") for name in FILES}
    digest = hashlib.sha256("".join(texts.values()).encode()).hexdigest()
    package = folder / f"reidops_model_{digest[:12]}"
    for name, text in texts.items():
        file = package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(_IMPORT.sub(rf"\g<1>{package.name}", text), encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield PackedCode(package, package / _MODEL)
    finally:
        sys.path.remove(str(folder))
