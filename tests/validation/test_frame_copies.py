"""A copy of a tracked video among the training videos is detected under any folder and frame names."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from inspect_tables import findings_of

from reidops.mot.sequences import read_sequence
from reidops.parts import Part
from reidops.validation.crop_suites import frame_copies_suite
from reidops.validation.frame_copies import frame_copies_table

pytestmark = pytest.mark.slow

SEQINFO = "[Sequence]\nimDir=img1\nframeRate=10\nseqLength={length}\nimWidth=320\nimHeight=240\nimExt=.jpg\n"
LENGTH = 60


def draw_street(seed: int, frame: int) -> np.ndarray:
    """Return a frame, BGR uint8 [240, 320, 3]: three rectangles moving 4, 5 and 7 px per frame on blurred noise."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    for speed, place in zip((4, 5, 7), rng.integers(0, 240, (3, 2)), strict=True):
        left, top = int(place[0] + speed * frame) % 280, int(place[1]) % 160
        cv2.rectangle(picture, (left, top), (left + 40, top + 80), tuple(map(int, rng.integers(0, 256, 3))), -1)
    return picture


def write_video(folder: Path, pictures: list[np.ndarray], quality: int = 95) -> Path:
    (folder / "img1").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(SEQINFO.format(length=len(pictures)))
    for number, picture in enumerate(pictures, 1):
        cv2.imwrite(str(folder / "img1" / f"{number:06d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return folder


@pytest.fixture(scope="module")
def street() -> list[np.ndarray]:
    return [draw_street(1, frame) for frame in range(LENGTH)]


@pytest.fixture
def tracked(tmp_path: Path, street: list[np.ndarray]) -> Part:
    return part("track", write_video(tmp_path / "sets" / "MOT17-09-FRCNN", street))


def part(role: str, folder: Path, first: int = 1, last: int = 0, dataset: str = "") -> Part:
    sequence, dataset = read_sequence(folder), dataset or ("MOT17" if role == "track" else "OWN")
    return Part(role, dataset, "mot", folder, sequence.name, sequence.scene, first, last or sequence.length)


def table_of(*parts: Part, sample: int = 8) -> pd.DataFrame:
    return frame_copies_table(parts, [part.folder.name for part in parts], sample=sample, max_bits=3)


def levels_of(table: pd.DataFrame) -> list[str]:
    return [finding.level for finding in findings_of(table, frame_copies_suite())]


def test_a_copied_training_folder_is_an_error_with_both_sequences_and_frames(tracked: Part, tmp_path: Path) -> None:
    copy = shutil.copytree(tracked.folder, tmp_path / "CAM-01")
    table = table_of(part("train", copy), tracked, sample=0)
    facts = ("frame 1 of CAM-01 of OWN (train)", "frame 1 of MOT17-09-FRCNN of MOT17 (track)", "60")
    assert all(fact in table["copy_fault"].item() for fact in facts)
    assert levels_of(table) == ["error"]


def test_a_copy_with_other_frame_numbers_is_an_error(tracked: Part, tmp_path: Path) -> None:
    (tmp_path / "CAM-01" / "img1").mkdir(parents=True)
    (tmp_path / "CAM-01" / "seqinfo.ini").write_text(SEQINFO.format(length=20))
    for number in range(1, 21):
        shutil.copy(
            tracked.folder / "img1" / f"{number + 33:06d}.jpg", tmp_path / "CAM-01" / "img1" / f"{number:06d}.jpg"
        )
    table = table_of(part("train", tmp_path / "CAM-01"), tracked, sample=0)
    facts = ("frame 1 of CAM-01 of OWN (train)", "frame 34 of MOT17-09")
    assert all(fact in table["copy_fault"][0] for fact in facts)


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 4])
def test_a_copy_that_was_encoded_again_is_a_warning_for_any_frame_numbers(
    tracked: Part, tmp_path: Path, street: list[np.ndarray], shift: int
) -> None:
    smaller = [cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA) for picture in street[shift:]]
    table = table_of(part("train", write_video(tmp_path / "CAM-01", smaller, quality=60)), tracked)
    assert table["copy_fault"].tolist() == [""]
    names = ("of CAM-01 of OWN (train)", "of MOT17-09-FRCNN of MOT17 (track)")
    assert all(name in table["twin_fault"][0] for name in names)
    assert levels_of(table) == ["warning"]


def test_another_moment_of_the_same_camera_and_another_video_are_no_copies(tracked: Part, tmp_path: Path) -> None:
    later = write_video(tmp_path / "later", [draw_street(1, frame) for frame in range(1000, 1030)])
    other = write_video(tmp_path / "other", [draw_street(2, frame) for frame in range(30)])
    table = table_of(part("train", later), part("train", other), tracked)
    assert (table["copy_fault"] == "").all() and table["twin_fault"][1] == ""


def test_a_picture_of_every_training_video_is_a_warning_and_that_of_some_an_error(
    tracked: Part, tmp_path: Path
) -> None:
    copies = [part("train", shutil.copytree(tracked.folder, tmp_path / name)) for name in ("CAM-01", "CAM-02")]
    table = table_of(*copies, tracked, sample=0)
    facts = ("frame 1 of CAM-01 of OWN (train)", "frame 1 of MOT17-09-FRCNN of MOT17 (track)", "60")
    assert all(fact in table["repeated_fault"][0] for fact in facts)
    assert levels_of(table) == ["warning"]
    other = part("train", write_video(tmp_path / "other", [draw_street(2, frame) for frame in range(30)]))
    assert levels_of(table_of(*copies, other, tracked, sample=0)) == ["error"]


def test_the_copies_of_a_training_video_for_several_detectors_are_one_video(tracked: Part, tmp_path: Path) -> None:
    copies = [
        part("train", shutil.copytree(tracked.folder, tmp_path / name), dataset="MOT17")
        for name in ("MOT17-02-FRCNN", "MOT17-02-SDP")
    ]
    assert levels_of(table_of(*copies, tracked, sample=0)) == ["error"]


def test_only_frames_in_the_range_of_their_part_are_compared(tracked: Part, tmp_path: Path) -> None:
    copy = shutil.copytree(tracked.folder, tmp_path / "CAM-01")
    first_half, second_half = part("train", copy, 1, 31), part("track", tracked.folder, 32, 60)
    assert levels_of(table_of(first_half, second_half, sample=0)) == []


def test_a_video_that_is_split_by_time_and_its_detector_copies_are_no_copies(tracked: Part, tmp_path: Path) -> None:
    still = write_video(tmp_path / "STILL", [draw_street(3, 0)] * 10)
    halves = [part("train", still, 1, 6, dataset="MOT17"), part("track", still, 7, 10)]
    other_detector = part("train", shutil.copytree(tracked.folder, tmp_path / "MOT17-09-SDP"), dataset="MOT17")
    assert levels_of(table_of(*halves)) == [] and levels_of(table_of(other_detector, tracked)) == []


def test_empty_missing_and_flat_frames_are_no_copies(tmp_path: Path) -> None:
    videos = [
        write_video(tmp_path / name, [np.full((240, 320, 3), grey, np.uint8)] * 4)
        for name, grey in (("a", 20), ("b", 21))
    ]
    for folder in videos:
        (folder / "img1" / "000002.jpg").write_bytes(b"")
        (folder / "img1" / "000003.jpg").unlink()
    assert levels_of(table_of(part("train", videos[0]), part("track", videos[1]))) == []


def write_unlabelled_video(folder: Path, pictures: list[np.ndarray]) -> Path:
    folder.mkdir()
    writer = cv2.VideoWriter(str(folder / "cam.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 240))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    text = SEQINFO.format(length=len(pictures)).replace("img1", f"local:{folder / 'cam.avi'}")
    (folder / "seqinfo.ini").write_text(text)
    return folder


def test_an_unlabelled_copy_of_a_tracked_video_is_an_error_in_files_and_in_a_video(
    tracked: Part, tmp_path: Path, street: list[np.ndarray]
) -> None:
    copy = part("adapt", shutil.copytree(tracked.folder, tmp_path / "CAM-01"))
    video = part("adapt", write_unlabelled_video(tmp_path / "CAM-02", street[20:]))
    for unlabelled in (copy, video):
        table = table_of(unlabelled, tracked)
        assert f"of {unlabelled.sequence} of OWN (adapt)" in table["copy_fault"].item()
        assert levels_of(table)[0] == "error"


def test_another_time_of_the_same_camera_is_no_copy(tracked: Part, tmp_path: Path) -> None:
    later = [draw_street(1, frame) for frame in range(200, 230)]
    table = table_of(part("adapt", write_unlabelled_video(tmp_path / "CAM-02", later)), tracked)
    assert table["copy_fault"].item() == ""


def test_frames_that_are_used_on_request_are_not_compared(tracked: Part, tmp_path: Path) -> None:
    copy = part("adapt", shutil.copytree(tracked.folder, tmp_path / "CAM-01"))
    assert not len(table_of(replace(copy, protocol="transductive"), tracked))
