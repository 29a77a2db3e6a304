"""Send 10,000 mixed requests to the service, and check its answers, memory, open files and threads.

    python benchmarks/service_load.py --model data/export

Starts `reidops serve` as a process. Four client threads send valid, malformed and misbehaving requests
(`service_requests.py`) in a random order, while the served folder changes between two versions of the model with the
same weights. Prints Markdown tables, and exits with 1 if an answer has another status than its kind must have, if a
connection is dropped, if an embedding of the same crop changes, or if the process grows.
"""

import argparse
import http.client
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import psutil
from service_requests import MAX_BODY_MB, MAX_PIXELS, NPY, NUM_CAMERAS, Message, make_messages

CLIENTS = 4
SLOW = "slow client"
NUM_SLOW = 5
REQUEST_SECONDS = 5.0
RELOAD_SECONDS = 1.0
VERSION_SECONDS = 5.0  # between two changes of the served version
GROWTH = 1.1  # largest allowed memory at the end ÷ after the first tenth
SLACK = 2  # open files and threads more at the end than after the first tenth
TOLERANCE = 1e-5  # of an embedding: a batch of another size rounds differently
Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """An answer: its status (0 = the client closed the connection, -1 = the service did), seconds and fault."""

    kind: str
    status: int
    seconds: float
    fault: str = ""


@dataclass(frozen=True)
class Size:
    """Memory of the service in MB, its open files and threads, and the models it has loaded since its start."""

    megabytes: float
    files: int
    threads: int
    reloads: int


@dataclass
class Load:
    """The messages of each kind, the address of the service, and the first embeddings of each message."""

    messages: dict[str, list[Message]]
    address: Address
    embeddings: dict[int, np.ndarray] = field(default_factory=dict)


class Versions:
    """A served folder that changes between two versions of a model, which differ in a remark in model.onnx."""

    def __init__(self, model: Path, root: Path) -> None:
        self._folders = [root / "first", root / "second"]
        root.mkdir(exist_ok=True)
        for folder in self._folders:
            shutil.copytree(model, folder)
        with open(self._folders[1] / "model.onnx", "ab") as stream:
            stream.write(b"\x32\x06second")  # field 6 of a model, its documentation
        self.served = root / "served"
        self._number = count()
        self.change()

    def change(self) -> None:
        """Serve the other version."""
        link = self.served.with_name("next")
        link.symlink_to(self._folders[next(self._number) % 2])
        link.replace(self.served)


def main() -> None:
    """Print the tables; exit 1 on a violation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/export"))
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        versions = Versions(options.model.resolve(), Path(folder))
        with running_service(versions.served) as (process, address):
            faults = measure(
                Load(make_messages(np.random.default_rng(0)), address), process, versions, options.requests
            )
    if faults:
        sys.exit("service_load: " + "; ".join(faults))


def measure(load: Load, process: psutil.Process, versions: Versions, num_requests: int) -> list[str]:
    """Send the requests, print the tables, and return what is not as it must be."""
    order, start = draw_order(load, num_requests), time.perf_counter()
    first = embed_alone(load)
    answers = send_all(load, order[: num_requests // 10], versions)
    before = measure_size(process, load.address)
    answers += send_all(load, order[num_requests // 10 :], versions)
    after = measure_size(process, load.address)
    is_same = np.array_equal(first, embed_alone(load))
    print(f"{len(answers):,} requests of {CLIENTS} clients in {time.perf_counter() - start:.0f} s\n")
    print_answers(answers, load)
    print_sizes(before, after)
    faults = sorted({f"{answer.kind}: {answer.fault}" for answer in answers if answer.fault})
    return faults + find_growth(before, after) + ([] if is_same else ["the embeddings of the same crop differ"])


def draw_order(load: Load, num_requests: int) -> list[Message]:
    """Return the requests in a random order: half valid, half not, and a few slow clients."""
    rng, kinds = random.Random(0), [kind for kind in load.messages if kind != SLOW]
    weights = np.array([load.messages[kind][0].is_valid for kind in kinds], float)
    weights = np.where(weights > 0, 0.5 / weights.sum(), 0.5 / (1 - weights).sum())
    chosen = rng.choices(kinds, weights.tolist(), k=num_requests - NUM_SLOW)
    order = [rng.choice(load.messages[kind]) for kind in chosen] + load.messages[SLOW] * NUM_SLOW
    rng.shuffle(order)
    return order


def send_all(load: Load, order: Sequence[Message], versions: Versions) -> list[Answer]:
    """Return the answers to messages that several clients send; the served version changes in between."""
    shares = [order[client::CLIENTS] for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(send_share, load, share) for share in shares]
        while wait(running, VERSION_SECONDS).not_done:
            versions.change()
        return [answer for share in running for answer in share.result()]


def send_share(load: Load, share: Sequence[Message]) -> list[Answer]:
    """Return the answers to the messages of one client, which keeps its connection."""
    with closing(http.client.HTTPConnection(*load.address, timeout=60)) as connection:
        return [send(load, connection, message) for message in share]


def send(load: Load, connection: http.client.HTTPConnection, message: Message) -> Answer:
    """Return the answer to one message."""
    start = time.perf_counter()
    try:
        connection.putrequest(message.method, message.path)
        for name, value in message.headers.items():
            connection.putheader(name, value)
        if "transfer-encoding" not in message.headers:
            stated = len(message.body) if message.stated_bytes is None else message.stated_bytes
            connection.putheader("content-length", str(stated))
        connection.endheaders(message.body)
        if message.hangs_up:
            connection.close()
            return Answer(message.kind, 0, time.perf_counter() - start)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer(message.kind, -1, time.perf_counter() - start, f"connection dropped ({type(error).__name__})")
    seconds = time.perf_counter() - start
    if message.stated_bytes is not None:
        connection.close()  # the rest of the body was never sent
    return Answer(message.kind, answer.status, seconds, find_fault(load, message, answer, body))


def find_fault(load: Load, message: Message, answer: http.client.HTTPResponse, body: bytes) -> str:
    """Return what is wrong with an answer, "" if nothing is."""
    if answer.status not in message.statuses:
        return f"status {answer.status} ({body[:80].decode(errors='replace')})"
    if answer.status >= 400:
        content = json.loads(body)
        text = content.get("error") or content.get("detail", "")
        return "" if 5 < len(text) < 300 else f"the message has {len(text)} characters"
    if not message.num_rows:
        return ""
    embeddings = read_embeddings(message, body)
    expected = load.embeddings.setdefault(id(message), embeddings)
    is_near = embeddings.shape == (message.num_rows, *expected.shape[1:])
    is_near = is_near and bool(np.abs(embeddings - expected).max() <= TOLERANCE)
    return "" if is_near else "an embedding of the same crop differs from the first one"


def read_embeddings(message: Message, body: bytes) -> np.ndarray:
    """Return the embeddings of an answer, [N, dim]."""
    if message.headers["accept"] == NPY:
        return np.load(io.BytesIO(body))
    return np.array(json.loads(body)["embeddings"])


def embed_alone(load: Load) -> np.ndarray:
    """Return the embedding of the same crop while the service has no other request."""
    message = load.messages["JPEG"][0]
    with closing(http.client.HTTPConnection(*load.address, timeout=60)) as connection:
        connection.request(message.method, message.path, message.body, dict(message.headers))
        return read_embeddings(message, connection.getresponse().read())


def measure_size(process: psutil.Process, address: Address) -> Size:
    """Return the size of the service after the tracked cameras are forgotten and its connections are closed."""
    with closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
        for camera in range(NUM_CAMERAS):
            connection.request("DELETE", f"/track/{camera}")
            connection.getresponse().read()
        time.sleep(3 * RELOAD_SECONDS)  # a change of the model that is in progress ends
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    reloads = next(line for line in text.splitlines() if line.startswith("reidops_reloads_total "))
    time.sleep(0.5)
    memory = process.memory_info().rss / 2**20
    return Size(memory, process.num_fds(), process.num_threads(), int(float(reloads.split()[1])))


def find_growth(before: Size, after: Size) -> list[str]:
    """Return what grew beyond its bound."""
    faults = []
    if after.megabytes > GROWTH * before.megabytes:
        faults.append(f"the memory grew from {before.megabytes:.0f} to {after.megabytes:.0f} MB")
    for name in ("files", "threads"):
        if getattr(after, name) > getattr(before, name) + SLACK:
            faults.append(f"{name} grew from {getattr(before, name)} to {getattr(after, name)}")
    return faults


def print_answers(answers: Sequence[Answer], load: Load) -> None:
    """Print a row per kind of request."""
    print("| request | expected | requests | statuses | median ms | 99 % ms |\n|---|---|---|---|---|---|")
    of_kind: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        of_kind[answer.kind].append(answer)
    for kind, messages in load.messages.items():
        found = of_kind[kind]
        if found:
            expected = ", ".join(map(str, messages[0].statuses)) or "none"
            print(f"| {kind} | {expected} | {len(found):,} | {describe_statuses(found)} | {describe_times(found)} |")
    valid = [answer for answer in answers if load.messages[answer.kind][0].is_valid]
    print(f"| all valid | 200 | {len(valid):,} | {describe_statuses(valid)} | {describe_times(valid)} |\n")


def describe_statuses(answers: Sequence[Answer]) -> str:
    """Return the statuses with their numbers."""
    numbers = sorted(Counter(answer.status for answer in answers).items())
    names = {0: "closed by the client", -1: "**dropped**"}
    return ", ".join(f"{names.get(status, status)}: {number:,}" for status, number in numbers)


def describe_times(answers: Sequence[Answer]) -> str:
    """Return the median and the 99th percentile of the times in ms."""
    median, late = np.percentile([1e3 * answer.seconds for answer in answers], (50, 99))
    return f"{median:.1f} | {late:.1f}"


def print_sizes(before: Size, after: Size) -> None:
    """Print the sizes of the service after the first tenth of the requests and after all."""
    print("| the service | after a tenth | at the end | bound |\n|---|---|---|---|")
    print(f"| memory, MB | {before.megabytes:.0f} | {after.megabytes:.0f} | {GROWTH * before.megabytes:.0f} |")
    for name, text in (("files", "open files"), ("threads", "threads")):
        print(f"| {text} | {getattr(before, name)} | {getattr(after, name)} | {getattr(before, name) + SLACK} |")
    print(f"| models loaded in place of another | {before.reloads} | {after.reloads} | |")


@contextmanager
def running_service(model: Path) -> Iterator[tuple[psutil.Process, Address]]:
    """Yield the process and the address of `reidops serve`, which ends with the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "reidops", "serve", "--model", str(model), "--port", str(port), "--threads", "1"]
    limits = {
        "--max-body-mb": MAX_BODY_MB,
        "--max-pixels": MAX_PIXELS,
        "--request-seconds": REQUEST_SECONDS,
        "--reload-seconds": RELOAD_SECONDS,
    }
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([*command, *(str(part) for pair in limits.items() for part in pair)], env=environment)
    try:
        wait_until_it_answers(process, port)
        yield psutil.Process(process.pid), ("127.0.0.1", port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the service listens; exit if its process ends."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"service_load: the service ended with {process.returncode}")


if __name__ == "__main__":
    main()
