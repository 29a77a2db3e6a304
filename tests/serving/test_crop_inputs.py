"""reidops/serving/crop_inputs.py: what users have becomes BGR crops, or a short error names the picture."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reidops.errors import ReidopsError
from reidops.image_headers import MAX_PIXELS_VARIABLE
from reidops.serving.crop_inputs import encode_png, read_crops

RED_BGR = np.zeros((40, 20, 3), np.uint8)
RED_BGR[..., 2] = 250
SMALL = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
LIMIT = 250  # characters of a message


def encoded(crop_bgr: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(crop_bgr[:, :, ::-1]).save(stream, kind)
    return stream.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG, JPEG = encode_png(RED_BGR), encoded(RED_BGR, "JPEG")


@pytest.mark.parametrize(
    "given_pictures",
    [
        np.stack([RED_BGR, RED_BGR]),
        [RED_BGR, RED_BGR],
        (RED_BGR, RED_BGR[:20]),
        np.fromiter([RED_BGR, RED_BGR[:30]], dtype=object),
        [RED_BGR.tolist(), RED_BGR[:10].tolist()],
        [RED_BGR / np.float32(255), RED_BGR.astype(np.int64)],
        [Image.fromarray(RED_BGR[:, :, ::-1]), Image.fromarray(RED_BGR[:, :, ::-1]).convert("RGBA")],
        [PNG, bytearray(PNG)],
        [base64_of(PNG), f"data:image/png;base64,{base64_of(PNG)}"],
        np.array([base64_of(PNG), base64_of(PNG)]),
        [{"image": base64_of(PNG)}, {"image": RED_BGR.tolist()}],
        {"image": [PNG, PNG]},
        pd.DataFrame({"image": [base64_of(PNG), PNG]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_form_of_a_picture_gives_its_pixels_in_bgr(given_pictures):
    crops = read_crops(given_pictures)
    assert len(crops) == 2
    for crop in crops:
        assert crop.dtype == np.uint8 and crop.shape[1:] == (20, 3)
        assert (crop == [0, 0, 250]).all()


def test_one_picture_is_a_batch_of_one(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    for one in (RED_BGR, PNG, base64_of(PNG), tmp_path / "a.png", str(tmp_path / "a.png"), RED_BGR.tolist()):
        (crop,) = read_crops(one)
        assert np.array_equal(crop, RED_BGR)


def test_a_jpeg_is_decoded_nearly_without_loss():
    (crop,) = read_crops([JPEG])
    assert np.abs(crop.astype(int) - RED_BGR).max() <= 4


def test_arrays_in_rgb_are_turned_and_files_are_not():
    crops = read_crops([RED_BGR[:, :, ::-1], PNG], colour_order="rgb")
    assert all(np.array_equal(crop, RED_BGR) for crop in crops)


def test_floats_are_scaled_and_never_cast_to_0_and_1():
    grey = np.full((4, 4, 3), 0.5)
    assert (read_crops([grey])[0] == 128).all()


@pytest.mark.parametrize(
    "values", [RED_BGR.astype(float), RED_BGR - 300.0, np.full((4, 4, 3), np.nan), RED_BGR.astype(int) - 300]
)
def test_values_outside_their_range_are_refused(values):
    with pytest.raises(ReidopsError, match=r"crop 1 holds .* 0 … "):
        read_crops([RED_BGR, values])


def test_a_frame_and_boxes_give_a_crop_per_box():
    frame = np.zeros((50, 60, 3), np.uint8)
    frame[10:30, 20:40] = (1, 2, 3)
    crops = read_crops({"frame": encode_png(frame), "box_ltwh": [[20, 10, 20, 20], [90, 90, 5, 5], [0, 0, 2, 2]]})
    assert [crop.size > 0 for crop in crops] == [True, False, False]
    assert (crops[0] == [1, 2, 3]).all()
    (same,) = read_crops({"frame": frame, "box_ltrb": np.array([[20, 10, 40, 30]])})
    assert np.array_equal(same, crops[0])
    assert read_crops({"frame": frame, "box_ltrb": []}) == []


BAD_BOXES = (
    {},
    {"box_ltwh": [[1, 2, 3]]},
    {"box_ltwh": [["a", 1, 1, 1]]},
    {"box_ltwh": [[np.nan, 1, 1, 1]]},
    {"box_ltwh": [], "box_ltrb": []},
)


@pytest.mark.parametrize("given_boxes", BAD_BOXES)
def test_boxes_of_another_kind_are_refused(given_boxes):
    with pytest.raises(ReidopsError, match="box"):
        read_crops({"frame": RED_BGR, **given_boxes})


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not a picture at all",
        JPEG[: len(JPEG) // 2],
        PNG[:40],
        "no such file.jpg",
        "x" * 5000,
        "/9j/" + "%" * 100,
        np.zeros((4, 4)),
        np.zeros((4, 4, 4), np.uint8),
        np.array([["a"]]),
        [[1, 2], [3]],
        None,
        7,
        {"picture": 1},
        Image.new("I", (4, 4)),
        "bad\0name",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_gives_a_short_message_with_its_index(bad):
    with pytest.raises(ReidopsError, match="crop 1") as caught:
        read_crops([RED_BGR, bad])
    assert len(str(caught.value)) < LIMIT


@pytest.mark.parametrize(
    "bad", [None, 7, np.zeros((9, 9)), np.zeros(3), {"picture": 1}, pd.DataFrame({"a": [], "b": []})]
)
def test_what_is_no_batch_gives_a_short_message(bad):
    with pytest.raises(ReidopsError) as caught:
        read_crops(bad)
    assert len(str(caught.value)) < LIMIT


def test_a_picture_with_too_many_pixels_is_not_decoded(monkeypatch):
    bomb = encoded(np.zeros((300, 300, 3), np.uint8), "PNG")
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "80000")
    with pytest.raises(ReidopsError, match=r"crop 0: .*300 × 300 px"):
        read_crops([bomb])


def test_a_server_reads_no_file(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    for name in (str(tmp_path / "a.png"), tmp_path / "a.png"):
        with pytest.raises(ReidopsError, match="crop 0"):
            read_crops([name], allow_paths=False)


def test_an_unknown_colour_order_is_refused():
    with pytest.raises(ReidopsError, match="colour_order is 'grb', expected bgr or rgb"):
        read_crops([RED_BGR], colour_order="grb")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"]))
@settings(max_examples=50, deadline=None)
def test_random_bytes_never_raise_another_error(data, start):
    with pytest.raises(ReidopsError):
        read_crops([start + data])
