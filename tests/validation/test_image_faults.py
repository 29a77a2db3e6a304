"""Incomplete and damaged images are reported."""

import cv2
import numpy as np
import pytest

from reidops.validation.image_faults import crop_fault, decode_grey, image_fault, inspect_image

pytestmark = pytest.mark.slow


def encoded(suffix: str) -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    return cv2.imencode(suffix, picture)[1].tobytes()


@pytest.fixture
def jpeg() -> bytes:
    return encoded(".jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_whole_picture_has_no_fault(suffix, tmp_path):
    (tmp_path / "picture").write_bytes(encoded(suffix))
    assert inspect_image(tmp_path / "picture") == ("", 30, 40)
    assert crop_fault(encoded(suffix), 30, 40) == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_truncated_picture_is_reported_without_decoding(suffix):
    cut = encoded(suffix)[: len(encoded(suffix)) * 3 // 4]
    assert "is cut off" in image_fault(cut)
    assert "is cut off" in crop_fault(cut, 30, 40)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_is_damaged_in_its_middle_is_detected_by_decoding(suffix):
    damaged = bytearray(encoded(suffix))
    middle = len(damaged) // 2
    damaged[middle : middle + 60] = b"\xff\xd0" * 30  # restart markers where none belong
    assert image_fault(bytes(damaged)) == ""
    assert decode_grey(bytes(damaged))[0] != ""


def test_a_wrong_size_is_reported_without_decoding(jpeg):
    assert all(size in crop_fault(jpeg, 31, 40) for size in ("30 × 40", "31 × 40"))


def test_grey_pictures_keep_their_size(jpeg):
    fault, picture = decode_grey(jpeg)
    assert (fault, picture.shape) == ("", (40, 30))


def test_a_padded_jpeg_is_whole(jpeg):
    assert image_fault(jpeg + bytes(100)) == ""


@pytest.mark.parametrize(("content", "expected"), [(b"", "0 bytes"), (b"<html>no picture</html>", "image")])
def test_a_file_that_is_not_an_image_is_reported(content, expected, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    fault, width, height = inspect_image(tmp_path / "a.jpg")
    assert (expected in fault, np.isnan(width), np.isnan(height)) == (True, True, True)
