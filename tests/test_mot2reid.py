"""`reidops mot2reid`: by mot2reid's flags, to mot2reid's folder."""

import plain_mot2reid
import pytest
from click.testing import CliRunner
from mot_factory import write_mot_set
from plain_mot2reid import Options

from reidops.command import main

NAMES = ("TOY-01", "TOY-02")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "toy"
    return write_mot_set(folder, NAMES, num_frames=10, num_people=4, width=160, height=96)


def mot2reid(*arguments):
    return CliRunner().invoke(main, ["mot2reid", *map(str, arguments)])


def test_the_flags_of_mot2reid_give_its_crops_and_lists(dataset, tmp_path):
    ours, theirs = tmp_path / "reid", tmp_path / "theirs"
    shown = mot2reid("-i", dataset, "-o", ours, "--val-split", "0.5", "--vis-threshold", "0.3")
    assert shown.exit_code == 0, shown.output
    plain_mot2reid.convert(dataset, theirs, Options(val_split=0.5))
    for pattern in ("imgs/*/*.jpg", "meta/*.txt"):
        names = [{p.relative_to(folder).as_posix() for p in folder.glob(pattern)} for folder in (ours, theirs)]
        assert names[0] == names[1] and names[0]
    crop = next(ours.glob("imgs/*/000003.jpg"))
    assert crop.read_bytes() == (theirs / crop.relative_to(ours)).read_bytes()
    people = [
        {line.split("/")[0] for line in (f / "meta" / "val_50.txt").read_text().splitlines()} for f in (ours, theirs)
    ]
    assert people[0] == people[1]


def test_another_layout_and_an_existing_output_are_refused(dataset, tmp_path):
    assert "MOTChallenge's layout" in mot2reid("-i", tmp_path, "-o", tmp_path / "reid").output
    shown = mot2reid("-i", dataset, "-o", tmp_path)
    assert shown.exit_code == 1 and "exists already" in shown.output
    assert mot2reid("-i", dataset, "-o", tmp_path / "reid", "--val-split", "20").exit_code == 2


def test_an_empty_val_list_is_warned_of_with_the_flags_that_fill_it(tmp_path, caplog):
    dataset = write_mot_set(tmp_path / "toy", ["TOY-01"], num_frames=10, num_people=4, width=160, height=96)
    annotations = dataset / "train" / "TOY-01" / "gt" / "gt.txt"
    rows = [
        row for row in annotations.read_text().splitlines() if int(row.split(",")[0]) < 3 or row.split(",")[1] != "4"
    ]
    annotations.write_text("\n".join(rows))
    assert mot2reid("-i", dataset, "-o", tmp_path / "reid").exit_code == 0
    assert "the val list is empty" in caplog.text and "lower --min-per-person" in caplog.text
    caplog.clear()
    assert mot2reid("-i", dataset, "-o", tmp_path / "more", "--min-per-person", 2).exit_code == 0
    assert "the val list is empty" not in caplog.text
