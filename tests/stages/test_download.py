"""`download`: sets are drawn, found or fetched, and parts.csv says who does what."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from archive_server import serve
from default_params import default_params
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.mot.synthetic.params import SyntheticParams
from reidops.params import check_section
from reidops.parts import read_parts
from stages.convert import ConvertParams, convert
from stages.download import DownloadParams, download

pytestmark = pytest.mark.slow

SCENES = ("MOT17-02", "MOT17-04", "MOT17-09")
TINY = SyntheticParams(scenes=2, frames=4, width=192, height=108, min_people=2, max_people=3)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty repository beside a folder `sets`, as DVC would."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    write_mot_set(tmp_path / "sets" / "MOT17", SCENES, detectors=("FRCNN", "SDP"))
    write_market_set(tmp_path / "sets" / "Market-1501-v15.09.15")
    return tmp_path / "sets"


def mot17(**changes: object) -> DownloadParams:
    values = {"local": "../sets", "train": ["MOT17"], "test": ["MOT17"], "track": ["MOT17"], "sequences": ["09"]}
    return default_params(DownloadParams, **(values | changes))


def test_local_sets_are_pointed_at_and_not_copied(sets: Path) -> None:
    download(Path("data/raw"), mot17())
    assert sorted(path.name for path in Path("data/raw").iterdir()) == ["inventory.json", "parts.csv"]
    assert "local:../sets/MOT17/train/MOT17-09-FRCNN" in Path("data/raw/parts.csv").read_text()
    assert all((part.folder / "seqinfo.ini").is_file() for part in read_parts(Path("data/raw")))
    assert read_json(Path("data/raw/inventory.json"))["MOT17"]["source"] == "local:../sets/MOT17"


def test_train_on_market_and_track_mot17_converts(sets: Path) -> None:
    download(Path("data/raw"), mot17(train=["Market-1501"], test=["Market-1501", "MOT17"]))
    convert(Path("data/raw"), Path("data/crops"), default_params(ConvertParams, gap=4, workers=1))
    report = read_json(Path("data/crops/report.json"))
    assert set(report["datasets"]) == {
        "Market-1501 train",
        "Market-1501 val",
        "Market-1501 query",
        "Market-1501 gallery",
        "MOT17 query",
        "MOT17 gallery",
    }


def test_people_whom_a_file_names_are_noted_by_download_and_left_out_by_convert(
    repository: Path, sets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (repository / "people.csv").write_text("id,market_pid\n7,0003\n")
    roles = {"train": ["Market-1501"], "test": ["Market-1501"]}
    download(Path("data/raw"), mot17(**roles, leave_out={"Market-1501": "people.csv"}))
    convert(Path("data/raw"), Path("data/crops"), default_params(ConvertParams, gap=4, workers=1))
    lists = Path("data/crops/meta/train_80.txt").read_text() + Path("data/crops/meta/val_20.txt").read_text()
    assert "Market-1501_000002/" in lists and "Market-1501_000003/" not in lists
    assert "Market-1501: 1 people with 3 crops do not train, because people.csv names them" in caplog.text
    (repository / "people.csv").write_text("id,market_pid\n7,0004\n")
    with pytest.raises(ReidopsError, match="dvc repro -f download"):
        convert(Path("data/raw"), Path("data/crops"), default_params(ConvertParams, gap=4, workers=1))


def test_half_of_a_tracked_sequence_trains(sets: Path) -> None:
    download(Path("data/raw"), mot17(split="half", sequences=[]))
    frames = {(part.part, part.scene): (part.first_frame, part.last_frame) for part in read_parts(Path("data/raw"))}
    assert frames == {
        (part, scene[-2:]): frames
        for scene in SCENES
        for part, frames in (("train", (1, 7)), ("test", (8, 12)), ("track", (8, 12)))
    }


def test_the_synthetic_set_is_drawn_below_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw(folder: Path, params: SyntheticParams) -> None:
        drawn.append(params)
        write_mot_set(folder, ("SYN-01", "SYN-02"), detectors=("DPM", "FRCNN"), num_frames=4)

    monkeypatch.setattr("stages.download.write_synthetic", draw)  # its own tests hold how it draws
    download(Path("data/raw"), default_params(DownloadParams, sequences=["02"], synthetic=TINY))
    parts = read_parts(Path("data/raw"))
    assert drawn == [TINY]
    assert [(part.part, part.sequence) for part in parts] == [
        ("train", "SYN-01-FRCNN"),
        ("test", "SYN-02-FRCNN"),
        ("track", "SYN-02-FRCNN"),
    ]
    assert all(part.folder.is_relative_to("data/raw/synthetic") and part.folder.is_dir() for part in parts)


def zip_set(folder: Path, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path.read_bytes()


def test_a_fetched_set_goes_on_after_a_broken_connection_and_its_archive_stays(repository: Path, sets: Path) -> None:
    content = zip_set(sets / "MOT17", sets / "MOT17.zip")
    with serve(content) as server:
        server.break_after = [len(content) // 2]
        download(Path("data/raw"), mot17(local=None, urls={"MOT17": [server.url]}))
        assert server.asked == [None, f"bytes={len(content) // 2}-"]
        download(Path("data/raw"), mot17(local=None, urls={"MOT17": [server.url]}))
        assert len(server.asked) == 2
    assert [path.name for path in (repository / "data" / "archives").iterdir()] == ["MOT17.zip"]
    parts = read_parts(Path("data/raw"))
    assert {part.folder.name for part in parts} == {f"{scene}-FRCNN" for scene in SCENES}
    assert read_json(Path("data/raw/inventory.json"))["MOT17"]["source"] == server.url


def test_a_wrong_hash_leaves_no_raw_folder(sets: Path) -> None:
    with serve(zip_set(sets / "MOT17", sets / "MOT17.zip")) as server:
        params = mot17(local=None, urls={"MOT17": [server.url]}, hashes={"MOT17": "md5:00"})
        with pytest.raises(ReidopsError, match="its md5 is .*, expected 00"):
            download(Path("data/raw"), params)
    assert not Path("data/raw").exists()
    assert list(Path("data/archives").iterdir()) == []


def test_a_second_run_replaces_the_first(sets: Path) -> None:
    download(Path("data/raw"), mot17())
    first = Path("data/raw/parts.csv").read_bytes()
    download(Path("data/raw"), mot17(sequences=["02"]))
    assert Path("data/raw/parts.csv").read_bytes() != first
    download(Path("data/raw"), mot17())
    assert Path("data/raw/parts.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": ["Market1501"]}, "Market1501 .* did you mean Market-1501"),
        ({"local": "../nowhere"}, r"download\.local: .*nowhere is not a folder"),
        ({"local": None, "train": ["Market-1501"]}, "Market-1501 cannot be fetched"),
        ({"sequences": ["10"]}, "10 is in MOT17"),
    ],
)
def test_what_cannot_be_got_is_told_and_nothing_is_written(sets: Path, changes: dict, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        download(Path("data/raw"), mot17(**changes))
    assert not Path("data/raw").exists()


def test_the_real_cuts_are_assigned_as_published(real_data: Path) -> None:
    download(Path("data/raw"), mot17(local=str(real_data), split="half"))
    nine = [
        (part.part, part.first_frame, part.last_frame) for part in read_parts(Path("data/raw")) if part.scene == "09"
    ]
    assert nine == [("train", 1, 132), ("test", 133, 262), ("track", 133, 262)]


def test_a_set_with_an_empty_list_of_addresses_is_refused():
    section = vars(default_params(DownloadParams)) | {"synthetic": vars(TINY), "urls": {"MOT17": []}}
    with pytest.raises(ReidopsError, match="urls.MOT17.*at least 1"):
        check_section(DownloadParams, {"download": section}, "download", Path("params.yaml"))


def test_nothing_to_track_is_said_at_once(tmp_path, caplog):
    caplog.set_level("INFO")
    download(tmp_path / "raw", default_params(DownloadParams, track=[], sequences=["02"], synthetic=TINY))
    assert "download.track is []" in caplog.text


def test_a_tracked_sequence_without_detections_is_told_before_anything_is_trained(
    sets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (sets / "MOT17").rglob("det.txt"):
        path.unlink()
    download(Path("data/raw"), mot17())
    tracked = {part.sequence for part in read_parts(Path("data/raw")) if part.part == "track"}
    assert tracked and all(name in caplog.text for name in tracked)
    assert "no det/det.txt; detect will stop unless detect.source names a detector" in caplog.text


def test_detections_that_come_out_of_an_archive_are_seen(sets: Path, caplog: pytest.LogCaptureFixture) -> None:
    zip_set(sets / "MOT17", sets / "MOT17.zip")
    shutil.rmtree(sets / "MOT17")
    download(Path("data/raw"), mot17())
    assert "det.txt" not in caplog.text


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_twice_from_a_local_archive_is_the_same_byte_by_byte(sets: Path) -> None:
    zip_set(sets / "MOT17", sets / "MOT17.zip")
    shutil.rmtree(sets / "MOT17")
    found = []
    for _ in range(2):
        download(Path("data/raw"), mot17(train=["Market-1501"], test=["Market-1501", "MOT17"]))
        found.append(contents(Path("data/raw")))
    assert found[0] == found[1]
    assert read_json(Path("data/raw/inventory.json"))["MOT17"]["source"] == "unpacked:../sets/MOT17.zip"
    assert {
        part.folder.is_relative_to("data/raw/MOT17") for part in read_parts(Path("data/raw")) if part.dataset == "MOT17"
    } == {True}
    convert(Path("data/raw"), Path("data/crops"), default_params(ConvertParams, gap=4, workers=1))


def test_two_protocols_of_one_set_are_unpacked_once(sets: Path, caplog: pytest.LogCaptureFixture) -> None:
    for view in ("cam_a", "cam_b"):
        shutil.copytree(sets / "Market-1501-v15.09.15" / "query", sets / "VIPeR" / view)
    zip_set(sets / "VIPeR", sets / "VIPeR.v1.0.zip")
    shutil.rmtree(sets / "VIPeR")
    with caplog.at_level("INFO"):
        download(Path("data/raw"), mot17(train=["Market-1501"], test=["VIPeR:0", "VIPeR:1", "MOT17"]))
    assert caplog.text.count("files of VIPeR") == 1
    protocols = [(part.part, part.protocol) for part in read_parts(Path("data/raw")) if part.layout == "viper"]
    assert protocols == [("test", "0"), ("test", "1")]


def start_download(folder: Path, params: DownloadParams) -> subprocess.Popen:
    """Start the stage as DVC does, in a process group of its own."""
    root = Path(__file__).resolve().parents[2]
    sections = yaml.safe_load((root / "params.yaml").read_text())
    changed = {
        name: value
        for name, value in vars(params).items()
        if name in ("local", "train", "test", "track", "sequences", "urls")
    }
    sections["download"] |= changed
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    command = [sys.executable, "-m", "stages.download", "--raw", "data/raw"]
    env = os.environ | {"PYTHONPATH": str(root), "DVC_ROOT": str(folder)}
    return subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)


def stop_when(process: subprocess.Popen, reached: Callable[[], bool], number: signal.Signals) -> str:
    """Send a signal once `reached`; return what the process wrote."""
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.002)
    process.send_signal(number)
    written = process.communicate(timeout=120)[1]
    assert process.returncode == -number
    return written


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_while_fetching_leaves_a_part_and_the_next_run_goes_on(
    repository: Path, sets: Path, number: signal.Signals
) -> None:
    shutil.copytree(sets / "Market-1501-v15.09.15", sets / "MOT17" / "test" / "filler")
    (sets / "MOT17" / "test" / "filler.jpg").write_bytes(bytes(4_000_000))
    content = zip_set(sets / "MOT17", sets / "MOT17.zip")
    with serve(content) as server:
        params = mot17(local=None, urls={"MOT17": [server.url]})
        server.pause_s = 0.05
        written = stop_when(start_download(repository, params), lambda: fetched_bytes(repository) > 1_000_000, number)
        kept = fetched_bytes(repository)
        assert 1_000_000 < kept < len(content) and not (repository / "data" / "raw").exists()
        assert [path.suffix for path in (repository / "data" / "archives").iterdir()] == [".part"]
        assert "Traceback" not in written
        server.pause_s = 0
        assert start_download(repository, params).wait(60) == 0
    assert server.asked == [None, f"bytes={kept}-"]
    assert [path.name for path in (repository / "data" / "archives").iterdir()] == ["MOT17.zip"]
    assert len(read_parts(repository / "data" / "raw")) == 4


def fetched_bytes(repository: Path) -> int:
    return sum(path.stat().st_size for path in (repository / "data" / "archives").glob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_kill_while_unpacking_leaves_nothing_under_a_final_name(
    repository: Path, sets: Path, number: signal.Signals
) -> None:
    with zipfile.ZipFile(sets / "MOT17.zip", "w") as archive:
        for file in sorted((sets / "MOT17").rglob("*")):
            archive.write(file, file.relative_to(sets))
        for extra in range(4_000):
            archive.writestr(f"MOT17/extra/{extra}.txt", "x")
    shutil.rmtree(sets / "MOT17")
    process = start_download(repository, mot17())
    written = stop_when(
        process, lambda: any((repository / "data").glob(".raw.partial/.MOT17.unpacked/*/MOT17/extra/*")), number
    )
    left = sorted(path.name for path in (repository / "data").iterdir())
    assert left == ([".raw.partial"] if number == signal.SIGKILL else []) and "Traceback" not in written
    assert start_download(repository, mot17()).wait(120) == 0
    assert sorted(path.name for path in (repository / "data").iterdir()) == ["raw"]
    assert len(list((repository / "data" / "raw" / "MOT17" / "extra").iterdir())) == 4_000
