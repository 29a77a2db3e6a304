"""stages/export.py: an ONNX twin that is proved equal, or none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import read_json, sha256
from reidops.serving.onnx_embedder import OnnxEmbedder
from stages import export as module
from stages.export import ExportParams, export

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Return a folder with `crops` and an untrained `model` of two members, one of which resizes its input."""
    folder = write_crops(tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    network = EmbeddingNetwork("test_byobnet", embedding_dim=16, members=(1.0, 0.75))
    options = {"backbone": "test_byobnet", "embedding_dim": 16, "pooling": "avg", "last_stride": 2}
    Embedder(network, describe(network, **options, height=64, width=32, num_classes=2)).save(folder / "model")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def exported(data) -> Path:
    export(data / "model", data / "crops", data / "export", default_params(ExportParams, num_crops=14))
    return data / "export"


def test_the_export_holds_model_description_and_proof(data, exported):
    assert sorted(f.name for f in exported.iterdir()) == ["embedder.json", "model.onnx", "parity.json"]
    parity = read_json(exported / "parity.json")
    assert parity["passed"] and parity["max_abs_difference"] <= parity["tolerance"] and parity["min_cosine"] > 0.9999
    assert parity["batch_sizes"] == [1, 2, 7] and parity["num_images"] == 4 * (1 + 2 + 7)
    assert read_json(exported / "embedder.json")["onnx_sha256"] == sha256(exported / "model.onnx")


def test_the_exported_model_embeds_as_the_trained_one(data, exported):
    crops = [np.random.default_rng(0).integers(0, 256, (90, 40, 3), np.uint8)]
    np.testing.assert_allclose(
        OnnxEmbedder.load(exported).embed(crops), Embedder.load(data / "model").embed(crops), atol=1e-5
    )


def test_a_parity_failure_stops_and_leaves_nothing(data, exported, monkeypatch):
    monkeypatch.setattr(module, "export_onnx", lambda _, path: shutil.copy(exported / "model.onnx", path))
    with pytest.raises(ReidopsError, match="the embeddings of the ONNX model .*tolerance.* nothing was written"):
        export(
            data / "model",
            data / "crops",
            data / "unequal",
            default_params(ExportParams, num_crops=14, tolerance=1e-12),
        )
    assert not (data / "unequal").exists()


def test_further_formats_are_written_checked_and_opened(data, exported, monkeypatch):
    monkeypatch.setattr(module, "export_onnx", lambda _, path: shutil.copy(exported / "model.onnx", path))
    params = default_params(
        ExportParams, num_crops=14, formats=["onnx-int8", "torchscript"], min_cosine=0.8, max_loss=1.0
    )
    export(data / "model", data / "crops", data / "formats", params)
    figures = read_json(data / "formats" / "formats.json")
    assert list(figures) == ["onnx-int8", "torchscript"]
    assert all(row["passed"] and row["num_crops"] == 18 and row["mAP"] is not None for row in figures.values())
    assert figures["torchscript"]["mAP_loss"] == pytest.approx(0, abs=1e-6)
    assert "36 crops" in figures["onnx-int8"]["remark"], "the crops of the six training people"
    crops = [np.random.default_rng(0).integers(0, 256, (90, 40, 3), np.uint8)]
    expected = Embedder.load(data / "model").embed(crops)
    for name, least in (("onnx-int8", 0.8), ("torchscript", 0.99999)):
        embedded = Embedder.load(data / "formats", providers=name, threads=1).embed(crops)
        assert (embedded * expected).sum() >= least


def test_without_held_out_people_further_formats_are_refused(data, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "export_onnx", lambda _, path: shutil.copy(exported / "model.onnx", path))
    crops = write_crops(tmp_path, num_val=0) / "crops"
    with pytest.raises(ReidopsError, match=r"export\.formats: there are no held-out people .*convert\.val_split"):
        export(data / "model", crops, tmp_path / "export", default_params(ExportParams, formats=["torchscript"]))
    assert not (tmp_path / "export").exists()
