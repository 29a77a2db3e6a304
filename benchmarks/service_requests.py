"""The mixed requests of `service_load.py`: valid ones, malformed ones, and those of clients that misbehave."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

MAX_BODY_MB = 1  # the limit of the measured service
MAX_PIXELS = 100_000_000
BOMB_SIZE = 20_000, 15_000  # px, stated in the header of a small PNG
NUM_CAMERAS = 3
NPY, JSON, JPEG, PNG = "application/x-npy", "application/json", "image/jpeg", "image/png"
_BOUNDARY = "reidops"
_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


@dataclass(frozen=True)
class Message:
    """A request and the statuses that may answer it.

    Attributes:
        num_rows: embeddings of the answer; 0 = the answer has none.
        stated_bytes: the Content-Length, if it is not the length of the body.
        hangs_up: whether the client closes the connection instead of waiting for the answer.
    """

    kind: str
    statuses: Sequence[int]
    path: str = "/embed"
    method: str = "POST"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    num_rows: int = 0
    stated_bytes: int | None = None
    hangs_up: bool = False

    @property
    def is_valid(self) -> bool:
        """Return whether the service must answer with a result."""
        return 200 in self.statuses


def make_messages(rng: np.random.Generator) -> dict[str, list[Message]]:
    """Return the messages of each kind, with drawn crops of different sizes."""
    sizes = zip(rng.integers(60, 260, 24), rng.integers(30, 110, 24), strict=True)
    crops = [_draw(rng, int(height), int(width)) for height, width in sizes]
    every = [*_valid(crops, _draw(rng, 360, 640)), *_malformed(crops[0]), *_misbehaving(encode(crops[0], "JPEG"))]
    kinds = dict.fromkeys(message.kind for message in every)
    return {kind: [message for message in every if message.kind == kind] for kind in kinds}


def _draw(rng: np.random.Generator, height: int, width: int) -> Image.Image:
    """Return a picture with smooth colours, which has about as many bytes as a photo of its size."""
    return Image.fromarray(rng.integers(0, 256, (12, 6, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def encode(picture: Image.Image, image_format: str) -> bytes:
    """Return a picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, image_format)
    return stream.getvalue()


def _valid(crops: Sequence[Image.Image], frame: Image.Image) -> list[Message]:
    jpegs, pngs = [encode(crop, "JPEG") for crop in crops], [encode(crop, "PNG") for crop in crops]
    texts = [base64.b64encode(jpeg).decode() for jpeg in jpegs]
    places = range(0, len(crops), 4)
    boxes = {"box_ltwh": [[10, 20, 40, 90], [200, 50, 60, 150], [900, 900, 9, 9]]}
    in_frame = {"frame": base64.b64encode(encode(frame, "JPEG")).decode(), **boxes}
    return [
        *(_embed("JPEG", jpegs[i], JPEG, 1) for i in places),
        *(_embed("JPEG, answered as .npy", jpegs[i], JPEG, 1, accept=NPY) for i in places),
        *(_embed("PNG", pngs[i], PNG, 1) for i in places),
        *(_embed("4 files, sizes differ", _multipart(jpegs[i : i + 4]), _MULTIPART, 4) for i in places),
        *(_embed("4 in base64", _json({"images": texts[i : i + 4]}), JSON, 4) for i in places),
        _embed("24 files", _multipart([*jpegs[:12], *pngs[12:]]), _MULTIPART, 24),
        _embed("frame with boxes", _json(in_frame), JSON, 3),
        *(_track(camera, encode(frame, "JPEG"), boxes) for camera in range(NUM_CAMERAS)),
        *(Message("end of a camera", (204, 404), f"/track/{camera}", "DELETE") for camera in range(NUM_CAMERAS)),
        Message("health", (200,), "/health", "GET"),
        Message("metrics", (200,), "/metrics", "GET"),
    ]


def _embed(kind: str, body: bytes, content_type: str, num_rows: int, *, accept: str = JSON) -> Message:
    headers = {"content-type": content_type, "accept": accept}
    return Message(kind, (200,), body=body, headers=headers, num_rows=num_rows)


def _track(camera: int, frame: bytes, boxes: Mapping[str, object]) -> Message:
    detections = _json({"box_ltwh": boxes["box_ltwh"], "confidence": [0.9, 0.8, 0.7]})
    options = _json({"gate": 0.3})  # the exported folder may have no calibrated gate
    body = _multipart([frame, detections, options], ["frame", "detections", "options"])
    return Message("tracked frame", (200,), f"/track/{camera}", body=body, headers={"content-type": _MULTIPART})


def _malformed(crop: Image.Image) -> list[Message]:
    jpeg, deep = encode(crop, "JPEG"), Image.fromarray(np.zeros((90, 40), np.uint16))
    bomb, nested = png_bomb(*BOMB_SIZE), [[[0, 0, 0]] * 40] * 90
    stream = io.BytesIO()
    np.save(stream, np.zeros((1, 90, 40, 3), np.float32))
    return [
        _bad("malformed JSON", 400, b'{"images": [', JSON),
        _bad("a JSON list", 400, b"[1, 2]", JSON),
        _bad("no image", 400, _json({"images": []}), JSON),
        _bad("nested numbers", 400, _json({"images": [nested]}), JSON),
        _bad("ragged numbers", 400, _json({"images": [nested[:1] + [[[0]]]]}), JSON),
        _bad("not base64", 400, _json({"images": ["%%%"]}), JSON),
        _bad("boxes of text", 400, _json({"frame": base64.b64encode(jpeg).decode(), "box_ltwh": "abc"}), JSON),
        _bad("not a picture", 400, b"hello" * 100, JPEG),
        _bad("one of 3 files is no picture", 400, _multipart([jpeg, b"hello", jpeg]), _MULTIPART),
        _bad("JPEG cut off", 400, jpeg[: len(jpeg) // 2], JPEG),
        _bad("multipart cut off", 400, _multipart([jpeg])[:-9], _MULTIPART),
        _bad("16 bits per channel", 400, encode(deep, "PNG"), PNG),
        _bad("an array of float32 as .npy", 415, stream.getvalue(), NPY),
        _bad("image bomb", 413, bomb, PNG),
        _bad("image bomb in base64", 400, _json({"images": [base64.b64encode(bomb).decode()]}), JSON),
        _bad("300 files", 413, _multipart([jpeg] * 300), _MULTIPART),
        Message("unknown path", (404,), "/embeddings", "GET"),
        Message("wrong method", (405,), "/embed", "GET"),
    ]


def _misbehaving(jpeg: bytes) -> list[Message]:
    jpegs, too_many = {"content-type": JPEG}, (MAX_BODY_MB << 20) + 1
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    return [
        Message("64 MB stated", (413,), body=jpeg[:100], headers=jpegs, stated_bytes=64 << 20),
        Message(
            "too large in chunks",
            (413,),
            body=chunk * (too_many // (1 << 16) + 1),
            headers={**jpegs, "transfer-encoding": "chunked"},
        ),
        Message("client hangs up", (), body=jpeg[:100], headers=jpegs, stated_bytes=len(jpeg), hangs_up=True),
        Message("slow client", (408,), body=jpeg[:100], headers=jpegs, stated_bytes=len(jpeg)),
    ]


def _bad(kind: str, status: int, body: bytes, content_type: str) -> Message:
    return Message(kind, (status,), body=body, headers={"content-type": content_type})


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _multipart(files: Sequence[bytes], names: Sequence[str] = ()) -> bytes:
    names = names or [f"image{i}" for i in range(len(files))]
    parts = [
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in zip(names, files, strict=True)
    ]
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def png_bomb(width: int, height: int) -> bytes:
    """Return a small PNG whose header states this size, px."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
