"""reidops/embedding/osnet.py: the network of the paper, with the names of its published weights."""

import pytest
import timm
import torch
from torch import nn

from reidops.embedding.network import EmbeddingNetwork
from reidops.embedding.osnet import AggregationGate, AinInnerBlock, LiteConv, OSBlock, instance_norm

VARIANTS = [
    "osnet_x0_25",
    "osnet_x0_5",
    "osnet_x0_75",
    "osnet_x1_0",
    "osnet_ibn_x1_0",
    "osnet_ain_x0_25",
    "osnet_ain_x1_0",
]


def build(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0, **options).eval()


# torchreid's own counts, which count the one gate of a block once for each of its four streams.
@pytest.mark.parametrize(
    ("name", "published"),
    [("osnet_x0_25", 203_568), ("osnet_x1_0", 2_193_616), ("osnet_ibn_x1_0", 2_194_640), ("osnet_ain_x1_0", 2_193_616)],
)
def test_the_number_of_parameters_is_the_published_one(name, published):
    network = build(name)
    gates = sum(
        p.numel() for module in network.modules() if isinstance(module, AggregationGate) for p in module.parameters()
    )
    assert sum(p.numel() for p in network.parameters()) + 3 * gates == published


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_512_features_and_maps_of_a_sixteenth(name):
    network, images = build(name), torch.randn(2, 3, 32, 16)
    maps = network.forward_features(images)
    assert maps.shape == (2, network.num_features, 2, 1)
    assert network(images).shape == (2, 512) and network.head_hidden_size == 512


@torch.no_grad()
def test_a_gate_weights_each_channel_by_its_own_stream():
    gate, maps = AggregationGate(32), torch.randn(2, 32, 3, 2)
    for n in range(2):
        means = [float(maps[n, c].mean()) for c in range(32)]
        hidden = [
            max(0.0, sum(float(gate.fc1.weight[h, c]) * means[c] for c in range(32)) + float(gate.fc1.bias[h]))
            for h in range(2)
        ]
        for c in range(32):
            weight = torch.sigmoid(sum(gate.fc2.weight[c, h, 0, 0] * hidden[h] for h in range(2)) + gate.fc2.bias[c])
            torch.testing.assert_close(gate(maps)[n, c], maps[n, c] * weight)


def test_a_block_sums_four_gated_streams_of_growing_depth_and_its_shortcut():
    torch.manual_seed(0)
    block, maps = OSBlock(24, 64).eval(), torch.randn(2, 24, 6, 4)
    reduced = block.conv1(maps)
    streams = [block.conv2a, block.conv2b, block.conv2c, block.conv2d]
    assert [sum(isinstance(m, LiteConv) for m in stream.modules()) for stream in streams] == [1, 2, 3, 4]
    mixed = torch.zeros_like(reduced)
    for stream in streams:
        mixed = mixed + block.gate(stream(reduced))
    expected = torch.relu(block.conv3(mixed) + block.downsample(maps))
    torch.testing.assert_close(block(maps), expected)


def test_a_lite_layer_is_pointwise_then_depthwise():
    layer = LiteConv(4).eval()
    nn.init.dirac_(layer.conv1.weight)
    layer.conv1.weight.data[0, 1] = 1  # channel 0 also takes channel 1
    layer.conv2.weight.data.fill_(1)
    maps = torch.zeros(1, 4, 5, 5)
    maps[0, 1, 2, 2] = 1
    scale = (1 + layer.bn.eps) ** -0.5
    expected = torch.zeros(1, 4, 5, 5)
    expected[0, :2, 1:4, 1:4] = scale
    torch.testing.assert_close(layer(maps), expected)


def test_ibn_normalises_each_image_after_the_shortcut_in_the_first_stage_only():
    network = build("osnet_ibn_x1_0")
    assert [name for name, m in network.named_modules() if isinstance(m, nn.InstanceNorm2d)] == [
        "conv1.bn",
        "conv2.0.IN",
        "conv2.1.IN",
    ]
    block, maps = OSBlock(16, 16 * 4, after_norm=instance_norm).eval(), torch.randn(2, 16, 6, 4)
    block.IN.weight.data.fill_(1)
    plain = nn.functional.instance_norm(_residual(block, maps) + block.downsample(maps)).relu()
    torch.testing.assert_close(block(maps), plain)


def test_ain_normalizes_each_image_inside_the_residual_of_the_searched_blocks():
    network = build("osnet_ain_x0_25")
    places = [name for name, m in network.named_modules() if isinstance(m, nn.InstanceNorm2d)]
    assert places == ["conv1.bn", "conv2.0.IN", "conv2.1.IN", "conv3.1.IN", "conv4.0.IN"]
    block, maps = AinInnerBlock(16, 64).eval(), torch.randn(2, 16, 6, 4)
    expected = (nn.functional.instance_norm(_residual(block, maps)) + block.downsample(maps)).relu()
    torch.testing.assert_close(block(maps), expected)


def _residual(block: OSBlock, maps: torch.Tensor) -> torch.Tensor:
    reduced = block.conv1(maps)
    return block.conv3(sum(block.gate(stream(reduced)) for stream in block._streams()))


def test_the_tensors_of_ain_have_the_published_names():
    names = set(build("osnet_ain_x1_0").state_dict())
    assert {
        "conv2.0.conv2.3.layers.3.conv2.weight",
        "conv2.0.IN.weight",
        "pool2.0.conv.weight",
        "pool3.0.bn.running_var",
        "fc.0.weight",
    } <= names
    assert not names & {"conv1.bn.running_mean", "conv2.0.conv3.bn.weight", "conv2.2.0.conv.weight"}


@pytest.mark.parametrize("pooling", ["avg", "max", "avgmax", "gem"])
def test_any_pooling_precedes_the_embedding_layer(pooling):
    network = EmbeddingNetwork("osnet_x0_25", pooling=pooling, embedding_dim=24).eval()
    maps = network.backbone.forward_features(torch.randn(2, 3, 32, 16))
    pooled = {
        "avg": maps.mean((2, 3)),
        "max": maps.amax((2, 3)),
        "avgmax": (maps.mean((2, 3)) + maps.amax((2, 3))) / 2,
        "gem": (maps.clamp(min=1e-6) ** 3).mean((2, 3)) ** (1 / 3),
    }[pooling]
    torch.testing.assert_close(network.backbone.forward_head(maps), network.backbone.fc(pooled))
    assert network.dim == 24


def test_last_stride_has_no_effect():
    images = torch.randint(0, 256, (2, 32, 16, 3), dtype=torch.uint8)
    usual, finer = (EmbeddingNetwork("osnet_x0_25", last_stride=stride).eval() for stride in (2, 1))
    finer.load_state_dict(usual.state_dict())
    assert torch.equal(usual(images), finer(images))


def test_it_follows_the_conventions_of_timm():
    network = timm.create_model("osnet_x0_25", num_classes=7)
    assert network(torch.randn(2, 3, 32, 16)).shape == (2, 7)
    network.reset_classifier(0, "")
    assert network.eval()(torch.randn(2, 3, 32, 16)).shape == (2, 128, 2, 1)
    assert network.pretrained_cfg["input_size"] == (3, 256, 128) and network.pretrained_cfg["mean"] == (
        0.485,
        0.456,
        0.406,
    )
    pyramid = timm.create_model("osnet_ain_x0_25", features_only=True)
    shapes = [maps.shape[1:] for maps in pyramid(torch.randn(2, 3, 64, 32))]
    assert shapes == [(16, 32, 16), (64, 8, 4), (96, 4, 2), (128, 4, 2)] and pyramid.feature_info.reduction() == [
        2,
        8,
        16,
        16,
    ]


def test_gradients_reach_every_weight():
    network = timm.create_model("osnet_ain_x0_25", num_classes=3)
    network(torch.randn(4, 3, 32, 16)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]
