"""reidops/service/application.py: good requests are answered, bad ones get a status of 4xx and a short message."""

import asyncio
import base64
import io
import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service_parts import CROPS, GATES, FakeSource, jpeg, two_models
from starlette.testclient import TestClient

from reidops.image_headers import MAX_PIXELS_VARIABLE
from reidops.service.application import Service, create_application
from reidops.service.metrics import Metrics
from reidops.service.served_model import CurrentModel
from reidops.service.settings import ServiceSettings
from reidops.serving.crop_inputs import encode_png
from reidops.serving.onnx_embedder import OnnxEmbedder

SETTINGS = ServiceSettings(max_body_bytes=200_000, max_pictures=8, max_pixels=50_000, request_seconds=5, max_sessions=2)
PNGS = [encode_png(crop) for crop in CROPS]
TEXTS = [base64.b64encode(png).decode() for png in PNGS]
BOXES = {"box_ltwh": [[10, 10, 20, 40], [60, 20, 20, 40]], "confidence": [0.9, 0.8]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of two versions."""
    return two_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def source(folders: dict[str, Path]) -> FakeSource:
    """Return a registry whose alias is at version 1."""
    return FakeSource(folders)


@pytest.fixture
def service(source: FakeSource) -> Iterator[Service]:
    """Return a service of version 1."""
    service = Service(CurrentModel(source), SETTINGS, Metrics())
    yield service
    service.models.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    """Return a client of the service."""
    return TestClient(create_application(service))


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("image", (f"{i}.jpg", picture, "image/jpeg")) for i, picture in enumerate(pictures)]


def frame(picture: bytes, detections: object, **more: object) -> dict[str, tuple[str, bytes]]:
    parts = {"detections": json.dumps(detections).encode(), **{k: json.dumps(v).encode() for k, v in more.items()}}
    return {"frame": ("f.jpg", picture), **{name: (name, data) for name, data in parts.items()}}


PICTURE = jpeg(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))


def test_jpegs_as_multipart_json_or_alone_have_the_embeddings_of_the_model(client, folders):
    expected = OnnxEmbedder(folders["1"]).embed(CROPS)
    answers = [
        client.post("/embed", files=files(*PNGS)),
        client.post("/embed", json={"images": TEXTS}),
    ]
    for answer in answers:
        assert answer.status_code == 200 and answer.json()["model_version"] == "1"
        np.testing.assert_allclose(answer.json()["embeddings"], expected, atol=1e-6)
    alone = client.post("/embed", content=PNGS[0], headers={"content-type": "image/png"})
    np.testing.assert_allclose(alone.json()["embeddings"], expected[:1], atol=1e-6)


def test_embeddings_are_sent_as_npy_on_request(client, folders):
    answer = client.post("/embed", files=files(*PNGS), headers={"accept": "application/x-npy"})
    embeddings = np.load(io.BytesIO(answer.content))
    np.testing.assert_array_equal(embeddings, OnnxEmbedder(folders["1"]).embed(CROPS))
    assert answer.headers["x-model-version"] == "1"


def test_a_frame_with_boxes_has_a_row_per_box(client):
    body = {"frame": base64.b64encode(PICTURE).decode(), "box_ltwh": [[0, 0, 20, 40], [500, 500, 9, 9]]}
    rows = np.array(client.post("/embed", json=body).json()["embeddings"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0], atol=1e-6)


def png_bomb(side: int) -> bytes:
    """Return a small PNG of one colour and many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes((side + 1) * side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


CUT_OFF = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nab'
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}
BAD_EMBEDS = {
    "no picture": (400, {"json": {"images": []}}),
    "no part": (400, {"content": b"--x--\r\n", "headers": MULTIPART}),
    "malformed JSON": (400, {"content": b'{"images": [', "headers": JSON}),
    "not UTF-8": (400, {"content": b"\xff\xfe{}", "headers": JSON}),
    "deep JSON": (400, {"content": b"[" * 100_000, "headers": JSON}),
    "a JSON list": (400, {"json": [1]}),
    "numbers": (400, {"json": {"images": [1, 2]}}),
    "a path": (400, {"json": {"images": ["/etc/passwd"]}}),
    "not base64": (400, {"json": {"images": ["%%%"]}}),
    "other keys": (400, {"json": {"picture": "x"}}),
    "boxes of text": (400, {"json": {"frame": TEXTS[0], "box_ltwh": "abc"}}),
    "no boxes": (400, {"json": {"frame": TEXTS[0], "box_ltwh": []}}),
    "not a picture": (400, {"files": files(b"hello")}),
    "cut off": (400, {"files": files(PNGS[0], PNGS[1][:100])}),
    "an empty file": (400, {"files": files(b"")}),
    "2 × 2 px": (400, {"files": files(encode_png(CROPS[0][:2, :2]))}),
    "multipart cut off": (400, {"content": CUT_OFF, "headers": MULTIPART}),
    "no boundary": (400, {"content": b"--x--", "headers": {"content-type": "multipart/form-data"}}),
    "no multipart": (400, {"content": b"abc", "headers": MULTIPART}),
    "too many pictures": (413, {"files": files(*PNGS * 3)}),
    "too many texts": (413, {"json": {"images": TEXTS * 3}}),
    "too many bytes": (413, {"content": b"x" * 300_000, "headers": {"content-type": "image/jpeg"}}),
    "100 MB stated": (413, {"content": b"x", "headers": {"content-type": "image/jpeg", "content-length": "100000000"}}),
    "a bomb": (413, {"files": files(png_bomb(3000))}),
    "another type": (415, {"content": b"abc", "headers": {"content-type": "text/plain"}}),
    "no type": (415, {"content": b"abc"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_EMBEDS)
def test_a_bad_request_to_embed_gets_its_status_and_a_short_message(client, name):
    status, request = BAD_EMBEDS[name]
    answer = client.post("/embed", **request)
    assert answer.status_code == status, answer.text
    assert 10 < len(answer.json()["error"]) < 250 and "root:" not in answer.text
    assert client.post("/embed", files=files(PNGS[0])).status_code == 200


def test_a_body_that_grows_beyond_its_limit_without_a_stated_length_is_refused(client):
    answer = client.post("/embed", content=(b"x" * 50_000 for _ in range(9)), headers={"content-type": "image/jpeg"})
    assert answer.status_code == 413


def test_a_bomb_in_base64_is_not_decoded(client, monkeypatch):
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, str(SETTINGS.max_pixels))
    answer = client.post("/embed", json={"images": [base64.b64encode(png_bomb(3000)).decode()]})
    assert answer.status_code in (400, 413) and "3,000 × 3,000" in answer.json()["error"]


def test_a_slow_client_is_refused(source):
    service = Service(CurrentModel(source), replace(SETTINGS, request_seconds=0.05), Metrics())
    sent = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"a", "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/embed", "raw_path": b"/embed", "query_string": b"", "root_path": "",
        "scheme": "http", "http_version": "1.1", "headers": [(b"content-type", b"image/jpeg")], "server": ("test", 80),
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(create_application(service)(scope, receive, send), 5))
    assert sent[0]["status"] == 408


def test_a_camera_is_tracked_over_its_frames(client):
    answers = [client.post("/track/street 1", files=frame(PICTURE, BOXES)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    last = answers[-1].json()
    assert last["frame"] == 3 and last["model_version"] == "1"
    assert len({row["track_id"] for row in last["tracks"]}) == 2
    assert last["tracks"][0]["box_ltwh"] == pytest.approx(BOXES["box_ltwh"][0], abs=1)
    assert client.delete("/track/street 1").status_code == 204
    assert client.delete("/track/street 1").status_code == 404


def test_two_cameras_have_trackers_of_their_own_and_a_third_is_refused(client):
    for camera in ("a", "b"):
        assert client.post(f"/track/{camera}", files=frame(PICTURE, BOXES)).json()["frame"] == 1
    assert client.post("/track/a", files=frame(PICTURE, BOXES)).json()["frame"] == 2
    third = client.post("/track/c", files=frame(PICTURE, BOXES))
    assert third.status_code == 503 and third.headers["retry-after"] == "1"
    client.delete("/track/a")
    assert client.post("/track/c", files=frame(PICTURE, BOXES)).status_code == 200


def test_a_frame_without_a_person_is_a_frame(client):
    answer = client.post("/track/a", files=frame(PICTURE, {"box_ltwh": [], "confidence": []}))
    assert answer.json() == {"model_version": "1", "frame": 1, "tracks": []}


BAD_TRACKS = {
    "no frame": (400, {"files": {"detections": ("d", b"{}")}}),
    "no picture": (400, {"files": frame(b"hello", BOXES)}),
    "no boxes": (400, {"files": frame(PICTURE, {})}),
    "no confidence": (400, {"files": frame(PICTURE, {"box_ltwh": BOXES["box_ltwh"]})}),
    "a confidence of text": (400, {"files": frame(PICTURE, {**BOXES, "confidence": ["a", "b"]})}),
    "a confidence too few": (400, {"files": frame(PICTURE, {**BOXES, "confidence": [0.5]})}),
    "a box without area": (400, {"files": frame(PICTURE, {"box_ltwh": [[1, 1, 0, 5]], "confidence": [1]})}),
    "too many boxes": (413, {"files": frame(PICTURE, {"box_ltwh": [[1, 1, 9, 9]] * 9, "confidence": [1] * 9})}),
    "a bomb": (413, {"files": frame(png_bomb(3000), BOXES)}),
    "an unknown constant": (400, {"files": frame(PICTURE, BOXES, options={"constants": {"max_aeg": 3}})}),
    "an unknown gate": (400, {"files": frame(PICTURE, BOXES, options={"gate": "wide"})}),
    "a gate that is not a number": (400, {"files": frame(PICTURE, BOXES, options={"gate": None})}),
    "an unknown option": (400, {"files": frame(PICTURE, BOXES, options={"gaet": 0.3})}),
    "constants of text": (400, {"files": frame(PICTURE, BOXES, options={"constants": "abc"})}),
    "an unknown tracker": (400, {"files": frame(PICTURE, BOXES), "params": {"tracker": "hungarian"}}),
    "JSON": (415, {"json": BOXES}),
}


@pytest.mark.parametrize("name", BAD_TRACKS)
def test_a_bad_frame_gets_its_status_and_a_short_message(client, name):
    status, request = BAD_TRACKS[name]
    answer = client.post("/track/a", **request)
    assert answer.status_code == status, answer.text
    assert 10 < len(answer.json()["error"]) < 300
    assert client.post("/track/b", files=frame(PICTURE, BOXES)).status_code == 200


def test_a_session_does_not_change_its_tracker(client):
    client.post("/track/a", files=frame(PICTURE, BOXES))
    assert client.post("/track/a", params={"tracker": "sort"}, files=frame(PICTURE, BOXES)).status_code == 409


def test_health_and_metrics_name_the_version_and_count_requests(client):
    client.post("/embed", files=files(*PNGS))
    client.post("/embed", content=b"abc")
    health = client.get("/health").json()
    assert (health["status"], health["model_version"], health["gates"]) == ("ok", "1", GATES)
    text = client.get("/metrics").text
    assert 'reidops_requests_total{path="/embed",status="200"} 1.0' in text
    assert 'reidops_requests_total{path="/embed",status="415"} 1.0' in text
    assert 'reidops_model_info{version="1"} 1.0' in text


def test_the_alias_moves_while_requests_and_sessions_go_on(client, service, source, folders):
    client.post("/track/a", files=frame(PICTURE, BOXES))
    source.current = "2"
    service.reload()
    answer = client.post("/embed", files=files(*PNGS)).json()
    assert answer["model_version"] == "2"
    np.testing.assert_allclose(answer["embeddings"], OnnxEmbedder(folders["2"]).embed(CROPS), atol=1e-6)
    assert client.post("/track/a", files=frame(PICTURE, BOXES)).json()["model_version"] == "1"
    assert client.post("/track/b", files=frame(PICTURE, BOXES)).json()["model_version"] == "2"
    assert 'reidops_model_info{version="2"} 1.0' in client.get("/metrics").text


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_in_place(client, service, source):
    source.current = "3"
    service.reload()
    assert client.post("/embed", files=files(*PNGS)).json()["model_version"] == "1"
    assert client.get("/health").json()["reload_error"] == "version 3 is damaged"


def test_no_request_is_lost_while_the_model_is_replaced_again_and_again(client, service, source, folders):
    expected = {version: OnnxEmbedder(folder).embed(CROPS) for version, folder in folders.items()}
    answers = []

    def ask() -> None:
        answers.extend(client.post("/embed", files=files(*PNGS)) for _ in range(15))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(8):
        source.current = str(1 + round_ % 2)
        service.reload()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 45
    for answer in answers:
        content = answer.json()
        np.testing.assert_allclose(content["embeddings"], expected[content["model_version"]], atol=1e-6)


def test_requests_beyond_the_limit_are_told_to_come_again(service, client):
    service.num_waiting = SETTINGS.max_waiting
    answer = client.post("/embed", files=files(PNGS[0]))
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert client.get("/health").status_code == 200
