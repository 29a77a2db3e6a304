"""Pictures of a camera or a stream, one at a time, with a new connection where the old one breaks."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np

from reidops.errors import ReidopsError

logger = logging.getLogger(__name__)

_DEFAULT_RATE = 25.0  # fps, of a stream that does not say
_ADDRESS = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|srt)://", re.IGNORECASE)
_NUM_TRIES, _WAIT_S = 5, 2.0


class Capture(Protocol):
    """What OpenCV's VideoCapture has."""

    def isOpened(self) -> bool:  # noqa: N802
        """Tell whether the source is there."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Return whether there is a picture, and the picture."""

    def get(self, prop: int) -> float:
        """Return a property of the source."""

    def release(self) -> None:
        """Let the source go."""


def is_stream(source: str) -> bool:
    """Tell whether a source is an address or the number of a camera.

    >>> is_stream("rtsp://camera/1"), is_stream("0"), is_stream("street.mp4")
    (True, True, False)
    """
    return bool(_ADDRESS.match(source)) or source.isdecimal()


class Stream:
    """A camera by its number, or an address; it has no end but Ctrl-C, --max-frames or a source that stays away."""

    num_frames: int | None = None
    times: None = None

    def __init__(
        self,
        source: str,
        *,
        connect: Callable[[str | int], Capture] = cv2.VideoCapture,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect once, so that a wrong address is found before a model is loaded.

        Args:
            connect, wait: of another library, or of a test.

        Raises:
            ReidopsError: the source does not answer.
        """
        self._source, self._connect, self._wait = source, connect, wait
        self._capture: Capture | None = self._open()
        if self._capture is None:
            raise ReidopsError(
                f"{shown(source)}: no picture comes from there; check the address, or the camera's number, with "
                f"`ffplay` or another player"
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.frame_rate = rate if 0 < rate <= 1000 else _DEFAULT_RATE

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, picture), from 1; after a break the numbers go on."""
        number = 0
        try:
            while self._capture is not None:
                there, picture = self._capture.read()
                if there:
                    number += 1
                    yield number, picture
                else:
                    self._reconnect(number)
        finally:
            if self._capture is not None:
                self._capture.release()
                self._capture = None

    def _reconnect(self, number: int) -> None:
        """Open the source again; it is left for good after some tries."""
        self._capture.release()
        self._capture = None
        for attempt in range(1, _NUM_TRIES + 1):
            logger.warning(
                "%s: no picture after frame %d; connecting again (%d of %d)",
                shown(self._source),
                number,
                attempt,
                _NUM_TRIES,
            )
            self._wait(_WAIT_S)
            self._capture = self._open()
            if self._capture is not None:
                return
        logger.warning("%s: gone after frame %d", shown(self._source), number)

    def _open(self) -> Capture | None:
        capture = self._connect(int(self._source) if self._source.isdecimal() else self._source)
        if capture.isOpened():
            return capture
        capture.release()
        return None


def shown(source: str) -> str:
    """Return an address without the password in it.

    >>> shown("rtsp://me:secret@camera/1")
    'rtsp://me:…@camera/1'
    """
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:…@", source)
