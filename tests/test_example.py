"""examples/train_and_track.py on a small drawn data set."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic
from reidops.steps import TrainingSettings

EXAMPLE = Path(__file__).parents[1] / "examples" / "train_and_track.py"
TINY = TrainingSettings(
    backbone="mobilenetv4_conv_small_050", height=64, width=32, epochs=1, people_per_batch=4, crops_per_person=2
)


@pytest.mark.slow
def test_the_example_trains_ranks_and_tracks_a_held_out_sequence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    streets = SyntheticParams(scenes=3, frames=60, width=320, height=180, min_people=8, max_people=8)
    write_synthetic(tmp_path / "streets", streets)
    main = runpy.run_path(str(EXAMPLE))["main"]

    main(tmp_path / "streets", tmp_path / "results", ["SYN-03-FRCNN"], TINY)

    printed = capsys.readouterr().out
    assert "streets: mAP 0." in printed and "colour_histogram: mAP 0." in printed
    tracks = pd.read_csv(tmp_path / "results" / "SYN-03-FRCNN.csv")
    assert set(tracks["frame"]) <= set(range(1, 61)) and tracks["tracker_id"].nunique() >= 3
    assert (tmp_path / "results" / "model" / "model.safetensors").is_file()
    assert not list((tmp_path / "results" / "model.checkpoints").glob("*/*")), "a finished training keeps no checkpoint"
