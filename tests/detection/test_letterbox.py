import numpy as np
import pytest

from reidops.detection.letterbox import letterbox, pad


def test_a_wide_picture_is_scaled_to_the_width_and_lies_in_the_middle():
    picture = np.full((100, 200, 3), 255, np.uint8)
    placed, placement = letterbox(picture, 64, 100)
    assert placed.shape == (64, 100, 3)
    assert (placed[7:57] == 255).all() and (placed[:7] == 114).all() and (placed[57:] == 114).all()
    assert (placement.left, placement.top, placement.scale_x, placement.scale_y) == (0, 7, 0.5, 0.5)


def test_a_small_picture_is_enlarged():
    assert letterbox(np.zeros((10, 10, 3), np.uint8), 40, 80)[1].scale_x == 4


def test_padding_scales_nothing_and_makes_sides_multiples_of_32():
    picture = np.full((33, 64, 3), 9, np.uint8)
    placed, placement = pad(picture)
    assert placed.shape == (64, 64, 3)
    assert (placed[15:48] == 9).all()
    assert (placement.scale_x, placement.scale_y, placement.top) == (1, 1, 15)


@pytest.mark.parametrize(("height", "width"), [(64, 100), (333, 47), (640, 640)])
def test_a_white_rectangle_comes_back_to_where_it_was(height, width):
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[40:100, 60:140] = 255
    placed, placement = letterbox(picture, height, width)
    # The grey of the rim is 114: what is brighter is the rectangle, but for the blur of its edges.
    rows, columns = np.nonzero(placed[..., 0] > 127)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    np.testing.assert_allclose(placement.restore(box), [[60, 40, 140, 100]], atol=1 / placement.scale_x)
