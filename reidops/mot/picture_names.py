"""Replace the names of pictures in a column of frames by the numbers of the pictures."""

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.frame_files import FrameFiles
from reidops.mot.text_rows import TextRows


def with_picture_numbers(rows: TextRows, column: int, files: FrameFiles | None) -> TextRows:
    """Return the rows with the numbers of `files` in place of the picture names of a column of words.

    Raises:
        ReidopsError: a name is not among the pictures.
    """
    numbers = {} if files is None else dict(zip(files.names, files.numbers, strict=True))
    names = [PurePosixPath(word.replace("\\", "/")).name for word in rows.words[column]]
    unknown = np.array([name not in numbers for name in names])
    if unknown.any():
        row = int(unknown.argmax())
        raise ReidopsError(
            f"{rows.path}: line {rows.line_numbers[row]} ({rows.texts[row]}): {rows.words[column][row]} is not among "
            f"the {len(numbers)} pictures of the sequence ({int(unknown.sum())} such lines); write the name or the "
            f"number of a frame there"
        )
    values = rows.values.copy()
    values[:, column] = [numbers[name] for name in names]
    return replace(rows, values=values, words={key: word for key, word in rows.words.items() if key != column})
