"""A remedy follows its reason: it names the param of the most frequent one, and never a value that params refuse."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from default_params import default_params
from mot_factory import write_gt, write_mot_sequence

from reidops.datasets.remedies import BETWEEN, BEYOND, NAMED, NO_PART, RARE, main_reason, remedy_of
from reidops.errors import ReidopsError
from reidops.mot.crops import (
    ANOTHER_CLASS,
    BELOW_VISIBILITY,
    NOT_CONSIDERED,
    OUTSIDE,
    STRIDE,
    TOO_SMALL,
    BoxRules,
    choose_boxes,
)
from reidops.mot.sequences import read_sequence
from reidops.params import check_all
from stages.params import SECTIONS
from stages.params.convert import ConvertParams

DEFAULT = Path(__file__).parents[2] / "recipes" / "default.yaml"
USUAL = (20, 20, 12, 30, 1, 1, 1.0)
ROWS = {
    ANOTHER_CLASS: (20, 20, 12, 30, 1, 3, 1.0),
    NOT_CONSIDERED: (20, 20, 12, 30, 0, 1, 1.0),
    BELOW_VISIBILITY: (20, 20, 12, 30, 1, 1, 0.1),
    OUTSIDE: (300, 20, 12, 30, 1, 1, 1.0),
    TOO_SMALL: (20, 20, 3, 4, 1, 1, 1.0),
}
RULES = BoxRules(min_width=8, min_height=16)
PARAM_OF = {
    ANOTHER_CLASS: "convert.classes",
    NOT_CONSIDERED: "convert.considered_only",
    BELOW_VISIBILITY: "convert.vis_threshold",
    OUTSIDE: "imWidth",
    TOO_SMALL: "convert.min_width",
    STRIDE: "convert.stride",
    RARE: "convert.min_per_person",
    NAMED: "download.leave_out",
}


def taken_of(folder: Path, rows: list[tuple], rules: BoxRules = RULES) -> Counter:
    sequence = write_mot_sequence(folder / "TOY-01", num_frames=len(rows))
    write_gt(sequence, [(frame, 1 + frame % 3, *row) for frame, row in enumerate(rows, 1)])
    return choose_boxes(read_sequence(sequence), rules)[1]


@pytest.mark.parametrize("reason", ROWS)
def test_the_remedy_is_that_of_the_most_frequent_reason(tmp_path, reason):
    others = [row for other, row in ROWS.items() if other != reason]
    taken = taken_of(tmp_path, [ROWS[reason]] * 6 + others * 1 + [USUAL] * 4)
    assert taken[reason] == 6 and main_reason(taken) == reason
    assert PARAM_OF[reason] in remedy_of(reason, RULES, (3, 1))


def test_frames_between_the_stride_have_their_own_remedy(tmp_path):
    rules = replace(RULES, stride=4)
    taken = taken_of(tmp_path, [USUAL] * 12, rules)
    assert main_reason(taken) == STRIDE and "lower convert.stride (4)" in remedy_of(STRIDE, rules)


@pytest.mark.parametrize("reason", [BEYOND, BETWEEN, NO_PART])
def test_what_the_split_leaves_out_is_no_fault(reason):
    assert main_reason(Counter({"boxes": 9, "crops": 9, reason: 8})) == ""
    assert main_reason(Counter({"boxes": 9, reason: 8, ANOTHER_CLASS: 1})) == ANOTHER_CLASS


@pytest.mark.parametrize("reason", PARAM_OF)
def test_every_remedy_names_a_param_that_exists_or_the_file_to_correct(reason):
    remedy = remedy_of(reason, RULES, (3, 1))
    named = re.findall(r"\b(convert|download)\.(\w+)", remedy)
    sections = {
        type(section).__module__.rpartition(".")[2]: section for section in check_all(SECTIONS, DEFAULT).values()
    }
    assert named or "seqinfo.ini" in remedy
    assert all(hasattr(sections[section], name) for section, name in named)


@pytest.mark.parametrize("threshold", [0.9, 0.3, 0.0])
def test_no_remedy_asks_for_a_visibility_below_0_which_params_refuse(threshold):
    remedy = remedy_of(BELOW_VISIBILITY, replace(RULES, vis_threshold=threshold))
    assert ("lower convert.vis_threshold" in remedy) == (threshold > 0)
    with pytest.raises(Exception, match="vis_threshold"):
        default_params(ConvertParams, vis_threshold=-1.0)


@pytest.mark.parametrize(("classes", "example"), [((3, 1), "[3]"), ((0,), "[0]"), ((1,), ""), ((), "")])
def test_the_classes_that_were_found_are_named_and_one_is_proposed(classes, example):
    remedy = remedy_of(ANOTHER_CLASS, RULES, classes)
    assert (f"e.g. convert.classes: {example}" in remedy) == bool(example)


@pytest.mark.parametrize(
    ("rows", "remedy"),
    [
        ([(1, 1, 20, 20, 12, 30, 1, 1, 40)], "class,-"),
        ([(f, -1, 20, 20, 12, 30, 1, 1, 1) for f in (1, 2)], "id of each person"),
        ([(1, 1, 20, 20, 12, 30, 1, 0, 1)], r"download\.people: {"),
        ([(1, 1, 0.1, 0.2, 0.1, 0.3, 1, 1, 1)] * 12, "multiply them by the frame"),
        ([(f, 1, 120, 50, 150, 80, 1, 1, 1) for f in range(1, 13)], "write width and height|right,bottom"),
        ([(f, 1, 900, 500, 60, 90, 1, 1, 1) for f in range(1, 13)], "scale them"),
    ],
)
def test_what_is_wrong_in_all_rows_has_a_remedy_of_its_own(tmp_path, rows, remedy):
    sequence = write_mot_sequence(tmp_path / "TOY-01")
    write_gt(sequence, rows)
    with pytest.raises(ReidopsError, match=remedy):
        choose_boxes(read_sequence(sequence), RULES)
