"""Read a file that names people of a data set: one person per line, or a CSV with a column of people."""

import csv
from dataclasses import dataclass
from pathlib import Path

from reidops.errors import ReidopsError

COLUMNS = ("market_pid", "pid", "person")
_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class NamedPerson:
    """A person as the file names it, and the 1-based row of the file."""

    row: int
    name: str


def read_people(path: Path) -> list[NamedPerson]:
    """Return the people of a file, in its order.

    If the first row has exactly one of the names market_pid, pid and person, the file is a CSV and the people are in
    that column. Otherwise each row names one person. Empty rows and rows that start with # are ignored.

    Raises:
        ReidopsError: the file is missing, is not text, names no person, or a row does not name exactly one.
    """
    rows = _rows(path)
    if not rows:
        raise ReidopsError(f"{path}: names no person; write one person per row")
    number, header = rows[0]
    columns = [name for name in COLUMNS if name in header]
    if len(columns) > 1:
        raise ReidopsError(f"{path}: row {number} has the columns {' and '.join(columns)}; keep only one of them")
    if not columns:
        return [NamedPerson(row, _only_field(path, row, fields)) for row, fields in rows]
    if not rows[1:]:
        raise ReidopsError(f"{path}: has no row below its header; write one person per row")
    column = header.index(columns[0])
    return [NamedPerson(row, _field(path, row, fields, column)) for row, fields in rows[1:]]


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the fields of each row that is neither empty nor a comment."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; correct download.leave_out in params.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReidopsError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    numbered = [(row, line) for row, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    separator = next((mark for mark in _SEPARATORS if numbered and mark in numbered[0][1]), ",")
    return [(row, [field.strip() for field in next(csv.reader([line], delimiter=separator))]) for row, line in numbered]


def _only_field(path: Path, row: int, fields: list[str]) -> str:
    if len(fields) != 1:
        raise ReidopsError(
            f"{path}: row {row} has {len(fields)} fields, and the first row names none of the columns "
            f"{', '.join(COLUMNS)}; name one of them in the first row, or write one person per row"
        )
    return fields[0]


def _field(path: Path, row: int, fields: list[str], column: int) -> str:
    if column >= len(fields) or not fields[column]:
        raise ReidopsError(f"{path}: row {row} has no value in column {column + 1}; name a person or remove the row")
    return fields[column]
