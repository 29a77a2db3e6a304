"""reidops/serving/packing.py: a registered model carries the code that it needs, and no more."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from reidops.serving.packing import FILES, REQUIREMENTS, packed_code

ROOT = Path(__file__).parents[2]
OUTSIDE = {"numpy", "PIL", "onnxruntime", "mlflow", "cv2"}


def imported_modules(text: str) -> set[str]:
    """Return the modules that a file imports, at its top or inside a function."""
    nodes = list(ast.walk(ast.parse(text)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("name", FILES)
def test_a_packed_file_imports_packed_files_and_few_libraries_only(name):
    modules = imported_modules((ROOT / "reidops" / name).read_text())
    packed = {f"reidops.{file.removesuffix('.py').replace('/', '.')}" for file in FILES}
    others = {module for module in modules if module.split(".")[0] not in sys.stdlib_module_names | OUTSIDE}
    assert others <= packed


def test_the_packed_code_has_a_name_of_its_own(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("reidops_model_")]:  # of a model in another test
        monkeypatch.delitem(sys.modules, name)
    with packed_code(tmp_path) as code:
        texts = [file.read_text() for file in code.package.rglob("*.py")]
        resizing = importlib.import_module(f"{code.package.name}.embedding.resizing")
    assert code.model.is_file() and re.fullmatch(r"reidops_model_[0-9a-f]{12}", code.package.name)
    assert not [text for text in texts if re.search(r"^\s*(from|import) reidops\b", text, re.MULTILINE)]
    assert Path(resizing.__file__).is_relative_to(tmp_path) and str(tmp_path) not in sys.path
    assert len(texts) <= 20


def test_the_requirements_are_few_and_need_no_display():
    assert len(REQUIREMENTS) <= 5
    assert not {"mlflow", "opencv-python", "torch", "timm", "tqdm"} & set(REQUIREMENTS)
