"""benchmarks/tracking.py: what the table of speeds is measured with runs."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("trackers", reason="the `trackers` package is in the extra `test`")

TOLD = {
    "updates": (
        "sort",
        "deepsort",
        "strongsort",
        "bytetrack",
        "botsort",
        "ocsort",
        "deepocsort",
        "cbiou",
        "hybridsort",
        "boosttrack",
        "ocsort against the `trackers` package's",
    ),
    "scores": ("scores and events of 7 sequences", "the same ÷ TrackEval alone", "without motmetrics"),
    "embedding": ("embedding of 30 detections, 6 in a frame", "21 in a frame", "of the model's own forward"),
    "constants": ("a changed constant", "2 sequences", "s of CPU"),
}


@pytest.mark.parametrize("section", TOLD)
def test_the_benchmark_of_tracking_prints_the_section(root, tmp_path, section):
    command = [sys.executable, str(root / "benchmarks" / "tracking.py"), "--quick", "--only", section]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("| work | goal | measured | met |")
    assert [message for message in TOLD[section] if message not in ran.stdout] == []


def test_the_benchmark_of_intervals_prints_both_tables(root, tmp_path):
    options = ["--quick", "--data", str(tmp_path), "--streets", "11", "12"]
    command = [sys.executable, str(root / "benchmarks" / "intervals.py"), *options]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert ran.returncode == 0, ran.stderr
    assert "| tracked | tracker | way | IDF1 | HOTA | AssA | MOTA |" in ran.stdout
    assert ran.stdout.count(" ± ") > 4 * 6
    assert "| units | percentile, autocorrelation 0.0 |" in ran.stdout


def test_the_benchmark_of_linking_prints_a_row_per_way(root, tmp_path):
    command = [sys.executable, str(root / "benchmarks" / "linking.py"), "--quick", "--trackers", "sort"]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert ran.returncode == 0, ran.stderr
    assert [f"| drawn streets | sort | {way} |" in ran.stdout for way in ("none", "motion", "aflink")] == [True] * 3


def test_the_benchmark_of_rivals_says_what_it_leaves_out(root, tmp_path):
    command = [sys.executable, str(root / "benchmarks" / "tracking_rivals.py"), "--quick"]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert ran.returncode == 0, ran.stderr
    assert "| SORT, max_age 1 | reidops |" in ran.stdout and "| ByteTrack | trackers |" in ran.stdout
    assert "left out: scores on a sequence need --data" in ran.stdout
    assert ("| similari |" in ran.stdout) != ("similari-trackers-rs is not installed" in ran.stdout)
