"""Read the bodies of requests within limits of size, number and time: JSON, one picture, or multipart."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from reidops.service.refusals import Refused
from reidops.service.settings import ServiceSettings

MULTIPART, JSON = "multipart/form-data", "application/json"
_HEADER_BYTES = 1 << 16  # of the decoder's buffer beside the largest part


@dataclass(frozen=True)
class Part:
    """A field or file of a multipart body."""

    name: str
    data: bytes


def content_type(request: Request) -> tuple[str, dict[str, str]]:
    """Return the media type of a request in lower case, and its options."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind.lower(), options


async def read_body(request: Request, limits: ServiceSettings) -> bytes:
    """Return the whole body.

    Raises:
        Refused: it is too large (413) or too slow (408).
    """
    body = bytearray()
    async with _deadline(limits):
        async for chunk in _chunks(request, limits.max_body_bytes):
            body += chunk
    return bytes(body)


async def read_json_body(request: Request, limits: ServiceSettings) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        Refused: it is not JSON or not an object (400), too large (413) or too slow (408).
    """
    return parse_object(await read_body(request, limits), "the body")


def parse_object(text: bytes, where: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        Refused: the text is not JSON or not an object (400).
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error)[:80] if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise Refused(400, f"{where} is not valid JSON ({reason})") from None
    if not isinstance(content, dict):
        raise Refused(400, f"{where} is a JSON {type(content).__name__}, expected an object")
    return content


async def read_parts(request: Request, limits: ServiceSettings) -> list[Part]:
    """Return the parts of a multipart body.

    Raises:
        Refused: it is not whole multipart (400), too large or has too many parts (413), or is too slow (408).
    """
    boundary = content_type(request)[1].get("boundary", "")
    if not boundary:
        raise Refused(400, f"the content type {MULTIPART} has no boundary")
    parts = _Parts(boundary.encode(), limits)
    async with _deadline(limits):
        async for chunk in _chunks(request, limits.max_body_bytes):
            parts.add(chunk)
    return parts.finish()


class _Parts:
    """Collect the parts of a multipart body chunk by chunk."""

    def __init__(self, boundary: bytes, limits: ServiceSettings) -> None:
        self._decoder = MultipartDecoder(
            boundary, limits.max_body_bytes + _HEADER_BYTES, max_parts=limits.max_pictures + 1
        )
        self._limit = limits.max_pictures
        self._parts: list[Part] = []
        self._name, self._data = "", bytearray()
        self._is_whole = False

    def add(self, chunk: bytes | None) -> None:
        """Take the next bytes, None at the end."""
        try:
            self._decoder.receive_data(chunk)
            while not (self._is_whole or isinstance(event := self._decoder.next_event(), NeedData)):
                self._take(event)
        except RequestEntityTooLarge:
            raise Refused(413, f"the body has more than {self._limit} parts") from None
        except ValueError as error:
            raise Refused(400, f"the body is not {MULTIPART} ({str(error)[:80]})") from None

    def finish(self) -> list[Part]:
        """Return the parts."""
        self.add(None)
        if not self._is_whole:
            raise Refused(400, f"the {MULTIPART} body ends before its last boundary")
        return self._parts

    def _take(self, event: Event) -> None:
        if isinstance(event, Field | File):
            self._name, self._data = event.name, bytearray()
        elif isinstance(event, Data):
            self._data += event.data
            if not event.more_data:
                self._parts.append(Part(self._name, bytes(self._data)))
        elif isinstance(event, Epilogue):
            self._is_whole = True


async def _chunks(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield the body; a body that is, or says that it is, too large is refused without being read."""
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > most:
        raise Refused(413, f"the body has {int(stated):,} bytes, at most {most:,} are allowed")
    num_bytes = 0
    try:
        async for chunk in request.stream():
            num_bytes += len(chunk)
            if num_bytes > most:
                raise Refused(413, f"the body has more than {most:,} bytes")
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise Refused(400, "the client closed the connection before the end of the body") from None


@asynccontextmanager
async def _deadline(limits: ServiceSettings) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limits.request_seconds):
            yield
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {limits.request_seconds:g} s") from None
