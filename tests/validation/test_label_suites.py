"""Each expectation of the label files (meta/train_80.txt and val_20.txt) detects an injected fault."""

import pytest
from inspect_tables import finding_of, inspect

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("old", "new", "statement"),
    [
        (
            "000001/000002.jpg 1\n",
            "000001/000002.jpg 0\n",
            "every line has the path of a crop and a label of exactly one person",
        ),
        (
            "000001/000002.jpg 1\n",
            "000001/999999.jpg 1\n",
            "every line has the path of a crop and a label of exactly one person",
        ),
        (
            "000001/000002.jpg 1\n",
            "000001/000002.jpg one\n",
            "every line has the path of a crop and a label of exactly one person",
        ),
        ("TOY-01_000001/000002.jpg 1\n", "TOY-01_000003/000002.jpg 3\n", "a label file lists only crops of its split"),
        ("000001/000002.jpg 1\n", "000001/000001.jpg 1\n", "a label file lists each crop once"),
        ("TOY-01_000001/000002.jpg 1\n", "", "a label file lists every crop of its split"),
        (" 2\n", " 7\n", "labels are consecutive"),
        (" 0\n", " 9\n", "training labels start at 0"),
    ],
)
def test_a_fault_of_the_label_files_is_detected(crops, folder, old, new, statement):
    path = folder / "meta" / "train_80.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    finding = finding_of(statement, crops, folder)
    assert (finding.level, finding.places[0].startswith(str(path))) == ("error", True)


def test_an_empty_line_of_a_label_file_is_skipped_but_counted(crops, folder):
    path = folder / "meta" / "train_80.txt"
    path.write_text("\n" + path.read_text())
    assert inspect(crops, folder) == {}
    path.write_text(path.read_text().replace("000001/000002.jpg 1\n", "000001/000002.jpg 0\n"))
    finding = finding_of("every line has the path of a crop and a label of exactly one person", crops, folder)
    assert finding.places[0].startswith(f"{path}: line 2: ")  # label 0 belongs to two people, whose lines begin here
