"""reidops/files.py: a final name never has an incomplete file."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.files import read_json, sha256, whole_file, whole_folder, write_json


def test_a_file_appears_only_if_its_block_succeeds(tmp_path):
    with whole_file(tmp_path / "a" / "b.txt") as partial:
        partial.write_text("whole")
        assert not (tmp_path / "a" / "b.txt").exists()
    assert (tmp_path / "a" / "b.txt").read_text() == "whole"


def test_a_failed_block_keeps_the_previous_file(tmp_path):
    path = tmp_path / "b.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "out"
    for name in ("first", "second"):
        with whole_folder(folder) as partial:
            (partial / name).touch()
    assert [p.name for p in folder.iterdir()] == ["second"]
    with pytest.raises(OSError, match="full"), whole_folder(folder) as partial:
        (partial / "third").touch()
        raise OSError("disk full")
    assert [p.name for p in folder.iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_remains_of_a_killed_run_are_not_used(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "stale").touch()
    with whole_folder(tmp_path / "out") as partial:
        (partial / "fresh").touch()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["fresh"]


def test_equal_data_are_equal_bytes(tmp_path):
    write_json({"b": 1, "a": [2.5]}, tmp_path / "1.json")
    write_json({"a": [2.5], "b": 1}, tmp_path / "2.json")
    assert sha256(tmp_path / "1.json") == sha256(tmp_path / "2.json")
    assert read_json(tmp_path / "1.json") == {"a": [2.5], "b": 1}


def test_invalid_json_is_reported_with_its_line(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1,\n}')
    with pytest.raises(ReidopsError, match="line 2"):
        read_json(tmp_path / "x.json")
    with pytest.raises(ReidopsError, match="dvc repro"):
        read_json(tmp_path / "y.json")


def read_only(path: Path) -> OSError:
    return OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_read_only_folder_is_named_with_a_remedy(tmp_path, monkeypatch):
    match = f"{tmp_path}: cannot be written .Read-only file system.*make the folder writable"
    with pytest.raises(ReidopsError, match=match), whole_file(tmp_path / "a.json") as partial:
        raise read_only(partial)
    with pytest.raises(ReidopsError, match=match), whole_folder(tmp_path / "a") as partial:
        raise read_only(partial / "crops.tar")
    make = Path.mkdir

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        if path.name.endswith(".partial"):
            raise read_only(path)
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ReidopsError, match=match), whole_folder(tmp_path / "a"):
        pass


FULL = Path("/dev/full")  # the system refuses each byte, as on a full disk


@pytest.mark.parametrize(
    "write",
    [
        lambda path: np.save(open(path, "wb"), np.zeros(9999)),
        lambda path: path.write_bytes(b"whole"),
        lambda path: shutil.copytree(path.parents[1] / "source", path.parent, dirs_exist_ok=True),
    ],
    ids=["numpy, without a number", "Python", "shutil, without a number"],
)
def test_a_full_disk_is_named_by_its_final_name_whatever_the_library_says(tmp_path, write):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"whole")
    match = f"^{tmp_path}/out: no space is left on its disk .No space left on device.*free some space .* run again$"
    with pytest.raises(ReidopsError, match=match), whole_folder(tmp_path / "out") as partial:
        (partial / "a").symlink_to(FULL)
        write(partial / "a")
    match = f"^{tmp_path}/out/a: no space is left on its disk"
    with (
        pytest.raises(ReidopsError, match=match),
        whole_folder(tmp_path / "out") as partial,
        whole_file(partial / "a"),
    ):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_error_in_place_of_the_systems_own_is_a_full_disk_too(tmp_path):
    with pytest.raises(ReidopsError, match="no space is left"), whole_file(tmp_path / "a") as partial:
        partial.symlink_to(FULL)
        try:
            partial.write_bytes(b"whole")
        finally:
            raise RuntimeError("a library's own words")
    with pytest.raises(RuntimeError, match="of another kind"), whole_file(tmp_path / "a"):
        raise RuntimeError("of another kind")


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    """The parent of an output is missing on a read-only disk."""

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise read_only(tmp_path)

    monkeypatch.setattr(Path, "mkdir", refuse)
    for whole in (whole_file, whole_folder):
        with pytest.raises(ReidopsError, match=f"{tmp_path}/data: cannot be written"), whole(tmp_path / "data" / "a"):
            pass


def test_an_input_without_permission_is_not_called_a_read_only_output(tmp_path):
    with pytest.raises(PermissionError, match="elsewhere"), whole_file(tmp_path / "a.json"):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/a.jpg")
