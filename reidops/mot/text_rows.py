"""Read text files with one box per line, separated by commas, semicolons, tabs or spaces, with or without a header.

UTF-8 and, with a byte-order mark, UTF-16 are read. Fields may be quoted, and separators other than the comma allow
decimal commas.
"""

import codecs
import re
import string
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reidops.errors import ReidopsError

_NAME = re.compile(r"[A-Za-z_][\w. #]*")
_SPACED = re.compile(r"[ \t]+,[ \t]*|,[ \t]+")  # a comma between fields, not a decimal comma
_MARKUP = {
    "{": "JSON",
    "[": "JSON",
    "<?xml": "XML",
    "<annotations": "XML",
    "<": "a web page or XML",
    "version https://git-lfs": "a Git LFS pointer, get the file with `git lfs pull`",
}
_LEAST_NAMES = 5  # names in a header line
_LEAST_SEPARATORS = 5
_AROUND = string.whitespace + '"\u00a0'  # around a field


@dataclass(frozen=True)
class TextRows:
    """The non-empty lines of a file: `line_numbers` from 1 [n], their `texts`, and `values` [n, fields].

    `names` are the column names of a header line, empty without one; `words` maps a column with words to its texts (its
    values are NaN).
    """

    path: Path
    line_numbers: np.ndarray
    texts: list[str]
    values: np.ndarray
    names: tuple[str, ...] = ()
    words: dict[int, list[str]] = field(default_factory=dict)

    def refuse(self, fault: str, wrong: np.ndarray) -> None:
        """Raise an error for the first row of the mask `wrong`, if there is one.

        Raises:
            ReidopsError: a row is wrong; the message has its line number, its text and the number of such lines.
        """
        if wrong.any():
            row = int(wrong.argmax())
            raise ReidopsError(
                f"{self.path}: line {self.line_numbers[row]} ({self.texts[row]}): {fault} ({int(wrong.sum())} such "
                f"lines)"
            )


def read_rows(
    path: Path, *, minimum_fields: int, may_be_empty: bool = False, word_columns: tuple[int, ...] = ()
) -> TextRows:
    """Return the rows of a text file; trailing commas, a BOM, CRLF and Excel's line `sep=;` are accepted.

    Args:
        word_columns: columns that may hold words.

    Raises:
        ReidopsError: the file is missing, empty or not text, or a line has another number of fields than the first.
    """
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; get the sequence again")
    text = read_text(path)
    _refuse_markup(text, path)
    if _SPACED.search(text):
        text = _SPACED.sub(",", text)
    lines = [(n, line.strip().rstrip(",;").rstrip()) for n, line in enumerate(text.splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith("#") and not line.startswith("sep=")]
    separator = _separator(lines[0][1]) if lines else ","
    names = _names(lines[0][1], separator) if lines else ()
    lines = lines[bool(names) :]
    if not lines and not may_be_empty:
        raise ReidopsError(f"{path}: is empty; expected one line per box")
    fields = [_split(line, separator) for _, line in lines]
    num_fields = len(names) or (len(fields[0]) if fields else minimum_fields)
    _check_fields(fields, lines, path, num_fields, 1 if names else minimum_fields)
    values, words = _values(fields, lines, path, tuple(range(num_fields)) if names else word_columns)
    return TextRows(
        path,
        np.array([n for n, _ in lines], dtype=np.int64),
        [line for _, line in lines],
        values.reshape(len(lines), num_fields),
        names,
        words,
    )


def _refuse_markup(text: str, path: Path) -> None:
    """Raise an error for JSON, XML, web pages and Git LFS pointers, which have no lines of boxes."""
    start = text.lstrip()[:40].lower()
    kind = next((kind for word, kind in _MARKUP.items() if start.startswith(word)), None)
    if kind:
        raise ReidopsError(f"{path}: is {kind}; expected lines of numbers, one per box, as in MOTChallenge")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte-order mark.

    Raises:
        ReidopsError: the file cannot be read or is not text.
    """
    try:
        content = path.read_bytes()
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReidopsError(
            f"{path}: byte {error.start} is not text; expected lines of numbers; copy or unpack the file again, or "
            f"save it as UTF-8"
        ) from None
    except OSError as error:
        raise ReidopsError(f"{path}: cannot be read ({error.strerror or error}); copy or unpack it again") from None
    if "\0" in text:
        raise ReidopsError(
            f"{path}: holds zero bytes, as UTF-16 without a byte-order mark does; expected UTF-8, save it so"
        )
    return text


def _separator(line: str) -> str:
    """Return the separator of a line; a comma between other separators is a decimal comma."""
    wide = next((mark for mark in (";", "\t") if line.count(mark) >= _LEAST_SEPARATORS), None)
    words = line.split()
    if wide or (len(words) > _LEAST_SEPARATORS and all(_is_number(_decimal(word)) for word in words)):
        return wide or " "
    return next((mark for mark in (",", ";", "\t") if mark in line), " ")


def _split(line: str, separator: str) -> list[str]:
    words = line.split() if separator == " " else line.split(separator)
    words = [word.strip(_AROUND) for word in words]
    return words if separator == "," else [_decimal(word) for word in words]


def _decimal(word: str) -> str:
    """Return a number with a decimal comma as one with a point, other words unchanged."""
    return word.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d+", word) else word


def _names(line: str, separator: str) -> tuple[str, ...]:
    """Return the lower-case names of a header line; () for any other line.

    A header line has words only; the first may be empty, as that of an index column.
    """
    words = _split(line, separator)
    if len(words) < _LEAST_NAMES or not all(_NAME.fullmatch(word) for word in words[not words[0] :]):
        return ()
    return tuple("_".join(word.lower().replace("#", " ").split()) for word in words)


def _check_fields(
    fields: list[list[str]], lines: list[tuple[int, str]], path: Path, num_fields: int, minimum: int
) -> None:
    for (n, _), row in zip(lines, fields, strict=True):
        if len(row) != num_fields or num_fields < minimum:
            expected = f"{num_fields} like line {lines[0][0]}" if num_fields >= minimum else f"at least {minimum}"
            raise ReidopsError(f"{path}: line {n} has {len(row)} fields, expected {expected}; correct the line")


def _values(
    fields: list[list[str]], lines: list[tuple[int, str]], path: Path, word_columns: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, list[str]]]:
    """Return the numbers [n, fields] with NaN in columns of words, and the words of these columns."""
    words = {column: [row[column] for row in fields] for column in word_columns if _holds_words(fields, column)}
    if words:
        fields = [["nan" if column in words else word for column, word in enumerate(row)] for row in fields]
    try:
        return np.array([float(word) for row in fields for word in row], dtype=np.float64), words
    except ValueError:
        return np.array([_numbers(row, line, path, n) for (n, line), row in zip(lines, fields, strict=True)]), words


def _holds_words(fields: list[list[str]], column: int) -> bool:
    if not fields or column >= len(fields[0]):
        return False
    return all(re.search("[A-Za-z]", row[column]) and not _is_number(row[column]) for row in fields)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbers(row: list[str], line: str, path: Path, n: int) -> list[float]:
    wrong = next((place for place, word in enumerate(row, 1) if not _is_number(word)), None)
    if wrong is not None:
        raise ReidopsError(
            f"{path}: line {n} ({line}): its field {wrong} ({row[wrong - 1]}) is no number; remove the header line or "
            "correct the row"
        )
    return [float(word) for word in row]
