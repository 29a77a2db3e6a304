"""Videos of phones and cameras: rotated by their header, with 10 bits per channel, and in other pixel formats."""

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from reidops.track import main as track
from reidops.videos import read_video

WIDTH, HEIGHT, NUM_FRAMES = 128, 64, 6
# Matrices of a track header in 16.16 fixed point, by clockwise rotation (ISO/IEC 14496-12, section 8.3.2).
_ONE, _FULL = 1 << 16, 1 << 30
MATRICES = {
    90: (0, _ONE, 0, -_ONE, 0, 0, HEIGHT * _ONE, 0, _FULL),
    180: (-_ONE, 0, 0, 0, -_ONE, 0, WIDTH * _ONE, HEIGHT * _ONE, _FULL),
    270: (0, -_ONE, 0, _ONE, 0, 0, 0, WIDTH * _ONE, _FULL),
}
TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def picture() -> np.ndarray:
    """Return BGR uint8 [64, 128, 3] with a different colour in each quarter."""
    colours = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [180, 180, 180]]], np.uint8)
    return colours.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)


def write_video(path: Path, codec: str = "mpeg4", pixels: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for _ in range(NUM_FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="bgr24").reformat(format=pixels)))
        container.mux(stream.encode())
    return path


def rotate(path: Path, degrees: int) -> Path:
    """Write the rotation into the track header of an mp4, as a phone does that is held upright."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", *MATRICES[degrees])
    path.write_bytes(bytes(data))
    return path


def assert_shows(path: Path, expected: np.ndarray) -> None:
    frames = [frame for _, frame in read_video(path).frames()]
    assert len(frames) == NUM_FRAMES
    for frame in frames:
        assert frame.shape == expected.shape and frame.dtype == np.uint8
        assert np.abs(frame.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("degrees", TURNS)
def test_a_rotated_video_is_read_as_it_is_shown(tmp_path, degrees):
    path = rotate(write_video(tmp_path / "phone.mp4"), degrees)
    assert_shows(path, cv2.rotate(picture(), TURNS[degrees]))


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("hevc10.mp4", "libx265", "yuv420p10le"),
        ("avc10.mkv", "libx264", "yuv420p10le"),
        ("avc422.mp4", "libx264", "yuv422p10le"),
        ("ffv1.mkv", "ffv1", "yuv420p10le"),
        ("grey10.mkv", "ffv1", "gray10le"),
        ("full.mp4", "libx264", "yuv444p"),
    ],
)
def test_ten_bits_and_other_pixel_formats_become_eight_bits_of_the_same_colour(tmp_path, name, codec, pixels):
    path = write_video(tmp_path / name, codec, pixels)
    grey = cv2.cvtColor(cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert_shows(path, grey if "gray" in pixels else picture())


def test_boxes_of_a_rotated_video_are_of_the_picture_that_is_shown(tmp_path):
    path = rotate(write_video(tmp_path / "phone.mp4"), 90)
    lines = [f"{n},-1,11,61,20,50,0.9\n" for n in range(1, NUM_FRAMES + 1)]
    (tmp_path / "det.txt").write_text("".join(lines))
    words = ["--model", "none", "--tracker", "sort", "--detections", str(tmp_path / "det.txt")]
    with pytest.raises(SystemExit, match="^0$"):
        track([str(path), *words, "--output", str(tmp_path / "out.mp4"), "--results", str(tmp_path / "out.txt")])
    rows = np.loadtxt(tmp_path / "out.txt", delimiter=",")
    np.testing.assert_allclose(rows[:, 2:6], [[11, 61, 20, 50]] * len(rows), atol=0.1)
    assert next(iter(read_video(tmp_path / "out.mp4").frames()))[1].shape == (WIDTH, HEIGHT, 3)
