"""reidops/serving/onnx_export.py and onnx_embedder.py: the exported embedder equals the original."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.serving.onnx_export import export_onnx, measure_parity

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return an embedder and the folder of its ONNX export."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("export")
    network = EmbeddingNetwork("test_efficientnet", embedding_dim=16, pooling="gem")
    options = {"backbone": "test_efficientnet", "embedding_dim": 16, "pooling": "gem", "last_stride": 2}
    embedder = Embedder(network, describe(network, **options, height=64, width=32, num_classes=2))
    embedder.save(folder)
    export_onnx(embedder, folder / "model.onnx")
    return embedder, folder


@pytest.fixture
def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*rng.integers(20, 150, 2), 3), np.uint8) for _ in range(9)]


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_onnx_embeds_as_torch_does_at_any_batch_size(exported, crops, batch_size):
    embedder, folder = exported
    twin = OnnxEmbedder.load(folder)
    np.testing.assert_allclose(twin.embed(crops, batch_size), embedder.embed(crops), atol=1e-5)
    assert (twin.dim, twin.input_size, twin.weights_sha256) == (16, (64, 32), embedder.weights_sha256)


def test_the_file_names_no_path_of_the_machine(exported):
    content = (exported[1] / "model.onnx").read_bytes()
    assert b".py" not in content and str(Path(__file__).parents[2]).encode() not in content


@pytest.mark.parametrize(
    "options", [{"pooling": "gem", "flip_average": False}, {"pooling": "avg", "flip_average": True}]
)
def test_a_network_with_stripes_is_exported(tmp_path, crops, options):
    torch.manual_seed(0)
    network = EmbeddingNetwork("test_efficientnet", embedding_dim=8, parts=3, last_stride=1, **options)
    described = {
        "backbone": "test_efficientnet",
        "embedding_dim": 8,
        "pooling": options["pooling"],
        "last_stride": 1,
    }
    embedder = Embedder(network, describe(network, **described, height=64, width=32, num_classes=2))
    embedder.save(tmp_path)
    export_onnx(embedder, tmp_path / "model.onnx")
    twin = OnnxEmbedder.load(tmp_path)
    assert twin.dim == 32
    for batch_size in (1, 7):
        np.testing.assert_allclose(twin.embed(crops, batch_size), embedder.embed(crops), atol=1e-5)


def test_onnx_accepts_pixels_and_any_batch_size(exported):
    model = onnx.load(exported[1] / "model.onnx")
    (given,), (made,) = model.graph.input, model.graph.output
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sides = given.type.tensor_type.shape.dim
    assert sides[0].dim_param and [side.dim_value for side in sides[1:]] == [64, 32, 3]
    assert (given.name, made.name) == ("images", "embeddings")
    assert [opset.version for opset in model.opset_import if not opset.domain] == [18]


def test_parity_finds_the_largest_difference(exported):
    embedder, folder = exported
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 32, 3), np.uint8)

    class Shifted:
        def embed_images(self, batch):
            return embedder.embed_images(batch) + np.float32(0.25) * (len(batch) == 7)

    assert measure_parity(embedder, OnnxEmbedder.load(folder, threads=1), images, 1e-4).passed
    off = measure_parity(embedder, Shifted(), images, 1e-4)
    assert not off.passed and off.max_abs_difference == pytest.approx(0.25, abs=1e-6)


def test_no_crops_give_an_empty_matrix(exported):
    assert OnnxEmbedder.load(exported[1]).embed([]).shape == (0, 16)


def test_serving_needs_no_torch(exported):
    code = (
        "import sys, numpy as np; from reidops.serving.onnx_embedder import OnnxEmbedder;"
        f"e = OnnxEmbedder.load({str(exported[1])!r}).embed([np.zeros((9, 9, 3), np.uint8)]);"
        "sys.exit('torch' in sys.modules or e.shape != (1, 16))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_missing_or_damaged_onnx_file_is_reported(exported, tmp_path):
    (tmp_path / "embedder.json").write_bytes((exported[1] / "embedder.json").read_bytes())
    with pytest.raises(ReidopsError, match=r"model\.onnx: no such file"):
        OnnxEmbedder.load(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ReidopsError, match=r"model\.onnx: the ONNX file is damaged"):
        OnnxEmbedder.load(tmp_path)
