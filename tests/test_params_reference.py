"""reidops/knobs.py, reidops/params_file.py and `reidops params`: what is said of each param, in one place."""

import re
import shutil
from typing import Annotated, Any, Literal

import pytest
import yaml
from click.testing import CliRunner
from pydantic import Field

from reidops.command import main
from reidops.errors import ReidopsError
from reidops.knobs import Knob, describe_range, describe_type, read_knobs
from reidops.params import params_dataclass
from reidops.params_file import format_params, format_value, read_head, rewrite_params
from reidops.recipes import DEFAULT, recipe_values
from stages.params import SECTIONS


@params_dataclass
class Drawing:
    """What is drawn."""

    frames: Annotated[int, Field(ge=1)] = Field(description="Number of frames.")


@params_dataclass
class Small:
    """A small section."""

    rate: Annotated[float, Field(gt=0)] = Field(description="Learning rate.")
    names: list[str] = Field(description="Names of the sequences. " + "They are long words. " * 6)
    losses: dict[str, float] = Field(description="Weights.")
    drawing: Drawing = Field(description="The drawing.")


SMALL = {"small": Small}
VALUES = {"small": {"rate": "5e-05", "names": ["05"], "losses": {"a": 1.0}, "drawing": {"frames": 3}}}


def all_knobs(classes: dict[str, type]) -> list[tuple[str, Knob]]:
    found = [(section, knob) for section, cls in classes.items() for knob in read_knobs(cls)]
    return found + [
        (f"{section}.{knob.name}", inner) for section, knob in found if knob.group for inner in read_knobs(knob.group)
    ]


@pytest.mark.parametrize(
    ("annotation", "kind", "limits"),
    [
        (int, "whole number", ""),
        (Annotated[int, Field(ge=1)], "whole number ≥ 1", "≥ 1"),
        (Annotated[int, Field(ge=1)] | None, "whole number ≥ 1 or null", "≥ 1 or null"),
        (Annotated[float, Field(gt=0, lt=1)], "number > 0 and < 1", "> 0 and < 1"),
        (Literal["a", "b", "c"], "a, b or c", "a, b or c"),
        (Literal["auto"] | bool, "auto, true or false", "auto, true or false"),
        (Literal["auto"] | Annotated[float, Field(ge=0, le=2)], "auto or number 0 … 2", "auto or 0 … 2"),
        (bool | None, "true, false or null", ""),
        (str | None, "text or null", ""),
        (list[str], "list of text", ""),
        (dict[str, Annotated[float, Field(ge=0)]], "mapping to number ≥ 0", ""),
        (tuple[int, int] | None, "[whole number, whole number] or null", ""),
        (dict[str, Any], "mapping to any value", ""),
    ],
)
def test_types_and_ranges_are_words(annotation, kind, limits):
    assert (describe_type(annotation), describe_range(annotation)) == (kind, limits)


def test_every_knob_has_a_description_of_whole_sentences_and_no_default():
    for where, knob in all_knobs(SECTIONS):
        assert re.fullmatch(r"\w.*\.", knob.description, re.DOTALL), f"{where}.{knob.name}: {knob.description!r}"
    for section, cls in SECTIONS.items():
        assert all(field.is_required() for field in cls.__pydantic_fields__.values()), section


def test_every_knob_that_permits_null_says_what_null_means():
    for where, knob in all_knobs(SECTIONS):
        assert ("null" in knob.type) == ("null:" in knob.description), f"{where}.{knob.name}"


def test_params_yaml_has_the_values_of_the_default_recipe_and_the_remarks_of_the_descriptions(root):
    text = (root / "params.yaml").read_text()
    values = recipe_values(root, DEFAULT, SECTIONS)
    assert yaml.safe_load(text) == values
    assert text == format_params(SECTIONS, values, read_head(root / "recipes" / "default.yaml")), (
        "run `reidops params --write`, or `reidops recipe default`"
    )


def test_no_line_of_params_yaml_is_long(root):
    assert max(map(len, (root / "params.yaml").read_text().splitlines())) <= 120


def test_a_remark_is_beside_its_value_or_above_it():
    text = format_params(SMALL, VALUES, "# A head.")
    assert text.startswith("# A head.\n\n# One section per stage.")
    assert f"\n# A small section.\nsmall:\n{'  rate: 5.0e-05':<30}# Learning rate. [> 0]\n  # Names of" in text
    assert '\n  names: ["05"]\n' in text
    assert f"\n{'  losses:':<30}# Weights.\n    a: 1.0\n" in text
    assert text.endswith(f"\n{'  drawing:':<30}# The drawing.\n{'    frames: 3':<30}# Number of frames. [≥ 1]\n")
    assert yaml.safe_load(text)["small"] == VALUES["small"] | {"rate": 5e-05}


@pytest.mark.parametrize("text", ["05", "09", "1e5", "0x1F", "1:30", "-.5", "null", "yes"])
def test_text_that_looks_like_a_number_is_quoted(text):
    assert format_value(text)[0] in "'\""


def test_writing_again_keeps_head_and_values_and_adds_what_is_missing(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("# My head.\n\nsmall:\n  losses: {b: 2.0}  # mine\n  drawing: {}\n  rate: 0.5\n")
    assert rewrite_params(path, SMALL, VALUES) == ["small.names", "small.drawing.frames"]
    assert yaml.safe_load(path.read_text()) == {
        "small": {"rate": 0.5, "names": ["05"], "losses": {"b": 2.0}, "drawing": {"frames": 3}}
    }
    assert path.read_text().startswith("# My head.\n\n")
    written = path.read_text()
    assert rewrite_params(path, SMALL, VALUES) == [] and path.read_text() == written


def test_writing_again_refuses_what_is_unknown_or_not_permitted(tmp_path):
    path = tmp_path / "params.yaml"
    for text, says in (("small: {rat: 1}", "small.rat is unknown"), ("small: {rate: 0}", "small.rate is 0")):
        path.write_text(text)
        with pytest.raises(ReidopsError, match=says):
            rewrite_params(path, SMALL, VALUES)
        assert path.read_text() == text


def params(*arguments):
    return CliRunner().invoke(main, ["params", *map(str, arguments)])


def test_the_reference_has_type_range_value_and_description_and_wraps_at_the_terminal(root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    shown = params("train", "--root", root)
    assert shown.exit_code == 0 and max(map(len, shown.output.splitlines())) <= 100
    assert re.search(r"^backbone +text +fasternet_t0 +Name of the network", shown.output, re.MULTILINE)
    assert re.search(r"^epochs +whole number ≥ 0 +10 +Number of epochs", shown.output, re.MULTILINE)
    assert "vis_threshold" not in shown.output


def test_the_reference_has_every_knob_of_every_section(root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = params("--root", root).output
    for where, knob in all_knobs(SECTIONS):
        inner = ".".join([*where.split(".")[1:], knob.name])
        assert re.search(rf"^{re.escape(inner)} ", shown, re.MULTILINE), inner


def test_an_unknown_section_is_named_with_a_near_one(root, tmp_path):
    ended = params("trian", "--root", root)
    assert ended.exit_code == 1 and "section `trian` is unknown; did you mean `train`?" in ended.stderr
    assert "no such file" in params("--root", tmp_path).stderr


def test_the_command_writes_the_remarks_of_a_repository(root, tmp_path):
    shutil.copytree(root / "recipes", tmp_path / "recipes")
    values = yaml.safe_load((root / "params.yaml").read_text())
    del values["train"]["epochs"]
    values["train"]["seed"] = 3
    (tmp_path / "params.yaml").write_text("# Mine.\n" + yaml.safe_dump(values))
    ended = params("--write", "--root", tmp_path)
    assert ended.exit_code == 0 and "added train.epochs with its default value" in ended.output
    written = yaml.safe_load((tmp_path / "params.yaml").read_text())
    assert written["train"]["epochs"] == 10 and written["train"]["seed"] == 3
    assert "# Number of epochs." in (tmp_path / "params.yaml").read_text()
