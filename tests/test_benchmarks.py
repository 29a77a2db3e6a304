"""benchmarks/: the scripts of the measurements run."""

import importlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_crops import write_crops

from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = (
    "--backbone mobilenetv4_conv_small_050 --height 32 --width 16 --people 3 --crops-each 2 --workers 0 --seconds 0.1"
)


IMPORT_EACH = """
import importlib, sys
sys.path[0], *names = sys.argv[1:]
plain_path = list(sys.path)
for name in names:
    importlib.import_module(name)
    print(importlib.import_module("stages").__file__)
    sys.path[:] = plain_path
    for imported in [module for module in sys.modules if module.partition(".")[0] == "stages"]:
        del sys.modules[imported]
"""


def test_each_benchmark_of_a_stage_finds_the_stages_from_any_folder(tmp_path):
    names = ["convert", "validate", "tracking_constants", "dask_workers"]
    command = [sys.executable, "-c", IMPORT_EACH, str(BENCHMARKS), *names]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert ran.stdout.split() == [str(BENCHMARKS.parent / "stages" / "__init__.py")] * len(names), ran.stderr


@pytest.mark.parametrize(("options", "message"), [([], "loop / model alone"), (["--decoders"], "crops/s")])
def test_the_benchmark_of_training_prints_its_ratios(tmp_path, monkeypatch, capsys, options, message):
    crops = write_crops(tmp_path) / "crops"
    monkeypatch.syspath_prepend(BENCHMARKS)
    training = importlib.import_module("training")
    monkeypatch.setattr(training, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(sys, "argv", ["training.py", "--crops", str(crops), *SMALL.split(), *options])
    training.main()
    assert message in capsys.readouterr().out


def test_the_benchmark_of_memory_prints_the_effect_of_keeping_it(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", ["memory.py", "--quick"])
    importlib.import_module("memory").main()
    printed = capsys.readouterr().out
    assert "forward, batches of 2" in printed and "train, batches of 2" in printed


def test_the_benchmark_of_precision_prints_a_row_per_network(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    precision = importlib.import_module("precision")
    monkeypatch.setattr(precision, "keep_freed_memory", lambda: None)
    options = "--networks mobilenetv4_conv_small_050 --size 32 32 --batch 2 --threads 1 --seconds 0"
    monkeypatch.setattr(sys, "argv", ["precision.py", *options.split()])
    precision.main()
    name, *cells = capsys.readouterr().out.splitlines()[-1].strip("| ").split(" | ")
    assert name == "`mobilenetv4_conv_small_050`" and cells[0].endswith("(1.00)") and len(cells) == 3


def test_the_benchmark_of_neighbours_compares_one_process_with_two(monkeypatch, capsys):
    """One setting of three, for each takes three processes."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    neighbours = importlib.import_module("neighbours")
    monkeypatch.setattr(neighbours, "SETTINGS", {neighbours.ALONE: {"OMP_NUM_THREADS": "1"}})  # nor does it spin
    monkeypatch.setattr(sys, "argv", ["neighbours.py", "--quick"])
    neighbours.main()
    name, alone, both, ratios = capsys.readouterr().out.splitlines()[-1].strip("| ").split(" | ")
    assert name == neighbours.ALONE and float(alone) > 0 and float(both) > 0 and ratios.startswith("1.00, ")


def test_the_benchmark_of_the_adaptation_clusters_drawn_crops(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    adaptation = importlib.import_module("adaptation")
    monkeypatch.setattr(sys, "argv", ["adaptation.py", "--drawn", "400"])
    adaptation.main()
    drawn, clusters = capsys.readouterr().out.splitlines()
    assert drawn.startswith("400 drawn crops, average: ") and clusters == "20 clusters of 20 people"


def test_the_state_of_no_tracker_grows_with_the_stream(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    endless = importlib.import_module("endless")
    monkeypatch.setattr(sys, "argv", ["endless.py", "--frames", "1000"])
    endless.main()
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(endless.TRACKERS)
    stretches = [endless.Stretch(state, 1.0, 1) for state in (10_000, 20_000)]
    assert not endless.is_bounded(stretches)


def test_streets_in_the_evening_are_drawn_streets_with_less_light(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    scenes = importlib.import_module("adaptation_scenes")
    small = partial(SyntheticParams, width=160, height=90, min_people=2, max_people=2)
    monkeypatch.setattr(scenes, "SyntheticParams", lambda seed, frames=3: small(seed=seed, frames=frames))
    monkeypatch.setattr(scenes, "map_parallel", lambda work, orders, desc: [*map(work, orders)])
    scenes.draw_dusk(tmp_path / "dusk", 5, 4, 2)
    numbers = [len(list((tmp_path / f"dusk/train/DUSK-0{n}-FRCNN/img1").iterdir())) for n in (1, 2, 3, 4)]
    assert numbers == [2, 2, 3, 3]
    write_synthetic(tmp_path / "day", small(seed=5, frames=2, scenes=1))
    day, evening = (
        cv2.imread(str(tmp_path / name / "img1/000001.jpg")).mean(axis=(0, 1))
        for name in ("day/train/SYN-01-FRCNN", "dusk/train/DUSK-01-FRCNN")
    )
    np.testing.assert_allclose(evening / day, scenes.EVENING, atol=0.02)
