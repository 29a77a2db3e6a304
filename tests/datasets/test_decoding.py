"""A damaged picture differs from a whole one by what its decoder complains about."""

import os

import cv2
import numpy as np
import pytest

from reidops.datasets.decoding import decode_whole


@pytest.fixture
def jpeg() -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.GaussianBlur(picture, (9, 9), 0))[1].tobytes()


def test_a_whole_jpeg_decodes_as_imread_does_it_and_without_complaint(jpeg: bytes) -> None:
    image, complaint = decode_whole(jpeg)
    assert complaint == ""
    assert np.array_equal(image, cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("place", [0.3, 0.5, 0.9])
def test_a_hole_in_the_middle_is_complained_about(jpeg: bytes, place: float) -> None:
    start = int(place * len(jpeg))
    image, complaint = decode_whole(jpeg[:start] + jpeg[start + 500 :])
    assert image.shape == (240, 320, 3)
    assert complaint.startswith("Corrupt JPEG data")


def test_more_than_half_of_random_damage_is_complained_about(jpeg: bytes) -> None:
    rng = np.random.default_rng(1)
    heard = 0
    for start in rng.integers(1000, len(jpeg) - 400, 40):
        noise = rng.integers(0, 256, 300, dtype=np.uint8).tobytes()
        heard += bool(decode_whole(jpeg[:start] + noise + jpeg[start + 300 :])[1])
    assert heard > 20


def test_padding_before_the_end_hurts_nothing(jpeg: bytes) -> None:
    image, complaint = decode_whole(jpeg[:-2] + bytes(20) + jpeg[-2:])
    assert complaint == ""
    assert np.array_equal(image, decode_whole(jpeg)[0])


def test_what_is_no_image_is_none() -> None:
    assert decode_whole(b"<html>not found</html>")[0] is None


def test_a_header_that_states_billions_of_pixels_is_no_image(jpeg: bytes) -> None:
    place = jpeg.index(b"\xff\xc0") + 5  # height and width
    assert decode_whole(jpeg[:place] + (60_000).to_bytes(2) * 2 + jpeg[place + 4 :])[0] is None


def test_the_standard_error_stream_is_as_before(jpeg: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    decode_whole(jpeg[:3000] + jpeg[4000:])
    os.write(2, b"said afterwards")
    assert capfd.readouterr().err == "said afterwards"
