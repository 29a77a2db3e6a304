import shutil

import cv2
import numpy as np
import pytest
from drawn_video import HEIGHT, WIDTH, pictures, write_drawn_video
from mot_factory import write_mot_sequence

from reidops.errors import ReidopsError
from reidops.videos import DEFAULT_FRAME_RATE, BrokenOff, read_video


def numbers(path):
    return [number for number, _ in read_video(path).frames()]


def given_before_broken(path):
    """Return the numbers of the frames that come, and what is said then."""
    seen = []
    with pytest.raises(BrokenOff) as raised:
        for number, _ in read_video(path).frames():
            seen.append(number)
    return seen, str(raised.value)


def test_a_file_gives_all_its_frames_in_order(tmp_path):
    video = read_video(write_drawn_video(tmp_path / "v.avi"))
    assert (video.num_frames, video.frame_rate) == (12, 10)
    given = list(video.frames())
    assert [number for number, _ in given] == list(range(1, 13))
    for (_, picture), drawn in zip(given, pictures(12), strict=True):
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(picture.astype(int) - drawn).mean() < 20  # JPEG, of noise


def test_a_truncated_file_yields_its_frames_and_reports_the_last(tmp_path):
    path = write_drawn_video(tmp_path / "v.avi", 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen, message = given_before_broken(path)
    assert 10 < len(seen) < 30 and seen == list(range(1, len(seen) + 1))
    assert message.startswith(f"{path}: ") and f"after frame {len(seen)} of 40" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer.*`git lfs pull`"),
        (b"\n<!DOCTYPE html><html>", "is a web page.*direct address"),
        (b"PK\x03\x04" + bytes(99), "is a compressed archive; unpack it"),
    ],
)
def test_a_file_that_cannot_be_a_video_is_named_with_what_it_is(tmp_path, content, message):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(ReidopsError, match=f"v.mp4: {message}"):
        read_video(tmp_path / "v.mp4")


@pytest.mark.parametrize("content", [b"no video", bytes(5000)])
def test_a_file_that_is_not_a_video_is_reported(tmp_path, content):
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(ReidopsError, match="v.mp4: OpenCV cannot read it: .*codec.*`ffmpeg"):
        read_video(tmp_path / "v.mp4")


def test_a_truncated_mp4_without_index_is_reported(tmp_path):
    path = write_drawn_video(tmp_path / "v.mp4", codec="mp4v")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ReidopsError, match="v.mp4: OpenCV cannot read it: .*truncated"):
        read_video(path)


def test_a_missing_codec_is_reported(tmp_path):
    path = write_drawn_video(tmp_path / "v.avi")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"QQQQ"))
    with pytest.raises(ReidopsError, match="its codec is not installed"):
        read_video(path)


def test_a_missing_video_is_reported(tmp_path):
    with pytest.raises(ReidopsError, match="nowhere.mp4: no such file; expected a video, or a folder of frames"):
        read_video(tmp_path / "nowhere.mp4")


def test_a_sequences_folder_and_its_img1_are_the_same_video(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01")
    for path in (folder, folder / "img1"):
        video = read_video(path)
        assert (video.num_frames, video.frame_rate) == (12, 10)
        assert numbers(path) == list(range(1, 13))
    _, picture = next(iter(read_video(folder).frames()))
    assert (picture == cv2.imread(str(folder / "img1" / "000001.jpg"))).all()


def test_a_bare_folder_of_frames_from_0_is_counted_from_1(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01") / "img1"
    for number in range(1, 13):
        shutil.move(folder / f"{number:06d}.jpg", tmp_path / f"{number - 1}.jpg")
    assert numbers(tmp_path) == list(range(1, 13))
    assert read_video(tmp_path).frame_rate == DEFAULT_FRAME_RATE


def test_frames_that_begin_later_keep_their_numbers(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01") / "img1"
    for number in range(1, 7):
        (folder / f"{number:06d}.jpg").unlink()
    assert numbers(folder) == list(range(7, 13))


def test_a_missing_frame_ends_a_folder(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01") / "img1"
    (folder / "000005.jpg").unlink()
    assert given_before_broken(folder) == (
        [1, 2, 3, 4],
        f"{folder}: broke off after frame 4: the next picture is 000006.jpg",
    )


def test_a_damaged_frame_ends_a_folder(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01") / "img1"
    path = folder / "000005.jpg"
    path.write_bytes(path.read_bytes()[:500])
    seen, message = given_before_broken(folder)
    assert seen == [1, 2, 3, 4]
    assert (
        message
        == f"broke off after frame 4: {path}: its 500 bytes are no whole picture; copy or unpack the frames again"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "there is no picture; expected a folder of frames"),
        (("cover.jpg", "000001.jpg"), "cover.jpg"),
        (("1.jpg", "01.jpg"), "01.jpg and 1.jpg"),
    ],
)
def test_a_folder_that_is_not_a_video_is_reported(tmp_path, names, message):
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ReidopsError, match=message):
        read_video(tmp_path)
