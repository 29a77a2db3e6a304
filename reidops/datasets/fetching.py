"""Fetch large files over HTTP with resume, retries, checks and several mirrors."""

import email.utils
import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from reidops.datasets.archives import fault_of_archive
from reidops.errors import ReidopsError, Unreachable
from reidops.progress_bar import progress_bar

log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 18
_HASH_BYTES = 1 << 22
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})  # HTTP status codes after which a retry may succeed


@dataclass(frozen=True)
class Archive:
    """A file to fetch: its local name, its mirrors in the order of use, and its hash and size if they are known.

    `hash` is `md5:…` or `sha256:…`.
    """

    name: str
    urls: tuple[str, ...]
    hash: str | None = None
    num_bytes: int | None = None


@dataclass(frozen=True)
class Patience:
    """Retry limits per mirror.

    `attempts` is the number of successive connections without a new byte. The wait between two connections doubles from
    `wait_s` to `longest_wait_s`; a server may request a longer one (Retry-After), up to `most_asked_s`.
    """

    attempts: int = 5
    wait_s: float = 1.0
    longest_wait_s: float = 60.0
    most_asked_s: float = 300.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0  # between two blocks


class _Refused(Exception):
    """This mirror does not serve the file; the next one is tried."""


class _Silent(_Refused):
    """This mirror failed after all retries; it may be available later."""


class _Interrupted(Exception):
    """The connection broke or the server is busy; `asked_s` is the wait in seconds that the server requests."""

    def __init__(self, what: str, asked_s: float = 0.0) -> None:
        super().__init__(what)
        self.asked_s = asked_s


def fetch(archive: Archive, folder: Path, patience: Patience = Patience()) -> Path:
    """Return `folder/archive.name`; the file is fetched unless it exists and is valid.

    An incomplete file has the suffix `.part`, and a later call resumes it, also after a kill. Without a known hash each
    mirror has its own part file, because a mix of two mirrors could not be detected. The function waits while another
    process fetches into the same folder.

    Raises:
        ReidopsError: no mirror served the file; the message has the fault of each mirror. `Unreachable` if a later
            attempt may succeed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / archive.name
    with _alone_in(folder):
        if path.is_file() and not fault_of(path, archive):
            return path
        answers, kind = [], ReidopsError
        for url in archive.urls:
            part = folder / _part_name(archive, url)
            try:
                _fetch_from(url, part, archive, patience)
            except _Refused as refusal:
                log.warning("%s: %s", url, refusal)
                answers.append(f"{url}: {refusal}")
                kind = Unreachable if isinstance(refusal, _Silent) else kind
            else:
                part.replace(path)
                _remove_parts(path)
                return path
    raise kind(
        f"{archive.name}: no server delivered the file:\n  "
        + "\n  ".join(answers)
        + f"\nRun again to go on, or put the file into {folder} by hand"
    )


def fault_of(path: Path, archive: Archive) -> str | None:
    """Return the fault of a complete file, None if it is valid."""
    fault = fault_of_archive(path, archive.name)
    if fault is None and archive.num_bytes is not None and _num_bytes(path) != archive.num_bytes:
        fault = f"has {_num_bytes(path):,} bytes, expected {archive.num_bytes:,}"
    return fault or (check_hash(path, archive.hash) if archive.hash else None)


def check_hash(path: Path, expected: str) -> str | None:
    """Return the fault of the file's hash, None if it matches; `expected` is `md5:…` or `sha256:…`."""
    algorithm, _, wanted = expected.partition(":")
    digest = hashlib.new(algorithm)
    bar = progress_bar(desc=f"check {path.name}", total=_num_bytes(path), unit="B", unit_scale=True)
    with bar, open(path, "rb", buffering=0) as stream:
        while block := stream.read(_HASH_BYTES):
            digest.update(block)
            bar.update(len(block))
    return (
        None if digest.hexdigest() == wanted.lower() else f"its {algorithm} is {digest.hexdigest()}, expected {wanted}"
    )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes that fetch into it.

    The kernel releases the lock when the process ends, also after a kill.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s: waiting for another process that fetches into this folder", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _part_name(archive: Archive, url: str) -> str:
    mirror = "" if archive.hash else f".{hashlib.sha256(url.encode()).hexdigest()[:8]}"
    return f"{archive.name}{mirror}.part"


def _remove_parts(path: Path) -> None:
    """Remove the part files of other mirrors."""
    for name in os.listdir(path.parent):
        if name.startswith(f"{path.name}.") and name.endswith(".part"):
            (path.parent / name).unlink()


def _fetch_from(url: str, part: Path, archive: Archive, patience: Patience) -> None:
    """Complete `part` from one mirror and check it; an invalid file of several connections is fetched once more."""
    in_pieces = part.is_file()
    in_pieces |= _fetch_whole(url, part, archive, patience) > 1
    fault = fault_of(part, archive)
    if fault is not None and in_pieces:
        log.warning("%s: %s; fetching it again from the beginning", url, fault)
        part.unlink()
        _fetch_whole(url, part, archive, patience)
        fault = fault_of(part, archive)
    if fault is not None:
        part.unlink()
        raise _Refused(fault)


def _fetch_whole(url: str, part: Path, archive: Archive, patience: Patience) -> int:
    """Complete `part` and return the number of connections."""
    number, failed, furthest = 0, 0, _num_bytes(part)
    while True:
        number += 1
        try:
            _request(url, part, archive, patience)
            return number
        except _Interrupted as interruption:
            failed = 1 if _num_bytes(part) > furthest else failed + 1
            furthest = max(furthest, _num_bytes(part))
            if failed >= patience.attempts or interruption.asked_s > patience.most_asked_s:
                raise _Silent(f"{interruption} ({failed} times)") from None
            pause_s = max(min(patience.wait_s * 2 ** (failed - 1), patience.longest_wait_s), interruption.asked_s)
            log.warning("%s: %s; retrying in %.1f s", url, interruption, pause_s)
            time.sleep(pause_s)


def _request(url: str, part: Path, archive: Archive, patience: Patience) -> None:
    """Append the bytes of one connection to `part`."""
    start = _num_bytes(part)
    # Without compression, because the byte counts must be those of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    timeout_s = (patience.connect_timeout_s, patience.read_timeout_s)
    with _connection(), requests.get(url, headers=headers, stream=True, timeout=timeout_s) as response:
        if response.status_code == 416 and _total(response, start) == start:
            return  # the part was already complete
        _check_status(response, part)
        start = _start_of(response, start, part)
        total = _total(response, start)
        _check_room(part, archive, start, total)
        _append(response, part, start, total)
    if total is not None and _num_bytes(part) < total:
        raise _Interrupted(f"the connection ended after {_num_bytes(part):,} of {total:,} bytes")


@contextmanager
def _connection() -> Iterator[None]:
    try:
        yield
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ) as error:
        raise _Refused(f"is not a valid address ({error})") from None
    except requests.TooManyRedirects as error:
        raise _Refused(f"has too many redirects ({error})") from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise _Interrupted("the server does not answer in time") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Interrupted(f"{type(error).__name__}, no connection or a broken one") from None


def _check_status(response: requests.Response, part: Path) -> None:
    answer = f"the server answers {response.status_code} {response.reason}"
    if response.status_code == 416:
        part.unlink()
        raise _Interrupted("the server's file is shorter than the fetched part; starting from the beginning")
    if response.status_code in _TRANSIENT:
        asked_s = _asked_wait_s(response.headers.get("Retry-After", ""))
        raise _Interrupted(answer + (f" and asks to wait for {asked_s:.0f} s" if asked_s else ""), asked_s)
    if response.status_code not in (200, 206):
        raise _Refused(answer)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _Refused("the server sends a web page instead of the archive; open the address in a browser to see why")


def _asked_wait_s(retry_after: str) -> float:
    """Return the wait in seconds of a Retry-After header (a number or a date), 0 if it is missing or invalid."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0


def _start_of(response: requests.Response, asked: int, part: Path) -> int:
    """Return the first byte of the response: the requested one, or 0 if the server ignores the range."""
    if response.status_code == 200:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if first != str(asked):
        part.unlink(missing_ok=True)
        raise _Interrupted(
            f"the server sends bytes from {first or 'an unknown position'}, expected {asked}; starting from the "
            f"beginning"
        )
    return asked


def _total(response: requests.Response, start: int) -> int | None:
    """Return the number of bytes of the whole file, None if the server does not send it."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if total.isdecimal() and response.status_code != 200:
        return int(total)
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() and response.status_code != 416 else None


def _check_room(part: Path, archive: Archive, start: int, total: int | None) -> None:
    """Check the size of the file and the free space of the disk before the download starts."""
    if total is None:
        return
    if archive.num_bytes is not None and total != archive.num_bytes:
        raise _Refused(f"has {total:,} bytes, expected {archive.num_bytes:,}")
    # A part that starts again from 0 frees its bytes first.
    free = shutil.disk_usage(part.parent).free + _num_bytes(part) - start
    if total - start > free:
        raise ReidopsError(
            f"{part}: needs {total - start:,} more bytes, the disk has {free:,} free; free some space and run again"
        )


def _append(response: requests.Response, part: Path, start: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    bar = progress_bar(desc=f"fetch {name}", initial=start, total=total, unit="B", unit_scale=True)
    try:
        with bar, open(part, "r+b" if start else "wb") as stream:
            stream.seek(start)
            # read1() returns the available bytes; read() would lose the last block of a broken connection.
            while block := response.raw.read1(_BLOCK_BYTES):
                stream.write(block)
                bar.update(len(block))
    except OSError as error:  # a fault of the disk; urllib3 has its own errors for connections
        raise ReidopsError(
            f"{part}: {error.strerror or error}; free some space and run again, it goes on from here"
        ) from None


def _num_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
