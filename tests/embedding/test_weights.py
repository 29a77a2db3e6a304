"""reidops/embedding/weights.py: weights from outside fit, or the keys that do not are named."""

import pytest
import requests
import torch
from safetensors.torch import save_file

from reidops.embedding.network import EmbeddingNetwork
from reidops.embedding.weights import check_pretrained, load_weights
from reidops.errors import ReidopsError

TINY = "mobilenetv4_conv_small_050"


@pytest.fixture
def giver() -> EmbeddingNetwork:
    torch.manual_seed(1)
    return EmbeddingNetwork(TINY)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_saved_network_is_loaded_whole(giver, tmp_path):
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    taker = EmbeddingNetwork(TINY)
    load_weights(taker, tmp_path / "model.safetensors")
    assert same(giver, taker)


def test_a_backbones_state_dict_is_loaded_without_its_classifier(giver, tmp_path):
    state = {f"module.{name}": value for name, value in giver.backbone.state_dict().items()}
    torch.save({"state_dict": state | {"module.classifier.weight": torch.zeros(9, 1280)}}, tmp_path / "weights.pt")
    taker = EmbeddingNetwork(TINY, embedding_dim=8)
    load_weights(taker, tmp_path / "weights.pt")
    assert same(giver.backbone, taker.backbone)


def test_weights_of_another_architecture_name_the_keys(giver, tmp_path):
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(ReidopsError, match=r"another architecture.*missing: backbone\.conv1.*unknown: backbone\.blocks"):
        load_weights(EmbeddingNetwork("resnet10t"), tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_file_without_tensors_is_refused(giver, tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ReidopsError, match=name):
        load_weights(giver, tmp_path / name)


def test_a_pickle_that_would_run_code_is_refused(giver, tmp_path):
    torch.save(giver, tmp_path / "weights.pt")
    with pytest.raises(ReidopsError, match="read safely"):
        load_weights(giver, tmp_path / "weights.pt")


def test_pretrained_weights_that_nobody_published_are_told():
    with pytest.raises(ReidopsError, match="no weights for the backbone darknet17"):
        check_pretrained("darknet17")


@pytest.mark.parametrize("name", ["resnet81", "resnet18.nobody_in1k"])
def test_a_backbone_or_tag_that_does_not_exist_is_refused_with_near_names(name):
    with pytest.raises(ReidopsError, match="resnet18"):
        check_pretrained(name)


def test_pretrained_offline_fails_at_once(monkeypatch):
    def no_network(*_, timeout: float, **__):
        assert timeout <= 10
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", no_network)
    monkeypatch.setattr("reidops.embedding.weights.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ReidopsError, match="hub does not answer"):
        check_pretrained("resnet18")
