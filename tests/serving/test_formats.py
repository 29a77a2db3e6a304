"""reidops/serving/format_gate.py, format_export.py, quantization.py; reidops/embedding/exported.py: other formats."""

import dataclasses
import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from foreign_engine import write_engine
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from reidops.embedding import exported
from reidops.embedding.description import EmbedderDescription, golden_crops, golden_rows, golden_values
from reidops.embedding.embedder import Embedder
from reidops.embedding.exported import measure_batch_ms, open_checked, open_fastest
from reidops.embedding.formats import FORMATS, FORMATS_FILE, Bounds, read_figures, shipped_formats, write_formats
from reidops.embedding.onnx_session import OnnxNetwork
from reidops.embedding.resizing import resize_crops
from reidops.errors import ReidopsError
from reidops.registry.latency import as_markdown, measure_formats
from reidops.serving.format_export import write_format
from reidops.serving.format_gate import HeldOutCrops, choose_held_out, choose_to_calibrate, ship_formats
from reidops.serving.onnx_embedder import OnnxEmbedder

SIZE, DIM = (16, 8), 6
BOUNDS = Bounds(min_cosine=0.95, max_loss=0.01)


class TinyNetwork(nn.Module):
    """Two convolutions, the second of them grouped, a linear layer and unit rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.linear = nn.Linear(8, DIM)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.first(images.permute(0, 3, 1, 2).float() / 255).relu()
        return functional.normalize(self.linear(self.grouped(maps).mean(dim=(2, 3))))


class TinyEmbedder:
    """The parts of an embedder that the export uses."""

    input_size = SIZE

    def __init__(self) -> None:
        self.network = TinyNetwork().eval()

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(torch.from_numpy(images)).numpy()


def write_onnx(network: TinyNetwork, path: Path) -> None:
    """Write the network as ONNX by hand; torch's exporter takes seconds."""
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    tensors += [numpy_helper.from_array(np.float32(255), "top"), numpy_helper.from_array(np.int64([2, 3]), "sides")]
    pads = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        helper.make_node("Transpose", ["images"], ["t"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["t"], ["c"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Div", ["c", "top"], ["d"], "div"),
        helper.make_node("Conv", ["d", "first.weight", "first.bias"], ["f"], "first", **pads),
        helper.make_node("Relu", ["f"], ["r"], "relu"),
        helper.make_node("Conv", ["r", "grouped.weight", "grouped.bias"], ["g"], "grouped", group=8, **pads),
        helper.make_node("ReduceMean", ["g", "sides"], ["m"], "mean", keepdims=0),
        helper.make_node("Gemm", ["m", "linear.weight", "linear.bias"], ["l"], "linear", transB=1),
        helper.make_node("LpNormalization", ["l"], ["embeddings"], "unit", axis=1, p=2),
    ]
    given = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *SIZE, 3])
    made = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", DIM])
    graph = helper.make_graph(nodes, "tiny", [given], [made], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, *SIZE, 3), np.uint8)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with the ONNX file and the description of the tiny network."""
    embedder = TinyEmbedder()
    write_onnx(embedder.network, tmp_path / "model.onnx")
    golden = embedder.embed_images(resize_crops(golden_crops(), *SIZE))
    description = EmbedderDescription(
        backbone="tiny",
        dim=DIM,
        embedding_dim=0,
        pooling="avg",
        last_stride=2,
        height=SIZE[0],
        width=SIZE[1],
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        weights_sha256="0" * 64,
        golden=golden_values(golden[0]),
        golden_embeddings=tuple(golden_rows(golden)),
    )
    description.write(tmp_path / "embedder.json")
    return tmp_path


def ship(folder: Path, images: np.ndarray, *names: str, bounds: Bounds = BOUNDS, mAP_of=None):
    figures = ship_formats(names, TinyEmbedder(), folder, images, HeldOutCrops(images, mAP_of), bounds)
    write_formats(figures, folder / FORMATS_FILE)
    return figures


@pytest.mark.parametrize("name", ["onnx-fp16", "onnx-int8", "torchscript"])
def test_a_format_passes_its_gate_and_embeds_any_number_of_crops(folder, images, name):
    row = ship(folder, images, name)[name]
    assert row.passed and 0.99 < row.min_cosine <= row.mean_cosine <= 1.0001 and row.num_crops == 12
    assert shipped_formats(folder) == ["onnx", name]
    embedder = Embedder.load(folder, providers=name, threads=1)
    assert embedder.export_format == name and embedder.dim == DIM
    expected = Embedder.load(folder, providers="onnx", threads=1).embed(golden_crops())
    for batch_size in (1, 3):
        embedded = embedder.embed(golden_crops(), batch_size)
        np.testing.assert_allclose((embedded * expected).sum(axis=1), 1, atol=0.01)
        np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("name", ["onnx-fp16", "torchscript", pytest.param("torch-export", marks=pytest.mark.slow)])
def test_a_full_disk_is_an_error_of_the_system_and_does_not_abort_the_process(folder, images, name):
    (folder / FORMATS[name].files[0]).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_format(name, TinyEmbedder(), folder, images)


@pytest.mark.slow
def test_torch_export_is_a_format(folder, images):
    assert ship(folder, images, "torch-export")["torch-export"].min_cosine > 0.99999
    with zipfile.ZipFile(folder / "model-export.pt2") as archive:
        assert not [name for name in archive.namelist() if b"embedding/network.py" in archive.read(name)]
    assert Embedder.load(folder, providers="torch-export").embed(golden_crops()[:1]).shape == (1, DIM)


def test_int8_has_int8_weights_per_channel_and_keeps_the_first_convolution(folder, images):
    ship(folder, images, "onnx-int8")
    graph = onnx.load(folder / "model-int8.onnx").graph
    rounded = {t.name: t for t in graph.initializer if t.data_type == TensorProto.INT8 and "zero" not in t.name}
    assert len(rounded) == 2 and not any(name.startswith("first") for name in rounded)
    for tensor in rounded.values():
        values = numpy_helper.to_array(tensor)
        assert np.abs(values).max() <= 64, "weights have 7 bits"
        assert len({np.abs(channel).max() for channel in values}) <= 2, "each channel uses its whole range"


def test_int8_is_tried_with_fewer_layers_before_it_is_left_out(folder, images, monkeypatch):
    tried = []

    def loses_unless_mild(embeddings):
        return 0.5 if len(tried) != 1 else 0.4

    write = exported.open_format

    def count(*arguments, **options):
        tried.append(arguments)
        return write(*arguments, **options)

    monkeypatch.setattr("reidops.serving.format_gate.open_format", count)
    row = ship(folder, images, "onnx-int8", mAP_of=loses_unless_mild)["onnx-int8"]
    assert len(tried) == 2 and row.passed and "grouped convolutions in float32" in row.remark


def test_a_format_that_fails_is_left_out_with_its_figures(folder, images, caplog):
    strict = Bounds(min_cosine=1.0, max_loss=1.0)
    row = ship(folder, images, "onnx-int8", bounds=strict)["onnx-int8"]
    assert not row.passed and f"{row.min_cosine:.4f}" in row.reason and "export.min_cosine 1" in row.reason
    assert not (folder / "model-int8.onnx").exists() and shipped_formats(folder) == ["onnx"]
    assert "onnx-int8 is left out" in caplog.text
    with pytest.raises(ReidopsError, match="onnx-int8 was not shipped .*min_cosine.* it has: onnx"):
        Embedder.load(folder, providers="onnx-int8")


def test_a_loss_of_mAP_leaves_a_format_out(folder, images):
    values = iter([0.50, 0.48])
    row = ship(folder, images, "onnx-fp16", mAP_of=lambda _: next(values))["onnx-fp16"]
    assert row.mAP_loss == pytest.approx(0.02) and "the loss of mAP is 0.0200, above export.max_loss 0.01" in row.reason


def test_a_missing_package_names_its_extra(folder, images, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ReidopsError, match=r"openvino-int8: openvino, nncf is not installed; .*\.\[openvino\]"):
        ship(folder, images, "openvino-int8")


def test_tensorrt_needs_its_execution_provider(folder, images, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ReidopsError, match="TensorrtExecutionProvider is not part of this ONNX Runtime"):
        ship(folder, images, "tensorrt")


def test_a_replaced_file_is_refused(folder, images):
    ship(folder, images, "onnx-fp16")
    (folder / "model-fp16.onnx").write_bytes((folder / "model.onnx").read_bytes())
    with pytest.raises(ReidopsError, match=r"model-fp16\.onnx: .*SHA-256 differs from formats\.json"):
        OnnxEmbedder.load(folder, export_format="onnx-fp16")


def test_a_rounded_format_that_this_processor_rounds_otherwise_fails_its_self_test(folder, images):
    figures = ship(folder, images, "onnx-int8")
    golden = [[-value for value in row] for row in figures["onnx-int8"].golden_embeddings]
    figures["onnx-int8"] = dataclasses.replace(figures["onnx-int8"], golden_embeddings=golden)
    write_formats(figures, folder / FORMATS_FILE)
    with pytest.raises(ReidopsError, match="self-test failed: the cosine .* is -"):
        Embedder.load(folder, providers="onnx-int8")


def test_figures_survive_their_file(folder, images):
    assert ship(folder, images, "onnx-fp16") == read_figures(folder)


def test_an_unknown_and_an_absent_format_are_named(folder):
    with pytest.raises(ReidopsError, match=f"format 'onyx': unknown; use auto or one of {', '.join(FORMATS)}"):
        Embedder.load(folder, providers="onyx")
    with pytest.raises(ReidopsError, match=r"no format openvino \(it has: onnx\)"):
        Embedder.load(folder, providers="openvino")


def test_auto_takes_the_fastest_shipped_format(folder, images, monkeypatch):
    ship(folder, images, "onnx-fp16", "onnx-int8")
    monkeypatch.setattr(
        exported, "measure_batch_ms", lambda networks, images: {name: 3.0 - (name == "onnx-int8") for name in networks}
    )
    assert Embedder.load(folder, providers="auto", threads=1).export_format == "onnx-int8"
    assert OnnxEmbedder.load(folder, export_format="auto", threads=1).export_format == "onnx-int8"


def test_auto_measures_nothing_where_there_is_one_format(folder, monkeypatch):
    monkeypatch.setattr(exported, "measure_batch_ms", None)
    assert Embedder.load(folder, providers="auto", threads=1).export_format == "onnx"


def test_auto_passes_over_a_format_that_cannot_be_opened(folder, images, caplog):
    ship(folder, images, "onnx-fp16")
    (folder / "model-fp16.onnx").write_bytes(b"no graph")
    description = Embedder.load(folder, providers="onnx", threads=1).description
    assert open_fastest(folder, description, threads=1)[0] == "onnx" and "onnx-fp16 is not used" in caplog.text


def test_an_exported_embedder_has_no_network_of_torch(folder):
    embedder = Embedder.load(folder, providers="onnx", threads=1)
    with pytest.raises(ReidopsError, match="format onnx has no network of torch"):
        _ = embedder.network
    with pytest.raises(ReidopsError, match="exported with flip_average False"):
        Embedder.load(folder, providers="onnx", flip_average=True)


def test_the_default_checks_onnx_as_before(folder):
    description = Embedder.load(folder, providers="onnx", threads=1).description
    wrong = dataclasses.replace(description, golden_embeddings=([0.5] * DIM,) * 4)
    with pytest.raises(ReidopsError, match="self-test failed"):
        open_checked(folder, "onnx", wrong, threads=1)


def test_networks_are_measured_in_turns_and_the_least_time_counts(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(exported.time, "perf_counter", lambda: clock[0])

    class Network:
        def __init__(self, name, times):
            self.name, self.times = name, iter(times)

        def embed(self, images):
            order.append(self.name)
            clock[0] += next(self.times)

    found = measure_batch_ms(
        {"a": Network("a", [9, 3, 2, 4]), "b": Network("b", [9, 5, 6, 7])}, np.zeros(1), seconds=0.1
    )
    assert found == {"a": 2000, "b": 5000} and order == ["a", "b"] * 4


def test_the_latency_table_has_every_shipped_format_and_batch_size(folder, images):
    ship(folder, images, "onnx-int8")
    times = measure_formats(folder, (1, 4), seconds=0)
    assert list(times) == ["onnx", "onnx-int8"] and all(list(row) == [1, 4] for row in times.values())
    assert all(0 < ms < 1000 for row in times.values() for ms in row.values())
    head, rule, first, second = as_markdown(times).strip().splitlines()[-4:]
    assert head == "| format | batch 1 | batch 4 |" and first.startswith("| onnx |") and second.count("|") == 4


def table_of(**splits: list[int]) -> pd.DataFrame:
    return pd.DataFrame([{"pid": pid, "split": split} for split, pids in splits.items() for pid in pids])


def test_scales_come_from_training_crops_and_never_from_test_people():
    table = table_of(train=[0, 1, 2, 3] * 5, val=[4, 5], query=[3], gallery=[6])
    rows = choose_to_calibrate(table, 8, 0)
    assert len(rows) == 8 and set(table["split"][rows]) == {"train"} and not set(table["pid"][rows]) & {3, 6}
    assert rows.tolist() == choose_to_calibrate(table, 8, 0).tolist() == sorted(rows)
    assert choose_to_calibrate(table_of(val=[1, 2], query=[2]), 8, 0).tolist() == [0], "held-out crops, untested people"
    with pytest.raises(ReidopsError, match="no crop trains"):
        choose_to_calibrate(table_of(query=[1], gallery=[1]), 8, 0)


def test_held_out_people_are_taken_whole():
    table = table_of(train=[0] * 9, val=[1] * 4 + [2] * 4 + [3] * 4 + [-1])
    rows = choose_held_out(table, 9, 0)
    counts = table["pid"][rows].value_counts()
    assert len(rows) == 8 and counts.tolist() == [4, 4] and -1 not in counts and set(table["split"][rows]) == {"val"}
    assert len(choose_held_out(table, 1, 0)) == 8, "two people are the least that can be ranked"


def test_a_file_that_onnx_runtime_cannot_run_is_left_out(folder, images, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no kernel\nand a trace")

    monkeypatch.setattr("reidops.serving.format_export.round_to_float16", refuse)
    row = ship(folder, images, "onnx-fp16")["onnx-fp16"]
    assert row.reason == "it cannot be written: no kernel"


def test_a_written_file_that_onnx_runtime_cannot_open_is_left_out(folder, images, monkeypatch):
    monkeypatch.setattr("reidops.serving.format_export.round_to_float16", lambda source, target: write_engine(target))
    row = ship(folder, images, "onnx-fp16")["onnx-fp16"]
    assert "cannot open it" in row.reason and not (folder / "model-fp16.onnx").exists()


def test_the_tiny_file_is_the_tiny_network(folder, images):
    """The fixture itself: otherwise the comparisons above would compare two different networks."""
    np.testing.assert_allclose(
        OnnxNetwork(folder / "model.onnx", 1).embed(images), TinyEmbedder().embed_images(images), atol=1e-5
    )


def test_a_format_that_this_machine_cannot_open_is_not_in_the_latency_table(folder, images, caplog):
    """An engine of TensorRT, made on another machine."""
    figures = ship(folder, images, "onnx-fp16")
    (folder / "model-tensorrt.onnx").write_bytes(b"engine")
    write_formats(figures | {"tensorrt": dataclasses.replace(figures["onnx-fp16"], sha256={})}, folder / FORMATS_FILE)
    assert shipped_formats(folder) == ["onnx", "onnx-fp16", "tensorrt"]
    assert list(measure_formats(folder, (1,), seconds=0)) == ["onnx", "onnx-fp16"]
    assert "tensorrt is not measured" in caplog.text and "TensorrtExecutionProvider" in caplog.text
    with pytest.raises(ReidopsError, match="TensorrtExecutionProvider"):
        measure_formats(folder, (1,), names=["tensorrt"], seconds=0)
