"""parts.csv has machine-independent paths, and no frame is both in train and in test."""

from dataclasses import replace
from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.parts import TRANSDUCTIVE, Part, read_parts, write_parts


def part(folder: Path, **changes: object) -> Part:
    return replace(Part("train", "MOT17", "mot", folder, "MOT17-02-FRCNN", "02", 1, 10), **changes)


def test_a_set_below_raw_keeps_a_relative_address(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    parts = [part(raw / "MOT17" / "train" / "MOT17-02-FRCNN")]
    write_parts(parts, raw)
    assert ",MOT17/train/MOT17-02-FRCNN," in (raw / "parts.csv").read_text()
    moved = tmp_path / "moved"
    raw.rename(moved)
    assert read_parts(moved)[0].folder == moved / "MOT17/train/MOT17-02-FRCNN"


def test_a_local_set_is_written_with_the_users_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    raw = tmp_path / "repository" / "raw"
    raw.mkdir(parents=True)
    folder = tmp_path / "repository" / "../shared/MOT17/train/MOT17-02-FRCNN"
    write_parts([part(folder)], raw, local="../shared")
    assert "local:../shared/MOT17/train/MOT17-02-FRCNN" in (raw / "parts.csv").read_text()
    assert read_parts(raw)[0].folder == folder


def test_every_field_is_read_back(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "a"),
        part(tmp_path / "a", part="test", first_frame=11, last_frame=20),
        Part("train", "Market-1501", "market1501", tmp_path / "m", "", "Market-1501", 0, 0),
    ]
    write_parts(parts, tmp_path)
    assert read_parts(tmp_path) == parts


def test_a_frame_in_train_and_track_is_an_error(tmp_path: Path) -> None:
    other_copy = part(tmp_path / "b", part="track", sequence="MOT17-02-SDP", first_frame=10, last_frame=20)
    with pytest.raises(ReidopsError, match=r"frames 10 … 10 of MOT17-02-FRCNN are in train and in track"):
        write_parts([part(tmp_path / "a"), other_copy], tmp_path)


def test_test_and_track_may_share_frames(tmp_path: Path) -> None:
    shared = [part(tmp_path / "a", part=name, first_frame=11, last_frame=20) for name in ("test", "track")]
    write_parts([part(tmp_path / "a"), *shared], tmp_path)
    assert [row.num_frames for row in read_parts(tmp_path)] == [10, 10, 10]


def test_a_missing_table_is_reported_with_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="parts.csv"):
        read_parts(tmp_path)


def test_unlabelled_frames_are_kept_apart_from_scored_ones_unless_they_say_so(tmp_path):
    folder = tmp_path / "raw" / "TOY" / "train" / "TOY-01"
    tracked = Part("track", "TOY", "mot", folder, "TOY-01", "01", 7, 12)
    for last, protocol in ((6, ""), (12, TRANSDUCTIVE)):
        write_parts([Part("adapt", "TOY", "mot", folder, "TOY-01", "01", 1, last, protocol), tracked], tmp_path / "raw")
    with pytest.raises(ReidopsError, match=r"frames 7 … 9 of TOY-01 are in adapt and in track"):
        write_parts([Part("adapt", "TOY", "mot", folder, "TOY-01", "01", 1, 9), tracked], tmp_path / "raw")
