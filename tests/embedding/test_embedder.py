"""reidops/embedding/embedder.py and description.py: a loaded embedder equals the saved one, or loading fails."""

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import reidops
from reidops.embedding.description import golden_crop, network_name
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import read_json, sha256, write_json


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    torch.manual_seed(0)
    network = EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=48, last_stride=1)
    for module in network.modules():  # statistics as after a training, so that no layer is a mere copy
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    description = describe(
        network,
        backbone="mobilenetv4_conv_small_050",
        embedding_dim=48,
        pooling="avg",
        last_stride=1,
        height=64,
        width=32,
        num_classes=5,
    )
    return Embedder(network, description)


@pytest.fixture
def folder(embedder, tmp_path):
    embedder.save(tmp_path / "model", trained_on={"datasets": ["drawn"]})
    return tmp_path / "model"


@pytest.fixture
def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*rng.integers(20, 150, 2), 3), np.uint8) for _ in range(7)]


def test_a_crop_without_a_pixel_has_a_zero_embedding_and_moves_no_other(embedder, crops):
    outside = np.zeros((30, 0, 3), np.uint8)
    mixed = embedder.embed([outside, crops[0], outside, crops[1]])
    assert not mixed[[0, 2]].any()
    np.testing.assert_allclose(mixed[[1, 3]], embedder.embed(crops[:2]), atol=1e-6)
    assert embedder.embed([outside]).shape == (1, 48)


def test_a_saved_embedder_embeds_the_same_after_loading(embedder, folder, crops):
    loaded = reidops.Embedder.load(folder)
    assert np.array_equal(loaded.embed(crops), embedder.embed(crops))
    assert loaded.description == embedder.description
    assert loaded.dim == 48 and loaded.input_size == (64, 32)
    assert loaded.weights_sha256 == sha256(folder / "model.safetensors")


def test_saved_weights_can_be_read_by_another_user(folder):
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("backbone", ["osnet_x0_25", "osnet_ain_x0_25", "seresnet18_ibn_dense"])
@pytest.mark.parametrize("pooling", [pytest.param("avg", marks=pytest.mark.slow), "gem"])
def test_networks_of_this_package_are_rebuilt_exactly(tmp_path, crops, backbone, pooling):
    torch.manual_seed(0)
    options = {"backbone": backbone, "embedding_dim": 0, "pooling": pooling, "last_stride": 1}
    network = EmbeddingNetwork(backbone, pooling=pooling, last_stride=1)
    Embedder(network, describe(network, **options, height=32, width=16, num_classes=5)).save(tmp_path / "model")
    loaded = Embedder.load(tmp_path / "model").network.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("backbone", ["mobilenetv4_conv_small_050", "osnet_x0_25"])
@pytest.mark.parametrize(("pooling", "members"), [("avg", (1.0,)), ("gem", (1.0,)), ("avg", (1.0, 0.75))])
def test_a_network_with_stripes_is_saved_and_loaded(tmp_path, crops, backbone, pooling, members):
    torch.manual_seed(0)
    shape = {"embedding_dim": 8, "parts": 2, "pooling": pooling, "last_stride": 1, "members": members}
    network = EmbeddingNetwork(backbone, **shape, flip_average=True)
    options = {"backbone": backbone, "embedding_dim": 8, "pooling": pooling, "last_stride": 1}
    saved = Embedder(network, describe(network, **options, height=64, width=32, num_classes=5))
    saved.save(tmp_path / "model")
    loaded = Embedder.load(tmp_path / "model")
    assert loaded.dim == 24 * len(members) and loaded.description.parts == 2 and loaded.network.flip_average
    assert np.array_equal(loaded.embed(crops), saved.embed(crops))


def test_the_name_of_a_network_has_the_number_of_its_members():
    assert network_name({"backbone": "resnet10t"}) == "resnet10t"  # a model of an earlier version
    assert network_name({"backbone": "resnet10t", "members": [1.0]}) == "resnet10t"
    assert network_name({"backbone": "resnet10t", "members": [1.0, 0.75]}) == "2 × resnet10t"


def test_replaced_weights_that_the_self_test_does_not_detect_are_an_error(tmp_path):
    network = EmbeddingNetwork("mobilenetv4_conv_small_050", embedding_dim=32, parts=1)
    options = {"backbone": "mobilenetv4_conv_small_050", "embedding_dim": 32, "pooling": "avg", "last_stride": 2}
    Embedder(network, describe(network, **options, height=64, width=32, num_classes=5)).save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["projection.1.weight"] += 0.5
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ReidopsError, match=r"model\.safetensors: .*weights_sha256 in embedder\.json"):
        Embedder.load(tmp_path)


def test_embeddings_are_unit_rows_in_the_order_of_the_crops(embedder, crops):
    together = embedder.embed(crops, batch_size=3)
    assert together.dtype == np.float32 and together.shape == (7, 48)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([embedder.embed([crop]) for crop in crops])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_crops_give_an_empty_matrix_of_the_embedding_width(embedder):
    assert embedder.embed([]).shape == (0, 48)


def test_embedder_json_describes_the_preprocessing(folder):
    options = read_json(folder / "embedder.json")
    assert options["colour_order"] == "rgb" and options["normalised"] is True and options["flip_average"] is False
    assert options["height"] == 64 and options["width"] == 32 and len(options["mean"]) == len(options["std"]) == 3
    assert options["trained_on"] == {"datasets": ["drawn"]} and options["num_classes"] == 5


def test_flip_averaging_is_an_option_of_loading(folder, crops):
    averaging = Embedder.load(folder, flip_average=True)
    mirrored = [cv2.flip(crop, 1) for crop in crops]
    np.testing.assert_allclose(averaging.embed(crops), averaging.embed(mirrored), atol=0.02)
    assert np.abs(averaging.embed(crops) - Embedder.load(folder).embed(crops)).max() > 1e-3


def test_the_self_test_catches_changed_weights(folder):
    weights = load_file(folder / "model.safetensors")
    weights["projection.weight"][:, 0] += 0.5
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ReidopsError, match=r"self-test failed.*different trainings"):
        Embedder.load(folder)


def test_the_self_test_catches_a_changed_input_size(folder):
    write_json(read_json(folder / "embedder.json") | {"width": 64}, folder / "embedder.json")
    with pytest.raises(ReidopsError, match="self-test failed"):
        Embedder.load(folder)


def test_the_self_test_catches_another_normalisation(folder):
    write_json(read_json(folder / "embedder.json") | {"mean": [0.3, 0.3, 0.3]}, folder / "embedder.json")
    with pytest.raises(ReidopsError, match="self-test failed"):
        Embedder.load(folder)


def test_the_golden_crop_is_equal_on_every_machine():
    crop_bgr = golden_crop()
    assert crop_bgr.shape == (150, 70, 3) and crop_bgr.dtype == np.uint8
    assert crop_bgr[3, 4].tolist() == [27, 37, 0] and crop_bgr[149, 69].tolist() == [184, 156, 12]


def test_weights_of_another_network_are_an_error(folder):
    write_json(read_json(folder / "embedder.json") | {"backbone": "resnet10t"}, folder / "embedder.json")
    with pytest.raises(ReidopsError, match=r"model\.safetensors: the weights do not fit the network"):
        Embedder.load(folder)


def test_weights_on_a_full_disk_are_an_error_of_the_system(embedder, tmp_path):
    (tmp_path / "model.safetensors").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        embedder.save(tmp_path)


def test_a_damaged_weights_file_is_an_error(folder):
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ReidopsError, match=r"model\.safetensors"):
        Embedder.load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "embedder.json"])
def test_a_missing_file_is_reported(folder, name):
    (folder / name).unlink()
    with pytest.raises(ReidopsError, match=name):
        Embedder.load(folder)


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(ReidopsError, match="nowhere: no such folder"):
        Embedder.load(tmp_path / "nowhere")


def test_a_missing_name_in_the_description_is_reported(folder):
    options = read_json(folder / "embedder.json")
    del options["pooling"]
    write_json(options, folder / "embedder.json")
    with pytest.raises(ReidopsError, match="pooling missing"):
        Embedder.load(folder)


def test_batches_take_turns_on_a_gpu_and_run_in_parallel_on_the_cpu(monkeypatch):
    def most_at_once(device: str) -> int:
        at_work, most = [], []

        class Network(torch.nn.Module):
            def forward(self, images):
                at_work.append(images)
                most.append(len(at_work))
                time.sleep(0.05)
                at_work.pop()
                return torch.zeros(len(images), 4)

        network = Network()
        monkeypatch.setattr(network, "to", lambda *place, **options: network)
        embedder = Embedder(network, None, device)
        embedder._inference._device = "cpu"  # there may be no GPU here
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(embedder.embed_images, [np.zeros((1, 8, 4, 3), np.uint8)] * 6))
        return max(most)

    assert most_at_once("cuda") == 1 < most_at_once("cpu")
