"""Checkpoints as other trainings write them: tensors are found under any key and prefix, and no code of theirs runs."""

import argparse
import copy
import functools
import io
import logging
import pickle
import re
import struct
import warnings
import zipfile
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.training.weights import load_weights

BACKBONE = "resnet10t"


@pytest.fixture(scope="module")
def backbone() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network = EmbeddingNetwork(BACKBONE)
    network.neck.running_mean.uniform_()
    return network.backbone.state_dict()


@functools.cache
def _drawn() -> EmbeddingNetwork:
    return EmbeddingNetwork(BACKBONE)


def new_network() -> EmbeddingNetwork:
    """Return a copy of one network with random weights: drawing them takes longer than the copy."""
    return copy.deepcopy(_drawn())


def loads(state, path, **saving) -> EmbeddingNetwork:
    torch.save(state, path, **saving)
    network = new_network()
    load_weights(network, path)
    return network


def holds(network: EmbeddingNetwork, backbone: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, backbone[name]) for name, value in network.backbone.state_dict().items())


def under(prefix, state):
    return OrderedDict((prefix + name, value) for name, value in state.items())


class AttributeDict(dict):
    """A mapping of a training's own class, as Lightning saves its hyperparameters."""


class Config:
    """A training's configuration."""

    def __init__(self):
        self.lr, self.names = 1e-3, ["a"]


HEAD = {"heads.weight": torch.zeros(9, 512), "heads.bottleneck.0.weight": torch.ones(512)}
FORMS = {
    "torchreid": lambda s: {
        "state_dict": under("module.", s) | {"module.classifier.weight": torch.zeros(9, 512)},
        "epoch": 9,
    },
    "fast-reid": lambda s: {"model": under("backbone.", s) | HEAD, "iteration": 7, "optimizer": {"state": {0: {}}}},
    "deep_sort_pytorch": lambda s: {"net_dict": s | {"fc.weight": torch.zeros(7, 512)}, "acc": 0.9, "epoch": 3},
    "TransReID": lambda s: under("base.", s) | {"classifier.weight": torch.zeros(7, 512)},
    "lightning": lambda s: {
        "state_dict": under("model.backbone.", s) | {"loss.margin": torch.ones(1)},
        "hyper_parameters": AttributeDict(lr=1),
        "pytorch-lightning_version": "2.0",
        "callbacks": {"best": argparse.Namespace(path="x")},
    },
    "timm with arguments": lambda s: {
        "arch": BACKBONE,
        "state_dict": s,
        "args": argparse.Namespace(lr=1),
        "metric": np.float64(3),
    },
    "model_state_dict": lambda s: {
        "model_state_dict": under("module.model.", s),
        "loss": np.float32(1),
        "conf": Config(),
    },
    "an average only": lambda s: {"ema": under("module.", s), "updates": 9},
    "nested": lambda s: {"checkpoint": {"net": {"weights": under("encoder.net.", s)}}, "log": defaultdict(list, a=[1])},
    "half precision": lambda s: {"model": {n: v.half() if v.is_floating_point() else v for n, v in s.items()}},
    "numpy arrays": lambda s: {"model": {name: value.numpy() for name, value in s.items()}},
    "torch 1.0": lambda s: (
        {n: v for n, v in s.items() if not n.endswith("num_batches_tracked")} | {"fc.bias": torch.ones(9)}
    ),
    "parameters": lambda s: {n: torch.nn.Parameter(v, requires_grad=False) for n, v in s.items()},
}


@pytest.mark.parametrize(
    ("form", "legacy"),
    [
        *((form, False) for form in FORMS),
        *(
            pytest.param(
                form, True, marks=() if form in ("torchreid", "lightning", "numpy arrays") else pytest.mark.slow
            )
            for form in FORMS
        ),
    ],
)
def test_every_trainings_checkpoint_is_loaded_whole(backbone, tmp_path, form, legacy):
    network = loads(FORMS[form](backbone), tmp_path / "ckpt.t7", _use_new_zipfile_serialization=not legacy)
    if form == "half precision":
        backbone = {n: v.half().to(v.dtype) for n, v in backbone.items()}
    if form == "torch 1.0":
        backbone = network.backbone.state_dict() | {n: v for n, v in backbone.items() if "num_batches" not in n}
    assert holds(network, backbone)


def test_what_fitted_and_what_is_left_over_is_a_line_each(backbone, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    loads(FORMS["fast-reid"](backbone), tmp_path / "w.pth")
    lines = [record.getMessage() for record in caplog.records if "w.pth" in record.getMessage()]
    assert f"{len(backbone)} tensors fit, under model behind backbone." in lines[0]
    assert "2 tensors are left over: heads.weight, heads.bottleneck.0.weight" in lines[1]


@pytest.mark.parametrize("neck", ["bottleneck.", "heads.bottleneck.0."])
def test_a_trained_neck_is_loaded_with_the_backbone(backbone, tmp_path, neck):
    fields = {"weight": 2.0, "bias": 0.5, "running_mean": 3.0, "running_var": 4.0}
    state = under("backbone.", backbone) | {neck + name: torch.full((512,), value) for name, value in fields.items()}
    network = loads(state, tmp_path / "w.pth")
    assert {name: getattr(network.neck, name)[0].item() for name in fields} == fields


def test_weights_come_before_their_average_and_the_other_is_named(backbone, tmp_path, caplog):
    zeros = {name: torch.zeros_like(value) for name, value in backbone.items()}
    assert holds(loads({"model_ema": zeros, "model": backbone}, tmp_path / "w.pth"), backbone)
    assert "model_ema would fit, too" in caplog.text


def test_safetensors_are_read_under_any_name_and_torchs_under_theirs(backbone, tmp_path):
    save_file(backbone, tmp_path / "w.pth")
    network = new_network()
    load_weights(network, tmp_path / "w.pth")
    assert holds(network, backbone) and holds(loads(backbone, tmp_path / "w.safetensors"), backbone)


def test_a_pickle_of_python_2_is_read(tmp_path, backbone):
    def old(name: str) -> bytes:
        return b"U" + bytes([len(name)]) + name.encode()  # SHORT_BINSTRING, which Python 3 never writes

    buffer = io.BytesIO()
    torch.save({"state_dict": backbone, "k\xe9": 1}, buffer, _use_new_zipfile_serialization=False)
    data = buffer.getvalue()
    for name in ("state_dict", *backbone):
        new = b"X" + struct.pack("<I", len(name)) + name.encode()
        data = data.replace(new, old(name))
    (tmp_path / "w.pth").write_bytes(data.replace(b"X\x03\x00\x00\x00k\xc3\xa9", b"U\x02k\xe9"))
    network = new_network()
    load_weights(network, tmp_path / "w.pth")
    assert holds(network, backbone)


class Evil:
    ran = False

    def __reduce__(self):
        return (_run, ())


def _run():
    Evil.ran = True


def test_no_code_of_a_checkpoint_runs(backbone, tmp_path):
    torch.save({"state_dict": backbone, "trap": Evil()}, tmp_path / "w.pth")
    load_weights(new_network(), tmp_path / "w.pth")
    assert not Evil.ran


def write_zip(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")


def onnx_start(path):
    path.write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(400))


FOREIGN = {
    "web page": (lambda path: path.write_text("\n<!DOCTYPE html><html><title>Drive"), "web page.*direct address"),
    "pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "empty": (lambda path: path.write_bytes(b""), "is empty .0 bytes"),
    "onnx": (onnx_start, "is an ONNX graph"),
    "torchscript": (lambda path: write_zip(path, "net/code/__torch__.py"), "TorchScript.*torch.jit.load"),
    "zip": (lambda path: write_zip(path, "readme.txt"), "zip of readme.txt.*unpack it"),
    "npz": (lambda path: np.savez(path.open("wb"), a=np.ones(2)), "NumPy arrays.*safetensors.numpy.save_file"),
    "cut zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)), "cut off or damaged"),
    "annex pointer": (lambda path: path.write_text("/annex/objects/MD5E-s9--0.pth\n"), "git annex get"),
    "folder": (lambda path: path.mkdir(), "is a folder, name the file in it"),
    "detectron": (lambda path: path.write_bytes(pickle.dumps({"a": np.ones(2)})), "torch.save did not write it"),
    "json": (lambda path: path.write_text('{"a": 1}'), "is JSON"),
    "keras": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "HDF5"),
    "gz": (lambda path: path.write_bytes(b"\x1f\x8b\x08" + bytes(99)), "compressed archive; unpack"),
    "plain pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "read safely"),
    "text": (lambda path: path.write_text("hello"), "read safely"),
    "cut safetensors": (lambda path: path.write_bytes(struct.pack("<Q", 500) + b'{"a"'), "no whole safetensors"),
    "a list": (lambda path: torch.save([torch.ones(2)], path), "holds no tensors by name but an object of list"),
    "a module": (lambda path: torch.save({"model": torch.nn.ReLU()}, path), "model: torch.nn.*ReLU.*state_dict"),
    "an optimiser": (lambda path: torch.save({"optimizer": {"a": torch.ones(2)}}, path), "no tensors by name"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_checkpoint_is_named_with_the_remedy(tmp_path, kind):
    write, message = FOREIGN[kind]
    write(tmp_path / "w.pth")
    with pytest.raises(ReidopsError, match=f"(?s)w.pth: .*{message}") as fault:
        load_weights(new_network(), tmp_path / "w.pth")
    assert "weights_only" not in str(fault.value)  # torch advises to run the file's code


def test_where_nothing_fits_both_sides_begin_the_message(tmp_path):
    torch.save({"net_dict": {"visual.trunk.proj": torch.ones(3), "text.a": torch.ones(2)}}, tmp_path / "w.pth")
    with pytest.raises(
        ReidopsError, match=r"nothing fits: .*visual.trunk.proj, text.a \(under net_dict\), .*conv1\.0\.weight"
    ):
        load_weights(new_network(), tmp_path / "w.pth")


def test_quantized_tensors_are_refused_by_name(backbone, tmp_path):
    name = next(name for name, values in backbone.items() if values.is_floating_point())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch will remove this function
        quantized = torch.quantize_per_tensor(backbone[name], 0.1, 0, torch.qint8)
    with pytest.raises(ReidopsError, match=rf"w.pth: .*{re.escape(name)} are quantized .*dequantize"):
        loads(backbone | {name: quantized}, tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"layer1.1.conv1.weight": torch.ones(1)}, r"unknown: layer1\.1\.conv1\.weight"),
        (lambda s: {n: v for n, v in s.items() if not n.startswith("layer4")}, r"missing: layer4"),
        (
            lambda s: s | {"conv1.0.weight": torch.ones(24, 1, 3, 3)},
            r"shape: conv1\.0\.weight \[24, 1, 3, 3\] in place of",
        ),
        (lambda s: under("backbone.", s | {"NL_2.0.g.weight": torch.ones(1)}) | HEAD, r"unknown: backbone\.NL_2"),
    ],
)
def test_half_of_a_network_is_refused_with_the_names(backbone, tmp_path, change, message):
    with pytest.raises(ReidopsError, match=message):
        loads(change(backbone), tmp_path / "w.pth")
