"""The table of paths in use that a killed DVC process left truncated is removed, and no other one."""

import threading
import time

import pytest

from flows.dvc_rwlock import RWLOCK, remove_damaged_rwlock


@pytest.fixture
def table(tmp_path):
    path = tmp_path / RWLOCK
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("text", ["", '{"read": {"/data', "\ufffd"])
def test_a_truncated_table_is_removed(table, tmp_path, text):
    table.write_text(text)
    assert remove_damaged_rwlock(tmp_path) and not table.exists()
    assert not remove_damaged_rwlock(tmp_path)


@pytest.mark.parametrize("text", ["{}", '{"read": {}, "write": {"/data": {"pid": 1, "cmd": "repro"}}}'])
def test_a_whole_table_is_kept(table, tmp_path, text):
    table.write_text(text)
    assert not remove_damaged_rwlock(tmp_path) and table.read_text() == text


def test_a_table_that_is_being_written_is_kept(table, tmp_path):
    table.write_text("")

    def write() -> None:
        time.sleep(0.1)
        table.write_text("{}")

    writer = threading.Thread(target=write)
    writer.start()
    removed = remove_damaged_rwlock(tmp_path)
    writer.join()
    assert not removed and table.read_text() == "{}"
