"""benchmarks/: what the figures are measured with runs."""

import subprocess
import sys
from pathlib import Path

import pytest
from drawn_crops import write_crops

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = "--backbone mobilenetv4_conv_small_050 --height 32 --width 16 --people 3 --crops-each 2 --workers 0 --seconds 0.1"


@pytest.mark.parametrize(("options", "told"), [([], "loop / model alone"), (["--decoders"], "crops/s")])
def test_the_benchmark_of_training_prints_its_ratios(tmp_path, options, told):
    crops = write_crops(tmp_path) / "crops"
    command = [sys.executable, str(BENCHMARKS / "training.py"), "--crops", str(crops), *SMALL.split(), *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(BENCHMARKS.parent)})
    assert ran.returncode == 0, ran.stderr
    assert told in ran.stdout


def test_the_benchmark_of_memory_prints_what_keeping_it_brings(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "memory.py"), "--quick"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(BENCHMARKS.parent)})
    assert ran.returncode == 0, ran.stderr
    assert "forward, batches of 2" in ran.stdout and "train, batches of 2" in ran.stdout


def test_the_benchmark_of_neighbours_compares_one_process_with_two(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "neighbours.py"), "--quick"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(BENCHMARKS.parent)})
    assert ran.returncode == 0, ran.stderr
    assert "threads sleep (reidops)" in ran.stdout and "one thread each" in ran.stdout
