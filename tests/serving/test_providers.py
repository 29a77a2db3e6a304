"""reidops/embedding/onnx_session.py: which execution providers of ONNX Runtime a model is opened with."""

import onnxruntime
import pytest
from foreign_engine import write_engine

from reidops.embedding.onnx_session import CPU, OnnxNetwork, choose_providers
from reidops.errors import ReidopsError

CUDA, OPENVINO = "CUDAExecutionProvider", "OpenVINOExecutionProvider"


@pytest.fixture
def installed(monkeypatch):
    """Make these providers the installed ones."""

    def install(*names: str) -> None:
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(names))

    return install


def test_auto_is_every_installed_provider_that_is_known_the_fastest_first(installed):
    installed(CPU, "AzureExecutionProvider", CUDA)
    assert choose_providers("auto") == [CUDA, CPU]
    installed(CPU)
    assert choose_providers("auto") == [CPU]


def test_named_providers_keep_their_order(installed):
    installed(CUDA, OPENVINO, CPU)
    assert choose_providers([OPENVINO, CPU]) == [OPENVINO, CPU] and choose_providers(CPU) == [CPU]


def test_a_provider_that_is_not_installed_is_named_with_those_that_are(installed):
    installed(CPU)
    with pytest.raises(ReidopsError, match=f"{CUDA} is not part .* has {CPU}; .*auto"):
        choose_providers([CUDA, CPU])


def test_a_file_for_another_runtime_is_named_with_the_providers(tmp_path):
    """An engine of another GPU is such an operator."""
    write_engine(tmp_path / "model-tensorrt.onnx")
    with pytest.raises(
        ReidopsError, match=f"model-tensorrt.onnx: ONNX Runtime cannot open it with {CPU} .*another format"
    ):
        OnnxNetwork(tmp_path / "model-tensorrt.onnx")
