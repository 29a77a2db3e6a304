"""reidops/embedding/network.py: backbone, pooling, branches and neck of the network."""

import numpy as np
import pytest
import torch

from reidops.embedding.backbones import check_backbone
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.embedding.pooling import GeM, cut_stripes
from reidops.errors import ReidopsError

TINY = "mobilenetv4_conv_small_050"


@pytest.fixture
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), np.uint8))


@pytest.mark.parametrize("pooling", ["avg", "max", "avgmax", "gem"])
@pytest.mark.parametrize("embedding_dim", [0, 24])
def test_embeddings_are_unit_rows_of_the_networks_dim(images, pooling, embedding_dim):
    network = EmbeddingNetwork(TINY, pooling=pooling, embedding_dim=embedding_dim).eval()
    embeddings = network(images)
    assert embeddings.shape == (3, network.dim) and embeddings.dtype == torch.float32
    assert network.dim == (embedding_dim or 1280)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    "backbone", ["resnet10t", pytest.param("resnet18", marks=pytest.mark.slow), TINY, "repvgg_a0", "convnext_atto"]
)
def test_last_stride_1_doubles_the_last_map_and_keeps_every_weight(backbone):
    inputs = torch.zeros(1, 3, 128, 64)
    usual, finer = EmbeddingNetwork(backbone).eval(), EmbeddingNetwork(backbone, last_stride=1).eval()
    if backbone == "convnext_atto":
        inputs = torch.zeros(1, 3, 256, 128)  # a kernel of 2 without stride loses a row: not quite double
        assert finer.backbone.forward_features(inputs).shape[2] > usual.backbone.forward_features(inputs).shape[2]
    else:
        height, width = usual.backbone.forward_features(inputs).shape[2:]
        assert finer.backbone.forward_features(inputs).shape[2:] == (2 * height, 2 * width)
    shapes = [{name: value.shape for name, value in network.state_dict().items()} for network in (usual, finer)]
    assert shapes[0] == shapes[1]


def test_the_network_includes_the_normalization(images):
    network = EmbeddingNetwork(TINY, mean=(0.1, 0.2, 0.3), std=(0.5, 0.4, 0.3)).eval()
    inputs = (images.permute(0, 3, 1, 2) / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor(
        [0.5, 0.4, 0.3]
    )[:, None, None]
    expected = torch.nn.functional.normalize(network.neck(network.features(inputs)))
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=0)


def test_flip_averaging_makes_a_crop_and_its_mirror_image_equal(images):
    network = EmbeddingNetwork(TINY).eval()
    assert (network(images) - network(images.flip(2))).abs().max() > 1e-4
    network.flip_average = True
    torch.testing.assert_close(network(images), network(images.flip(2)), atol=1e-5, rtol=0)


def test_gem_of_exponent_1_is_the_average_and_of_a_large_one_nearly_the_maximum():
    maps = torch.rand(2, 5, 4, 3)
    torch.testing.assert_close(GeM(1.0)(maps), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(GeM(200.0)(maps), maps.amax(dim=(2, 3)), atol=0.02, rtol=0)


def test_training_returns_features_embeddings_and_logits():
    network = TrainingNetwork(EmbeddingNetwork(TINY, embedding_dim=24), 7).eval()
    inputs = torch.randn(3, 3, 64, 32)
    features, logits, embeddings = network(inputs)
    torch.testing.assert_close(features[:, 0], network.embedding.features(inputs))
    torch.testing.assert_close(embeddings[:, 0], network.embedding.neck(features[:, 0]))
    torch.testing.assert_close(logits[:, 0], embeddings[:, 0] @ network.classifier[0].weight.T)
    assert logits.shape == (3, 1, 7)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_the_features_of_a_tracklet_are_pooled_before_the_neck(how):
    network = TrainingNetwork(EmbeddingNetwork(TINY, embedding_dim=8, parts=2), 7, frames=3, frame_pool=how).eval()
    inputs = torch.randn(6, 3, 64, 32)
    features, logits, embeddings = network(inputs)
    by_frame = network.embedding.split_branches(network.embedding.features(inputs))
    for i, frames in enumerate((by_frame[:3], by_frame[3:])):
        torch.testing.assert_close(features[i], frames.mean(0) if how == "mean" else frames.amax(0))
    torch.testing.assert_close(embeddings.flatten(1), network.embedding.neck(features.flatten(1)))
    assert logits.shape == (2, 3, 7)


@pytest.mark.parametrize("pooling", ["avg", "gem"])
def test_a_branch_depends_only_on_its_stripe(pooling):
    network = EmbeddingNetwork(TINY, embedding_dim=8, parts=2, pooling=pooling).eval()
    maps = torch.rand(2, 1280, 4, 2)
    network.backbone = torch.nn.Identity()
    whole, upper, lower = network.split_branches(network.features(maps)).unbind(1)
    torch.testing.assert_close(whole, network.projection[0](network.pool(maps)))
    torch.testing.assert_close(upper, network.projection[1](network.pool(maps[:, :, :2])))
    torch.testing.assert_close(lower, network.projection[2](network.pool(maps[:, :, 2:])))


def test_every_branch_has_the_same_weight_in_the_embedding(images):
    network = EmbeddingNetwork(TINY, embedding_dim=8, parts=3).eval()
    with torch.inference_mode():
        lengths = network.split_branches(network(images)).norm(dim=2)
    assert network.dim == 32
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.5))  # of 4 branches, √(1/4) each


def test_every_branch_has_its_own_classifier():
    network = TrainingNetwork(EmbeddingNetwork(TINY, embedding_dim=8, parts=2), 7).eval()
    features, logits, embeddings = network(torch.randn(3, 3, 64, 32))
    assert (features.shape, logits.shape) == ((3, 3, 8), (3, 3, 7))
    for branch, classifier in enumerate(network.classifier):
        torch.testing.assert_close(logits[:, branch], embeddings[:, branch] @ classifier.weight.T)


@pytest.mark.parametrize(
    ("height", "parts", "rows"), [(4, 2, [[0, 1], [2, 3]]), (3, 2, [[0, 1], [1, 2]]), (2, 3, [[0], [0, 1], [1]])]
)
def test_stripes_cover_the_map_and_none_is_empty(height, parts, rows):
    maps = torch.arange(height, dtype=torch.float32).view(1, 1, height, 1)
    assert [stripe.flatten().tolist() for stripe in cut_stripes(maps, parts)] == rows


def test_a_backbone_without_a_map_cannot_have_stripes():
    with pytest.raises(ReidopsError, match="parts is 2, but .*vit_tiny_patch16_224 .*not a map.*train.parts"):
        EmbeddingNetwork("vit_tiny_patch16_224", parts=2)


def test_tokens_cannot_be_pooled_as_a_map():
    with pytest.raises(ReidopsError, match="the backbone vit_tiny_patch16_224 .*not a map; set train.pooling to avg"):
        EmbeddingNetwork("vit_tiny_patch16_224", pooling="gem")


@pytest.mark.parametrize("pooling", ["avg", "gem"])
def test_maps_with_channels_last_are_pooled_over_positions(pooling):
    network = EmbeddingNetwork("mambaout_femto", pooling=pooling, last_stride=2).eval()
    assert network.dim == 1152


def test_a_backbone_that_accepts_only_square_images_is_an_error():
    with pytest.raises(ReidopsError, match="nest_tiny_jx .*256 × 128 px .*train.height and train.width"):
        EmbeddingNetwork("nest_tiny_jx", height=256, width=128)


@pytest.mark.parametrize("backbone", ["gmlp_ti16_224", "test_vit", "test_vit3", "xcit_nano_12_p16_224"])
def test_a_backbone_for_one_image_size_is_built_for_the_size_of_the_params(backbone):
    network = EmbeddingNetwork(backbone, height=64, width=32).eval()
    images = torch.zeros(2, 64, 32, 3, dtype=torch.uint8)
    assert network(images).shape == (2, network.dim)


@pytest.mark.parametrize("last_stride", [1, 2])
def test_a_map_that_is_smaller_than_a_kernel_is_padded(last_stride):
    network = EmbeddingNetwork("fasternet_t0", height=32, width=16, last_stride=last_stride).eval()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 32, 16, 3), np.uint8))
    embeddings = network(images)
    assert embeddings.shape == (2, 1280) and not torch.allclose(embeddings[0], embeddings[1])


def test_padding_changes_no_convolution_of_an_image_that_is_large_enough():
    paddings = []
    for width in (64, 32, 16):
        network = EmbeddingNetwork("fasternet_t0", height=2 * width, width=width)
        paddings.append([module.padding for module in network.modules() if isinstance(module, torch.nn.Conv2d)])
    assert paddings[0] == paddings[1] and sum(a != b for a, b in zip(paddings[1], paddings[2], strict=True)) == 1


@pytest.mark.parametrize("backbone", ["test_vit", "vit_tiny_patch16_224", "gmlp_ti16_224"])
def test_an_image_that_is_smaller_than_a_patch_is_refused(backbone):
    with pytest.raises(ReidopsError, match=f"{backbone} does not accept an image of 16 × 8 px"):
        EmbeddingNetwork(backbone, height=16, width=8)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["hiera_tiny_224", "inception_v4", "inception_resnet_v2", "cait_xxs24_224"])
def test_a_backbone_that_refuses_small_images_accepts_the_size_of_the_params(backbone):
    assert EmbeddingNetwork(backbone, height=256, width=128).dim > 0


def test_a_last_stride_whose_branches_then_differ_is_an_error():
    with pytest.raises(ReidopsError, match="branches of the backbone hrnet_w18_small .*set train.last_stride to 2"):
        EmbeddingNetwork("hrnet_w18_small", last_stride=1)


def test_the_bias_of_the_neck_is_not_trained():
    assert not EmbeddingNetwork(TINY).neck.bias.requires_grad


def test_an_unknown_backbone_is_an_error_with_similar_names():
    with pytest.raises(ReidopsError, match=r"no backbone 'resnet19'.*resnet18"):
        EmbeddingNetwork("resnet19")
    with pytest.raises(ReidopsError, match=r"no backbone 'osnet_x025'.*osnet_x0_25"):
        check_backbone("osnet_x025")


def test_an_unknown_pooling_is_an_error():
    with pytest.raises(ReidopsError, match="expected one of avg, max, avgmax, gem"):
        EmbeddingNetwork(TINY, pooling="average")


def test_a_hidden_layer_lies_before_the_projection_of_each_branch():
    network = EmbeddingNetwork(TINY, hidden_dim=12, embedding_dim=8, parts=2)
    assert [type(layer).__name__ for layer in network.projection[1]] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert network.projection[2][3].out_features == 8 and network.dim == 24
    with pytest.raises(ReidopsError, match="hidden_dim is 12, but embedding_dim is 0"):
        EmbeddingNetwork(TINY, hidden_dim=12)


@pytest.mark.parametrize(("backbone", "idle"), [("osnet_x0_25", {"fc"}), ("resnet10t", set())])
def test_stripes_leave_the_layers_behind_the_pooling_idle(backbone, idle):
    network = EmbeddingNetwork(backbone, embedding_dim=8, parts=2, height=64, width=32).train()
    assert {name.split(".")[1] for name in network.idle_weights((64, 32))} == idle
    assert network.training and all(weights.grad is None for weights in network.parameters())
    assert EmbeddingNetwork(backbone, height=64, width=32).idle_weights((64, 32)) == []


@pytest.mark.parametrize("parts", [0, 2])
def test_members_embed_as_the_networks_that_they_consist_of(images, parts):
    options = {"embedding_dim": 8, "parts": parts, "last_stride": 1, "height": 64, "width": 32}
    joined = EmbeddingNetwork(TINY, members=(1, 0.5), **options).eval()
    single = [EmbeddingNetwork(TINY, **options).eval() for _ in range(2)]
    halved = torch.nn.functional.interpolate(images.permute(0, 3, 1, 2).float(), (32, 16), mode="bilinear")
    seen = [images, halved.permute(0, 2, 3, 1)]
    for number, network in enumerate(single):
        network.backbone.load_state_dict(joined.backbones[number].state_dict())
        own = network.projection if parts else [network.projection]
        for i, projection in enumerate(own):
            projection.load_state_dict(joined.projection[number * (1 + parts) + i].state_dict())
    expected = torch.nn.functional.normalize(
        torch.cat([network(i) for network, i in zip(single, seen, strict=True)], dim=1)
    )
    torch.testing.assert_close(joined(images), expected, atol=1e-5, rtol=0)
    assert joined.member_sizes((64, 32)) == [(64, 32), (32, 16)]
    assert (joined.num_branches, joined.dim) == (2 * (1 + parts), 16 * (1 + parts))


def test_members_without_a_projection_have_the_branches_of_their_backbones(images):
    assert EmbeddingNetwork(TINY, members=(1, 1)).eval()(images).shape == (3, 2 * 1280)
    joined, single = (EmbeddingNetwork("lmbn_n", members=n * (1,), height=64, width=32) for n in (2, 1))
    assert (joined.num_branches, joined.branch_dim) == (2 * single.num_branches, single.branch_dim)


def test_the_cameras_reach_every_member(images):
    network = EmbeddingNetwork("test_vit", pooling="token", num_cameras=2, members=(1, 1), height=64, width=32).eval()
    inputs = images.permute(0, 3, 1, 2).float()
    network.set_cameras(torch.tensor([0, 0, 0]))
    first = network.features(inputs).unflatten(1, (2, -1))
    network.set_cameras(torch.tensor([1, 1, 1]))
    second = network.features(inputs).unflatten(1, (2, -1))
    assert (first != second).any(dim=2).all()
