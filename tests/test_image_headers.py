"""Completeness and size of an image file are read from its bytes without decoding it."""

import struct

import cv2
import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, read_size

SHAPES = [(1, 1), (17, 300), (720, 31)]


def encoded(suffix: str, shape: tuple[int, int] = (17, 30), *options: int) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return cv2.imencode(suffix, picture, list(options))[1].tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_the_size_in_the_header_is_the_size_of_the_picture(suffix: str, shape: tuple[int, int]) -> None:
    assert read_size(encoded(suffix, shape), "a") == shape[::-1]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_progressive_jpeg_has_its_size(shape: tuple[int, int]) -> None:
    assert read_size(encoded(".jpg", shape, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "a") == shape[::-1]


def test_a_jpeg_may_have_fill_bytes_and_a_tail() -> None:
    data = encoded(".jpg")
    assert read_size(data[:2] + b"\xff\xff" + data[2:] + b"\0" * 30, "a") == (30, 17)


def test_a_bmp_stored_from_the_top_and_one_of_os2_have_their_size() -> None:
    data = bytearray(encoded(".bmp"))
    data[22:26] = struct.pack("<i", -17)
    assert read_size(bytes(data), "a") == (30, 17)
    pixels = bytes(3 * 8 * 5)
    old = struct.pack("<2sIIIIHHHH", b"BM", 26 + len(pixels), 0, 26, 12, 8, 5, 1, 24) + pixels
    assert read_size(old, "a") == (8, 5)


def test_a_bmp_may_state_a_wrong_file_size() -> None:
    data = bytearray(encoded(".bmp"))
    for said in (0, len(data) + 2):
        data[2:6] = struct.pack("<I", said)
        assert read_size(bytes(data), "a") == (30, 17)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".png", "PNG"), (".bmp", "BMP")])
@pytest.mark.parametrize("kept", [12, 40, 400, -1])
def test_a_truncated_file_is_reported(suffix: str, kind: str, kept: int) -> None:
    data = encoded(suffix)[:kept]
    with pytest.raises(
        ReidopsError, match=f"a/b: the {kind} is cut off after {len(data)} bytes; copy or unpack it again"
    ):
        check_whole(data, "a/b")


def test_an_empty_file_is_reported() -> None:
    with pytest.raises(ReidopsError, match="a/b: is empty"):
        check_whole(b"", "a/b")


@pytest.mark.parametrize("data", [b"GIF89a" + bytes(40), b"<html>not found</html>", b"\xff\xd8\xff\xd9"])
def test_another_format_has_no_size_and_is_reported(data: bytes) -> None:
    with pytest.raises(ReidopsError, match="a/b: is not a JPEG, PNG or BMP"):
        read_size(data, "a/b")
