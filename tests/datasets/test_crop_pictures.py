"""Pictures as phones, cameras and label tools write them are read right, or counted and named."""

import io
import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reidops.datasets.folder_per_identity import SET, holds_people
from reidops.datasets.packing import CropSource, pack_crops
from reidops.embedding.images import CropStore
from reidops.errors import ReidopsError
from reidops.image_headers import read_size

RGB = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (6, 3, 3), np.uint8), (24, 64), interpolation=cv2.INTER_NEAREST
)
GREY = np.broadcast_to(np.asarray(Image.fromarray(RGB).convert("L"))[..., None], RGB.shape)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def turned(form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {3: 2, 6: 1, 8: 3}[orientation]  # quarter turns that the orientation takes back
    return saved(Image.fromarray(np.rot90(RGB, back).copy()), form, exif=exif)


def encoded(suffix: str, picture: np.ndarray) -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def colours(mode: str) -> Image.Image:
    return Image.fromarray(RGB).convert(mode)


BGR = RGB[..., ::-1]
KINDS = {  # the file's bytes, what they show in RGB, by how much a decoder may differ on average
    "jpeg.jpg": (saved(colours("RGB"), "JPEG", quality=98, subsampling=0), RGB, 4),
    "turned-6.jpg": (turned("JPEG", 6), RGB, 12),
    "turned-8.JPG": (turned("JPEG", 8), RGB, 12),
    "turned-3.jpg": (turned("JPEG", 3), RGB, 12),
    "turned.png": (turned("PNG", 6), RGB, 0),
    "turned.webp": (turned("WEBP", 8), RGB, 15),
    "turned.tiff": (turned("TIFF", 6), RGB, 0),
    "cmyk.jpg": (saved(colours("CMYK"), "JPEG", quality=98), RGB, 12),
    "sixteen.png": (encoded(".png", BGR.astype(np.uint16) * 257), RGB, 1),
    "sixteen.tif": (encoded(".tiff", BGR.astype(np.uint16) * 257), RGB, 1),
    "alpha.png": (encoded(".png", np.dstack([BGR, np.full(BGR.shape[:2], 255, np.uint8)])), RGB, 0),
    "grey alpha.png": (saved(colours("LA"), "PNG"), GREY, 1),
    "grey.jpeg": (saved(colours("L"), "JPEG", quality=98), GREY, 4),
    "palette.png": (saved(Image.fromarray(RGB).quantize(64), "PNG"), RGB, 3),
    "one.webp": (saved(colours("RGB"), "WEBP", lossless=True), RGB, 0),
    "人物 é.bmp": (encoded(".bmp", BGR), RGB, 0),
    "camera.jfif": (saved(colours("RGB"), "JPEG", quality=98, subsampling=0), RGB, 4),
    "png as.jpg": (encoded(".png", BGR), RGB, 0),
    "webp as.jpg": (saved(colours("RGB"), "WEBP", lossless=True), RGB, 0),
    "jpeg as.png": (saved(colours("RGB"), "JPEG", quality=98, subsampling=0), RGB, 4),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_crop_is_packed_with_the_size_and_the_colours_that_it_shows(tmp_path: Path, name: str) -> None:
    data, shown, tolerance = KINDS[name]
    (tmp_path / name).write_bytes(data)
    packed = pack_crops([CropSource("imgs/a/0.jpg", str(tmp_path / name))], tmp_path / "crops.tar", workers=1)
    table = pd.DataFrame(packed, columns=["offset", "size", "width", "height"]).assign(path="imgs/a/0.jpg")
    assert (table["width"][0], table["height"][0]) == (24, 64)
    decoded = CropStore(tmp_path / "crops.tar", table).decode(0)[..., ::-1]
    assert decoded.shape == RGB.shape
    assert np.abs(decoded.astype(int) - shown).mean() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_of_a_turned_picture_is_that_of_the_decoded_one(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "PNG"):
        data = saved(colours("RGB"), form, exif=exif)
        assert read_size(data, "a")[::-1] == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("thermal.png", encoded(".png", GREY.astype(np.uint16)), "16 bits and no value above .* read as black; scale"),
        ("thermal.tif", encoded(".tiff", GREY[..., 0].astype(np.uint16)), "16 bits and no value above"),
        ("page.jpg", b"<html>not found</html>", "is a web page instead of a picture"),
        ("lfs.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("words.jpg", b"no picture", "no JPEG, PNG, BMP, WebP or TIFF that can be read"),
        ("float.tif", encoded(".tiff", GREY.astype(np.float32)), "no JPEG, PNG, BMP, WebP or TIFF"),
        ("empty.jpg", b"", "is empty"),
    ],
)
def test_a_picture_that_would_be_read_wrongly_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ReidopsError, match=f"{name}: .*{message}"):
        pack_crops([CropSource("imgs/a/0.jpg", str(tmp_path / name))], tmp_path / "crops.tar", workers=1)


def write_people(folder: Path, names: list[str], people: tuple[str, ...] = ("人物 1", "b c")) -> Path:
    for person in people:
        for name in names:
            path = folder / "train" / person / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(KINDS["jpeg.jpg"][0])
    return folder


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "jpeg", "jfif", "png", "bmp", "webp", "tif", "TIFF"])
def test_pictures_are_read_whatever_their_suffix(tmp_path: Path, suffix: str) -> None:
    crops, taken = SET.list_part(write_people(tmp_path, [f"0.{suffix}", "1.jpg"]), "train", "")
    assert len(crops) == 4 and taken == {"crops": 4}


def test_pictures_in_folders_below_a_persons_are_read(tmp_path: Path) -> None:
    folder = write_people(tmp_path, ["monday/0.jpg", "monday/late/0.jpg", "0.jpg", ".thumbs/0.jpg"])
    crops, _ = SET.list_part(folder, "train", "")
    assert holds_people(folder)
    assert sorted(crops["name"])[::2] == ["train_0.jpg", "train_monday_0.jpg", "train_monday_late_0.jpg"]


def test_a_few_pictures_that_are_passed_over_are_counted_and_named(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.WARNING)
    folder = write_people(tmp_path, [f"{i}.jpg" for i in range(20)])
    (folder / "train" / "b c" / "phone.HEIC").touch()
    (folder / "train" / "b c" / "label.txt").touch()
    _, taken = SET.list_part(folder, "train", "")
    assert taken == {"crops": 40, "pictures that are passed over (suffix)": 1}
    assert "1 of .heic are not read, 40 pictures are; supported are .jpg" in caplog.text


@pytest.mark.parametrize("others", [["1.heic"], ["1.gif", "2.avif"]])
def test_many_pictures_that_are_passed_over_are_an_error(tmp_path: Path, others: list[str]) -> None:
    folder = write_people(tmp_path, ["0.jpg", *others])
    with pytest.raises(ReidopsError, match=rf"2 of \.{others[0][2:]}.* are not read, .*supported are .*convert them"):
        SET.list_part(folder, "train", "")


def test_a_person_without_a_picture_that_is_read_names_what_is_there(tmp_path: Path) -> None:
    folder = write_people(tmp_path, ["0.jpg"])
    write_people(folder, ["0.heic", "1.heic"], ("phone",))
    with pytest.raises(ReidopsError, match=r"phone: holds no \.jpg or .* but 2 of \.heic; expected a person's crops"):
        SET.list_part(folder, "train", "")


def test_a_sequence_of_frames_is_no_person(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "test" / name / "img1").mkdir(parents=True)
        (tmp_path / "test" / name / "img1" / "000001.jpg").write_bytes(KINDS["jpeg.jpg"][0])
    assert not holds_people(tmp_path)
