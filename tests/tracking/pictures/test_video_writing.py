"""Videos are written with FFmpeg's encoders and read again with another FFmpeg, OpenCV's."""

import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.pictures import video_writing
from reidops.tracking.pictures.video_writing import CODECS, available_codecs, open_video, write_video

KINDS = [(suffix, codec) for suffix, codecs in CODECS.items() for codec in codecs]


def pictures(num_frames, width=64, height=48):
    """Return grey pictures, each 20 levels lighter than the one before."""
    return [np.full((height, width, 3), 40 + 20 * number, np.uint8) for number in range(num_frames)]


def drawn(num_frames, width=160, height=96):
    """Return smooth pictures of all colours that turn a little from one to the next."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(columns / 40 + shift) * np.cos(rows / 30 - shift) for shift in (0, 2, 4)]
    return [
        np.stack([127.5 + 110 * np.roll(wave, number, 1) for wave in waves], -1).astype(np.uint8)
        for number in range(num_frames)
    ]


def read(path):
    """Return the pictures of a video and its pictures per second, by OpenCV."""
    stream, found = cv2.VideoCapture(str(path)), []
    rate = stream.get(cv2.CAP_PROP_FPS)
    while (step := stream.read())[0]:
        found.append(step[1])
    return found, rate


def decode(path):
    """Return the frames of a video and its pictures per second, by PyAV."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0)), container.streams.video[0].average_rate


def psnr(pairs):
    return min(cv2.PSNR(found, expected) for found, expected in pairs)


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_every_codec_keeps_the_number_the_rate_the_size_and_the_colours_of_the_pictures(tmp_path, suffix, codec):
    path, expected = tmp_path / f"out{suffix}", drawn(8)
    write_video(expected, path, 29.97, codec=codec)
    frames, rate = decode(path)
    assert (len(frames), rate) == (8, Fraction(2997, 100))
    assert psnr(zip([frame.to_ndarray(format="bgr24") for frame in frames], expected, strict=True)) > 30
    found, found_rate = read(path)
    assert psnr(zip(found, expected, strict=True)) > 30
    assert found_rate == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (25, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (30000 / 1001, Fraction(30000, 1001)),
        (23.976, Fraction(2997, 125)),
        (0.1, Fraction(1, 10)),
        (1000.0, Fraction(1000)),
    ],
)
@pytest.mark.parametrize("codec", ["vp9", "mpeg4"])
def test_a_frame_rate_and_the_time_of_each_picture_are_exact(tmp_path, rate, exact, codec):
    write_video(pictures(3), tmp_path / "out.mp4", rate, codec=codec)
    frames, found = decode(tmp_path / "out.mp4")
    assert found == exact
    assert [frame.pts * frame.time_base for frame in frames] == [0, 1 / exact, 2 / exact]
    assert sum(frame.duration * frame.time_base for frame in frames) == 3 / exact


def test_a_video_of_one_picture_has_its_rate(tmp_path):
    write_video(pictures(1), tmp_path / "out.mp4", 29.97)
    assert [len(found) if isinstance(found, list) else found for found in read(tmp_path / "out.mp4")] == [
        1,
        pytest.approx(29.97, abs=1e-3),
    ]


def test_a_browser_finds_what_it_can_play_and_the_index_first(tmp_path):
    write_video(pictures(3), tmp_path / "out.mp4", 10)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("vp9", "yuv420p")
    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted where Linux lists them")
def test_a_video_is_encoded_by_few_threads(tmp_path):
    before = len(os.listdir("/proc/self/task"))
    with open_video(tmp_path / "out.mp4", 10) as video:
        for picture in drawn(3, width=960, height=540):
            video.write(picture)
        assert len(os.listdir("/proc/self/task")) - before <= 2


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="scheduling is told where Linux tells it")
@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_no_encoder_makes_the_process_run_before_others(tmp_path, suffix, codec):
    before = os.sched_getscheduler(0)
    with open_video(tmp_path / f"out{suffix}", 10, codec=codec) as video:
        video.write(drawn(1)[0])
        assert {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")} == {before}
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize("rate", [10, 29.97])
def test_a_video_holds_every_picture_in_order(tmp_path, rate):
    assert write_video(pictures(7), tmp_path / "new" / "out.mp4", rate) == 7
    found, found_rate = read(tmp_path / "new" / "out.mp4")
    assert [round(picture.mean() / 20) for picture in found] == [2, 3, 4, 5, 6, 7, 8]
    assert found[0].shape == (48, 64, 3) and found_rate == pytest.approx(rate, abs=0.01)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.mp4"]


def test_the_last_row_and_column_of_odd_pictures_are_left_out(tmp_path):
    expected = drawn(2, width=67, height=51)
    write_video(expected, tmp_path / "out.mp4", 10)
    assert psnr(zip(read(tmp_path / "out.mp4")[0], [picture[:50, :66] for picture in expected], strict=True)) > 30


def test_the_smallest_picture_is_2_by_2(tmp_path):
    write_video(pictures(2, width=2, height=2), tmp_path / "out.mp4", 10)
    assert [picture.shape for picture in read(tmp_path / "out.mp4")[0]] == [(2, 2, 3)] * 2


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
def test_grey_stays_as_grey_and_as_light_as_it_was(tmp_path, suffix, codec):
    write_video(
        [np.full((50, 66, 3), level, np.uint8) for level in (0, 128, 255)], tmp_path / f"out{suffix}", 10, codec=codec
    )
    found = [frame.to_ndarray(format="bgr24").astype(int) for frame in decode(tmp_path / f"out{suffix}")[0]]
    assert [np.abs(picture - level).max() <= 3 for picture, level in zip(found, (0, 128, 255), strict=True)] == [
        True
    ] * 3


def test_any_part_of_an_array_may_be_a_picture(tmp_path):
    whole = drawn(3, width=330, height=200)
    write_video([picture[4:196:2, 5:325:2] for picture in whole], tmp_path / "out.mp4", 10)
    assert psnr(zip(read(tmp_path / "out.mp4")[0], [picture[4:196:2, 5:325:2] for picture in whole], strict=True)) > 30


@pytest.mark.parametrize("codec", ["nope", "mp4v", "mjpeg", "nöön"])
def test_a_missing_codec_is_refused_with_the_available_ones(tmp_path, codec):
    with pytest.raises(
        ReidopsError, match=rf"out\.mp4: no codec '{codec}' is there for \.mp4; there are vp9, h264, mpeg4"
    ):
        write_video(pictures(2), tmp_path / "out.mp4", 10, codec=codec)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "message"), [("out.txt", r"\.txt"), ("out", "a file without a suffix")])
def test_an_unknown_container_is_refused(tmp_path, name, message):
    with pytest.raises(
        ReidopsError, match=rf"{name}: no video can be written to {message}; expected \.mp4, \.webm, \.mkv, \.avi"
    ):
        write_video(pictures(2), tmp_path / name, 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "usual"),
    [(".mp4", "vp9"), (".webm", "vp9"), (".mkv", "vp9"), (".avi", "mpeg4"), (".MP4", "vp9"), (".txt", None)],
)
def test_all_codecs_of_a_container_are_there_and_the_first_is_taken(tmp_path, suffix, usual):
    assert available_codecs(suffix) == CODECS.get(suffix.lower(), ())
    if usual:
        write_video(pictures(1), tmp_path / f"out{suffix}", 10)
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            assert container.streams.video[0].codec_context.name == usual


def test_where_an_encoder_is_missing_the_next_codec_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(video_writing, "_is_there", lambda encoder: encoder in ("libx264", "mpeg4"))
    available_codecs.cache_clear()
    try:
        write_video(pictures(1), tmp_path / "out.mp4", 10)
        assert available_codecs(".mp4") == ("h264", "mpeg4") and not available_codecs(".webm")
    finally:
        available_codecs.cache_clear()
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_a_size_that_a_codec_does_not_support_is_refused_and_no_file_is_left(tmp_path):
    with pytest.raises(
        ReidopsError,
        match=r"out\.mp4: FFmpeg cannot write pictures of 20000 × 2 px with the codec 'mpeg4' .*another codec: vp9, "
        r"h264",
    ):
        write_video(pictures(1, 20000, 2), tmp_path / "out.mp4", 10, codec="mpeg4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codec", CODECS[".mp4"])
def test_no_encoder_talks_on_the_terminal(tmp_path, capfd, codec):
    write_video(pictures(2), tmp_path / "out.mp4", 10, codec=codec)
    assert capfd.readouterr() == ("", "")


def test_pictures_of_two_sizes_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(
        ReidopsError, match=r"out\.mp4: picture 3 is 32 × 48 px, the first was 64 × 48; a video has one size: scale"
    ):
        write_video([*pictures(2), *pictures(1, width=32)], tmp_path / "out.mp4", 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 3)),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_colour_picture_is_refused(tmp_path, picture):
    with pytest.raises(ReidopsError, match=r"out\.mp4: picture 1 is .* expected BGR uint8 \[h, w, 3\]"):
        write_video([picture], tmp_path / "out.mp4", 10)


def test_a_video_of_nothing_is_refused(tmp_path):
    with pytest.raises(ReidopsError, match=r"out\.mp4: no picture was written, and a video has at least one"):
        write_video([], tmp_path / "out.mp4", 10)


@pytest.mark.parametrize("rate", [0, -1, 1e-10, float("nan"), float("inf"), 1001])
def test_a_frame_rate_that_is_none_is_refused(tmp_path, rate):
    with pytest.raises(ReidopsError, match=r"out\.mp4: a frame rate of .* expected 0.001 … 1000"):
        write_video(pictures(1), tmp_path / "out.mp4", rate)


def test_a_broken_off_video_leaves_the_former_one_untouched(tmp_path):
    write_video(pictures(2), tmp_path / "out.mp4", 10)
    before = (tmp_path / "out.mp4").read_bytes()
    with pytest.raises(KeyboardInterrupt), open_video(tmp_path / "out.mp4", 10) as video:
        video.write(pictures(1)[0])
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == before


@pytest.mark.parametrize("name", ["a:b.mp4", "%d 100%.mp4", "größe.mp4", "-y.mp4"])
def test_any_name_will_do(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(pictures(2), name, 10)
    assert os.listdir() == [name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("suffix", CODECS)
def test_a_full_disk_is_reported_and_no_file_is_left(tmp_path, suffix):
    (tmp_path / f".out{suffix}.partial").symlink_to("/dev/full")
    with pytest.raises(ReidopsError, match=rf"out\{suffix}: no space is left on its disk"):
        write_video(pictures(2), tmp_path / f"out{suffix}", 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kept", "left"), [(0.02, 0), (0.5, 2), (0.99, 4)])
def test_a_file_without_all_its_pictures_is_refused(tmp_path, kept, left):
    path = tmp_path / "out.mp4"
    with (
        pytest.raises(ReidopsError, match=rf"out\.mp4: holds {left} of 5 pictures; is the disk full"),
        open_video(path, 10) as video,
    ):
        for picture in np.random.default_rng(0).integers(0, 255, (5, 96, 160, 3), np.uint8):
            video.write(picture)
        video.close()
        partial = next(tmp_path.iterdir())
        partial.write_bytes(partial.read_bytes()[: int(kept * partial.stat().st_size)])
    assert not list(tmp_path.iterdir())
