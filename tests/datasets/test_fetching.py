"""A fetched file is the server's file, whatever the server, the connection and the disk do."""

import email.utils
import errno
import fcntl
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from archive_server import ArchiveServer, serve

from reidops import progress_bar
from reidops.datasets import fetching
from reidops.datasets.fetching import Archive, Patience, fetch
from reidops.errors import ReidopsError, Unreachable

pytestmark = pytest.mark.slow


def zip_of(num_bytes: int, seed: int = 0) -> bytes:
    """Return a zip with one file that does not shrink."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.jpg"), np.random.default_rng(seed).bytes(num_bytes))
    return stream.getvalue()


CONTENT = zip_of(3_000_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/set.zip"
FAST = Patience(attempts=3, wait_s=0.01, read_timeout_s=5)


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with serve(CONTENT) as running:
        yield running


def archive_of(server: ArchiveServer, *, known: bool = True) -> Archive:
    return Archive("set.zip", (server.url,), SHA256 if known else None)


def fetched(archive: Archive, folder: Path, patience: Patience = FAST) -> bytes:
    return fetch(archive, folder, patience).read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_good_server_is_asked_once_and_a_whole_file_never_again(server: ArchiveServer, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [None]
    assert names(tmp_path) == ["set.zip"]


@pytest.mark.parametrize("known", [True, False])
def test_a_broken_connection_goes_on_where_it_ended(server: ArchiveServer, tmp_path: Path, known: bool) -> None:
    server.break_after = [1_000_000, 500_000]
    assert fetched(archive_of(server, known=known), tmp_path) == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


@pytest.mark.parametrize("length", ["chunked", "none"])
def test_a_server_that_does_not_tell_the_length_is_read_to_its_end(
    server: ArchiveServer, tmp_path: Path, length: str
) -> None:
    server.length = length
    assert fetched(archive_of(server, known=False), tmp_path) == CONTENT


def test_a_broken_chunked_answer_goes_on_where_it_ended(server: ArchiveServer, tmp_path: Path) -> None:
    server.length, server.break_after = "chunked", [1 << 20]
    assert fetched(archive_of(server, known=False), tmp_path) == CONTENT
    assert server.asked == [None, f"bytes={1 << 20}-"]


def test_a_cut_off_zip_is_noticed_where_no_length_is_told(server: ArchiveServer, tmp_path: Path) -> None:
    server.length, server.break_after = "none", [1_000_000]
    with pytest.raises(ReidopsError, match="is cut off or no zip"):
        fetched(archive_of(server, known=False), tmp_path)
    assert names(tmp_path) == []


def test_a_later_run_goes_on_where_a_killed_one_ended(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:2_000_000])
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == ["bytes=2000000-"]


@pytest.mark.parametrize("known", [True, False])
def test_a_later_run_goes_on_where_a_server_was_given_up(server: ArchiveServer, tmp_path: Path, known: bool) -> None:
    server.break_after = [1_000_000, 0, 0, 0]
    with pytest.raises(Unreachable, match=r"(?s)\(3 times\).*Run again to go on"):
        fetched(archive_of(server, known=known), tmp_path)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [1_000_000]
    server.break_after.clear()
    assert fetched(archive_of(server, known=known), tmp_path) == CONTENT
    assert server.asked[-1] == "bytes=1000000-"
    assert names(tmp_path) == ["set.zip"]


def test_a_part_that_is_whole_is_taken(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    assert fetched(archive_of(server), tmp_path) == CONTENT


def test_a_server_that_ignores_range_sends_all_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.heed_range, server.break_after = False, [1_000_000]
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [None, "bytes=1000000-"]


def test_a_server_that_starts_elsewhere_than_asked_is_not_believed(server: ArchiveServer, tmp_path: Path) -> None:
    server.lie, server.break_after = "start", [1_000_000]
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [None, "bytes=1000000-", None]


@pytest.mark.parametrize("heed_range", [True, False])
def test_a_server_that_breaks_off_and_never_goes_on_is_given_up(
    server: ArchiveServer, tmp_path: Path, heed_range: bool
) -> None:
    server.lie, server.heed_range, server.break_after = "start", heed_range, [1_000_000] * 99
    with pytest.raises(Unreachable, match=r"\(3 times\)"):
        fetched(archive_of(server), tmp_path)
    assert len(server.asked) < 9


def test_a_server_that_lies_about_the_files_length_is_found_out(server: ArchiveServer, tmp_path: Path) -> None:
    server.lie, server.break_after = "total", [1_000_000]
    # half was taken for the whole first, and did not have its hash
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [None, "bytes=1000000-", None]


def test_a_part_of_another_file_is_noticed_and_fetched_anew(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"x" * 1000)
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path, status: int) -> None:
    server.statuses = [status, status]
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_server_that_refuses_is_asked_once(server: ArchiveServer, tmp_path: Path, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(ReidopsError, match=f"the server answers {status}") as refusal:
        fetched(archive_of(server), tmp_path)
    assert len(server.asked) == 1 and not isinstance(refusal.value, Unreachable)


def test_the_wait_between_two_attempts_doubles(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [503] * 4
    fetched(archive_of(server), tmp_path, replace(FAST, attempts=9, wait_s=0.05))
    waits_s = np.diff(server.times_s)
    assert (waits_s > [0.05, 0.1, 0.2, 0.4]).all()


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_is_given_the_time_that_it_asks_for(server: ArchiveServer, tmp_path: Path, as_date: bool) -> None:
    server.statuses = [503]
    server.retry_after = email.utils.formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    fetched(archive_of(server), tmp_path)
    assert server.times_s[1] - server.times_s[0] > (0.5 if as_date else 1)


def test_a_server_that_asks_for_too_much_time_is_left_for_the_next_one(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(CONTENT) as busy:
        busy.statuses, busy.retry_after = [503] * 9, "86400"
        assert fetched(Archive("set.zip", (busy.url, server.url), SHA256), tmp_path) == CONTENT
        assert len(busy.asked) == 1


def test_a_server_that_stays_busy_is_given_up(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [503] * 99
    with pytest.raises(Unreachable, match=r"503 Service Unavailable \(3 times\)"):
        fetched(archive_of(server), tmp_path)
    assert len(server.asked) == 3


def test_a_server_that_never_answers_is_given_up_after_the_timeout(server: ArchiveServer, tmp_path: Path) -> None:
    server.silence_s = 2
    with pytest.raises(Unreachable, match=r"does not answer in time \(2 times\)"):
        fetched(archive_of(server), tmp_path, replace(FAST, attempts=2, read_timeout_s=0.1))


def test_a_server_that_falls_silent_is_asked_for_the_rest(server: ArchiveServer, tmp_path: Path) -> None:
    server.pause_s = 0.4

    def wake() -> None:
        while not server.asked:
            time.sleep(0.01)
        time.sleep(0.5)
        server.pause_s = 0

    threading.Thread(target=wake, daemon=True).start()
    assert fetched(archive_of(server), tmp_path, replace(FAST, attempts=20, read_timeout_s=0.2)) == CONTENT
    assert len(server.asked) > 1


def test_a_wrong_hash_is_told_with_both_values_and_leaves_nothing(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=f"its sha256 is {SHA256[7:]}, expected 00"):
        fetched(replace(archive_of(server), hash="sha256:00"), tmp_path)
    assert names(tmp_path) == []
    assert server.asked == [None]  # what came in one piece would come so again


def test_a_wrong_hash_leads_to_the_next_mirror(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(zip_of(1000, seed=1)) as other:
        assert fetched(Archive("set.zip", (other.url, server.url), SHA256), tmp_path) == CONTENT
    assert server.asked == [None]


def test_a_wrong_length_is_told_before_a_byte_is_fetched(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=f"has {len(CONTENT):,} bytes, expected 5"):
        fetched(replace(archive_of(server), num_bytes=5), tmp_path)
    assert names(tmp_path) == []
    server.length = "none"
    with pytest.raises(ReidopsError, match=f"has {len(CONTENT):,} bytes, expected 5"):
        fetched(replace(archive_of(server), num_bytes=5), tmp_path)


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/zip"])
@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_web_page_is_not_taken_for_an_archive(tmp_path: Path, content_type: str, name: str) -> None:
    with serve(b"\n<!DOCTYPE html><title>log in</title>") as server:
        server.content_type = content_type
        with pytest.raises(ReidopsError, match="web page instead of the archive"):
            fetched(Archive(name, (server.url,)), tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"), [("set.zip", "no zip"), ("set.tar", "is no tar"), ("set.tgz", "is no tar")]
)
def test_an_error_in_json_is_not_taken_for_an_archive(tmp_path: Path, name: str, message: str) -> None:
    with serve(b'{"error": "quota exceeded"}') as server, pytest.raises(ReidopsError, match=message):
        fetched(Archive(name, (server.url,)), tmp_path)
    assert names(tmp_path) == []


def test_a_tar_is_taken(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.txt"))
    with serve((tmp_path / "a.tar.gz").read_bytes()) as server:
        assert fetched(Archive("set.tar.gz", (server.url,)), tmp_path) == server.content


def test_a_redirect_is_followed_and_the_rest_asked_for_there(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:1000])
    server.redirects = 3
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == ["bytes=1000-"] * 4


def test_redirects_without_end_are_refused(server: ArchiveServer, tmp_path: Path) -> None:
    server.redirects = 99
    with pytest.raises(ReidopsError, match="too many redirects"):
        fetched(archive_of(server), tmp_path)


def test_the_next_mirror_is_tried(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(CONTENT) as gone:
        gone.statuses = [404]
        archive = Archive("set.zip", (gone.url, NOWHERE, server.url), SHA256)
        assert fetched(archive, tmp_path) == CONTENT


def test_the_next_mirror_goes_on_where_a_hash_tells_that_the_halves_fit(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(CONTENT) as dying:
        dying.break_after = [1_000_000, 0, 0, 0]
        assert fetched(Archive("set.zip", (dying.url, server.url), SHA256), tmp_path) == CONTENT
    assert server.asked == ["bytes=1000000-"]


def test_halves_of_two_mirrors_are_not_joined_where_no_hash_is_known(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(zip_of(3_000_000, seed=1)) as dying:
        dying.break_after = [1_000_000, 0, 0, 0]
        assert fetched(Archive("set.zip", (dying.url, server.url)), tmp_path) == CONTENT
    assert server.asked == [None]
    assert names(tmp_path) == ["set.zip"]


def test_every_mirror_that_failed_is_named(tmp_path: Path) -> None:
    with serve(CONTENT) as server:
        server.statuses = [404]
        with pytest.raises(ReidopsError, match=r"(?s)404 Not Found.*no connection.*is not a valid address"):
            fetched(Archive("set.zip", (server.url, NOWHERE, "nowhere")), tmp_path)


def test_a_refused_connection_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        Unreachable, match=r"127\.0\.0\.1:9/set\.zip: ConnectionError, no connection or a broken one \(3 times\)"
    ):
        fetched(Archive("set.zip", (NOWHERE,)), tmp_path)


def test_the_bar_tells_the_rate_and_the_time_left(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(progress_bar, "tqdm", partial(progress_bar.tqdm, mininterval=0, ncols=100))
    server.pause_s = 0.005
    fetched(archive_of(server), tmp_path)
    assert re.search(r"fetch set\.zip: +\d+%.*\dM/3\.00M \[\d\d:\d\d<\d\d:\d\d, .*MB/s\]", shown.getvalue())


def test_two_processes_do_not_write_into_one_part(server: ArchiveServer, tmp_path: Path) -> None:
    lock = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    thread = threading.Thread(target=fetched, args=(archive_of(server), tmp_path))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive() and server.asked == []
    os.close(lock)
    thread.join(5)
    assert names(tmp_path) == ["set.zip"]


class FullDisk(io.FileIO):
    """A file on a disk that has room for so many bytes of it."""

    room = 1_000_000

    def write(self, block: bytes) -> int:
        written = super().write(memoryview(block)[: self.room - self.tell()])
        if written < len(block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written


def open_on_full_disk(path: Path, mode: str = "r", **settings: object) -> io.IOBase:
    return io.BufferedWriter(FullDisk(path, mode)) if mode == "wb" else open(path, mode, **settings)


def test_a_full_disk_is_told_keeps_what_came_and_the_next_run_goes_on(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "open", open_on_full_disk, raising=False)
        with pytest.raises(
            ReidopsError, match=r"set\.zip\.part: No space left on device; free some space and run again, it goes on"
        ):
            fetched(archive_of(server), tmp_path)
    kept = (tmp_path / "set.zip.part").read_bytes()
    assert len(kept) == 1_000_000 and CONTENT.startswith(kept)
    assert fetched(archive_of(server), tmp_path) == CONTENT
    assert server.asked == [None, f"bytes={len(kept)}-"]


@pytest.mark.parametrize("length", ["told", "none"])
def test_a_disk_that_is_too_small_is_told(server: ArchiveServer, small_disk: Path, length: str) -> None:
    server.length = length
    told = "needs 3,000,1.. more bytes, the disk has 1,048,576" if length == "told" else "No space left on device"
    with pytest.raises(ReidopsError, match=rf"set\.zip\.part: {told}.*; free some space"):
        fetched(archive_of(server), small_disk)
    assert names(small_disk) == ([] if length == "told" else ["set.zip.part"])
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert fetched(archive_of(server), small_disk) == CONTENT
