"""Archives from elsewhere stay inside their folder and within their size, and a fault leaves nothing."""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from reidops import progress_bar
from reidops.datasets import archives
from reidops.datasets.archives import unpack
from reidops.errors import ReidopsError

FILES = {
    "MOT/train/a/seqinfo.ini": b"[Sequence]\n",
    "MOT/train/a/img1/000001.jpg": b"\xff\xd8" + bytes(5000),
    "MOT/test/b/x.txt": b"x",
}
COMPRESSORS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.xz": lzma.compress,
    ".tar.bz2": bz2.compress,
}
OUTSIDE = [
    "../evil.txt",
    "a/../../evil.txt",
    "/tmp/evil.txt",
    "..\\evil.txt",
    "C:\\evil.txt",
    "C:evil.txt",
    "\\\\host\\evil.txt",
]


def write_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """Write a tar, compressed as its name says."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if content else None)
    path.write_bytes(COMPRESSORS[path.name[path.name.index(".") :]](stream.getvalue()))
    return path


def tar_of(path: Path, files: dict[str, bytes] = FILES) -> Path:
    return write_tar(path, [(tarfile.TarInfo(name), content) for name, content in files.items()])


def written(path: Path, files: dict[str, bytes]) -> Path:
    return write_zip(path, files) if path.suffix == ".zip" else tar_of(path, files)


def unpacked(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive: Path, message: str, **settings: int) -> None:
    """Expect that the archive is refused, and that nothing is left beside it, nor above."""
    before = sorted(archive.parent.rglob("*")), sorted(archive.parent.parent.iterdir())
    with pytest.raises(ReidopsError, match=message):
        unpack([archive], archive.parent / "out", **settings)
    assert (sorted(archive.parent.rglob("*")), sorted(archive.parent.parent.iterdir())) == before


@pytest.mark.parametrize("suffix", [".zip", *COMPRESSORS])
def test_an_archive_unpacks_to_its_files(tmp_path: Path, suffix: str) -> None:
    assert unpack([written(tmp_path / f"set{suffix}", FILES)], tmp_path / "out") == 3
    assert unpacked(tmp_path / "out") == FILES
    assert not any(path.stat().st_mode & (stat.S_ISUID | stat.S_IXUSR) for path in (tmp_path / "out").rglob("*.*"))


def test_several_archives_unpack_into_one_folder(tmp_path: Path) -> None:
    parts = [
        write_zip(tmp_path / "a.zip", {"x/1.txt": b"1", "x/2.txt": b"2"}),
        tar_of(tmp_path / "b.tar.gz", {"x/2.txt": b"2", "x/3.txt": b"3"}),
    ]
    unpack(parts, tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"x/1.txt": b"1", "x/2.txt": b"2", "x/3.txt": b"3"}


def test_a_fault_in_the_last_archive_leaves_what_was_there_before(tmp_path: Path) -> None:
    unpack([write_zip(tmp_path / "a.zip")], tmp_path / "out")
    (tmp_path / "b.zip").write_bytes(b"PK")
    with pytest.raises(ReidopsError, match=r"b\.zip: is cut off"):
        unpack([tmp_path / "a.zip", tmp_path / "b.zip"], tmp_path / "out")
    assert unpacked(tmp_path / "out") == FILES


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_only_what_is_wanted_is_unpacked(tmp_path: Path, suffix: str) -> None:
    archive = written(tmp_path / f"set{suffix}", FILES | {"__MACOSX/MOT/._x.txt": b"mac"})
    assert unpack([archive], tmp_path / "out", wanted=lambda path: "test" not in path.parts) == 2
    assert sorted(unpacked(tmp_path / "out")) == sorted(name for name in FILES if "/test/" not in name)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_a_path_that_leads_out_is_refused_wanted_or_not(tmp_path: Path, name: str, suffix: str) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    archive = written(folder / f"set{suffix}", {"good.txt": b"x", name: b"x"})
    refuse(archive, r"set\..* is outside the folder")
    refuse(archive, r"set\..* is outside the folder", wanted=lambda path: path.name == "good.txt")


def test_a_folder_that_leads_out_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("../evil")
    member.type = tarfile.DIRTYPE
    refuse(write_tar(tmp_path / "set.tar", [(member, b"")]), "is outside the folder")
    refuse(write_zip(tmp_path / "set.zip", {"../evil/": b""}), "is outside the folder")


def test_windows_separators_make_folders(tmp_path: Path) -> None:
    unpack([write_zip(tmp_path / "set.zip", {"MOT\\train\\": b"", "MOT\\train\\a.txt": b"x"})], tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"MOT/train/a.txt": b"x"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../evil", "good.txt"])
def test_links_out_and_in_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    member = tarfile.TarInfo("a")
    member.type, member.linkname = kind, target
    refuse(
        write_tar(tmp_path / "set.tar", [(tarfile.TarInfo("good.txt"), b"x"), (member, b"")]),
        "'a' is a link or a device",
    )


@pytest.mark.parametrize("target", ["/etc/passwd", "good.txt"])
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_of_a_zip_are_refused(tmp_path: Path, target: str, kind: int) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("good.txt", "x")
        archive.writestr(info, target)
    refuse(tmp_path / "set.zip", "'a' is a link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_name_that_comes_twice_must_be_the_same_file(tmp_path: Path, suffix: str) -> None:
    for other in (b"1", b"2", b"22"):
        path = tmp_path / f"set{suffix}"
        if suffix == ".tar":
            write_tar(path, [(tarfile.TarInfo("x/a.txt"), b"1"), (tarfile.TarInfo("x/./a.txt"), other)])
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x/a.txt", b"1")
                archive.writestr("x/a.txt", other)
        if other == b"1":
            unpack([path], tmp_path / "same")
            assert unpacked(tmp_path / "same") == {"x/a.txt": b"1"}
        else:
            refuse(path, r"a\.txt' occurs twice")


@pytest.mark.parametrize("names", [("a", "a/b.txt"), ("a/b.txt", "a")])
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, names: tuple[str, str], suffix: str) -> None:
    refuse(written(tmp_path / f"set{suffix}", dict.fromkeys(names, b"x")), "is a file and a folder")


def test_names_that_differ_in_case_are_two_files_and_none_is_lost(tmp_path: Path) -> None:
    (tmp_path / "probe.a").touch()
    archive = write_zip(tmp_path / "set.zip", {"x/A.txt": b"1", "x/a.txt": b"2"})
    if (tmp_path / "PROBE.A").exists():  # a disk that does not tell them apart
        refuse(archive, "occurs twice")
    else:
        unpack([archive], tmp_path / "out")
        assert unpacked(tmp_path / "out") == {"x/A.txt": b"1", "x/a.txt": b"2"}


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_a_bomb_is_stopped_by_what_it_declares(tmp_path: Path, suffix: str) -> None:
    bomb = written(tmp_path / f"bomb{suffix}", {f"{n}.txt": bytes(200_000) for n in range(5)})
    refuse(bomb, r"bomb.*: unpacks to more than 900,000 bytes", max_bytes=900_000)
    unpack([bomb], tmp_path / "out", max_bytes=1_100_000)


@pytest.mark.slow
def test_the_bound_is_twenty_times_the_archive_and_64_mib(tmp_path: Path) -> None:
    small = write_zip(tmp_path / "small.zip", {"a.txt": bytes(60 << 20)})
    unpack([small], tmp_path / "out")
    bomb = write_zip(tmp_path / "bomb.zip", {f"{n}.txt": bytes(17 << 20) for n in range(4)})
    refuse(bomb, f"unpacks to more than {20 * bomb.stat().st_size + (64 << 20):,} bytes")


def test_a_zip_that_says_less_than_it_holds_is_stopped(tmp_path: Path) -> None:
    bomb = write_zip(tmp_path / "bomb.zip", {"a.txt": bytes(3_000_000)})
    bomb.write_bytes(bomb.read_bytes().replace(struct.pack("<L", 3_000_000), struct.pack("<L", 1000)))
    refuse(bomb, r"bomb\.zip: is cut off or no archive \(Bad CRC-32")


def test_members_that_are_not_wanted_count_where_they_must_be_decompressed(tmp_path: Path) -> None:
    bomb = tar_of(tmp_path / "bomb.tar.gz", {"test/a.txt": bytes(3_000_000), "train/a.txt": b"x"})
    refuse(bomb, "unpacks to more than", max_bytes=1_000_000, wanted=lambda path: "train" in path.parts)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_many_small_files_are_a_bomb_too(tmp_path: Path, suffix: str) -> None:
    bomb = written(tmp_path / f"bomb{suffix}", {f"{n}.txt": b"" for n in range(300)})
    refuse(bomb, "unpacks to more than 1,000,000 bytes", max_bytes=1_000_000)  # 300 blocks of 4 KiB


@pytest.mark.slow
def test_a_sparse_file_counts_as_what_it_unpacks_to(tmp_path: Path) -> None:
    with open(tmp_path / "holes.bin", "wb") as stream:
        stream.truncate(1 << 30)
    made = subprocess.run(
        ["tar", "--sparse", "-cf", "set.tar", "holes.bin"], cwd=tmp_path, capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no GNU tar here")
    refuse(tmp_path / "set.tar", "unpacks to more than")


def test_a_header_of_many_bytes_is_not_read_into_memory(tmp_path: Path) -> None:
    name = tarfile.TarInfo("long")
    name.type = tarfile.GNUTYPE_LONGNAME
    refuse(write_tar(tmp_path / "set.tar.gz", [(name, bytes(3 << 20))]), "a header of 3,145,728 bytes")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_folders_without_end_are_refused(tmp_path: Path, suffix: str) -> None:
    refuse(written(tmp_path / f"set{suffix}", {"a/" * 40 + "b.txt": b"x"}), "more than 32 folders deep")


@pytest.mark.parametrize("suffix", [".zip", *COMPRESSORS])
def test_wherever_an_archive_is_cut_off_it_is_told(tmp_path: Path, suffix: str) -> None:
    whole = written(tmp_path / f"set{suffix}", FILES).read_bytes()
    # three headers and twelve blocks; what follows says that it is the end
    end = 15 * 512 + 1 if suffix == ".tar" else len(whole)
    for cut in range(0, end, 512 if suffix == ".tar" else max(len(whole) // 40, 1)):
        (tmp_path / f"set{suffix}").write_bytes(whole[:cut])
        refuse(tmp_path / f"set{suffix}", r"set\..*: is cut off or no archive .* fetch it again")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_whatever_bytes_are_spoilt_the_archive_is_whole_or_refused(tmp_path: Path, suffix: str) -> None:
    content = written(tmp_path / f"set{suffix}", FILES).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        spoilt = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            spoilt[place] = rng.integers(0, 256)
        (tmp_path / f"set{suffix}").write_bytes(spoilt)
        try:
            unpack([tmp_path / f"set{suffix}"], tmp_path / "out")
        except ReidopsError:
            assert not (tmp_path / "out").exists() and not (tmp_path / ".out.partial").exists()
        else:
            found = unpacked(tmp_path / "out")
            shutil.rmtree(tmp_path / "out")
            assert len(found) == len(FILES)
            if suffix != ".tar":  # which has no sums over what its files hold
                assert set(found.values()) == set(FILES.values())


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.txt", b"0123456789" * 100)
    content = bytearray((tmp_path / "set.zip").read_bytes())
    content[200] ^= 1
    (tmp_path / "set.zip").write_bytes(content)
    refuse(tmp_path / "set.zip", "Bad CRC-32")


def test_a_spoilt_header_is_not_taken_for_the_end_of_a_tar(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "set.tar")
    content = bytearray(archive.read_bytes())
    content[1024 + 3] ^= 1  # the second member's name
    archive.write_bytes(content)
    with tarfile.open(archive) as tar:
        assert len(tar.getmembers()) == 1  # what the library makes of it
    refuse(archive, "a header is damaged, or the end is missing")


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz"])
@pytest.mark.parametrize("content", [b"<html>gone</html>", b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\0"])
def test_what_is_no_archive_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, rf"{name}: is cut off or no archive")


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip").read_bytes()
    unpack([tar_of(tmp_path / "set.tar", {"inner.zip": inner})], tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"inner.zip": inner}


@pytest.mark.parametrize("name", ["PK.txt", "BZ.txt"])
def test_a_tar_is_not_judged_by_its_first_files_name(tmp_path: Path, name: str) -> None:
    unpack([tar_of(tmp_path / "set.tar", {name: b"x"})], tmp_path / "out")
    assert unpacked(tmp_path / "out") == {name: b"x"}


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    content = bytearray(write_zip(tmp_path / "set.zip", {"a.txt": b"x"}).read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "set.zip").write_bytes(content)
    refuse(tmp_path / "set.zip", r"set\.zip: cannot be unpacked \(File .*a\.txt.* is encrypted.* unpack it by hand")


def test_names_that_are_not_utf8_are_read_as_code_page_437(tmp_path: Path) -> None:
    raw = bytearray(write_zip(tmp_path / "set.zip", {"x/caf_.txt": b"x"}).read_bytes().replace(b"caf_", b"caf\x82"))
    (tmp_path / "set.zip").write_bytes(raw)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("x/caf\udc82.txt"))
    (tmp_path / "set.tar").write_bytes(stream.getvalue())
    for suffix in (".zip", ".tar"):
        unpack([tmp_path / f"set{suffix}"], tmp_path / "out")
        assert list(unpacked(tmp_path / "out")) == ["x/café.txt"]


def test_a_name_that_says_falsely_that_it_is_utf8_is_told(tmp_path: Path) -> None:
    content = write_zip(tmp_path / "set.zip", {"x/ü.txt": b"x"}).read_bytes().replace("ü".encode(), b"\xff\xfe")
    (tmp_path / "set.zip").write_bytes(content)
    refuse(tmp_path / "set.zip", "declared as UTF-8")


def test_a_name_that_is_too_long_for_the_disk_is_told(tmp_path: Path) -> None:
    refuse(
        write_zip(tmp_path / "set.zip", {"a" * 300 + ".txt": b"x"}),
        r"File name too long while unpacking .*; fix the cause",
    )


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, block: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        archives, "open", lambda path, mode: Full(path, mode) if mode == "xb" else open(path, mode), raising=False
    )
    refuse(
        write_zip(tmp_path / "set.zip"),
        r"set\.zip: No space left on device while unpacking .*; free some space and run again",
    )


@pytest.mark.slow
def test_a_disk_that_is_full_in_truth_leaves_nothing_and_the_next_run_goes_on(tmp_path: Path, small_disk: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", {f"{n}.txt": bytes(400_000) for n in range(4)})
    with pytest.raises(ReidopsError, match="No space left on device while unpacking"):
        unpack([archive], small_disk / "out")
    assert list(small_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert unpack([archive], small_disk / "out") == 4


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_the_bar_tells_the_rate_and_the_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(progress_bar, "tqdm", partial(progress_bar.tqdm, mininterval=0, ncols=100))
    noise = np.random.default_rng(0)
    unpack(
        [written(tmp_path / f"set{suffix}", {f"{n}.jpg": noise.bytes(2_000_000) for n in range(4)})], tmp_path / "out"
    )
    assert re.search(
        rf"unpack set{re.escape(suffix)}: +\d+%.*\dM/8\.00M \[\d\d:\d\d<\d\d:\d\d, .*B/s\]", shown.getvalue()
    )
