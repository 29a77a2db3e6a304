"""Files of DVC that a killed process left truncated are put aside, and no others."""

import threading
import time

import pytest

from flows.damaged_files import ASIDE, LOCK, RWLOCK, put_damaged_aside

WHOLE_LOCK = "schema: '2.0'\nstages:\n  convert:\n    cmd: x\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / ASIDE).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (RWLOCK, b""),
        (RWLOCK, b'{"read": {"/data'),
        (RWLOCK, b"\xff"),
        (LOCK, b""),
        (LOCK, b"stages: {}"),
        (LOCK, b"a: ["),
    ],
)
def test_a_truncated_file_is_put_aside(folder, name, text):
    (folder / name).write_bytes(text)
    assert put_damaged_aside(folder) == [name] and not (folder / name).exists()
    assert (folder / ASIDE / f"{name.name}.damaged").read_bytes() == text
    assert put_damaged_aside(folder) == []


def test_whole_files_are_kept(folder):
    table = '{"read": {}, "write": {"/data": {"pid": 1, "cmd": "repro"}}}'
    (folder / RWLOCK).write_text(table)
    (folder / LOCK).write_text(WHOLE_LOCK)
    assert put_damaged_aside(folder) == []
    assert ((folder / RWLOCK).read_text(), (folder / LOCK).read_text()) == (table, WHOLE_LOCK)


def test_a_dvc_lock_with_conflicts_of_git_is_left_to_the_user(folder):
    text = WHOLE_LOCK + "<<<<<<< HEAD\n    deps: 1\n=======\n    deps: 2\n>>>>>>> other\n"
    (folder / LOCK).write_text(text)
    assert put_damaged_aside(folder) == [] and (folder / LOCK).read_text() == text


def test_a_clone_without_a_folder_for_temporary_files_gets_one(tmp_path):
    (tmp_path / LOCK).write_bytes(b"")
    assert put_damaged_aside(tmp_path) == [LOCK] and (tmp_path / ASIDE / "dvc.lock.damaged").is_file()


@pytest.mark.parametrize(("name", "whole"), [(RWLOCK, "{}"), (LOCK, WHOLE_LOCK)])
def test_a_file_that_is_being_written_is_kept(folder, name, whole):
    (folder / name).write_text("")

    def write() -> None:
        time.sleep(0.1)
        (folder / name).write_text(whole)

    writer = threading.Thread(target=write)
    writer.start()
    damaged = put_damaged_aside(folder)
    writer.join()
    assert damaged == [] and (folder / name).read_text() == whole
