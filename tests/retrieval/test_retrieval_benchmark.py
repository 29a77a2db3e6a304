"""benchmarks/retrieval.py prints a table of measurements."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_benchmark_prints_a_measured_row_for_each_task(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "retrieval.py"), "--quick", "--repeats", "1"]
    environment = {"PYTHONPATH": str(BENCHMARKS.parent), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert ran.returncode == 0, ran.stderr
    rows = [line.split(" | ") for line in ran.stdout.splitlines() if line.startswith("| ")][1:]
    assert [row[0].strip("| ").split(",")[0] for row in rows] == [
        "score_distances",
        "score_embeddings",
        "score_embeddings",
        "re-ranking",
        "embedding of crops",
    ]
    for row in rows:
        assert all(float(cell) > 0 for cell in (row[2], row[3], row[5], row[6], row[7]))
