"""`reidops serve` as a process: it reloads under load, lives through bad clients, and ends on SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import cv2
import mlflow
import numpy as np
import psutil
import pytest
import requests
from empty_store import write_empty_store
from made_result import write_result
from service_parts import CROPS, jpeg

from reidops.registry import models as registry
from reidops.serving.onnx_embedder import OnnxEmbedder

pytestmark = pytest.mark.slow

FILES = {"model.safetensors": "model", "embedder.json": "export", "model.onnx": "export", "calibration.json": "reid"}
NAME, ALIAS = "person-reid", "champion"
GROWTH_MB = 60  # of the process over the mixed requests; buffers of the allocator, no leak
JPEGS = [("image", (f"{i}.jpg", jpeg(crop), "image/jpeg")) for i, crop in enumerate(CROPS)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of a registry with two versions of a model; the alias is at the first."""
    root = tmp_path_factory.mktemp("store")
    write_empty_store(root / "mlflow.db")
    uri = f"sqlite:///{root / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.chdir(root)
        for seed in (1, 2):
            data = write_result(root / str(seed), seed=seed)
            with registry.open_store() as client:
                experiment = registry.find_experiment(client, "serving")
                run_id = client.create_run(experiment).info.run_id
            files = {name: data / place / name for name, place in FILES.items()}
            registry.register_model(NAME, run_id, files, {"weights.sha256": str(seed)})
        set_alias(uri, "1")
    return uri


def set_alias(uri: str, version: str) -> None:
    mlflow.MlflowClient(uri, uri).set_registered_model_alias(NAME, ALIAS, version)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen]]:
    """Yield the address and the process of a running service."""
    port = free_port()
    command = [sys.executable, "-m", "reidops", "serve", "--model", f"models:/{NAME}@{ALIAS}", "--port", str(port)]
    limits = ["--reload-seconds", "0.3", "--request-seconds", "2", "--max-body-mb", "1", "--threads", "1"]
    process = subprocess.Popen(
        [*command, *limits],
        env={**os.environ, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": os.getcwd()},
        cwd=tmp_path_factory.mktemp("server"),
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    wait_for(url, process)
    yield url, process
    process.kill()
    process.wait()


def wait_for(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=30).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    process.kill()
    raise AssertionError(process.stderr.read())


def embed(session: requests.Session, url: str) -> requests.Response:
    return session.post(f"{url}/embed", files=JPEGS, timeout=60)


def test_the_model_is_replaced_under_load_without_a_lost_request(server, store):
    url, _ = server
    answers, stop = [], threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                answers.append(embed(session, url))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    set_alias(store, "2")
    end = time.monotonic() + 300
    while time.monotonic() < end and not (answers and answers[-1].json().get("model_version") == "2"):
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["model_version"] for answer in answers} == {"1", "2"}


def raw(url: str, request: bytes, wait: float = 60.0) -> bytes:
    """Send bytes as they are, and return the beginning of the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(request)
        return connection.recv(300)


HEAD = b"POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n"


def test_slow_and_broken_clients_are_refused_and_the_service_lives(server):
    url, _ = server
    assert b" 413 " in raw(url, HEAD + b"Content-Length: 104857600\r\n\r\nabc")
    assert b" 408 " in raw(url, HEAD + b"Content-Length: 1000\r\n\r\nabc")
    assert b" 400 " in raw(url, b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    for _ in range(20):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\nabc")
    assert requests.get(f"{url}/health", timeout=30).json()["status"] == "ok"


def test_many_mixed_requests_leave_no_memory_behind(server):
    url, process = server
    bad = [{"data": b"abc"}, {"json": {"images": ["x"]}}, {"files": JPEGS[:1] + [("image", ("a", b"x"))]}]
    memory = psutil.Process(process.pid).memory_info
    with requests.Session() as session:
        for round_ in range(400):
            if round_ == 100:
                before = memory().rss
            assert embed(session, url).status_code == 200
            assert session.post(f"{url}/embed", **bad[round_ % 3], timeout=60).status_code in (400, 415)
    assert (memory().rss - before) / 2**20 < GROWTH_MB


def test_the_embeddings_over_http_are_those_of_the_version(server, store, tmp_path, monkeypatch):
    url, _ = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    answer = requests.post(f"{url}/embed", files=JPEGS, timeout=60).json()
    folder = registry.pull_model(f"models:/{NAME}/{answer['model_version']}", tmp_path)
    # JPEGs decoded by another library may differ by a grey level.
    expected = OnnxEmbedder(folder).embed([crop_of(part) for part in JPEGS])
    np.testing.assert_allclose(answer["embeddings"], expected, atol=2e-2)


def crop_of(part: tuple[str, tuple[str, bytes, str]]) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(part[1][1], np.uint8), cv2.IMREAD_COLOR)


def test_sigterm_ends_the_service_in_order(server):
    url, process = server
    process.send_signal(signal.SIGTERM)
    process.wait(40)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in process.stderr.read()


def test_a_missing_model_is_a_message_without_a_traceback(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "reidops", "serve", "--model", str(tmp_path / "none")],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert "reidops serve: error:" in ran.stderr and "model.onnx: no such file" in ran.stderr
    assert "Traceback" not in ran.stderr
