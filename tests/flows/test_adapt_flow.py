"""flows/adapt.py: a new video starts the pipeline; without one the flow ends at once and says so."""

import shutil
import subprocess
from pathlib import Path

import pytest
from default_params import default_params
from drawn_video import write_drawn_video
from prefect import flow
from prefect.states import Completed, State

import flows.adapt as module
from flows.stage_runs import Graph
from reidops.files import write_json
from stages.download import DownloadParams, download

PARAMS = default_params(DownloadParams, train=[], test=[], track=[], sequences=[], videos="videos")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose folder of videos was used before."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    write_drawn_video(tmp_path / "videos" / "monday.avi", 4)
    (tmp_path / "params.yaml").write_text("download: {videos: videos}\nadapt: {rounds: 2, norm_share: 0}\n")
    download(Path("data/raw"), PARAMS)  # relative, as DVC calls it
    write_json({"name": "person-reid", "version": "2"}, tmp_path / "data" / "registration" / "version.json")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, root: Path, stale: tuple[str, ...] = ()):
    """Run the flow without DVC; return its state and the names of what ran, and the text of its report."""
    ran: list[str] = []
    texts: list[str] = []

    @flow(name="retrain", persist_result=False)
    def retrain(folder: str, notify: str) -> State:
        ran.append("retrain")
        return Completed(message="15 stages are up to date")

    graph = Graph({name: () for name in ("download", "adapt", "store", "register")}, frozenset(stale))
    monkeypatch.setattr(module, "retrain", retrain)
    monkeypatch.setattr(module, "describe_videos", lambda folder: ran.append("download"))
    monkeypatch.setattr(module, "read_graph", lambda folder: graph)
    monkeypatch.setattr(module, "create_markdown_artifact", lambda text, **_: texts.append(text))
    return module.adapt(str(root), return_state=True), ran, texts


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_only_a_new_or_changed_video_or_an_interrupted_run_starts_the_pipeline(root, monkeypatch):
    state, ran, texts = run(monkeypatch, root)
    assert (state.is_completed(), ran, texts) == (True, [], [])
    assert state.message == "no new video in videos: nothing to adapt to"

    shutil.copy("videos/monday.avi", "videos/tuesday.avi")
    write_json({"num_tracklets": 7, "sequences": {"tuesday": {"num_crops": 40}}}, root / "data/tracklets/report.json")
    state, ran, (text,) = run(monkeypatch, root)
    assert ran == ["download", "retrain"] and state.message == "new videos: tuesday"
    assert "| num_tracklets | 7 |" in text and "| sequences.tuesday.num_crops | 40 |" in text

    shutil.rmtree(root / "data" / "raw")
    download(Path("data/raw"), PARAMS)
    assert run(monkeypatch, root)[1] == []
    for stale in (("adapt",), ("register",)):
        assert run(monkeypatch, root, stale)[1] == ["retrain"]
    write_drawn_video(root / "videos" / "monday.avi", 5)
    assert run(monkeypatch, root)[1] == ["download", "retrain"]

    (root / "params.yaml").write_text("download: {videos: null}\nadapt: {rounds: 0, norm_share: 0}\n")
    state, ran, _ = run(monkeypatch, root)
    assert state.is_completed() and not ran and "download.videos is null" in state.message


def test_a_folder_without_videos_is_nothing_to_do_and_a_missing_folder_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    failures: list[str] = []
    monkeypatch.setattr(module, "write_failure_artifact", failures.extend)
    (tmp_path / "params.yaml").write_text("download: {videos: videos}\nadapt: {rounds: 2, norm_share: 0}\n")
    assert module.adapt.fn(str(tmp_path)).is_failed() and "videos is not a folder" in failures[0]
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "notes.txt").write_text("no video")
    state = module.adapt.fn(str(tmp_path))
    assert state.is_completed() and len(failures) == 1
    assert state.message == "videos holds no video and no folder of frames: nothing to adapt to"


@pytest.mark.slow
def test_download_is_run_again_although_dvc_sees_no_change(monkeypatch, tmp_path):
    started: list[list[str]] = []

    class Process(subprocess.Popen):
        def __init__(self, command: list[str], **options: object) -> None:
            started.append(command)
            super().__init__(["true"], **options)

    monkeypatch.setattr("flows.stage_runs.subprocess.Popen", Process)
    module.reproduce_stage("download", tmp_path, print, set(), force=True)
    assert started[0][-3:] == ["--single-item", "--force", "download"]
