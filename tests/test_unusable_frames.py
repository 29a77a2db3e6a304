"""Frames that are no usable pictures: 10 or 12 bits in 16-bit files, which would be read as black, and pointers."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reidops.boxes.box_crops import read_picture
from reidops.datasets.packing import CropSource, pack_crops
from reidops.errors import ReidopsError
from reidops.image_headers import read_size

RAMP = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint16)


def write(path: Path, factor: int) -> Path:
    cv2.imwrite(str(path), RAMP * factor)
    return path


def test_a_frame_with_12_of_16_bits_is_refused_by_convert_and_by_tracking(tmp_path):
    frame = write(tmp_path / "000001.png", 16)
    fault = "000001.png: has 16 bits and no value above 4,080 of 65,535.*scale the pictures to 8 bits"
    with pytest.raises(ReidopsError, match=fault):
        pack_crops([CropSource("a.jpg", str(frame), (0, 0, 9, 19), (60, 40))], tmp_path / "crops.tar", workers=1)
    with pytest.raises(ReidopsError, match=fault):
        read_picture(frame)


def test_a_frame_that_is_a_pointer_of_git_lfs_is_named_with_the_command(tmp_path):
    pointer = tmp_path / "000001.jpg"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    fault = "000001.jpg: is a pointer of Git LFS instead of the picture; run `git lfs pull`"
    with pytest.raises(ReidopsError, match=fault):
        pack_crops([CropSource("a.jpg", str(pointer), (0, 0, 9, 19), (60, 40))], tmp_path / "crops.tar", workers=1)
    with pytest.raises(ReidopsError, match=fault):
        read_picture(pointer)
    with pytest.raises(ReidopsError, match=fault):
        read_size(pointer.read_bytes(), str(pointer))


@pytest.mark.parametrize("factor", [257, 0])
def test_a_frame_that_uses_all_16_bits_or_is_black_is_read(tmp_path, factor):
    assert read_picture(write(tmp_path / "000001.png", factor)).max() == (255 if factor else 0)
