"""A file that names people is read as one person per row or as a CSV, and a wrong row is named."""

from pathlib import Path

import pytest

from reidops.datasets.people_list import NamedPerson, read_people
from reidops.errors import ReidopsError


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode(encoding))
    return path


def names(path: Path) -> list[str]:
    return [person.name for person in read_people(path)]


@pytest.mark.parametrize("column", ["market_pid", "pid", "person"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_people_of_a_csv_are_in_the_column_that_has_their_name(tmp_path, column, separator):
    text = f"id,{column}\n100,0139\n106,0105\n".replace(",", separator)
    assert read_people(written(tmp_path, text)) == [NamedPerson(2, "0139"), NamedPerson(3, "0105")]


@pytest.mark.parametrize("text", ["7\n12\n", "pid\r\n7\r\n12\r\n", "# tracked\n7\n\n 12 \n", '"7"\n"12"\n'])
def test_a_file_may_have_one_person_per_row_with_or_without_a_header(tmp_path, text):
    assert names(written(tmp_path, text)) == ["7", "12"]


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path):
    assert names(written(tmp_path, "pid\n7\n", "utf-8-sig")) == ["7"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "names no person"),
        ("# none\n", "names no person"),
        ("id,pid\n", "has no row below its header"),
        ("id,name\n1,2\n", "row 1 has 2 fields, and the first row names none of the columns market_pid, pid, person"),
        ("7\n8,9\n", "row 2 has 2 fields"),
        ("id,pid,person\n1,2,3\n", "row 1 has the columns pid and person"),
        ("id,pid\n1,2\n\n3,\n", "row 4 has no value in column 2"),
        ("id,pid\n1\n", "row 2 has no value in column 2"),
    ],
)
def test_a_file_that_does_not_name_one_person_per_row_is_refused_with_the_row(tmp_path, text, fault):
    with pytest.raises(ReidopsError, match=rf"people\.csv: {fault}"):
        read_people(written(tmp_path, text))


def test_a_missing_file_names_the_param(tmp_path):
    with pytest.raises(ReidopsError, match=r"none\.csv: no such file; correct download\.leave_out"):
        read_people(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "people.csv").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ReidopsError, match=r"people\.csv: cannot be read as UTF-8"):
        read_people(tmp_path / "people.csv")
