"""Networks that timm lacks: their published sizes, a training step, ONNX, and the files of their authors."""

from functools import partial

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from reidops.embedding import lmbn, mlfn, nasnet_mobile, resnet_mid, shufflenet, torchvision_networks
from reidops.embedding.backbones import check_backbone
from reidops.embedding.deep_sort_net import DeepSortNet
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.hacnn import HACNN
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.embedding.osnet import OSBlock, OSNet
from reidops.embedding.shufflenet import ShuffleUnit
from reidops.errors import ReidopsError
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.serving.onnx_export import export_onnx, measure_parity
from reidops.training.weights import load_weights

MARKET_PEOPLE = 751
# Millions of parameters with a classifier for Market-1501, from the tables of deep-person-reid.
PUBLISHED_MILLIONS = {"resnet50mid": 30.01, "mudeep": 138.02, "hacnn": 3.70}
SIZES = {"hacnn": (80, 32), "deep_sort_net": (64, 32)}
NAMES = [
    "hacnn",
    "lmbn_n",
    "mlfn",
    "mudeep",
    "nasnetamobile",
    "resnet50mid",
    "shufflenet",
    "squeezenet1_0",
    "squeezenet1_1",
    "shufflenetv2_x1_0",
    "deep_sort_net",
]


def num_parameters(name: str, num_classes: int = 0) -> int:
    check_backbone(name)
    with torch.device("meta"):
        return sum(values.numel() for values in timm.create_model(name, num_classes=num_classes).parameters())


@pytest.mark.parametrize(("name", "millions"), PUBLISHED_MILLIONS.items())
def test_a_network_has_the_published_number_of_parameters(name, millions):
    assert round(num_parameters(name, MARKET_PEOPLE) / 1e6, 2) == millions


def test_mlfn_has_the_published_32_5_million_parameters_without_a_classifier():
    assert round(num_parameters("mlfn") / 1e6, 1) == 32.5


def test_the_units_of_shufflenet_mix_their_groups():
    unit = ShuffleUnit(240, 240, stride=1).eval()
    for convolution in (unit.conv1, unit.conv3):
        assert convolution.groups == 3
    inputs = torch.randn(1, 240, 4, 2, requires_grad=True)
    (unit(inputs) - inputs)[:, :80].sum().backward()  # the outputs of the first group alone
    assert bool((inputs.grad.abs().sum(dim=(0, 2, 3)) > 0).all())


def test_shufflenet_has_the_published_1_87_million_parameters_with_a_classifier():
    assert round(num_parameters("shufflenet", 1000) / 1e6, 2) == 1.87


def test_nasnet_mobile_has_the_published_number_of_parameters():
    assert num_parameters("nasnetamobile", 1000) == 5_289_978


@pytest.mark.parametrize(
    ("name", "weights", "classifier"),
    [
        ("squeezenet1_0", models.SqueezeNet1_0_Weights, 512 * 1000 + 1000),
        ("squeezenet1_1", models.SqueezeNet1_1_Weights, 512 * 1000 + 1000),
        ("shufflenetv2_x0_5", models.ShuffleNet_V2_X0_5_Weights, 1024 * 1000 + 1000),
        ("shufflenetv2_x2_0", models.ShuffleNet_V2_X2_0_Weights, 2048 * 1000 + 1000),
    ],
)
def test_a_network_of_torchvision_has_its_published_number_of_parameters(name, weights, classifier):
    assert num_parameters(name) + classifier == weights.DEFAULT.meta["num_params"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_network_learns_in_a_step_and_exports_to_onnx(name, tmp_path, monkeypatch):
    # the blocks of a stage are alike, and each takes a second to export
    monkeypatch.setattr(nasnet_mobile, "CELLS_PER_STAGE", 2)
    monkeypatch.setattr(shufflenet, "_STAGES", tuple((channels, 2) for channels, _ in shufflenet._STAGES))
    monkeypatch.setattr(torchvision_networks, "_SHUFFLE_UNITS", (2, 2, 2))
    monkeypatch.setattr(resnet_mid, "_BLOCKS", (1, 1, 1, 3))
    monkeypatch.setattr(mlfn, "_STAGES", tuple((*stage[:3], 1) for stage in mlfn._STAGES))
    monkeypatch.setattr(lmbn, "OSNet", partial(OSNet, blocks=((OSBlock, partial(nn.Conv2d, kernel_size=1)),) * 3))
    torch.manual_seed(0)
    height, width = SIZES.get(name, (64, 32))
    network = TrainingNetwork(EmbeddingNetwork(name, height=height, width=width), 3).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    before = network.embedding.backbone.state_dict()[first_weight(network)].clone()
    features, logits, _ = network(torch.randn(6, 3, height, width))
    torch.nn.functional.cross_entropy(logits[:, 0], torch.arange(3).repeat(2)).backward()
    optimizer.step()
    assert not torch.equal(network.embedding.backbone.state_dict()[first_weight(network)], before)
    embedder = saved(network.embedding, name, (height, width), tmp_path)
    export_onnx(embedder, tmp_path / "model.onnx")
    embedder.description.write(tmp_path / "embedder.json")
    images = np.random.default_rng(0).integers(0, 256, (14, height, width, 3), np.uint8)
    assert measure_parity(embedder, OnnxEmbedder.load(tmp_path), images, 1e-4).passed


def first_weight(network: TrainingNetwork) -> str:
    return next(name for name, _ in network.embedding.backbone.named_parameters())


def saved(network: EmbeddingNetwork, name: str, size: tuple[int, int], folder) -> Embedder:
    """Return the embedder after it was written and read."""
    shape = {"height": size[0], "width": size[1], "num_classes": 3}
    description = describe(network, backbone=name, embedding_dim=0, pooling="avg", last_stride=2, **shape)
    Embedder(network, description).save(folder)
    return Embedder.load(folder)


def test_the_checkpoint_of_deep_sort_pytorch_is_loaded_by_its_names(tmp_path):
    torch.manual_seed(1)
    drawn = DeepSortNet(num_classes=0)
    head = {"classifier.0.weight": torch.zeros(256, 512), "classifier.4.weight": torch.zeros(751, 256)}
    state = {"net_dict": {**drawn.state_dict(), **head}, "acc": 0.9, "epoch": 40}
    torch.save(state, tmp_path / "ckpt.t7", _use_new_zipfile_serialization=False)
    taker = EmbeddingNetwork("deep_sort_net", height=128, width=64)
    load_weights(taker, tmp_path / "ckpt.t7")
    assert all(torch.equal(v, drawn.state_dict()[n]) for n, v in taker.backbone.state_dict().items())
    names = set(drawn.state_dict())
    assert {"conv.0.bias", "layer2.0.downsample.1.running_var", "layer4.1.conv2.weight"} <= names
    assert "layer1.0.downsample.0.weight" not in names


def test_the_regions_of_hacnn_start_as_four_stripes_from_top_to_bottom():
    network = HACNN(num_classes=0)
    centres = network.hard1(torch.randn(2, 128, 8, 4))
    assert centres.shape == (2, 4, 2) and torch.equal(centres[0], centres[1])
    assert torch.equal(centres[0, :, 0], torch.zeros(4)) and bool((centres[0, :, 1].diff() > 0).all())


def test_a_network_with_its_own_pooling_refuses_another():
    with pytest.raises(ReidopsError, match="pooling is max, but MLFN"):
        EmbeddingNetwork("mlfn", pooling="max")


def test_stripes_without_the_whole_are_the_only_branches_as_in_pcb():
    network = EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=8, parts=6, whole=False).eval()
    maps = torch.rand(2, 1280, 6, 2)
    network.backbone = torch.nn.Identity()
    assert (network.num_branches, network.dim) == (6, 48)
    first = network.split_branches(network.features(maps))[:, 0]
    torch.testing.assert_close(first, network.projection[0](network.pool(maps[:, :, :1])))
