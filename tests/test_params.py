"""reidops/params.py: unknown, missing and wrongly typed params are reported before a stage runs."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from reidops.errors import ReidopsError
from reidops.params import check_all, params_dataclass, read_params
from stages.params import SECTIONS


@params_dataclass
class Inner:
    """A nested section."""

    seed: int = Field(ge=0)


@params_dataclass
class TrainParams:
    """A section."""

    learning_rate: float
    epochs: int
    weights: str | None
    gate: Literal["calibrated"] | Annotated[float, Field(ge=0, le=2)]
    losses: dict[str, float]
    inner: Inner


GOOD = """train:
  learning_rate: 0.1
  epochs: 2
  weights: null
  gate: calibrated
  losses: {triplet: 1.0}
  inner: {seed: 3}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_a_valid_section_is_read_with_its_nested_section(tmp_path):
    params = read_params(TrainParams, "train", write(tmp_path, GOOD))
    assert params == TrainParams(0.1, 2, None, "calibrated", {"triplet": 1.0}, Inner(3))


def test_an_integer_is_accepted_for_a_float(tmp_path):
    assert read_params(TrainParams, "train", write(tmp_path, GOOD.replace("0.1", "1"))).learning_rate == 1.0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("epochs: 2", "epoch: 2", "train.epoch is unknown; did you mean `epochs`"),
        ("  epochs: 2\n", "", "train.epochs is missing"),
        ("epochs: 2", "epochs: two", "train.epochs is 'two': expected whole number"),
        ("epochs: 2", "epochs: 2.5", "train.epochs is 2.5: expected whole number"),
        ("epochs: 2", 'epochs: "2"', "train.epochs is '2': expected whole number"),
        ("learning_rate: 0.1", "learning_rate: high", "train.learning_rate is 'high': expected number"),
        ("learning_rate: 0.1", "learning_rate: '0.1'", "train.learning_rate is '0.1': expected number"),
        ("gate: calibrated", "gate: wide", "train.gate is 'wide': expected calibrated or number 0 … 2"),
        ("gate: calibrated", "gate: 3", "train.gate is 3: expected calibrated or number 0 … 2"),
        ("triplet: 1.0", "triplet: a", "train.losses.triplet is 'a': expected a valid number"),
        ("seed: 3", "sed: 3", "train.inner.sed is unknown; did you mean `seed`"),
        ("seed: 3", "seed: -1", "train.inner.seed is -1: expected whole number ≥ 0"),
        ("train:", "trian:", "section `train` is missing; did you mean `trian`"),
        (GOOD, "train: 3", "expected names and values"),
        (GOOD, "a: [", "not valid YAML"),
    ],
)
def test_a_fault_is_named_with_what_is_expected(tmp_path, old, new, says):
    with pytest.raises(ReidopsError) as caught:
        read_params(TrainParams, "train", write(tmp_path, GOOD.replace(old, new)))
    assert says in str(caught.value) and str(tmp_path / "params.yaml") in str(caught.value)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 or [line.rsplit(" is ", 1)[1] for line in lines[1:]] == ["missing"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ReidopsError, match="no such file; .*reidops recipe default"):
        read_params(TrainParams, "train", tmp_path / "params.yaml")


def test_all_sections_are_checked_at_once(tmp_path):
    path = write(tmp_path, GOOD.replace("epochs: 2", "epochs: x") + "emebd: {seed: 1}\n")
    with pytest.raises(ReidopsError) as caught:
        check_all({"train": TrainParams, "embed": Inner}, path)
    message = str(caught.value)
    assert "section `emebd` is unknown; did you mean `embed`" in message
    assert "train.epochs is 'x'" in message
    assert "section `embed` is missing" in message
    assert "`reidops params SECTION`" in message and "`reidops params --write`" in message


@pytest.mark.parametrize("written", ["5e-05", "5E-05", "1e-3", "+1.5e3", "-.5e-2", "1.e3"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_number_in_exponent_notation_is_a_number_quoted_or_not(tmp_path, written, quote):
    text = GOOD.replace("learning_rate: 0.1", f"learning_rate: {quote}{written}{quote}")
    params = read_params(TrainParams, "train", write(tmp_path, text.replace("triplet: 1.0", f"triplet: {written}")))
    assert params.learning_rate == float(written) and params.losses == {"triplet": float(written)}


def test_options_of_the_optimizer_keep_integers_and_names(root, tmp_path):
    sections: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text())
    sections["train"]["optimizer_options"] = {"ns_steps": 3, "conv_mode": "batched", "eps": "1e-8"}
    params = read_params(SECTIONS["train"], "train", write(tmp_path, yaml.safe_dump(sections)))
    assert params.optimizer_options == {"ns_steps": 3, "conv_mode": "batched", "eps": 1e-8}
    assert isinstance(params.optimizer_options["ns_steps"], int)  # timm slices a list with it


def test_a_text_in_exponent_notation_stays_text_where_no_number_is_permitted(tmp_path):
    params = read_params(TrainParams, "train", write(tmp_path, GOOD.replace("weights: null", "weights: 1e5")))
    assert params.weights == "1e5"


@pytest.mark.parametrize(
    ("section", "name", "value", "expected"),
    [
        ("train", "learning_rate", "5e-05", 5e-05),
        ("train", "optimizer_options", {"eps": "1e-8", "betas": ["9e-1", 0.99]}, {"eps": 1e-8, "betas": [0.9, 0.99]}),
        ("train", "loss_options", {"triplet": {"margin": "3e-1"}}, {"triplet": {"margin": 0.3}}),
        ("train", "milestones", ["4e1", 70], (40.0, 70.0)),
        ("embed", "min_confidence", {"DPM": "-5e-1"}, {"DPM": -0.5}),
        ("evaluate_tracking", "gate", "2e-1", 0.2),
        (
            "evaluate_tracking",
            "constants",
            {"deepsort": {"motion_weight": "1e-1"}},
            {"deepsort": {"motion_weight": 0.1}},
        ),
        ("tune", "search", {"sort": {"iou": ["1e-1", 0.5]}}, {"sort": {"iou": [0.1, 0.5]}}),
        ("download", "sequences", ["1e5"], ["1e5"]),
    ],
)
def test_exponents_reach_the_knobs_of_the_pipeline_as_numbers(root, tmp_path, section, name, value, expected):
    sections: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text())
    sections[section][name] = value
    path = write(tmp_path, yaml.safe_dump(sections))
    assert getattr(read_params(SECTIONS[section], section, path), name) == expected
