"""reidops/embedding/resizing.py: without OpenCV the network gets the same pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops.embedding import resizing

SIDES = st.integers(2, 260)


@given(SIDES, SIDES, st.sampled_from([(96, 48), (128, 64), (16, 8)]), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_numpy_resizes_as_opencv_does_within_one_grey_level(height, width, size, seed):
    crop = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    shrinks = height >= size[0] and width >= size[1]
    expected = cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    resized = resizing.resize_without_opencv(crop, *size)
    assert resized.shape == (*size, 3) and resized.dtype == np.uint8
    assert np.abs(resized.astype(int) - expected.astype(int)).max() <= 1


def test_without_opencv_the_network_still_gets_rgb(monkeypatch):
    blue_in_bgr = np.tile(np.array([200, 0, 0], np.uint8), (80, 40, 1))
    monkeypatch.setattr(resizing, "cv2", None)
    assert resizing.resize_crop(blue_in_bgr, 64, 32)[5, 5].tolist() == [0, 0, 200]


def test_a_crop_of_the_networks_size_is_unchanged_without_opencv():
    crop = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    assert np.array_equal(resizing.resize_without_opencv(crop, 64, 32), crop)


@pytest.mark.parametrize(
    "crop", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), [1, 2], np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_crop_is_named_by_its_index(crop):
    with pytest.raises(resizing.ReidopsError, match="crop 1 is"):
        resizing.resize_crops([np.zeros((4, 4, 3), np.uint8), crop], 8, 4)
