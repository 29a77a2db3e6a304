"""Other seeds, the same recipe: which stages are run on what, and what is made of their figures."""

import importlib
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from made_result import write_result

from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.registry.seed_noise import read_spread
from reidops.registry.seed_spread import describe_spread
from stages import repeat_seeds as module
from stages.repeat_seeds import RepeatSeedsParams, commands, repeat_seeds, run_command

SETTINGS = (
    "train: {seed: 5, track: reidops, epochs: 2}\nadapt: {rounds: 0}\n"
    "evaluate_tracking: {tracker: deepsort, num_clips: 3}\n"
)
FOLDERS = ("crops", "validation", "generated", "raw", "detections", "tracklets", "tuning", "reid", "tracking", "seeds")


class FakeStages:
    """Notes what is run and writes figures that depend on the seed: an IDF1 of seed / 100, a mAP of seed / 10."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []

    def __call__(self, stage: str, options: list[str]) -> None:
        paths = {name: Path(path) for name, path in (option.removeprefix("--").split("=") for option in options)}
        params = yaml.safe_load(paths["params"].read_text())
        seed = params["train"]["seed"]
        self.ran.append((stage, seed))
        assert params["adapt"] == {"rounds": 0, "seed": seed, "track": None}
        assert params["train"] == {"seed": seed, "track": None, "epochs": 2}
        assert params["evaluate_tracking"]["num_clips"] == 0
        if stage == "evaluate_reid":
            write_json(
                {"synthetic": {"mAP": seed / 10}, "colour_histogram": {"mAP": 0.2}}, paths["reid"] / "metrics.json"
            )
        if stage == "evaluate_tracking":
            assert paths["calibration"] == paths["embeddings"].parent / "reid" / "calibration.json"
            scores = dict.fromkeys(("IDF1", "HOTA", "MOTA", "AssA", "DetA"), seed / 100)
            write_json(
                {"appearance": {"combined": scores}, "no_appearance": {"combined": scores}},
                paths["tracking"] / "metrics.json",
            )
            write_json({"uses_appearance": False, "reason": ""}, paths["tracking"] / "proof.json")


@pytest.fixture
def fake(monkeypatch) -> FakeStages:
    stages = FakeStages()
    monkeypatch.setattr(module, "run_command", stages)
    return stages


def run(root: Path, num: int) -> dict:
    data = write_result(root, settings=SETTINGS, idf1=0.05)
    repeat_seeds(root / "params.yaml", *(data / name for name in FOLDERS), params=RepeatSeedsParams(num=num))
    assert [path.name for path in (data / "seeds").iterdir()] == ["spread.json"]
    return read_json(data / "seeds" / "spread.json")


def test_by_default_nothing_is_repeated_and_the_noise_is_unknown(tmp_path, fake):
    spread = run(tmp_path, 1)
    assert fake.ran == []
    assert spread["num"] == 1 and spread["figures"]["tracking/IDF1"] == {"values": [0.05], "mean": 0.05, "std": None}
    assert read_spread(tmp_path / "data" / "seeds" / "spread.json", "IDF1").std is None


def test_each_further_seed_trains_embeds_ranks_and_tracks(tmp_path, fake):
    spread = run(tmp_path, 3)
    assert fake.ran == [
        (stage, seed) for seed in (6, 7) for stage in ("train", "adapt", "embed", "evaluate_reid", "evaluate_tracking")
    ]
    assert spread["seeds"] == [5, 6, 7]
    row = spread["figures"]["tracking/IDF1"]
    assert row["values"] == [0.05, 0.06, 0.07] and (row["mean"], row["std"]) == (
        pytest.approx(0.06),
        pytest.approx(0.01),
    )
    assert spread["figures"]["reid/synthetic/mAP"]["values"] == [0.61, 0.6, 0.7]
    assert "reid/colour_histogram/mAP" not in spread["figures"]
    of_score = read_spread(tmp_path / "data" / "seeds" / "spread.json", "IDF1")
    assert (of_score.num, of_score.half_width) == (3, pytest.approx(4.3027 * 0.01, abs=1e-5))


def test_two_trainings_are_too_few_to_widen_an_interval(tmp_path):
    write_json(describe_spread([0, 1], [{"tracking/IDF1": 0.5}, {"tracking/IDF1": 0.6}]), tmp_path / "spread.json")
    spread = read_spread(tmp_path / "spread.json", "IDF1")
    assert (spread.std, spread.half_width) == (pytest.approx(0.0707, abs=1e-4), 0.0)


def test_a_repetition_that_fails_is_named():
    with pytest.raises(ReidopsError, match="the stage embed failed in a repetition"):
        run_command("embed", [], run=lambda command: SimpleNamespace(returncode=1))


def test_the_repeated_stages_are_given_each_path_that_they_take():
    inputs = {
        name: Path(name) for name in ("crops", "validation", "generated", "raw", "detections", "tracklets", "tuning")
    }
    for stage, paths in commands(inputs, Path("scratch")).items():
        taken = inspect.signature(getattr(importlib.import_module(f"stages.{stage}"), stage)).parameters
        assert set(paths) | {"params"} == set(taken)
