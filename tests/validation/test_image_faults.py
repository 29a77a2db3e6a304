"""Images that cannot be read whole are told."""

import cv2
import numpy as np
import pytest

from reidops.validation.images import crop_fault, decode_grey, image_fault, inspect_image


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
def test_a_picture_that_breaks_off_is_told_without_decoding(suffix):
    cut = encoded(suffix)[: len(encoded(suffix)) * 3 // 4]
    assert "is cut off" in image_fault(cut)
    assert "is cut off" in crop_fault(cut, 30, 40)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_is_damaged_in_its_middle_is_found_when_it_is_decoded(suffix):
    damaged = bytearray(encoded(suffix))
    middle = len(damaged) // 2
    damaged[middle : middle + 60] = b"\xff\xd0" * 30  # restart markers where none belong
    assert image_fault(bytes(damaged)) == ""
    assert decode_grey(bytes(damaged))[0] != ""


def test_another_size_than_stated_is_told_without_decoding(jpeg):
    assert crop_fault(jpeg, 31, 40) == "the picture has 30 × 40 px, the table says 31 × 40"


def test_grey_pictures_keep_their_size(jpeg):
    fault, picture = decode_grey(jpeg)
    assert (fault, picture.shape) == ("", (40, 30))


def test_a_padded_jpeg_is_whole(jpeg):
    assert image_fault(jpeg + bytes(100)) == ""


@pytest.mark.parametrize(
    ("content", "fault"), [(b"", "is empty (0 bytes)"), (b"<html>no picture</html>", "is no image")]
)
def test_what_is_no_image_is_told(content, fault, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    told, width, height = inspect_image(tmp_path / "a.jpg")
    assert (told.startswith(fault), np.isnan(width), np.isnan(height)) == (True, True, True)
