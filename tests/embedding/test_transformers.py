"""reidops/embedding/backbones.py and cameras.py: published transformers, overlapping patches, camera embedding."""

import pytest
import timm
import torch

from reidops.embedding.backbones import check_size
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError

SIZE = {"height": 64, "width": 32}


def test_token_is_the_pooling_of_the_published_network():
    network = EmbeddingNetwork("test_vit", pooling="token", **SIZE).eval()
    inputs = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(network.features(inputs), network.backbone.forward_features(inputs)[:, 0])


def test_an_average_of_tokens_keeps_the_norm_of_weights_that_were_published_for_a_class_token():
    names = set(timm.create_model("test_vit", num_classes=0).state_dict())
    assert set(EmbeddingNetwork("test_vit", pooling="avg", **SIZE).backbone.state_dict()) == names


def test_a_network_that_was_published_with_an_average_keeps_its_norm_behind_the_pooling():
    names = set(EmbeddingNetwork("test_vit2", pooling="avg", **SIZE).backbone.state_dict())
    assert "fc_norm.weight" in names and "norm.weight" not in names


@pytest.mark.parametrize(("options", "match"), [({"pooling": "token"}, "neither a class token"), ({}, "stripes")])
def test_a_token_without_a_transformer_or_with_stripes_is_an_error(options, match):
    with pytest.raises(ReidopsError, match=match):
        EmbeddingNetwork("test_resnet", **{"pooling": "token", "parts": 0 if options else 2})


def test_overlapping_patches_give_more_tokens_with_the_same_weights():
    usual = EmbeddingNetwork("test_vit", pooling="token", **SIZE)
    finer = EmbeddingNetwork("test_vit", pooling="token", patch_stride=12, **SIZE).eval()
    num_tokens = [network.backbone.forward_features(torch.zeros(1, 3, 64, 32)).shape[1] for network in (usual, finer)]
    assert num_tokens == [1 + 4 * 2, 1 + 5 * 2]  # (64 − 16) // 12 + 1 = 5 rows, (32 − 16) // 12 + 1 = 2 columns
    assert finer.backbone.pos_embed.shape[1] == 1 + 5 * 2
    rest = {n: v.shape for n, v in usual.backbone.state_dict().items() if n != "pos_embed"}
    assert rest == {n: v.shape for n, v in finer.backbone.state_dict().items() if n != "pos_embed"}


@pytest.mark.parametrize(("backbone", "match"), [("test_resnet", "does not cut"), ("test_vit", "have 16 px")])
def test_patches_that_cannot_overlap_are_an_error(backbone, match):
    with pytest.raises(ReidopsError, match=f"patch_stride is 20.*{match}"):
        EmbeddingNetwork(backbone, patch_stride=20, **SIZE)


def test_a_camera_changes_an_embedding_in_training_and_the_mean_is_used_afterwards():
    network = TrainingNetwork(EmbeddingNetwork("test_vit", pooling="token", num_cameras=2, **SIZE), 3).eval()
    inputs = torch.randn(1, 3, 64, 32)
    of_camera = [network(inputs, torch.tensor([camera]))[0] for camera in (0, 1)]
    assert not torch.allclose(*of_camera)
    cameras = network.embedding.backbone.pos_drop.cameras
    with torch.no_grad():
        cameras[:] = cameras.mean(dim=0)
    torch.testing.assert_close(network(inputs)[0], network(inputs, torch.tensor([1]))[0])


def test_a_camera_embedding_without_tokens_is_an_error():
    with pytest.raises(ReidopsError, match="camera_embedding is true, but the backbone test_resnet"):
        EmbeddingNetwork("test_resnet", num_cameras=2)


def test_an_early_size_that_the_backbone_refuses_names_the_param():
    network = EmbeddingNetwork("gmlp_ti16_224", **SIZE)
    with pytest.raises(ReidopsError, match="train.early_sizes: .*32 × 16 px"):
        check_size(network.backbone, (32, 16), "train.early_sizes")
