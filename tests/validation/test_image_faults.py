"""Images that cannot be read whole are told."""

import cv2
import numpy as np
import pytest

from reidops.validation.images import decode_grey, image_fault, inspect_image


@pytest.fixture
def jpeg() -> bytes:
    picture = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_a_whole_jpeg_has_no_fault(jpeg, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert inspect_image(tmp_path / "a.jpg") == ("", 30, 40)


def test_a_jpeg_that_breaks_off_is_told_without_decoding(jpeg):
    assert "breaks off" in image_fault(jpeg[: len(jpeg) * 3 // 4])


def test_grey_pictures_keep_their_size(jpeg):
    assert decode_grey(jpeg).shape == (40, 30)


def test_a_padded_jpeg_is_whole(jpeg):
    assert image_fault(jpeg + bytes(100)) == ""


@pytest.mark.parametrize(("content", "fault"), [(b"", "zero bytes"), (b"<html>no picture</html>", "is no image")])
def test_what_is_no_image_is_told(content, fault, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    assert inspect_image(tmp_path / "a.jpg") == (fault, 0, 0)
