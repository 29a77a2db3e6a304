"""Each expectation of the file lists (meta/train_80.txt and its like) catches a planted fault."""

import pytest
from inspect_tables import finding_of, inspect


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "000001/000002.jpg 1\n",
            "000001/000002.jpg 0\n",
            "a line's path is a crop, and its label stands for one person and no other",
        ),
        (
            "000001/000002.jpg 1\n",
            "000001/999999.jpg 1\n",
            "a line's path is a crop, and its label stands for one person and no other",
        ),
        (
            "000001/000002.jpg 1\n",
            "000001/000002.jpg one\n",
            "a line's path is a crop, and its label stands for one person and no other",
        ),
        ("TOY-01_000001/000002.jpg 1\n", "TOY-01_000003/000002.jpg 3\n", "a file lists crops of its own split"),
        ("000001/000002.jpg 1\n", "000001/000001.jpg 1\n", "a file lists a crop once"),
        ("TOY-01_000001/000002.jpg 1\n", "", "a file lists every crop of its split"),
        (" 2\n", " 7\n", "labels leave no gap"),
        (" 0\n", " 9\n", "training labels start at 0"),
    ],
)
def test_a_fault_of_the_label_files_is_caught(crops, folder, old, new, says):
    path = folder / "meta" / "train_80.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    finding = finding_of(says, crops, folder)
    assert (finding.level, finding.places[0].startswith(str(path))) == ("error", True)


def test_an_empty_line_of_a_label_file_is_passed_over_and_counted(crops, folder):
    path = folder / "meta" / "train_80.txt"
    path.write_text("\n" + path.read_text())
    assert inspect(crops, folder) == {}
    path.write_text(path.read_text().replace("000001/000002.jpg 1\n", "000001/000002.jpg 0\n"))
    finding = finding_of("a line's path is a crop, and its label stands for one person and no other", crops, folder)
    assert finding.places[0].startswith(f"{path}: line 2: ")  # label 0 stands for two people, whose lines begin here
