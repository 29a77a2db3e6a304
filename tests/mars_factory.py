"""Write MARS's layout with drawn crops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drawn_picture import write_picture
from scipy.io import savemat

Track = tuple[str, int, int]
"""Person, camera and number of crops."""


def write_mars(folder: Path, train: Sequence[Track], test: Sequence[Track], queries: Sequence[int]) -> Path:
    """Write the tracklets of both parts; `queries` are tracklets of the test part, counted from 1."""
    write_tracks(folder, "train", train)
    write_tracks(folder, "test", test)
    savemat(folder / "info" / "query_IDX.mat", {"query_IDX": np.array([queries], dtype=np.int32)})
    return folder


def write_tracks(folder: Path, part: str, tracks: Sequence[Track]) -> None:
    """Write the crops, the list of names and the table of tracklets of a part."""
    names, table = [], []
    for number, (person, camera, length) in enumerate(tracks, 1):
        pid = -1 if person == "00-1" else int(person)
        table.append((len(names) + 1, len(names) + length, pid, camera))
        names += [f"{person}C{camera}T{number:04d}F{frame:03d}.jpg" for frame in range(1, length + 1)]
    for name in names:
        write_picture(folder / f"bbox_{part}" / name[:4] / name, int(name[1:4].replace("0-1", "999")))
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / f"{part}_name.txt").write_text("".join(f"{name}\n" for name in names))
    savemat(folder / "info" / f"tracks_{part}_info.mat", {f"track_{part}_info": np.array(table, dtype=np.int32)})
