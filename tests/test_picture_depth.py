"""reidops/picture_depth.py: frames of cameras with 10 or 12 bits in 16-bit files are refused, not read as black."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reidops.boxes.box_crops import read_picture
from reidops.datasets.packing import CropSource, pack_crops
from reidops.errors import ReidopsError

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


@pytest.mark.parametrize("factor", [257, 0])
def test_a_frame_that_uses_all_16_bits_or_is_black_is_read(tmp_path, factor):
    assert read_picture(write(tmp_path / "000001.png", factor)).max() == (255 if factor else 0)
