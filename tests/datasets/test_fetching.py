"""A fetched file is the server's file, whatever the server and the connection do."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive_server import ArchiveServer, serve

from reidops.datasets import fetching
from reidops.datasets.fetching import Archive, fetch
from reidops.errors import ReidopsError

CONTENT = b"PK" + np.random.default_rng(0).bytes(3_000_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with serve(CONTENT) as running:
        yield running


def archive_of(server: ArchiveServer) -> Archive:
    return Archive("set.zip", (server.url,), SHA256)


def fetch_fast(archive: Archive, folder: Path) -> Path:
    return fetch(archive, folder, attempts=3, wait_s=0.01)


def test_a_good_server_is_asked_once_and_a_whole_file_never_again(server: ArchiveServer, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_broken_connection_goes_on_where_it_ended(server: ArchiveServer, tmp_path: Path) -> None:
    server.break_after = [1_000_000, 500_000]
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_later_run_goes_on_where_a_killed_one_ended(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:2_000_000])
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=2000000-"]


def test_a_part_that_is_whole_is_taken(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT


def test_a_server_that_ignores_range_sends_all_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.heed_range, server.break_after = False, [1_000_000]
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT


def test_a_server_that_starts_elsewhere_than_asked_is_not_believed(server: ArchiveServer, tmp_path: Path) -> None:
    server.lie_about_range, server.break_after = True, [1_000_000]
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", None]


def test_a_part_of_another_file_is_noticed_and_fetched_anew(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"x" * 1000)
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert fetch_fast(archive_of(server), tmp_path).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [503] * 99
    with pytest.raises(ReidopsError, match=r"503 Service Unavailable \(3 times\)"):
        fetch_fast(archive_of(server), tmp_path)
    assert len(server.asked) == 3


def test_a_wrong_hash_is_told_with_both_values_and_leaves_nothing(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=f"its sha256 is {SHA256[7:]}, expected 00"):
        fetch_fast(replace(archive_of(server), hash="sha256:00"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_length_is_told(server: ArchiveServer, tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="has 3,000,002 bytes, expected 5"):
        fetch_fast(replace(archive_of(server), num_bytes=5), tmp_path)


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_is_not_taken_for_an_archive(tmp_path: Path, content_type: str) -> None:
    with serve(b"\n<!DOCTYPE html><title>log in</title>") as server:
        server.content_type = content_type
        with pytest.raises(ReidopsError, match="web page instead of the archive"):
            fetch_fast(Archive("set.zip", (server.url,)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_next_mirror_is_tried(server: ArchiveServer, tmp_path: Path) -> None:
    with serve(CONTENT) as gone:
        gone.statuses = [404]
        archive = Archive("set.zip", (gone.url, "http://127.0.0.1:9/set.zip", server.url), SHA256)
        assert fetch_fast(archive, tmp_path).read_bytes() == CONTENT


def test_every_mirror_that_failed_is_named(tmp_path: Path) -> None:
    with serve(CONTENT) as server:
        server.statuses = [404]
        with pytest.raises(ReidopsError, match=r"(?s)404 Not Found.*no connection.*is no address"):
            fetch_fast(Archive("set.zip", (server.url, "http://127.0.0.1:9/a.zip", "nowhere")), tmp_path)


def test_a_full_disk_is_told_and_keeps_what_came(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "open", full, raising=False)
    with pytest.raises(ReidopsError, match="No space left on device; free some space"):
        fetch_fast(archive_of(server), tmp_path)
