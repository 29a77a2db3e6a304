"""reidops/params.py: unknown, missing and wrongly typed params are reported before a stage runs."""

from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.params import check_all, params_dataclass, read_params


@params_dataclass
class Inner:
    """A nested section."""

    seed: int = 7


@params_dataclass
class TrainParams:
    """A section."""

    learning_rate: float
    epochs: int = 10
    weights: str | None = None
    inner: Inner = Inner()


GOOD = "train:\n  learning_rate: 0.1\n  epochs: 2\n  weights: null\n  inner: {seed: 3}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_a_valid_section_is_read_with_its_nested_section(tmp_path):
    params = read_params(TrainParams, "train", write(tmp_path, GOOD))
    assert params == TrainParams(learning_rate=0.1, epochs=2, inner=Inner(seed=3))


def test_an_integer_is_accepted_for_a_float(tmp_path):
    assert read_params(TrainParams, "train", write(tmp_path, GOOD.replace("0.1", "1"))).learning_rate == 1.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 2", "epoch: 2", "`epochs`"),
        ("  epochs: 2\n", "", "train.epochs is missing; the default is 10"),
        ("epochs: 2", "epochs: two", "train.epochs is 'two'"),
        ("epochs: 2", "epochs: 2.5", "train.epochs is 2.5"),
        ("learning_rate: 0.1", "learning_rate: high", "train.learning_rate is 'high'"),
        ("seed: 3", "sed: 3", "train.inner.sed is unknown; did you mean `seed`"),
        ("train:", "trian:", "section `train` is missing; did you mean `trian`"),
        (GOOD, "train: 3", "expected names and values"),
        (GOOD, "a: [", "not valid YAML"),
    ],
)
def test_a_fault_is_reported_with_its_remedy(tmp_path, old, new, message):
    with pytest.raises(ReidopsError) as caught:
        read_params(TrainParams, "train", write(tmp_path, GOOD.replace(old, new)))
    assert message in str(caught.value)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(ReidopsError, match="no such file"):
        read_params(TrainParams, "train", tmp_path / "params.yaml")


def test_all_sections_are_checked_at_once(tmp_path):
    path = write(tmp_path, GOOD.replace("epochs: 2", "epochs: x") + "emebd: {seed: 1}\n")
    with pytest.raises(ReidopsError) as caught:
        check_all({"train": TrainParams, "embed": Inner}, path)
    message = str(caught.value)
    assert "section `emebd` is unknown; did you mean `embed`" in message
    assert "train.epochs is 'x'" in message
    assert "section `embed` is missing" in message
