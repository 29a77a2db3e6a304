"""reidops/embedding/resnet_ibn.py: half of the channels by instance, half by batch, in the stages 1 … 3."""

import pytest
import timm
import torch
from torch import nn

from reidops.embedding.network import EmbeddingNetwork
from reidops.embedding.resnet_ibn import IBN, DenseBlock

VARIANTS = {
    "resnet18_ibn_a": "resnet18",
    "resnet34_ibn_a": "resnet34",
    "resnet50_ibn_a": "resnet50",
    "resnet101_ibn_a": "resnet101",
}


def test_the_first_half_is_normalised_by_image_the_second_by_batch():
    layer, maps = IBN(5), 3 + 2 * torch.randn(4, 5, 6, 3)
    for c, values in enumerate(layer(maps).unbind(1)):
        over = (1, 2) if c < 2 else (0, 1, 2)
        mean, var = maps[:, c].mean(over, keepdim=True), maps[:, c].var(over, keepdim=True, unbiased=False)
        torch.testing.assert_close(values, (maps[:, c] - mean) / (var + 1e-5).sqrt())


def test_brightness_and_contrast_of_an_image_change_only_the_batch_half():
    layer, maps = IBN(8).eval(), torch.randn(2, 8, 6, 4)
    once, brighter = layer(maps), layer(4 * maps + 1)
    torch.testing.assert_close(once[:, :4], brighter[:, :4], atol=1e-3, rtol=0)
    # the running mean is 0, the variance 1
    torch.testing.assert_close(brighter[:, 4:] - once[:, 4:], 3 * maps[:, 4:] + 1, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("name", "plain"), VARIANTS.items())
def test_it_equals_timms_resnet_except_for_the_first_normalization_of_stages_1_to_3(name, plain):
    with torch.device("meta"):
        ours, usual = timm.create_model(name, num_classes=0), timm.create_model(plain, num_classes=0)
    renamed = {key.replace(".IN.", ".").replace(".BN.", ".") for key in ours.state_dict()}
    assert renamed == set(usual.state_dict())
    changed = [key for key, module in ours.named_modules() if isinstance(module, IBN)]
    assert changed == [
        f"{key}.bn1"
        for key, _ in usual.named_modules()
        if key.count(".") == 1 and key[:6] in ("layer1", "layer2", "layer3")
    ]
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in usual.parameters())


def test_its_tensors_have_the_published_names():
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in timm.create_model("resnet50_ibn_a").state_dict().items()}
    assert shapes["layer1.0.bn1.IN.weight"] == (32,) and shapes["layer3.5.bn1.BN.running_mean"] == (128,)
    assert (
        shapes["layer4.0.bn1.weight"] == (512,)
        and shapes["bn1.running_var"] == (64,)
        and shapes["fc.weight"] == (1000, 2048)
    )
    assert shapes["layer2.0.downsample.0.weight"] == (512, 256, 1, 1)


@pytest.mark.parametrize("name", ["resnet18_ibn_a", "seresnet18_ibn_a", "seresnet18_ibn_dense"])
@pytest.mark.parametrize("pooling", ["avg", "gem"])
def test_the_networks_embed_with_last_stride_1_too(name, pooling):
    network = EmbeddingNetwork(name, pooling=pooling, last_stride=1, embedding_dim=8).eval()
    assert network.backbone.forward_features(torch.zeros(1, 3, 64, 32)).shape == (1, 512, 4, 2)
    embeddings = network(torch.randint(0, 256, (2, 32, 16, 3), dtype=torch.uint8))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_a_dense_block_has_a_second_skip_around_the_whole():
    torch.manual_seed(0)
    narrow = DenseBlock(64, 64).eval()
    nn.init.ones_(narrow.bn2.weight)
    maps = torch.randn(2, 64, 4, 3)
    inner = torch.relu(narrow.bn2(narrow.conv2(torch.relu(narrow.bn1(narrow.conv1(maps))))) + maps)
    torch.testing.assert_close(narrow(maps), narrow.outer_se(inner) + maps)
    assert narrow.outer_se.fc1.weight.shape[:2] == (8, 64)


def test_gradients_reach_every_weight():
    network = timm.create_model("seresnet18_ibn_dense", num_classes=3)
    network(torch.randn(4, 3, 64, 32)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_variant_b_normalizes_by_instance_after_the_first_layer_and_two_stages():
    network = timm.create_model("resnet50_ibn_b", num_classes=0)
    found = {name for name, module in network.named_modules() if isinstance(module, nn.InstanceNorm2d)}
    assert found == {"bn1", "layer1.2.act3.0", "layer2.3.act3.0"}
    plain = sum(values.numel() for values in timm.create_model("resnet50", num_classes=0).parameters())
    assert sum(values.numel() for values in network.parameters()) == plain + 2 * (256 + 512)
