"""reidops/streams.py: cameras and addresses, with a capture object in place of a camera, and servers on localhost."""

import numpy as np
import pytest
from stream_servers import stream_server

from reidops.errors import ReidopsError
from reidops.streams import Stream, is_stream, shown


class Camera:
    """Connections that each give so many pictures; None = one that does not answer."""

    def __init__(self, *connections: int | None) -> None:
        self.connections, self.asked = list(connections), []

    def __call__(self, source):
        self.asked.append(source)
        return Capture(self.connections.pop(0) if self.connections else None)


class Capture:
    def __init__(self, num_pictures):
        self.left = num_pictures

    def isOpened(self):  # noqa: N802
        return self.left is not None

    def read(self):
        if not self.left:
            return False, None
        self.left -= 1
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop):
        return 0.0

    def release(self):
        pass


def numbers(camera, source="rtsp://me:secret@host/1"):
    return [number for number, _ in Stream(source, connect=camera, wait=lambda seconds: None).frames()]


def test_frames_count_on_after_a_break(caplog):
    assert numbers(Camera(3, None, 2)) == [1, 2, 3, 4, 5]
    assert "no picture after frame 3; connecting again (1 of 5)" in caplog.text
    assert "gone after frame 5" in caplog.text and "secret" not in caplog.text


def test_a_camera_is_asked_by_its_number():
    camera = Camera(1)
    numbers(camera, "0")
    assert camera.asked[0] == 0


def test_a_source_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(ReidopsError, match=r"rtsp://me:…@host/1: no picture comes from there"):
        numbers(Camera(None))


def test_addresses_and_numbers_are_streams_and_files_are_not():
    assert [is_stream(word) for word in ("rtsp://a", "HTTP://a/b.m3u8", "1", "a.mp4", "video/0")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert shown("rtsp://host/1") == "rtsp://host/1"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["http", "rtsp"])
def test_a_stream_that_breaks_off_is_connected_again_and_its_numbers_go_on(kind, caplog):
    with stream_server(kind, 6, 4) as address:
        got = list(Stream(address, wait=lambda seconds: None).frames())
    # A picture of MPEG-TS is complete when the next one begins, so that the last before a break is lost.
    lost = int(kind == "rtsp")
    shown_numbers = [*range(1, 7 - lost), *range(1, 5 - lost)]
    assert [number for number, _ in got] == list(range(1, len(shown_numbers) + 1))
    np.testing.assert_allclose([p.mean() for _, p in got], [20 * n for n in shown_numbers], atol=5)
    assert f"no picture after frame {6 - lost}; connecting again (1 of 5)" in caplog.text
    assert f"gone after frame {len(got)}" in caplog.text
