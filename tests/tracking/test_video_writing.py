import cv2
import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.video_writing import available_codecs, open_video, usual_codec, write_video


def pictures(num_frames, width=64, height=48):
    """Return grey pictures, each 20 levels lighter than the one before."""
    return [np.full((height, width, 3), 40 + 20 * number, np.uint8) for number in range(num_frames)]


def read(path):
    """Return the pictures of a video and its pictures per second."""
    stream, found = cv2.VideoCapture(str(path)), []
    rate = stream.get(cv2.CAP_PROP_FPS)
    while (step := stream.read())[0]:
        found.append(step[1])
    return found, rate


@pytest.mark.parametrize("rate", [10, 29.97])
def test_a_video_holds_every_picture_in_order(tmp_path, rate):
    assert write_video(pictures(7), tmp_path / "new" / "out.mp4", rate) == 7
    found, found_rate = read(tmp_path / "new" / "out.mp4")
    assert [round(picture.mean() / 20) for picture in found] == [2, 3, 4, 5, 6, 7, 8]
    assert found[0].shape == (48, 64, 3) and found_rate == pytest.approx(rate, abs=0.01)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.mp4"]


def test_the_last_row_and_column_of_odd_pictures_are_left_out(tmp_path):
    write_video(pictures(2, width=65, height=49), tmp_path / "out.mp4", 10)
    assert [picture.shape for picture in read(tmp_path / "out.mp4")[0]] == [(48, 64, 3)] * 2


@pytest.mark.parametrize("codec", ["nope", "mp4", "nöön"])
def test_a_codec_that_is_not_there_is_told_with_those_that_are(tmp_path, codec):
    with pytest.raises(ReidopsError, match=rf"out\.mp4: .* 64 × 48 px with the codec '{codec}'.*codecs that are there for \.mp4: .*mp4v"):
        write_video(pictures(2), tmp_path / "out.mp4", 10, codec=codec)
    assert not list(tmp_path.iterdir())


def test_a_container_that_nobody_knows_is_told(tmp_path):
    with pytest.raises(ReidopsError, match=r"out\.txt: .*codecs that are there for \.txt: none: name the file \.mp4"):
        write_video(pictures(2), tmp_path / "out.txt", 10)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_the_codec_that_is_there_by_default_is_in_opencv_for_every_container(suffix):
    assert "mp4v" in available_codecs(suffix)


def test_where_the_default_codec_is_missing_another_one_is_taken(monkeypatch):
    assert usual_codec(".mp4") == "mp4v" and usual_codec(".txt") is None
    monkeypatch.setattr("reidops.tracking.video_writing._is_there", lambda path, codec: codec == "vp09")
    available_codecs.cache_clear()
    assert usual_codec(".mp4") == "vp09"
    available_codecs.cache_clear()


def test_pictures_of_two_sizes_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ReidopsError, match=r"out\.mp4: picture 3 is 32 × 48 px, the first was 64 × 48; a video has one size: scale"):
        write_video([*pictures(2), *pictures(1, width=32)], tmp_path / "out.mp4", 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("picture", [np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3)), np.zeros((48, 64, 4), np.uint8), np.zeros((0, 0, 3), np.uint8)])
def test_what_is_no_colour_picture_is_refused(tmp_path, picture):
    with pytest.raises(ReidopsError, match=r"out\.mp4: picture 1 is .* expected BGR uint8 \[h, w, 3\]"):
        write_video([picture], tmp_path / "out.mp4", 10)


def test_a_video_of_nothing_is_refused(tmp_path):
    with pytest.raises(ReidopsError, match=r"out\.mp4: no picture was written, and a video has at least one"):
        write_video([], tmp_path / "out.mp4", 10)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_frame_rate_that_is_none_is_refused(tmp_path, rate):
    with pytest.raises(ReidopsError, match=r"out\.mp4: a frame rate of .* expected a number above 0"):
        write_video(pictures(1), tmp_path / "out.mp4", rate)


def test_a_broken_off_video_leaves_the_former_one_untouched(tmp_path):
    write_video(pictures(2), tmp_path / "out.mp4", 10)
    before = (tmp_path / "out.mp4").read_bytes()
    with pytest.raises(KeyboardInterrupt), open_video(tmp_path / "out.mp4", 10) as video:
        video.write(pictures(1)[0])
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == before


def test_a_file_without_all_its_pictures_is_refused(tmp_path):
    """A full disk is not told by OpenCV: the container is then cut off or empty."""
    path = tmp_path / "out.mp4"
    with pytest.raises(ReidopsError, match=r"out\.mp4: holds 0 of 5 pictures; is the disk full"), open_video(path, 10) as video:
        for picture in pictures(5):
            video.write(picture)
        video.close()
        partial = next(tmp_path.iterdir())
        partial.write_bytes(partial.read_bytes()[:100])
    assert not list(tmp_path.iterdir())
