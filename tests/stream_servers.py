"""Servers on localhost for the tests of streams: MJPEG over HTTP and MPEG-TS over RTSP, with breaks."""

import io
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import cv2
import numpy as np

WIDTH, HEIGHT = 64, 48


def picture(number: int) -> np.ndarray:
    """Return the picture of a frame, BGR uint8 [48, 64, 3]; its brightness is 20 × number."""
    return np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler], num_frames: list[int]) -> None:
        """Serve one connection per item of `num_frames`; later ones are closed at once."""
        super().__init__(("127.0.0.1", 0), handler)
        self.num_frames = num_frames
        self.lock = threading.Lock()

    def take(self) -> int:
        """Return the number of frames of the next connection."""
        with self.lock:
            return self.num_frames.pop(0) if self.num_frames else 0


class _Mjpeg(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        num_frames = self.server.take()
        if not num_frames:
            return
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
        for number in range(1, num_frames + 1):
            data = cv2.imencode(".jpg", picture(number))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")


_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track0\r\n"
_PACKET = 7 * 188  # bytes of MPEG-TS in an RTP packet


class _Rtsp(socketserver.StreamRequestHandler):
    """RTSP with RTP over the same connection (RFC 2326, section 10.12); MPEG-TS has payload type 33 (RFC 2250)."""

    def handle(self) -> None:
        num_frames = self.server.take()
        while num_frames and (request := self._read()):
            method, headers = request
            answers = {
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n\r\n{_SDP}",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n",
                "PLAY": "Session: 1\r\n\r\n",
                "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
            }
            answer = answers.get(method, "\r\n")
            self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', '0')}\r\n{answer}".encode())
            if method == "PLAY":
                self._send(num_frames)
                return

    def _read(self) -> tuple[str, dict[str, str]] | None:
        lines = []
        while line := self.rfile.readline().decode("latin-1").strip():
            lines.append(line)
        if not lines:
            return None
        pairs = (line.partition(":") for line in lines[1:])
        return lines[0].split()[0], {name.lower(): value.strip() for name, _, value in pairs}

    def _send(self, num_frames: int) -> None:
        data = _mpegts(num_frames)
        for count, start in enumerate(range(0, len(data), _PACKET)):
            payload = struct.pack("!BBHII", 0x80, 33, count & 0xFFFF, 90 * count, 1) + data[start : start + _PACKET]
            self.wfile.write(struct.pack("!cBH", b"$", 0, len(payload)) + payload)


def _mpegts(num_frames: int) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 1
        stream.max_b_frames = 0
        for number in range(1, num_frames + 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")))
        container.mux(stream.encode())
    return buffer.getvalue()


@contextmanager
def stream_server(kind: str, *num_frames: int) -> Iterator[str]:
    """Yield the address of a server, http or rtsp, whose k-th connection breaks off after `num_frames[k]` frames."""
    handler = {"http": _Mjpeg, "rtsp": _Rtsp}[kind]
    with _Server(handler, list(num_frames)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"{kind}://127.0.0.1:{server.server_address[1]}/street"
        server.shutdown()
        thread.join()
