"""Fetch a file over HTTP that may be gigabytes from a slow server: resume, retry, check, try the next mirror."""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from reidops.errors import ReidopsError, Unreachable

log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = (10, 60)  # to connect, between two blocks
_LONGEST_WAIT_S = 60
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # states of a server that may be over in a minute


@dataclass(frozen=True)
class Archive:
    """A file to fetch: its name here, its mirrors in the order to try them, and what is known of its content.

    `hash` is `md5:…` or `sha256:…`.
    """

    name: str
    urls: tuple[str, ...]
    hash: str | None = None
    num_bytes: int | None = None


class _Refused(Exception):
    """This mirror will not serve the file: try the next one."""


class _Silent(_Refused):
    """The mirror did not serve for long enough to be given up; it may later."""


class _Interrupted(Exception):
    """The connection broke or the server is busy: try again later."""


def fetch(archive: Archive, folder: Path, *, attempts: int = 5, wait_s: float = 1.0) -> Path:
    """Return `folder/archive.name`, fetched unless it is there and right.

    Until it is whole the file is called `….part`; a later call goes on where it ended. Each mirror is given up after `attempts`
    connections in a row that brought no byte; the wait between them doubles from `wait_s` (seconds).

    Raises:
        ReidopsError: no mirror gave the file; says what each one did. `Unreachable` where trying later may help.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / archive.name, folder / f"{archive.name}.part"
    if path.is_file() and not _fault(path, archive):
        return path
    answers, kind = [], ReidopsError
    for url in archive.urls:
        try:
            _fetch_from(url, part, archive, attempts=attempts, wait_s=wait_s)
        except _Refused as refusal:
            log.warning("%s: %s", url, refusal)
            answers.append(f"{url}: {refusal}")
            kind = Unreachable if isinstance(refusal, _Silent) else kind
            if archive.hash is None:
                part.unlink(missing_ok=True)  # nothing would tell that two mirrors' halves do not fit
        else:
            part.replace(path)
            return path
    raise kind(
        f"{archive.name}: no server gave it:\n  " + "\n  ".join(answers) + f"\nRun again to go on, or put the file into {folder} by hand"
    )


def check_hash(path: Path, expected: str) -> str | None:
    """Return what is wrong with the file's hash, None if nothing; `expected` is `md5:…` or `sha256:…`."""
    algorithm, _, digest = expected.partition(":")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    return None if found == digest.lower() else f"its {algorithm} is {found}, expected {digest}"


def _fetch_from(url: str, part: Path, archive: Archive, *, attempts: int, wait_s: float) -> None:
    """Bring `part` to its end from one mirror and check it; a wrong file is fetched once more from its beginning."""
    for is_last in (False, True):
        _fetch_whole(url, part, attempts=attempts, wait_s=wait_s)
        fault = _fault(part, archive)
        if fault is None:
            return
        part.unlink()
        if is_last:
            raise _Refused(fault)
        log.warning("%s: %s; once more from the beginning", url, fault)


def _fetch_whole(url: str, part: Path, *, attempts: int, wait_s: float) -> None:
    failed = 0
    while True:
        before = _num_bytes(part)
        try:
            _request(url, part)
            return
        except _Interrupted as interruption:
            failed = 1 if _num_bytes(part) > before else failed + 1
            if failed >= attempts:
                raise _Silent(f"{interruption} ({attempts} times)") from None
            pause_s = min(wait_s * 2 ** (failed - 1), _LONGEST_WAIT_S)
            log.warning("%s: %s; again in %.1f s", url, interruption, pause_s)
            time.sleep(pause_s)


def _request(url: str, part: Path) -> None:
    """Append to `part` what one connection gives, until the file is whole."""
    start = _num_bytes(part)
    # No compression on the way, or byte counts would be of something else.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with _connection(), requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == 416 and _total(response) == start:
            return  # the part was whole already
        _check_status(response, part)
        start = _start_of(response, start, part)
        total = _total(response)
        _append(response, part, start, total)
    if total is not None and _num_bytes(part) < total:
        raise _Interrupted(f"the connection ended after {_num_bytes(part):,} of {total:,} bytes")


@contextmanager
def _connection() -> Iterator[None]:
    try:
        yield
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema) as error:
        raise _Refused(f"is no address ({error})") from None
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _Interrupted(f"{type(error).__name__}, no connection or a broken one") from None


def _check_status(response: requests.Response, part: Path) -> None:
    if response.status_code == 416:
        part.unlink()
        raise _Interrupted("the server's file is shorter than what came so far; from the beginning")
    if response.status_code in _PASSING:
        raise _Interrupted(f"the server answers {response.status_code} {response.reason}")
    if response.status_code not in (200, 206):
        raise _Refused(f"the server answers {response.status_code} {response.reason}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _Refused("the server sends a web page instead of the archive; open the address in a browser to see why")


def _start_of(response: requests.Response, asked: int, part: Path) -> int:
    """Return the byte at which the answer begins: the one asked for, or 0 from a server that ignores the question."""
    if response.status_code == 200:
        return 0
    told = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if told != str(asked):
        part.unlink()
        raise _Interrupted(f"the server was asked for bytes from {asked} and sends them from {told or 'nowhere'}; from the beginning")
    return asked


def _total(response: requests.Response) -> int | None:
    """Return the bytes of the whole file, None where the server does not say."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length")
    else:
        length = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(length) if length and length.isdecimal() else None


def _append(response: requests.Response, part: Path, start: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    bar = tqdm(desc=f"fetch {name}", initial=start, total=total, unit="B", unit_scale=True, disable=None, leave=False)
    try:
        with bar, open(part, "r+b" if start else "wb") as stream:
            stream.seek(start)
            while block := response.raw.read1(_BLOCK_BYTES):  # what has come; read() would lose the last block of a broken connection
                stream.write(block)
                bar.update(len(block))
    except OSError as error:  # the disk's fault; the connection's are urllib3's own
        raise ReidopsError(f"{part}: {error.strerror or error}; free some space and run again, it goes on from here") from None


def _fault(path: Path, archive: Archive) -> str | None:
    """Return what is wrong with a whole file, None if nothing is."""
    with open(path, "rb") as stream:
        beginning = stream.read(512).lstrip().lower()
    if beginning.startswith((b"<!doctype html", b"<html")):
        return "is a web page instead of the archive; open the address in a browser to see why"
    if archive.num_bytes is not None and _num_bytes(path) != archive.num_bytes:
        return f"has {_num_bytes(path):,} bytes, expected {archive.num_bytes:,}"
    return check_hash(path, archive.hash) if archive.hash else None


def _num_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0

