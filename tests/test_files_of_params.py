"""Files that params name are searched from the repository ($DVC_ROOT), wherever the command or DVC's copy runs."""

from pathlib import Path

import pytest
from default_params import default_params

from reidops.datasets.leave_out import read_leave_out
from reidops.datasets.videos import write_video_set
from reidops.detection.settings import DetectorSettings
from reidops.detection.sources import open_source
from reidops.errors import ReidopsError
from reidops.files import repository_path
from reidops.parts import Part, local_folder
from reidops.training.starts import find_weights
from stages.download import download
from stages.params.download import DownloadParams

TRAIN = Part("train", "own", "mot", Path("own"), "cam-a", "cam-a", 1, 2)
REFUSED = {
    "detect.source, a file": lambda raw: open_source("mine/none.txt"),
    "detect.source, a folder": lambda raw: open_source("mine/none/"),
    "detect.source, ONNX": lambda raw: open_source("mine/none.onnx", DetectorSettings()),
    "download.local": lambda raw: download(raw, default_params(DownloadParams, local="mine/none", train=["own"])),
    "download.videos": lambda raw: write_video_set("mine/none", raw),
    "download.leave_out": lambda raw: read_leave_out({"own": "mine/none.csv"}, [TRAIN]),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository; the current folder is another one, as in a temporary experiment."""
    (tmp_path / "repository" / "mine").mkdir(parents=True)
    (tmp_path / "copy").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "repository"


@pytest.mark.parametrize("param", REFUSED)
def test_a_missing_file_is_named_by_its_place_in_the_repository(repository, tmp_path, param):
    with pytest.raises(ReidopsError, match="mine/none") as fault:
        REFUSED[param](tmp_path / "raw")
    assert str(tmp_path / "copy") not in str(fault.value)
    assert not list((tmp_path / "copy").iterdir())


@pytest.mark.parametrize("find", [repository_path, local_folder, lambda name: find_weights(name, "resnet18")])
def test_relative_absolute_and_home_paths(repository, monkeypatch, find):
    monkeypatch.setenv("HOME", "/home/me")
    assert find("mine/a.pth") == repository / "mine" / "a.pth"
    assert find("/data/a.pth") == Path("/data/a.pth") and find("~/a.pth") == Path("/home/me/a.pth")
