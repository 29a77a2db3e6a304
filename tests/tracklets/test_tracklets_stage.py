"""Videos and folders of frames become tracklets; bad videos are named, and never half used."""

import errno
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from default_params import default_params
from drawn_video import pictures, write_drawn_detections, write_drawn_video
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.errors import ReidopsError
from reidops.files import read_json, sha256, write_json
from reidops.mot.frame_times import read_times
from reidops.mot.sequences import read_sequence
from reidops.parts import read_parts
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, read_table
from stages.detect import DetectParams, detect
from stages.download import DownloadParams, download
from stages.tracklets import TrackletsParams, tracklets

RAW, DETECTIONS, OUT = Path("data/raw"), Path("data/detections"), Path("data/tracklets")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / "videos").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.chdir(folder)
    return folder


def run(*, scale=1.0, adapt=(), local=None, track=(), split="scene", on_test=False, source="public", **rules):
    videos = "videos" if any(Path("videos").iterdir()) else None
    sets = {"train": [], "test": [], "track": list(track), "adapt": list(adapt), "sequences": []}
    params = default_params(
        DownloadParams, **sets, local=local, videos=videos, split=split, adapt_on_test_frames=on_test
    )
    download(RAW, params)
    detect(RAW, DETECTIONS, default_params(DetectParams, scale=scale, source=source))
    tracklets(RAW, DETECTIONS, OUT, default_params(TrackletsParams, min_height=20, workers=1, **rules))
    return read_json(OUT / "report.json")


def test_a_video_is_cut_without_being_unpacked_and_every_crop_is_the_box_of_its_frame(repository):
    write_drawn_video(Path("videos/street.avi"), 12)
    write_drawn_detections(Path("videos/street.txt"), 12)
    report = run(crops_per_tracklet=4)
    assert report["num_tracklets"] == 3 and report["num_crops"] == 12 and "truth" not in report
    assert sorted(path.name for path in OUT.iterdir()) == [
        "contact_sheet.jpg", "crops.parquet", "crops.tar", "report.json", "tracklets.parquet",
    ]  # fmt: skip
    crops = read_table(OUT / "crops.parquet", CROPS)
    assert set(crops["pid"]) == {-1} and set(crops["split"]) == {"adapt"}
    spans = crops.assign(span=(crops["frame"] - 1) // 3).groupby("tracklet")["span"].apply(list)
    assert spans.tolist() == [[0, 1, 2, 3]] * 3
    found = read_table(OUT / "tracklets.parquet", TRACKLETS)
    assert found[["first_frame", "last_frame", "num_boxes"]].to_numpy().tolist() == [[1, 12, 12]] * 3
    tar = (OUT / "crops.tar").read_bytes()
    for row in crops.itertuples():
        crop = cv2.imdecode(np.frombuffer(tar[row.offset : row.offset + row.size], np.uint8), cv2.IMREAD_COLOR)
        assert crop.shape == (30, 12, 3) and crop.std(axis=(0, 1)).max() < 25  # one person in one colour
    assert not list(Path("data/raw").rglob("*.jpg"))


def test_a_folder_of_frames_gives_what_its_video_gives_and_runs_are_repeatable(repository):
    write_drawn_detections(Path("videos/street.txt"), 8)
    Path("videos/street/img1").mkdir(parents=True)
    for number, picture in enumerate(pictures(8), 1):
        cv2.imwrite(f"videos/street/img1/{number:06d}.png", picture)
    first = run()
    tar = (OUT / "crops.tar").read_bytes()
    assert first["num_tracklets"] == 3 and run() == first and (OUT / "crops.tar").read_bytes() == tar


def test_boxes_of_another_resolution_stop_detect_and_a_scale_cures_it(repository):
    write_drawn_video(Path("videos/street.avi"), 12)
    write_drawn_detections(Path("videos/street.txt"), 12, scale=2.5)
    with pytest.raises(ReidopsError, match=r"detections of street .* 160 × 96 px.*detect\.scale"):
        run()
    assert run(scale={"street": 0.4})["num_tracklets"] == 3


def test_a_video_that_breaks_off_is_used_up_to_its_last_frame(repository, caplog):
    whole = write_drawn_video(repository.parent / "street.avi", 40)
    data = whole.read_bytes()
    Path("videos/street.avi").write_bytes(data[: len(data) // 2])
    write_drawn_detections(Path("videos/street.txt"), 40)
    report = run()
    readable = report["sequences"]["street"]["last_frame"]
    assert 10 < readable < 25 and f"{readable} of its 40 frames can be read" in caplog.text
    assert read_table(OUT / "tracklets.parquet", TRACKLETS)["last_frame"].max() <= readable


def test_what_is_no_video_is_named_with_its_zero_frames(repository):
    Path("videos/notes.mp4").write_text("no video")
    with pytest.raises(ReidopsError, match=r"notes\.mp4: 0 frames can be read"):
        run()
    assert not OUT.exists()


def test_videos_without_people_are_an_error_that_names_each_of_them(repository):
    for name in ("night", "noon"):
        write_drawn_video(Path(f"videos/{name}.avi"), 8)
        Path(f"videos/{name}.txt").touch()
    with pytest.raises(ReidopsError, match=r"(?s)no tracklet to learn from.*night: no detection.*noon: no detection"):
        run(source="videos")


def test_one_empty_video_beside_a_good_one_is_a_warning_and_one_tracklet_is_enough(repository, caplog):
    write_drawn_video(Path("videos/night.avi"), 8)
    Path("videos/night.txt").touch()
    write_drawn_video(Path("videos/noon.avi"), 12)
    write_drawn_detections(Path("videos/noon.txt"), 12)
    rows = Path("videos/noon.txt").read_text().splitlines(keepends=True)
    Path("videos/noon.txt").write_text("".join(rows[::3]))  # one person
    report = run(source="videos")
    assert report["num_tracklets"] == report["num_cameras"] == 1
    assert "night: no tracklet: no detection" in caplog.text and report["sequences"]["night"]["fault"]


def test_a_full_disk_leaves_the_last_tracklets_and_says_so(repository, monkeypatch):
    write_drawn_video(Path("videos/street.avi"), 12)
    write_drawn_detections(Path("videos/street.txt"), 12)
    before = run()

    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reidops.datasets.packing.write_end", fails)
    with pytest.raises(ReidopsError, match=r"data/tracklets: no space is left"):
        run()
    assert read_json(OUT / "report.json") == before


def test_a_camera_cut_ends_all_tracklets(repository):
    writer = cv2.VideoWriter("videos/street.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 96))
    for number, picture in enumerate(pictures(16)):
        writer.write(picture if number < 8 else 255 - picture)
    writer.release()
    write_drawn_detections(Path("videos/street.txt"), 16)
    report = run()
    assert report["sequences"]["street"]["num_cuts"] == 1 and report["num_tracklets"] == 6


def test_names_come_from_the_path_and_equal_ones_are_refused(repository):
    for folder in ("hall", "yard"):
        Path("videos", folder).mkdir()
        write_drawn_video(Path("videos", folder, "monday 50%.avi"), 8)
        write_drawn_detections(Path("videos", folder, "monday 50%.txt"), 8)
    assert sorted(run()["sequences"]) == ["hall-monday_50%", "yard-monday_50%"]
    shutil.copy("videos/hall/monday 50%.avi", "videos/hall-monday_50%.avi")
    with pytest.raises(ReidopsError, match="would have the same name hall-monday_50%; rename"):
        run()


def test_a_varying_frame_rate_keeps_its_times(repository, monkeypatch):
    write_drawn_video(Path("videos/street.avi"), 12)
    write_drawn_detections(Path("videos/street.txt"), 12)
    times = [0.1 * number + (0.5 if number > 5 else 0) for number in range(12)]
    monkeypatch.setattr("reidops.mot.video_facts._packets", lambda path: (times, 12))
    run()
    sequence = read_sequence(RAW / "videos" / "train" / "street")
    np.testing.assert_allclose(read_times(sequence), times)
    assert sequence.frame_rate == pytest.approx(11 / 1.6, abs=1e-3)


def test_a_changed_video_is_refused(repository):
    write_drawn_video(Path("videos/street.avi"), 12)
    write_drawn_detections(Path("videos/street.txt"), 12)
    run()
    write_drawn_video(Path("videos/street.avi"), 11)
    with pytest.raises(ReidopsError, match="changed after download took its inventory.*dvc repro -f download"):
        tracklets(RAW, DETECTIONS, OUT, default_params(TrackletsParams))


def test_ground_truth_gives_purity_and_its_people_are_in_the_truth_table_only(repository):
    write_mot_set(repository / "sets" / "TOY", ("TOY-01", "TOY-02"))
    write_market_set(repository / "sets" / "Market-1501")
    report = run(local="sets", adapt=["TOY", "Market-1501"])
    assert report["truth"]["purity"] == report["truth"]["pure_tracklets"] == 1.0
    truth = read_table(OUT / "truth.parquet", TRACKLET_TRUTH)
    assert sorted(truth["tracklet"]) == list(range(report["num_tracklets"])) and truth["pid"].nunique() > 6
    crops = read_table(OUT / "crops.parquet", CROPS)
    assert set(crops["pid"]) == {-1} and set(crops["track_id"]) == {-1}
    assert all(re.fullmatch(r"adapt/\d{6}/\d{4}\.jpg", path) for path in crops["path"])
    assert crops.groupby("tracklet")["camid"].nunique().max() == 1


def test_only_reports_read_the_truth(root):
    """Nothing that trains may open truth.parquet: its name is in no other file of the library."""
    readers = {
        path.relative_to(root).as_posix()
        for folder in ("reidops", "stages", "flows")
        for path in (root / folder).rglob("*.py")
        if "truth.parquet" in path.read_text() or "TRACKLET_TRUTH" in path.read_text()
    }
    reports = {"reidops/adaptation/truth.py", "reidops/adaptation/report.py", "reidops/adaptation/adapting.py"}
    writers = {"reidops/tracklets/building.py", "reidops/tracklets/writing.py", "stages/tracklets.py"}
    assert readers - reports == {"reidops/tables.py", *writers}


def test_half_of_a_tracked_scene_gives_tracklets_of_that_half_only(repository):
    write_mot_set(repository / "sets" / "TOY", ("TOY-01",), num_frames=24)
    report = run(local="sets", adapt=["TOY"], track=["TOY"], split="half")
    assert read_table(OUT / "crops.parquet", CROPS)["frame"].max() <= 13 and not report["transductive"]
    assert sorted(path.relative_to(DETECTIONS).as_posix() for path in DETECTIONS.rglob("*.txt")) == [
        "TOY-01.txt", "adapt/TOY-01.txt",
    ]  # fmt: skip
    report = run(local="sets", adapt=["TOY"], track=["TOY"], split="half", on_test=True)
    assert report["transductive"] and read_table(OUT / "crops.parquet", CROPS)["frame"].max() > 13
    assert [part.protocol for part in read_parts(RAW) if part.part == "adapt"] == ["transductive"]


def test_people_cannot_be_left_out_of_frames_without_labels(repository):
    write_mot_set(repository / "sets" / "TOY", ("TOY-01",))
    run(local="sets", adapt=["TOY"])
    named = {"TOY": {"file": "people.csv", "digest": sha256(RAW / "parts.csv"), "people": ["TOY-01_000001"]}}
    shutil.copy(RAW / "parts.csv", "people.csv")
    write_json(named, RAW / "leave_out.json")
    with pytest.raises(ReidopsError, match=r"people\.csv names people of TOY, which is in download\.adapt"):
        tracklets(RAW, DETECTIONS, OUT, default_params(TrackletsParams))


def test_without_a_part_that_adapts_the_stage_only_says_so(repository):
    write_mot_set(repository / "sets" / "TOY", ("TOY-01",))
    assert run(local="sets", track=["TOY"]) == {
        "num_tracklets": 0, "num_crops": 0, "transductive": False, "sequences": {},
    }  # fmt: skip
    assert [path.name for path in OUT.iterdir()] == ["report.json"]
