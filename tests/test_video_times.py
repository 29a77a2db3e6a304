"""Videos whose frame rate varies keep their times, and a header that states too many frames is no damage."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_video import write_drawn_video

from reidops.tracking.pictures.video_writing import open_video
from reidops.videos import read_video, varying_times

TIMES_MS = [0, 40, 80, 120, 620, 1120, 1160, 1200]


def write_times(path: Path, times_ms: list[int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for place, ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * place, np.uint8), format="bgr24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_varying_rate_is_found_and_every_frame_is_read(tmp_path, suffix):
    video = read_video(write_times(tmp_path / f"v{suffix}", TIMES_MS))
    np.testing.assert_allclose(video.times, np.array(TIMES_MS) / 1000, atol=0.002)
    assert len(list(video.frames())) == video.num_frames == len(TIMES_MS)
    assert video.frame_rate == pytest.approx(7 / 1.2, rel=0.01)


def test_a_constant_rate_has_no_times_of_its_own(tmp_path):
    assert read_video(write_times(tmp_path / "v.mp4", list(range(0, 400, 40)))).times in (None, [])


def test_the_output_is_shown_at_the_times_of_the_source(tmp_path):
    times = [ms / 1000 for ms in TIMES_MS]
    with open_video(tmp_path / "out.mp4", 10.0, times=times) as writer:
        for _ in times:
            writer.write(np.zeros((48, 64, 3), np.uint8))
    np.testing.assert_allclose(varying_times(tmp_path / "out.mp4"), times, atol=0.002)


def test_a_header_that_states_too_many_frames_is_no_damage(tmp_path):
    path = write_drawn_video(tmp_path / "v.avi", 10)
    data = bytearray(path.read_bytes())
    header, stream = data.index(b"avih") + 8 + 16, data.index(b"strh") + 8 + 32
    for place in (header, stream):
        assert int.from_bytes(data[place : place + 4], "little") == 10
        data[place : place + 4] = (40).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    assert len(list(read_video(path).frames())) == 10
