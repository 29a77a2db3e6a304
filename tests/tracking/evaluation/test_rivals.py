"""Two models on the same windows: the interval of the lead of one over the other."""

import numpy as np
import pytest
from made_result import made_tables

from reidops.errors import ReidopsError
from reidops.tracking.evaluation.bootstrap import LeaveOneOut, best_intervals
from reidops.tracking.evaluation.rivals import lead_over, read_windows, write_windows
from reidops.tracking.evaluation.windows import NUM_COUNTS, FrameTables


def tables(share: float, num_frames: int = 90) -> FrameTables:
    """Return frames of 50 people, of whose boxes a share lies on their own track."""
    return made_tables(share, num_frames, num_people=50)


def counted(of_frames: FrameTables) -> LeaveOneOut:
    return LeaveOneOut.of(of_frames, 15)


def test_what_is_written_is_read_again(tmp_path):
    write_windows([("A-01", tables(0.6))], 15, tmp_path / "windows.npz")
    windows = read_windows(tmp_path / "windows.npz")
    assert list(windows) == ["A-01:90"] and len(windows["A-01:90"]) == 6
    assert np.array_equal(windows["A-01:90"].whole, counted(tables(0.6)).whole)
    assert np.array_equal(windows["A-01:90"].without, counted(tables(0.6)).without)
    assert np.array_equal(windows["A-01:90"].without_people, counted(tables(0.6)).without_people)


def test_copies_of_a_video_for_several_detectors_are_one_video(tmp_path):
    write_windows([("MOT17-02-DPM", tables(0.6)), ("MOT17-02-SDP", tables(0.8))], 15, tmp_path / "windows.npz")
    windows = read_windows(tmp_path / "windows.npz")
    assert list(windows) == ["MOT17-02:90"]
    assert np.array_equal(windows["MOT17-02:90"].without, counted(tables(0.6)).without + counted(tables(0.8)).without)


def test_the_lead_is_that_of_paired_windows_whatever_the_order_of_the_sequences(tmp_path):
    ours, theirs = {"A": tables(0.7), "B": tables(0.8)}, {"A": tables(0.5), "B": tables(0.6)}
    write_windows(list(ours.items()), 15, tmp_path / "ours.npz")
    write_windows(list(reversed(theirs.items())), 15, tmp_path / "theirs.npz")
    lead = lead_over(tmp_path / "ours.npz", tmp_path / "theirs.npz")
    assert lead == best_intervals([counted(ours[name]) for name in ours], [counted(theirs[name]) for name in ours])
    assert (
        0.1 < lead["IDF1"].low < 0.2 < lead["IDF1"].high < 0.3
        and (lead["IDF1"].units, lead["IDF1"].unit) == (100, "people")
        and (lead["MOTA"].units, lead["MOTA"].unit) == (12, "windows")
    )


def test_a_model_has_no_lead_over_itself(tmp_path):
    write_windows([("A", tables(0.5))], 15, tmp_path / "a.npz")
    lead = lead_over(tmp_path / "a.npz", tmp_path / "a.npz")
    assert {(interval.low, interval.high) for interval in lead.values()} == {(0.0, 0.0)}


def test_a_lead_over_four_windows_has_no_interval(tmp_path):
    for name, share in (("ours", 0.7), ("theirs", 0.6)):
        write_windows([("A", tables(share, 60))], 15, tmp_path / f"{name}.npz")
    lead = lead_over(tmp_path / "ours.npz", tmp_path / "theirs.npz")
    assert lead["MOTA"] is None and lead["IDSW"] is None and lead["IDF1"].units == 50


@pytest.mark.parametrize("other", [{"B": 90}, {"A": 120}, {"A": 90, "B": 90}])
def test_other_sequences_or_windows_are_not_compared(tmp_path, other):
    write_windows([("A", tables(0.5))], 15, tmp_path / "ours.npz")
    write_windows([(name, tables(0.5, num_frames)) for name, num_frames in other.items()], 15, tmp_path / "theirs.npz")
    assert lead_over(tmp_path / "ours.npz", tmp_path / "theirs.npz") is None


def test_a_file_of_an_earlier_version_is_refused(tmp_path):
    # scores of windows, which do not add up
    np.savez(tmp_path / "windows.npz", **{"A-01:90": np.ones((3, NUM_COUNTS))})
    with pytest.raises(
        ReidopsError,
        match=r"windows.npz: has no format, expected format 2; an earlier version wrote it; .*dvc repro -f",
    ):
        read_windows(tmp_path / "windows.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "windows.npz").write_bytes(content)
    with pytest.raises(ReidopsError, match="windows.npz: holds no windows"):
        read_windows(tmp_path / "windows.npz")


def test_a_missing_file_and_counts_of_another_kind_are_named(tmp_path):
    with pytest.raises(ReidopsError, match="windows.npz: no such file"):
        read_windows(tmp_path / "windows.npz")
    np.savez(tmp_path / "windows.npz", format=np.array(2), **{"A/windows": np.ones((3, 2))})
    with pytest.raises(ReidopsError, match=r"A/windows has the shape \[3, 2\]"):
        read_windows(tmp_path / "windows.npz")
