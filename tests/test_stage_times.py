"""reidops/stage_times.py: times are kept beside an output, and are not those of another output."""

import pytest

from reidops.stage_times import keep_times, read_times

TIMES = {"embed": 12.5, "associate/appearance": 0.25}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "data" / "embeddings"
    (folder / "annotations").mkdir(parents=True)
    (folder / "a.npz").write_bytes(b"a")
    (folder / "annotations" / "a.npz").write_bytes(b"b")
    return folder


def test_times_are_read_back_and_the_output_is_unchanged(out):
    before = sorted(out.rglob("*"))
    keep_times(out, TIMES)
    assert read_times(out) == TIMES and sorted(out.rglob("*")) == before


@pytest.mark.parametrize("name", ["a.npz", "annotations/a.npz", "b.npz"])
def test_another_output_has_no_times(out, name):
    keep_times(out, TIMES)
    (out / name).write_bytes(b"other")
    assert read_times(out) == {}


def test_an_output_from_the_cache_has_no_times(out):
    assert read_times(out) == {}
    keep_times(out.with_name("tracking"), TIMES)
    assert read_times(out) == {}
