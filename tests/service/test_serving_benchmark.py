"""benchmarks/serving.py measures every way from a crop to an embedding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_result import write_result

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_benchmark_of_serving_prints_a_row_per_way(tmp_path):
    model = write_result(tmp_path) / "export"
    command = [sys.executable, str(ROOT / "benchmarks" / "serving.py"), "--model", str(model)]
    ran = subprocess.run(
        [*command, "--rounds", "1", "--singles", "2"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    rows = [line for line in ran.stdout.splitlines() if line.startswith("  ")]
    assert len(rows) == 9 and rows[-1].startswith("  HTTP on loopback, JPEG, answered in JSON: ")
