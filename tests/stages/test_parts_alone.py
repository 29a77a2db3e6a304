"""Empty lists in `download`: a stage without input states it in a line and writes an output that states it, too."""

import logging
from pathlib import Path

import pytest
from default_params import default_params
from mot_factory import write_mot_set
from register_folders import FOLDERS

from reidops.files import read_json, write_json
from reidops.mot.sequences import read_sequence
from reidops.parts import Part, find_tracked_parts, read_parts, write_parts
from reidops.registry.seed_spread import describe_spread, read_figures
from reidops.skipped import skipped_reason, write_skipped
from reidops.summary import render_summary
from stages.download import DownloadParams, download
from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking
from stages.register import RegisterParams, register

LISTS = {"train", "test", "track"}


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def without_tracking(tmp_path: Path) -> Path:
    """Return data/raw of a set that only trains."""
    folder = write_mot_set(tmp_path / "raw" / "TOY", ("TOY-01",), num_frames=2) / "train" / "TOY-01"
    parts = [Part("train", "TOY", "mot", folder, "TOY-01", read_sequence(folder).scene, 1, 2)]
    write_parts(parts, tmp_path / "raw")
    return tmp_path


@pytest.mark.parametrize(
    ("left_out", "consequence"),
    [
        (("test", "track"), "nothing is detected, embedded or tracked"),
        (("track",), "nothing is detected, embedded or tracked"),
        (("test",), "download.test is []"),
        (("train",), "download.train is []"),
    ],
)
def test_download_states_each_empty_list_and_obtains_the_others(tmp_path, monkeypatch, caplog, left_out, consequence):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write_mot_set(tmp_path / "sets" / "mine", num_frames=2)
    lists = dict.fromkeys(LISTS, ["mine"]) | dict.fromkeys(left_out, [])
    params = default_params(DownloadParams, **lists, local="sets", sequences=["TOY-02"])
    download(tmp_path / "raw", params)
    assert {part.part for part in read_parts(tmp_path / "raw")} == LISTS - set(left_out)
    assert all(f"download.{name} is []: " in caplog.text for name in left_out) and consequence in caplog.text


def test_evaluate_tracking_without_a_tracked_sequence_writes_why(without_tracking, caplog):
    assert find_tracked_parts(without_tracking / "raw") == []
    missing = without_tracking / "missing"  # not read
    params = default_params(EvaluateTrackingParams)
    evaluate_tracking(
        without_tracking / "raw", missing, missing, missing, without_tracking / "data" / "tracking", params
    )
    assert skipped_reason(without_tracking / "data" / "tracking") == "download.track is []"
    assert read_json(without_tracking / "data" / "tracking" / "metrics.json") == {}
    assert "download.track is []: no sequence is tracked" in caplog.text


def test_register_without_tracking_registers_no_version_and_writes_why(tmp_path, caplog):
    data = tmp_path / "data"
    write_skipped(data / "tracking", "download.track is []")
    folders = (data / name for name in FOLDERS)
    register(tmp_path / "params.yaml", *folders, params=default_params(RegisterParams))
    assert read_json(data / "registration" / "version.json") == {"skipped": "download.track is []"}
    assert "no version is registered" in caplog.text
    assert not list(tmp_path.glob("mlflow*"))


def test_the_spread_of_seeds_has_the_figures_of_the_parts_that_ran(tmp_path):
    write_skipped(tmp_path / "tracking", "download.track is []")
    write_json({"mine": {"mAP": 0.5}}, tmp_path / "reid" / "metrics.json")
    assert read_figures(tmp_path / "reid", tmp_path / "tracking") == {"reid/mine/mAP": 0.5}
    write_skipped(tmp_path / "reid", "download.test is []")
    figures = read_figures(tmp_path / "reid", tmp_path / "tracking")
    assert describe_spread([1], [figures]) == {"num": 1, "seeds": [1], "figures": {}}


def test_the_summary_of_a_conversion_alone_is_no_traceback(tmp_path):
    for name, reason in (("reid", "download.test is []"), ("tracking", "download.track is []")):
        write_skipped(tmp_path / name, reason)
    assert len(render_summary(tmp_path).renderables) >= 2
