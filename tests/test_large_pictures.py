"""A small file with a very large picture is rejected by its header, before a decoder allocates memory."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reidops.boxes.box_crops import read_picture
from reidops.datasets.packing import CropSource, pack_crops
from reidops.embedding.images import CropStore
from reidops.errors import ReidopsError
from reidops.image_headers import MAX_PIXELS_VARIABLE, check_size, stated_size
from reidops.validation.image_faults import decode_colour, inspect_image
from reidops.videos import read_video

WIDTH, HEIGHT = 20_000, 15_000
REFUSED = (
    r"000001\.png: .*20,000 × 15,000 px, more than the limit of 100,000,000 pixels; .*"
    r" raise download\.max_pixels in params\.yaml"
)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _packed_zeros(num_bytes: int, part: int = 6_000_100) -> bytes:
    """Return what zlib makes of so many zeros, a multiple of `part`, of which one is packed and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">HH", num_bytes % 65521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + block * (num_bytes // part) + b"\x03\x00" + checksum


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sound RGB PNG of 20,000 × 15,000 black pixels, 900 MB of them, in less than 1 MB."""
    path = tmp_path_factory.mktemp("bomb") / "000001.png"
    pixels = _packed_zeros(HEIGHT * (1 + 3 * WIDTH))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b""))
    assert path.stat().st_size < 1_000_000
    return path


@pytest.fixture(autouse=True)
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that comes as far as to decode."""

    def decode(*_: object) -> None:
        raise AssertionError("the decoder was called")

    monkeypatch.setattr(cv2, "imdecode", decode)


def test_a_very_large_frame_is_an_error_before_it_is_decoded(bomb: Path) -> None:
    with pytest.raises(ReidopsError, match=REFUSED):
        read_picture(bomb)


def test_a_very_large_frame_is_not_cut(bomb: Path, tmp_path: Path) -> None:
    source = CropSource("imgs/a.jpg", str(bomb), box=(0, 0, 9, 9), frame_size=(WIDTH, HEIGHT))
    with pytest.raises(ReidopsError, match=REFUSED):
        pack_crops([source], tmp_path / "crops.tar", workers=1)


def test_a_very_large_crop_is_not_packed(bomb: Path, tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=REFUSED):
        pack_crops([CropSource("imgs/a.png", str(bomb))], tmp_path / "crops.tar", workers=1)


def test_a_very_large_crop_in_a_tar_is_an_error_before_it_is_decoded(bomb: Path) -> None:
    table = pd.DataFrame({"path": ["imgs/000001.png"], "offset": [0], "size": [bomb.stat().st_size]})
    with pytest.raises(ReidopsError, match=REFUSED):
        CropStore(bomb, table).decode(0)


def test_validation_finds_a_very_large_picture_without_decoding_it(bomb: Path) -> None:
    fault, width, _ = inspect_image(bomb)
    assert "20,000 × 15,000 px" in fault and np.isnan(width)
    assert decode_colour(bomb.read_bytes()) is None


def test_a_video_of_very_large_pictures_is_an_error(bomb: Path) -> None:
    with pytest.raises(ReidopsError, match=REFUSED):
        next(read_video(bomb.parent).frames())


@pytest.mark.parametrize("kind", ["webp", "tiff", "gif", "ppm"])
def test_the_size_of_other_formats_is_read_from_their_header_too(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (30, 17)).save(file, kind)
    assert stated_size(file.getvalue()) == (30, 17)


def test_files_without_a_size_are_not_decoded(tmp_path: Path) -> None:
    (tmp_path / "000001.png").write_bytes(b"v/1\x01" + bytes(100))
    with pytest.raises(ReidopsError, match="are no whole picture"):
        read_picture(tmp_path / "000001.png")


def test_the_limit_counts_pixels_and_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, str(WIDTH * HEIGHT))
    check_size(WIDTH, HEIGHT, "a.png")
    with pytest.raises(ReidopsError, match="a.png"):
        check_size(WIDTH, HEIGHT + 1, "a.png")


@pytest.mark.slow
def test_every_stage_reads_the_limit_from_the_params_file(root: Path, tmp_path: Path) -> None:
    params = (root / "params.yaml").read_text()
    assert "  max_pixels: 100000000" in params
    (tmp_path / "params.yaml").write_text(params.replace("max_pixels: 100000000", "max_pixels: 12345"))
    code = (
        "import os, sys; from pathlib import Path; from stages import run_stage\n"
        "def embed(raw: Path): print(os.environ['REIDOPS_MAX_PIXELS'])\n"
        f"sys.argv = ['embed', '--raw', 'r', '--params', {str(tmp_path / 'params.yaml')!r}]; run_stage(embed)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert ended.stdout.strip() == "12345"
