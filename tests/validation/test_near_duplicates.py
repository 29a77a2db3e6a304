"""Difference hashes of one picture are near, of different pictures far apart; the search is exact."""

import cv2
import numpy as np
import pytest

from reidops.validation.near_duplicates import NUM_BITS, difference_hash, nearest_hashes

pytestmark = pytest.mark.slow


def drawn_people(num: int) -> list[np.ndarray]:
    """Return different smooth grey pictures, uint8 [128, 64]."""
    rng = np.random.default_rng(3)
    coarse = [rng.integers(0, 255, (12, 6), dtype=np.uint8) for _ in range(num)]
    return [cv2.resize(picture, (64, 128), interpolation=cv2.INTER_CUBIC) for picture in coarse]


def differing_bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_scaling_and_encoding_again_changes_at_most_three_bits():
    for picture in drawn_people(20):
        smaller = cv2.resize(picture, (48, 96), interpolation=cv2.INTER_AREA)
        again = cv2.imdecode(cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_GRAYSCALE)
        assert differing_bits(difference_hash(picture), difference_hash(again)) <= 3


def test_different_pictures_have_distant_hashes():
    hashes = [difference_hash(picture) for picture in drawn_people(30)]
    assert min(differing_bits(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 8


def test_a_bit_is_set_where_the_picture_gets_brighter_to_the_right():
    ramp = np.tile(np.arange(0, 255, 255 // 9, dtype=np.uint8)[:9], (8, 1))
    assert difference_hash(ramp) == 2**64 - 1
    assert difference_hash(ramp[:, ::-1].copy()) == 0


def test_the_nearest_hash_equals_that_of_a_plain_loop():
    rng = np.random.default_rng(5)
    hashes, others = (rng.integers(0, 2**64, n, dtype=np.uint64) for n in (300, 70))
    nearest, bits = nearest_hashes(hashes, others)
    for i, value in enumerate(hashes):
        expected = [differing_bits(int(value), int(other)) for other in others]
        assert (bits[i], nearest[i]) == (min(expected), expected.index(min(expected)))


def test_without_other_hashes_the_distance_is_above_all_bits():
    _, bits = nearest_hashes(np.zeros(2, np.uint64), np.zeros(0, np.uint64))
    assert bits.tolist() == [NUM_BITS + 1] * 2
