"""The limits of the service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceSettings:
    """Limits; a request beyond one of them is answered with a status of 4xx or 503 and a message.

    Attributes:
        max_body_bytes: bytes of a request.
        max_pictures: pictures, or boxes of a frame, of a request.
        max_pixels: pixels of all pictures of a request together, by their headers.
        request_seconds: time in which a request must arrive, and then be answered.
        max_waiting: requests that are answered at once; further ones get 503.
        max_batch: crops of one run of the network; crops of several requests share a batch.
        max_sessions: cameras that are tracked at once.
        session_seconds: time after which a camera without a frame is forgotten.
        reload_seconds: time between two checks of the registry's alias.
    """

    max_body_bytes: int = 32 << 20
    max_pictures: int = 256
    max_pixels: int = 100_000_000
    request_seconds: float = 30.0
    max_waiting: int = 256
    max_batch: int = 64
    max_sessions: int = 64
    session_seconds: float = 300.0
    reload_seconds: float = 10.0
