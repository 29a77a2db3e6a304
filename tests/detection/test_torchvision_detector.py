import urllib.error

import numpy as np
import pytest
import torch
import torchvision

from reidops.detection import torchvision_detector
from reidops.detection.detectors import new_detector
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError

NAME = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file of random weights that take many things for people; one thread is quicker for so small a
    network.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = torchvision.models.get_model(NAME, weights=None, weights_backbone=None)
    with torch.no_grad():
        for layer in network.head.classification_head.module_list:
            layer[-1].bias.view(-1, 91)[:, 1] += 1
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


def test_people_are_found_by_a_detector_of_torchvision(weights):
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    detector = new_detector(NAME, DetectorSettings(weights=str(weights), min_confidence=0))
    people = detector.detect(picture)
    with torch.inference_mode():
        rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1) / 255
        expected = detector._network([rgb])[0]
    is_person = expected["labels"] == 1
    assert len(people) == int(is_person.sum()) > 0
    np.testing.assert_allclose(people.confidence, expected["scores"][is_person].numpy(), atol=1e-6)
    np.testing.assert_allclose(people.xyxy, expected["boxes"][is_person].numpy(), atol=1e-4)


def test_an_unknown_name_is_told_with_the_near_ones():
    with pytest.raises(
        ReidopsError,
        match="fasterrcnn_resnet50: torchvision has no detector of that name; did you mean fasterrcnn_resnet50_fpn",
    ):
        new_detector("fasterrcnn_resnet50")


def test_weights_that_are_missing_or_another_networks_are_told(tmp_path):
    with pytest.raises(ReidopsError, match="nowhere.pth: no such file; set detector.weights"):
        new_detector(NAME, DetectorSettings(weights=str(tmp_path / "nowhere.pth")))
    for content, path in (({"a": torch.zeros(1)}, "other.pth"), (b"", "empty.pth"), (b"text", "text.pth")):
        torch.save(content, tmp_path / path) if isinstance(content, dict) else (tmp_path / path).write_bytes(content)
        with pytest.raises(ReidopsError, match=f"{path}: is no state dict of {NAME}"):
            new_detector(NAME, DetectorSettings(weights=str(tmp_path / path)))


def test_offline_it_says_which_file_to_put_where(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(
        ReidopsError,
        match=f"cannot be fetched from https://.*; fetch ssdlite320.*pth on another machine and copy it to {tmp_path}",
    ):
        new_detector(NAME)


def test_published_weights_that_were_fetched_before_are_not_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    address = torchvision.models.get_model_weights(NAME).DEFAULT.url
    place = tmp_path / "hub" / "checkpoints" / address.rpartition("/")[2]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"kept")
    assert torchvision_detector.published_weights(NAME) == place and place.read_bytes() == b"kept"
