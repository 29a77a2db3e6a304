"""Two models on the same windows: the interval of the lead of one over the other."""

import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.bootstrap import over_windows
from reidops.tracking.rivals import lead_over, read_windows, write_windows
from reidops.tracking.windows import NUM_COUNTS, window_counts

SETTINGS = {"resamples": 200, "seed": 3}


def counts(rng: np.random.Generator, share: float, num_frames: int = 90) -> np.ndarray:
    """Return frames of 8 people and tracks, of whose boxes about a share lies on the person's own track."""
    of_frames = np.zeros((num_frames, NUM_COUNTS))
    of_frames[:, :2] = 8
    of_frames[:, 2] = rng.binomial(8, share, num_frames)
    return of_frames


def test_what_is_written_is_read_again(tmp_path):
    of_frames = counts(np.random.default_rng(0), 0.5)
    write_windows([("A-01", of_frames)], 30, tmp_path / "windows.npz")
    windows = read_windows(tmp_path / "windows.npz")
    assert list(windows) == ["A-01:90"]
    assert np.array_equal(windows["A-01:90"], window_counts(of_frames, 30))


def test_copies_of_a_video_for_several_detectors_are_one_video(tmp_path):
    rng = np.random.default_rng(0)
    copies = [counts(rng, 0.5) for _ in range(2)]
    write_windows([("MOT17-02-DPM", copies[0]), ("MOT17-02-SDP", copies[1])], 30, tmp_path / "windows.npz")
    windows = read_windows(tmp_path / "windows.npz")
    assert list(windows) == ["MOT17-02:90"]
    assert np.array_equal(windows["MOT17-02:90"], window_counts(sum(copies), 30))


def test_the_lead_is_that_of_paired_windows_whatever_the_order_of_the_sequences(tmp_path):
    rng = np.random.default_rng(1)
    ours, theirs = ({name: counts(rng, share) for name in ("A", "B")} for share in (0.7, 0.5))
    write_windows(list(ours.items()), 30, tmp_path / "ours.npz")
    write_windows(list(reversed(theirs.items())), 30, tmp_path / "theirs.npz")
    lead = lead_over(tmp_path / "ours.npz", tmp_path / "theirs.npz", **SETTINGS)
    expected = over_windows([window_counts(ours[name], 30) for name in ours], [window_counts(theirs[name], 30) for name in ours], **SETTINGS)
    assert lead == expected
    assert 0 < lead["IDF1"].low < lead["IDF1"].high


def test_a_model_has_no_lead_over_itself(tmp_path):
    write_windows([("A", counts(np.random.default_rng(2), 0.5))], 30, tmp_path / "a.npz")
    lead = lead_over(tmp_path / "a.npz", tmp_path / "a.npz", **SETTINGS)
    assert {(interval.low, interval.high) for interval in lead.values()} == {(0.0, 0.0)}


@pytest.mark.parametrize("other", [{"B": 90}, {"A": 120}, {"A": 90, "B": 90}])
def test_other_sequences_or_windows_are_not_compared(tmp_path, other):
    rng = np.random.default_rng(2)
    write_windows([("A", counts(rng, 0.5))], 30, tmp_path / "ours.npz")
    write_windows([(name, counts(rng, 0.5, num_frames)) for name, num_frames in other.items()], 30, tmp_path / "theirs.npz")
    assert lead_over(tmp_path / "ours.npz", tmp_path / "theirs.npz", **SETTINGS) is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "windows.npz").write_bytes(content)
    with pytest.raises(ReidopsError, match="windows.npz: holds no windows"):
        read_windows(tmp_path / "windows.npz")


def test_a_missing_file_and_counts_of_another_kind_are_named(tmp_path):
    with pytest.raises(ReidopsError, match="windows.npz: no such file"):
        read_windows(tmp_path / "windows.npz")
    np.savez(tmp_path / "windows.npz", A=np.ones((3, 2)))
    with pytest.raises(ReidopsError, match=r"A has the shape \[3, 2\]"):
        read_windows(tmp_path / "windows.npz")
