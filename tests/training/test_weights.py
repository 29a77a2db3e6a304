"""reidops/training/weights.py: weights from outside fit, or the keys that do not are named."""

import pytest
import requests
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed

from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.training.weights import check_pretrained, load_weights

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


def test_torchreids_osnet_is_loaded_whole_but_for_its_classifier(real_data):
    path = real_data / "weights" / "osnet_x0_25_msmt17.pt"
    network = EmbeddingNetwork("osnet_x0_25")
    load_weights(network, path)
    published = torch.load(path, weights_only=True)
    loaded = network.backbone.state_dict()
    assert set(published) - set(loaded) == {"classifier.weight", "classifier.bias"} and not set(loaded) - set(published)
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())


def test_a_neck_that_was_never_trained_turns_no_embedding(tmp_path):
    torch.manual_seed(1)
    torch.save(EmbeddingNetwork("osnet_x0_25").backbone.state_dict(), tmp_path / "weights.pt")
    taker = EmbeddingNetwork("osnet_x0_25").eval()
    load_weights(taker, tmp_path / "weights.pt")
    images = torch.randint(0, 256, (3, 32, 16, 3), dtype=torch.uint8)
    inputs = (images.permute(0, 3, 1, 2) / 255 - torch.tensor(taker.mean).view(3, 1, 1)) / torch.tensor(taker.std).view(
        3, 1, 1
    )
    torch.testing.assert_close(taker(images), torch.nn.functional.normalize(taker.backbone(inputs)), atol=1e-6, rtol=0)


def test_the_classifier_of_another_name_is_passed_over(tmp_path):
    torch.manual_seed(1)
    giver = EmbeddingNetwork("resnet18_ibn_a").backbone
    old = {name: value for name, value in giver.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(old | {"fc.weight": torch.zeros(1000, 512)}, tmp_path / "weights.pth")
    taker = EmbeddingNetwork("resnet18_ibn_a")
    load_weights(taker, tmp_path / "weights.pth")
    assert same(giver, taker.backbone)


def test_weights_of_a_pooling_without_an_exponent_are_loaded(tmp_path):
    torch.save(EmbeddingNetwork("osnet_x0_25").backbone.state_dict(), tmp_path / "weights.pt")
    taker = EmbeddingNetwork("osnet_x0_25", pooling="gem")
    load_weights(taker, tmp_path / "weights.pt")
    assert taker.backbone.global_pool.exponent.item() == 3


@pytest.mark.parametrize("options", [{}, {"patch_stride": 12}, {"num_cameras": 3}])
def test_a_published_transformer_of_another_input_size_is_loaded_with_resized_position_embeddings(tmp_path, options):
    torch.manual_seed(1)
    published = timm.create_model("test_vit")
    torch.save({"model": published.state_dict()}, tmp_path / "weights.pth")
    taker = EmbeddingNetwork("test_vit", pooling="token", height=64, width=32, **options)
    load_weights(taker, tmp_path / "weights.pth")
    assert torch.equal(taker.backbone.blocks[0].attn.qkv.weight, published.blocks[0].attn.qkv.weight)
    assert torch.equal(taker.backbone.norm.weight, published.norm.weight)
    grid = [5, 2] if options.get("patch_stride") else [4, 2]
    expected = resample_abs_pos_embed(published.pos_embed, grid, num_prefix_tokens=1)
    torch.testing.assert_close(taker.backbone.pos_embed, expected)


def test_an_own_transformer_of_another_input_size_is_loaded_with_its_neck(tmp_path):
    torch.manual_seed(1)
    giver = EmbeddingNetwork("test_vit", pooling="avg", height=64, width=32)
    giver.neck.weight.data.uniform_()
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    taker = EmbeddingNetwork("test_vit", pooling="avg", height=96, width=48)
    load_weights(taker, tmp_path / "model.safetensors")
    assert torch.equal(taker.neck.weight, giver.neck.weight)
    assert torch.equal(taker.backbone.blocks[1].mlp.fc1.weight, giver.backbone.blocks[1].mlp.fc1.weight)


def test_a_wider_osnet_names_the_shapes(tmp_path):
    torch.save(EmbeddingNetwork("osnet_x0_5").backbone.state_dict(), tmp_path / "weights.pt")
    message = r"than train\.backbone, osnet_x0_25; .*missing: none; .*of another shape: conv1\.conv\.weight.* more"
    with pytest.raises(ReidopsError, match=message):
        load_weights(EmbeddingNetwork("osnet_x0_25"), tmp_path / "weights.pt")


def test_weights_of_another_architecture_name_the_keys(giver, tmp_path):
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(
        ReidopsError, match=r"another architecture.*missing: backbone\.conv1.*unknown: backbone\.blocks"
    ):
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
    for backbone in ("darknet17", "osnet_x1_0"):
        with pytest.raises(ReidopsError, match=f"no weights for the backbone {backbone}; .* train.weights"):
            check_pretrained(backbone)


def test_weights_that_lie_in_torchs_cache_need_no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(requests, "head", lambda *_, **__: pytest.fail("asked the network"))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet50_ibn_a-d9d0bb7b.pth").touch()
    check_pretrained("resnet50_ibn_a")


@pytest.mark.parametrize("name", ["resnet81", "resnet18.nobody_in1k"])
def test_a_backbone_or_tag_that_does_not_exist_is_refused_with_near_names(name):
    with pytest.raises(ReidopsError, match="resnet18"):
        check_pretrained(name)


def test_a_gate_that_answers_in_place_of_the_hub_is_no_hub(monkeypatch):
    refused = requests.Response()
    refused.status_code = 403
    monkeypatch.setattr(requests, "head", lambda *_, **__: refused)
    monkeypatch.setattr("reidops.training.weights.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ReidopsError, match="hub does not answer"):
        check_pretrained("resnet18")


def test_a_download_that_fails_is_told(monkeypatch):
    def broken(*_, **__):
        raise ConnectionError("the line is cut")

    monkeypatch.setattr("timm.create_model", broken)
    with pytest.raises(
        ReidopsError,
        match="published weights of resnet18 cannot be loaded: the line is cut; set train.pretrained to false",
    ):
        EmbeddingNetwork("resnet18", pretrained=True)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet18_ibn_a"])
def test_pretrained_offline_fails_at_once(monkeypatch, tmp_path, backbone):
    def no_network(*_, timeout: float, **__):
        assert timeout <= 10
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", no_network)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("reidops.training.weights.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ReidopsError, match="hub does not answer"):
        check_pretrained(backbone)


def test_fitting_loads_what_fits_and_logs_what_was_taken_and_left(tmp_path, caplog):
    torch.manual_seed(1)
    published = timm.create_model("test_resnet").state_dict()
    published["layer1.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    del published["layer2.0.bn1.weight"]
    torch.save(published, tmp_path / "weights.pth")
    with pytest.raises(ReidopsError, match="train.weights_match to fitting"):
        load_weights(EmbeddingNetwork("test_resnet"), tmp_path / "weights.pth")
    taker = EmbeddingNetwork("test_resnet")
    before = taker.backbone.layer1[0].conv1.weight.clone()
    with caplog.at_level("INFO"):
        load_weights(taker, tmp_path / "weights.pth", match="fitting")
    assert torch.equal(taker.backbone.layer3[0].conv2.weight, published["layer3.0.conv2.weight"])
    assert torch.equal(taker.backbone.layer1[0].conv1.weight, before)
    for named in (
        "tensors fit",
        "file lacks: layer2.0.bn1.weight",
        "another shape: layer1.0.conv1.weight [1, 2, 3, 3]",
    ):
        assert named in caplog.text


def test_fitting_refuses_a_file_of_which_nothing_fits(giver, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ReidopsError, match="nothing fits"):
        load_weights(EmbeddingNetwork(TINY), tmp_path / "model.safetensors", match="fitting")


def test_the_head_of_mmdetection_is_loaded_into_the_hidden_layer_the_projection_and_the_neck(tmp_path):
    torch.manual_seed(1)
    giver = EmbeddingNetwork("test_resnet", hidden_dim=12, embedding_dim=8)
    theirs = {"projection.0.": "head.fcs.0.fc.", "projection.1.": "head.fcs.0.bn.", "projection.3.": "head.fc_out."}
    theirs["neck."] = "head.bn."
    state = giver.state_dict()
    for ours, name in theirs.items():
        state = {key.replace(ours, name) if key.startswith(ours) else key: values for key, values in state.items()}
    torch.save({"state_dict": {**state, "head.classifier.weight": torch.zeros(5, 8)}}, tmp_path / "epoch_6.pth")
    taker = EmbeddingNetwork("test_resnet", hidden_dim=12, embedding_dim=8)
    load_weights(taker, tmp_path / "epoch_6.pth")
    assert same(giver, taker)


@pytest.mark.parametrize("parts", [0, 2])
def test_every_member_starts_from_the_weights_of_one_network(tmp_path, parts):
    torch.manual_seed(1)
    giver = EmbeddingNetwork(TINY, embedding_dim=8, parts=parts)
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    taker = EmbeddingNetwork(TINY, embedding_dim=8, parts=parts, members=(1, 1))
    load_weights(taker, tmp_path / "model.safetensors")
    assert all(same(giver.backbone, backbone) for backbone in taker.backbones)
    one, other = taker.projection[0], taker.projection[1 + parts]
    assert not torch.equal(one.weight, other.weight)  # equal members would learn the same


def test_members_are_loaded_whole(tmp_path):
    torch.manual_seed(1)
    giver = EmbeddingNetwork(TINY, embedding_dim=8, members=(1, 1))
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    taker = EmbeddingNetwork(TINY, embedding_dim=8, members=(1, 1))
    load_weights(taker, tmp_path / "model.safetensors")
    assert same(giver, taker)


def test_one_network_starts_from_the_first_member(tmp_path):
    torch.manual_seed(1)
    giver = EmbeddingNetwork(TINY, members=(1, 1))
    save_file(giver.state_dict(), tmp_path / "model.safetensors")
    taker = EmbeddingNetwork(TINY)
    load_weights(taker, tmp_path / "model.safetensors")
    assert same(giver.backbones[0], taker.backbone)


def test_weights_of_another_network_than_that_of_the_members_name_its_tensors(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(ReidopsError, match=r"nothing fits: .*the backbone with conv_stem\.weight"):
        load_weights(EmbeddingNetwork(TINY, members=(1, 1)), tmp_path / "weights.pt")
