"""Archives from elsewhere stay inside their folder and within their size."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from reidops.datasets.archives import unpack
from reidops.errors import ReidopsError

FILES = {"MOT/train/a/seqinfo.ini": b"[Sequence]\n", "MOT/train/a/img1/000001.jpg": b"\xff\xd8" + bytes(5000), "MOT/test/b/x.txt": b"x"}


def write_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, members: list[tarfile.TarInfo], content: bytes = b"") -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def unpacked(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_zip_unpacks_to_its_files(tmp_path: Path) -> None:
    assert unpack(write_zip(tmp_path / "set.zip"), tmp_path / "out") == 3
    assert unpacked(tmp_path / "out") == FILES


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
def test_a_tar_unpacks_to_its_files(tmp_path: Path, suffix: str) -> None:
    unpack(write_zip(tmp_path / "set.zip"), tmp_path / "in")
    with tarfile.open(tmp_path / f"set{suffix}", "w:" + suffix[5:]) as archive:
        archive.add(tmp_path / "in" / "MOT", "MOT")
    unpack(tmp_path / f"set{suffix}", tmp_path / "out")
    assert unpacked(tmp_path / "out") == FILES


def test_only_what_is_wanted_is_unpacked(tmp_path: Path) -> None:
    unpack(write_zip(tmp_path / "set.zip"), tmp_path / "out", wanted=lambda path: "test" not in path.parts)
    assert sorted(unpacked(tmp_path / "out")) == sorted(name for name in FILES if "/test/" not in name)


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt", "C:evil.txt"])
def test_a_path_that_leads_out_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReidopsError, match=r"set\.zip: .* leads out of the folder"):
        unpack(write_zip(tmp_path / "set.zip", {"good.txt": b"x", name: b"x"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ReidopsError, match="leads out of the folder"):
        unpack(write_tar(tmp_path / "set.tar", [tarfile.TarInfo(name)], b"x"), tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ReidopsError, match="is a link or a device"):
        unpack(write_tar(tmp_path / "set.tar", [link("a", "/etc/passwd", kind)]), tmp_path / "out")


def test_links_of_a_zip_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ReidopsError, match="is a link or a device"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


def test_a_bomb_is_stopped_at_its_bound(tmp_path: Path) -> None:
    bomb = write_zip(tmp_path / "bomb.zip", {f"{n}.txt": bytes(20 << 20) for n in range(5)})
    with pytest.raises(ReidopsError, match=r"bomb\.zip: unpacks to more than [\d,]+ bytes"):
        unpack(bomb, tmp_path / "out")
    assert sum(len(content) for content in unpacked(tmp_path / "out").values()) < 66 << 20


def test_the_bound_counts_what_comes_and_not_what_the_header_says(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip")
    with pytest.raises(ReidopsError, match="unpacks to more than 5,000 bytes"):
        unpack(archive, tmp_path / "out", max_bytes=5000)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_zip_is_told(tmp_path: Path, share: float) -> None:
    archive = write_zip(tmp_path / "set.zip")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with pytest.raises(ReidopsError, match=r"set\.zip: is cut off or no archive .* fetch it again"):
        unpack(archive, tmp_path / "out")


def test_a_truncated_tar_is_told(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "set.tar", [tarfile.TarInfo("a")], bytes(50_000))
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(ReidopsError, match=r"set\.tar: is cut off or no archive"):
        unpack(archive, tmp_path / "out")


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.txt", b"0123456789" * 100)
    content = bytearray((tmp_path / "set.zip").read_bytes())
    content[200] ^= 1
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(ReidopsError, match="Bad CRC-32"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


def test_a_page_under_the_name_of_a_zip_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"<html>gone</html>")
    with pytest.raises(ReidopsError, match="is cut off or no archive"):
        unpack(tmp_path / "set.zip", tmp_path / "out")
