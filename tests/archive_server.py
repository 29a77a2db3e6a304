"""An HTTP server on localhost that serves one file, with optional errors, and records the requests."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CHUNK = 1 << 16


class ArchiveServer:
    """Serve `content`; each behaviour is a switch, so that a test can combine them.

    break_after: bytes after which a connection is cut, once per entry of the list.
    statuses: what is answered instead, once per entry; `retry_after` goes with it.
    lie: about Range. "start" sends from byte 0, "total" takes half of the file for all of it.
    length: "told", "chunked", or "none" (the end of the connection is the end of the file).
    pause_s: before each 64 KiB.  redirects: that many answers lead elsewhere.  silence_s: before each answer.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.heed_range = True
        self.lie = ""
        self.break_after: list[int] = []
        self.statuses: list[int] = []
        self.retry_after = ""
        self.content_type = "application/zip"
        self.length = "told"
        self.pause_s = 0.0
        self.redirects = 0
        self.silence_s = 0.0
        self.asked: list[str | None] = []
        self.times_s: list[float] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        time.sleep(self.silence_s)
        asked = request.headers.get("Range")
        self.asked.append(asked)
        self.times_s.append(time.monotonic())
        if self.statuses:
            self._answer_empty(
                request, self.statuses.pop(0), {"Retry-After": self.retry_after} if self.retry_after else {}
            )
            return
        if self.redirects:
            self.redirects -= 1
            self._answer_empty(request, 302, {"Location": self.url.replace("set.zip", f"moved-{self.redirects}.zip")})
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.heed_range else 0
        if start >= len(self.content):
            self._answer_empty(request, 416, {"Content-Range": f"bytes */{len(self.content)}"})
            return
        self._send(request, start, partial=bool(asked and self.heed_range))

    def _answer_empty(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
            request.send_header(name, value)
        request.end_headers()

    def _send(self, request: BaseHTTPRequestHandler, start: int, *, partial: bool) -> None:
        request.send_response(206 if partial else 200)
        request.send_header("Content-Type", self.content_type)
        if self.lie == "start" and partial:
            start = 0
        content = self.content[: len(self.content) // 2] if self.lie == "total" and partial else self.content
        body = content[start:]
        if self.length == "told":
            request.send_header("Content-Length", str(len(body)))
        if self.length == "chunked":
            request.send_header("Transfer-Encoding", "chunked")
        if partial:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        most = self.break_after.pop(0) if self.break_after else len(body)
        self._send_body(request, body[:most], whole=most >= len(body))

    def _send_body(self, request: BaseHTTPRequestHandler, body: bytes, *, whole: bool) -> None:
        for start in range(0, len(body), _CHUNK):
            time.sleep(self.pause_s)
            block = body[start : start + _CHUNK]
            request.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if self.length == "chunked" else block)
        if whole and self.length == "chunked":
            request.wfile.write(b"0\r\n\r\n")
        request.wfile.flush()
        request.close_connection = not whole or self.length == "none"


@contextmanager
def serve(content: bytes) -> Iterator[ArchiveServer]:
    """Serve `content` under `server.url` until the block ends."""
    server = ArchiveServer(content)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 — the base class calls it so
            server.answer(self)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_port}/set.zip"
        http.handle_error = lambda *_: None  # a client may hang up when it has read enough
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        http.shutdown()
