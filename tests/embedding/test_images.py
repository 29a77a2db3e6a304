"""reidops/embedding/images.py: one way from a crop to the network's input, and no crop is lost in silence."""

import cv2
import numpy as np
import pandas as pd
import pytest
from drawn_crops import write_crops

from reidops.embedding.images import CropStore, GrowingImages, ImageBatches, load_images, run_ahead
from reidops.embedding.resizing import resize_crop, resize_crops
from reidops.errors import ReidopsError
from reidops.tables import CROPS, read_table


@pytest.fixture
def store(tmp_path):
    data = write_crops(tmp_path)
    return CropStore(data / "crops" / "crops.tar", read_table(data / "crops" / "crops.parquet", CROPS))


def damage(path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as stream:
        stream.seek(offset)
        stream.write(content)


def test_the_store_gives_the_pixels_of_the_jpeg_in_the_tar(store, tmp_path):
    import tarfile

    table = read_table(tmp_path / "crops" / "crops.parquet", CROPS)
    with tarfile.open(tmp_path / "crops" / "crops.tar") as tar:
        for i in (0, 7, len(table) - 1):
            encoded = np.frombuffer(tar.extractfile(table["path"][i]).read(), np.uint8)
            assert np.array_equal(store.decode(i), cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def test_training_and_serving_resize_alike(store):
    served = resize_crops([store.decode(i) for i in range(len(store))], 64, 32)
    assert np.array_equal(load_images(store, np.arange(len(store)), 64, 32), served)


def test_a_resized_crop_is_rgb():
    blue_in_bgr = np.zeros((20, 10, 3), np.uint8)
    blue_in_bgr[..., 0] = 200
    assert resize_crop(blue_in_bgr, 64, 32)[5, 5].tolist() == [0, 0, 200]


def test_a_crop_of_the_input_size_keeps_its_pixels():
    crop_bgr = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    assert np.array_equal(resize_crop(crop_bgr, 64, 32), crop_bgr[:, :, ::-1])


def test_halving_averages_two_by_two_pixels():
    crop_bgr = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    means = crop_bgr.reshape(4, 2, 3, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(resize_crop(crop_bgr, 4, 3) - means).max() <= 0.5


@pytest.mark.parametrize(
    "crop", [np.zeros((0, 10, 3), np.uint8), np.zeros((9, 9, 3), float), np.zeros((9, 9), np.uint8), "crop.jpg"]
)
def test_what_is_no_crop_is_named_by_its_place(crop):
    with pytest.raises(ReidopsError, match="crop 1 is .* expected a non-empty uint8 array"):
        resize_crops([np.zeros((9, 9, 3), np.uint8), crop], 64, 32)


@pytest.mark.parametrize("place", ["beginning", "end"])
def test_a_corrupt_crop_is_named(tmp_path, place):
    data = write_crops(tmp_path)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    offset = table["offset"][4] + (0 if place == "beginning" else table["size"][4] - 40)
    damage(data / "crops" / "crops.tar", int(offset), bytes(40))
    store = CropStore(data / "crops" / "crops.tar", table)
    with pytest.raises(ReidopsError, match=table["path"][4]):
        load_images(store, np.arange(len(table)), 64, 32)


@pytest.mark.parametrize("kind", [".png", ".bmp", ".jpg"])
def test_a_crop_in_any_common_format_is_read_and_a_cut_one_is_named(tmp_path, kind):
    crop_bgr = np.random.default_rng(0).integers(0, 256, (40, 20, 3), np.uint8)
    encoded = cv2.imencode(kind, crop_bgr)[1].tobytes()
    cut = encoded[: 2 * len(encoded) // 3]
    (tmp_path / "crops.tar").write_bytes(encoded + cut)
    sizes = [len(encoded), len(cut)]
    table = pd.DataFrame({"path": [f"whole{kind}", f"cut{kind}"], "offset": [0, len(encoded)], "size": sizes})
    store = CropStore(tmp_path / "crops.tar", table)
    assert np.array_equal(store.decode(0), cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR))
    with pytest.raises(ReidopsError, match=rf"cut{kind} .*JPEG, PNG or BMP"):
        store.decode(1)


def test_running_ahead_keeps_the_order_and_hands_errors_on():
    def count():
        yield from range(5)
        raise ReidopsError("the sixth")

    seen = []
    with pytest.raises(ReidopsError, match="the sixth"):
        seen.extend(item for item in run_ahead(count(), 2))
    ahead = run_ahead(iter(range(7)), 3)
    assert list(ahead) == list(range(7))


def test_a_tar_that_was_cut_short_names_the_first_crop_that_is_missing(tmp_path):
    data = write_crops(tmp_path)
    table = read_table(data / "crops" / "crops.parquet", CROPS)
    last = table.iloc[-1]
    with open(data / "crops" / "crops.tar", "r+b") as stream:
        stream.truncate(int(last["offset"]) + 10)
    with pytest.raises(ReidopsError, match=last["path"]):
        CropStore(data / "crops" / "crops.tar", table).decode(len(table) - 1)


def test_a_missing_tar_says_how_to_make_it(tmp_path):
    data = write_crops(tmp_path)
    with pytest.raises(ReidopsError, match="dvc repro convert"):
        CropStore(tmp_path / "nowhere.tar", read_table(data / "crops" / "crops.parquet", CROPS))


def test_batches_are_the_same_from_memory_and_from_the_tar(store):
    rows = np.arange(10, 30)
    orders = [np.array([3, 0, 3]), np.array([19, 5, 1]), np.array([7, 8, 9])]
    kept = list(ImageBatches(store, rows, 64, 32).stream(orders))
    decoded = list(ImageBatches(store, rows, 64, 32, memory_bytes=0).stream(orders))
    for order, (indices, images), (_, again) in zip(orders, kept, decoded, strict=True):
        assert np.array_equal(indices, order)
        assert np.array_equal(images, load_images(store, rows[order], 64, 32)) and np.array_equal(images, again)


def test_the_memory_of_kept_crops_is_that_of_the_smaller_of_crop_and_image():
    class Crops:
        """Crops of 10 × 10, 20 × 10 (the size of the image), 64 × 3 and 40 × 30 px."""

        sizes = ((10, 10), (20, 10), (64, 3), (40, 30))

        def decode(self, i: int) -> np.ndarray:
            return np.random.default_rng(i).integers(0, 256, (*self.sizes[i], 3), np.uint8)

    batches = ImageBatches(Crops(), np.arange(4), 20, 10)
    assert sum(kept.size for kept in batches._kept) == 3 * (10 * 10 + 20 * 10 + 64 * 3 + 20 * 10)
    assert np.array_equal(batches.batch(np.arange(4)), load_images(Crops(), np.arange(4), 20, 10))


@pytest.mark.parametrize("early", [[(0.6, 64, 32), (0.3, 32, 16)], [(0.3, 64, 32), (0.3, 32, 16)]])
def test_early_sizes_whose_shares_do_not_rise_are_refused(early):
    with pytest.raises(ReidopsError, match=r"the shares of early_sizes are \[.*\]"):
        GrowingImages(ImageBatches, (128, 64), early)


def test_images_grow_as_the_training_goes_on_and_one_size_is_kept():
    made = []

    class Batches:
        def __init__(self, height, width):
            made.append((height, width))
            self.size = height, width

    images = GrowingImages(Batches, (128, 64), [(0.25, 32, 16), (0.5, 64, 32)])
    assert [images.at(share).size for share in (0.0, 0.2, 0.25, 0.4, 0.5, 0.9)] == [
        (32, 16),
        (32, 16),
        (64, 32),
        (64, 32),
        (128, 64),
        (128, 64),
    ]
    assert made == [(32, 16), (64, 32), (128, 64)]
