"""An HTTP server on localhost that serves one file, well or badly, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ArchiveServer:
    """Serve `content`; each behaviour is a switch, so that a test can combine them.

    break_after: bytes after which a connection is cut, once per entry of the list.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.heed_range = True
        self.lie_about_range = False
        self.break_after: list[int] = []
        self.statuses: list[int] = []
        self.content_type = "application/zip"
        self.asked: list[str | None] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if self.statuses:
            request.send_error(self.statuses.pop(0))
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.heed_range else 0
        if start >= len(self.content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.content)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        self._send(request, start, partial=bool(asked and self.heed_range))

    def _send(self, request: BaseHTTPRequestHandler, start: int, *, partial: bool) -> None:
        request.send_response(206 if partial else 200)
        request.send_header("Content-Type", self.content_type)
        if self.lie_about_range and partial:
            start = 0
        body = self.content[start:]
        request.send_header("Content-Length", str(len(body)))
        if partial:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.end_headers()
        most = self.break_after.pop(0) if self.break_after else len(body)
        request.wfile.write(body[:most])
        if most < len(body):
            request.wfile.flush()
            request.close_connection = True


@contextmanager
def serve(content: bytes) -> Iterator[ArchiveServer]:
    """Serve `content` under `server.url` until the block ends."""
    server = ArchiveServer(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 — the base class calls it so
            server.answer(self)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/set.zip"
        http.handle_error = lambda *_: None  # a client may hang up when it has read enough
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        http.shutdown()
