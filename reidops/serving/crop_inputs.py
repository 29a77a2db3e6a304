"""Read crops from what users of a model have: arrays, PIL images, encoded pictures, base64, paths, a frame with boxes.

Imports neither OpenCV nor pandas, because it is part of every registered model.
"""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from reidops.boxes.cutting import MIN_CROP_SIDE, cut_box
from reidops.errors import ReidopsError
from reidops.image_headers import check_size, check_whole
from reidops.mot.boxes import ltrb_to_ltwh

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
COLOUR_ORDERS = ("bgr", "rgb")
IMAGE, FRAME, BOX_LTWH, BOX_LTRB = "image", "frame", "box_ltwh", "box_ltrb"

_BASE64_STARTS = ("/9j/", "iVBORw0KGgo", "Qk", "UklGR", "SUkq", "TU0A")  # JPEG, PNG, BMP, WebP, TIFF
_SHORTEST_BASE64 = 64  # characters; the smallest pictures have more
_MAX_TEXT = 40  # characters of a user's text in a message


def read_crops(given: Any, *, colour_order: str = "bgr", allow_paths: bool = True) -> list[np.ndarray]:
    """Return crops, each BGR uint8 [h, w, 3]; those of boxes that are too small have no pixel.

    Args:
        given: one picture or several, of different sizes: arrays, PIL images, JPEG, PNG, BMP, WebP or TIFF as bytes,
            as base64 or as a path; a mapping with the key `image`; a mapping with `frame` (one picture) and `box_ltwh`
            or `box_ltrb` ([n, 4], px, 0-based); or a DataFrame with the column `image`.
        colour_order: of arrays, `bgr` (OpenCV) or `rgb`; pictures in files and PIL images know their own.
        allow_paths: whether a text may name a file. A server sets it to False.

    Raises:
        ReidopsError: something is not a picture; the message gives its index.
    """
    if colour_order not in COLOUR_ORDERS:
        raise ReidopsError(f"colour_order is {_short(colour_order)}, expected bgr or rgb")
    given = _column(given)
    if isinstance(given, Mapping) and FRAME in given:
        return _cut_frame(given, colour_order, allow_paths)
    pictures = _pictures(given)
    return [_read(one, f"crop {i}", colour_order, allow_paths) for i, one in enumerate(pictures)]


def read_picture(given: Any, where: str, *, colour_order: str = "bgr", allow_paths: bool = True) -> np.ndarray:
    """Return one picture, BGR uint8 [h, w, 3]; see `read_crops`.

    Raises:
        ReidopsError: it is not a picture; the message starts with `where`.
    """
    return _read(given, where, colour_order, allow_paths)


def decode_picture(encoded: bytes, where: str) -> np.ndarray:
    """Return an encoded picture as BGR uint8 [h, w, 3], turned as its EXIF data say.

    Raises:
        ReidopsError: it is damaged, truncated, of another format, or has too many pixels.
    """
    check_whole(encoded, where)
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
            check_size(*picture.size, where)
            return _from_pil(picture, where)
    except UnidentifiedImageError:
        raise ReidopsError(
            f"{where}: {len(encoded):,} bytes that are not a picture, expected {', '.join(FORMATS)}"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ReidopsError(f"{where}: the picture cannot be decoded ({_short(error)})") from None


def encode_png(crop_bgr: np.ndarray) -> bytes:
    """Return a crop, BGR uint8 [h, w, 3], as PNG."""
    stream = io.BytesIO()
    Image.fromarray(crop_bgr[:, :, ::-1]).save(stream, "PNG")
    return stream.getvalue()


def _column(given: Any) -> Any:
    """Return the values of a DataFrame's column of pictures, anything else as it is."""
    columns = getattr(given, "columns", None)
    if columns is None:
        return given
    names = list(columns)
    if IMAGE not in names and len(names) != 1:
        raise ReidopsError(f"the table has {len(names)} columns, expected a column `{IMAGE}` or one column")
    return given[IMAGE if IMAGE in names else names[0]].tolist()


def _pictures(given: Any) -> Sequence[Any]:
    """Return the pictures of a batch; one picture is a batch of one."""
    if isinstance(given, Mapping):
        if IMAGE not in given:
            raise ReidopsError(
                f"the mapping has the keys {_short(list(given))}, expected `{IMAGE}`, or `{FRAME}` and `{BOX_LTWH}`"
            )
        return _pictures(given[IMAGE])
    if isinstance(given, np.ndarray):
        return _items_of_array(given)
    if isinstance(given, str | bytes | bytearray | memoryview | Path | Image.Image):
        return [given]
    if isinstance(given, Sequence):
        return [given] if _depth(given) == 3 else given
    raise ReidopsError(f"a {type(given).__name__} is not a list of pictures; {_EXPECTED}")


def _items_of_array(given: np.ndarray) -> Sequence[Any]:
    if given.dtype.kind in "OUS" and given.ndim <= 1:
        return list(given.ravel())
    if given.ndim in (3, 4):
        return [given] if given.ndim == 3 else list(given)
    raise ReidopsError(f"{_describe(given)} is not a batch of pictures; {_EXPECTED}")


_EXPECTED = "expected uint8 [N, height, width, 3], or a list of arrays, PIL images, encoded pictures, base64 or paths"


def _depth(value: Any) -> int:
    """Return how deep lists are nested along the first items; an array counts with its dimensions."""
    depth = 0
    while isinstance(value, list | tuple) and len(value):
        value, depth = value[0], depth + 1
    return depth + (value.ndim if isinstance(value, np.ndarray) else 0)


def _read(given: Any, where: str, colour_order: str, allow_paths: bool) -> np.ndarray:
    if isinstance(given, Mapping) and IMAGE in given:
        given = given[IMAGE]
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given.item()
    if isinstance(given, Image.Image):
        return _from_pil(given, where)
    if isinstance(given, bytes | bytearray | memoryview):
        return decode_picture(bytes(given), where)
    if isinstance(given, str):
        return _read_text(given, where, allow_paths)
    if isinstance(given, Path):
        return _read_file(given, where, allow_paths)
    return _from_array(given, where, colour_order)


def _read_text(text: str, where: str, allow_paths: bool) -> np.ndarray:
    """Return the picture of base64, of a data URL, or of a path."""
    if text.startswith("data:"):
        return decode_picture(_decode_base64(text.partition(",")[2], where), where)
    if text.startswith(_BASE64_STARTS) and len(text) >= _SHORTEST_BASE64 or not allow_paths:
        return decode_picture(_decode_base64(text, where), where)
    return _read_file(Path(text), where, allow_paths)


def _decode_base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ReidopsError(f"{where}: the text {_short(text)} is not base64 of a picture") from None


def _read_file(path: Path, where: str, allow_paths: bool) -> np.ndarray:
    if not allow_paths:
        raise ReidopsError(f"{where}: a server reads no files; send the picture as base64")
    try:
        return decode_picture(path.read_bytes(), f"{where}, {_short(path)}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise ReidopsError(f"{where}: {_short(path)} cannot be read ({reason})") from None


def _from_pil(picture: Image.Image, where: str) -> np.ndarray:
    if picture.mode.startswith(("I", "F")):
        raise ReidopsError(f"{where}: the picture has the mode {picture.mode}, expected 8 bits per channel")
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    pixels = np.frombuffer(upright.tobytes("raw", "BGR"), np.uint8)
    return pixels.reshape(upright.height, upright.width, 3).copy()  # a writable array


def _from_array(given: Any, where: str, colour_order: str) -> np.ndarray:
    """Return an array or nested lists of pixels as BGR uint8."""
    pixels = _as_pixels(given, where)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ReidopsError(f"{where} is {_describe(pixels)}, expected [height, width, 3]")
    pixels = _as_uint8(pixels, where)
    return pixels if colour_order == "bgr" else np.ascontiguousarray(pixels[:, :, ::-1])


def _as_pixels(given: Any, where: str) -> np.ndarray:
    if not isinstance(given, np.ndarray | list | tuple):
        raise ReidopsError(f"{where} is a {type(given).__name__}; {_EXPECTED}")
    try:
        return np.asarray(given)
    except ValueError:
        raise ReidopsError(
            f"{where} is a nested list whose rows differ in length, expected [height, width, 3]"
        ) from None


def _as_uint8(pixels: np.ndarray, where: str) -> np.ndarray:
    """Return pixels as uint8: floats in 0 … 1 are scaled, whole numbers in 0 … 255 are kept, others are refused."""
    if pixels.dtype == np.uint8 or not pixels.size:
        return pixels.astype(np.uint8)
    if pixels.dtype.kind not in "fiu":
        raise ReidopsError(f"{where} is {_describe(pixels)}, expected uint8")
    least, most = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind == "f":
        if not (least >= 0 and most <= 1):
            raise ReidopsError(
                f"{where} holds {pixels.dtype} values of {least:.4g} … {most:.4g}; floats must be in 0 … 1; convert "
                "pixels of 0 … 255 with .astype(np.uint8)"
            )
        return np.rint(pixels * 255).astype(np.uint8)
    if not (least >= 0 and most <= 255):
        raise ReidopsError(f"{where} holds {pixels.dtype} values of {least:.4g} … {most:.4g}, expected 0 … 255")
    return pixels.astype(np.uint8)


def _cut_frame(given: Mapping[str, Any], colour_order: str, allow_paths: bool) -> list[np.ndarray]:
    """Return the crops of the boxes of a frame."""
    names = [name for name in (BOX_LTWH, BOX_LTRB) if name in given]
    if len(names) != 1:
        raise ReidopsError(f"the frame comes with {len(names)} kinds of boxes, expected {BOX_LTWH} or {BOX_LTRB}")
    boxes = read_boxes(given[names[0]], names[0])
    frame = _read(given[FRAME], FRAME, colour_order, allow_paths)
    crops = [cut_box(frame, box) for box in (boxes if names[0] == BOX_LTWH else ltrb_to_ltwh(boxes))]
    return [crop if min(crop.shape[:2]) >= MIN_CROP_SIDE else crop[:0] for crop in crops]


def read_boxes(given: Any, where: str) -> np.ndarray:
    """Return boxes, float [n, 4].

    Raises:
        ReidopsError: they are of another shape or type, or not finite.
    """
    try:
        boxes = np.asarray(given, dtype=float)
    except (ValueError, TypeError):
        raise ReidopsError(f"{where}: expected numbers [n, 4]") from None
    boxes = boxes.reshape(0, 4) if not boxes.size else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ReidopsError(f"{where}: an array {list(boxes.shape)}, expected finite numbers [n, 4]")
    return boxes


def _describe(array: np.ndarray) -> str:
    return f"an array {list(array.shape)} of {array.dtype}"


def _short(value: Any) -> str:
    text = repr(str(value))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
