"""reidops/params_reference.py and `reidops params`."""

import re

import pytest
import yaml
from click.testing import CliRunner

from reidops.command import main
from reidops.params_reference import Knob, read_reference

PARAMS = """# A head
train:
  name: "a # b"     # a name, [05] too
  bare: 3
  losses:           # loss → weight
    triplet: {margin: soft}   # soft, or a distance
  sizes:            # px
    - 1
    - 2
export:
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path / "params.yaml"


def params(*arguments):
    return CliRunner().invoke(main, ["params", *map(str, arguments)])


def test_a_knob_has_its_name_its_value_and_the_remark_beside_it(path):
    assert read_reference(path) == {
        "export": [],
        "train": [
            Knob("name", '"a # b"', "a name, [05] too"),
            Knob("bare", "3", ""),
            Knob("losses", "", "loss → weight"),
            Knob("losses.triplet", "{margin: soft}", "soft, or a distance"),
            Knob("sizes", "[1, 2]", "px"),
        ],
    }


def test_every_knob_of_the_repository_is_told_with_its_remark(root):
    sections = yaml.safe_load((root / "params.yaml").read_text())
    reference = read_reference(root / "params.yaml")
    for section, values in sections.items():
        assert set(values) <= {knob.name for knob in reference[section]}
    assert all(knob.remark for knobs in reference.values() for knob in knobs)


def test_the_table_wraps_at_the_width_of_the_terminal(root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    shown = params("train", "--params", root / "params.yaml")
    assert shown.exit_code == 0 and max(map(len, shown.output.splitlines())) <= 70
    assert re.search(r"^backbone +\w+ +a name of timm", shown.output, re.MULTILINE)
    assert "vis_threshold" not in shown.output


def test_brackets_are_no_markup(path):
    assert "a name, [05] too" in params("--params", path).output


def test_an_unknown_section_is_told_with_a_near_one(path, tmp_path):
    ended = params("trian", "--params", path)
    assert ended.exit_code == 1 and "section `trian` is unknown; did you mean `train`?" in ended.stderr
    assert "no such file" in params("--params", tmp_path / "nowhere.yaml").stderr
