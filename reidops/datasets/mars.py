"""The published layout of MARS: `bbox_test/0002/0002C1T0001F001.jpg`; info/ lists the tracklets and the queries.

Person 0 marks distractors of the gallery; person −1 (folder `00-1`) is junk and is left out.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.reid_set import COLUMNS, Listing, ReidSet
from reidops.datasets.tracklets import check_tracklets, read_rows
from reidops.errors import ReidopsError

# Protocol → role → (people, tracklets); distractors are tracklets, but no people.
PUBLISHED_COUNTS = {"": {"train": (625, 8_298), "query": (626, 1_980), "gallery": (621, 9_330)}}

_JUNK, _BACKGROUND = -1, 0
_FILE_NAME = re.compile(r"(?P<person>00-1|\d{4})C(?P<camera>[1-6])T\d{4}F(?P<frame>\d{3,})\.jpg")
_EXAMPLE = "0002C1T0001F001.jpg (person, camera 1 … 6, tracklet, frame)"
# The number of a tracklet is that of its row plus this offset, so that train and test have different numbers.
_FIRST_TRACKLET = {"train": 0, "test": 100_000}


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folder and the lists that a part reads."""
    lists = (f"info/{part}_name.txt", f"info/tracks_{part}_info.mat")
    return (f"bbox_{part}", *lists) + (("info/query_IDX.mat",) if part == "test" else ())


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training people, or query (the tracklets in query_IDX.mat) and gallery (the others)."""
    if not (folder / f"bbox_{part}").is_dir():
        raise ReidopsError(
            f"{folder}/bbox_{part}: no such folder; expected a folder of crops for each person there, 0001 …"
        )
    tracks = _read_tracks(folder / f"info/tracks_{part}_info.mat", f"track_{part}_info")
    if part == "test":
        tracks["role"] = np.where(tracks.index.isin(_query_rows(folder, len(tracks))), "query", "gallery")
    crops = _list_crops(folder, part, tracks)
    _check_persons(crops, folder / f"info/tracks_{part}_info.mat")
    check_tracklets(crops)
    return _drop_junk(crops[list(COLUMNS)].astype(COLUMNS))


def _read_tracks(path: Path, name: str) -> pd.DataFrame:
    """Return one row per tracklet: its first and last line in the list of names (from 1), person and camera."""
    return pd.DataFrame(read_rows(path, name, 4), columns=["first", "last", "track_pid", "track_camera"]).assign(
        role=""
    )


def _query_rows(folder: Path, num_tracks: int) -> np.ndarray:
    """Return the rows of the query tracklets in the track table, from 0."""
    path = folder / "info/query_IDX.mat"
    rows = read_rows(path, "query_IDX", 1).ravel()
    wrong = rows[(rows < 1) | (rows > num_tracks)]
    if wrong.size:
        raise ReidopsError(
            f"{path}: names tracklet {wrong[0]}, tracks_test_info.mat has tracklets 1 … {num_tracks}; unpack info/ "
            f"again"
        )
    return rows - 1


def _list_crops(folder: Path, part: str, tracks: pd.DataFrame) -> pd.DataFrame:
    """Return one row per crop of each tracklet, with the columns of the tracklet."""
    path = folder / f"info/{part}_name.txt"
    names = _read_names(path)
    wrong = tracks[(tracks["first"] < 1) | (tracks["last"] > len(names)) | (tracks["first"] > tracks["last"])]
    if len(wrong):
        first, last = wrong.iloc[0][["first", "last"]]
        tracklet = f"tracklet {wrong.index[0] + 1} of tracks_{part}_info.mat"
        raise ReidopsError(f"{path}: has {len(names)} lines, {tracklet} is lines {first} … {last}; unpack info/ again")
    lengths = (tracks["last"] - tracks["first"] + 1).to_numpy()
    row = np.repeat(np.arange(len(tracks)), lengths)
    within = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    crops = names.iloc[tracks["first"].to_numpy()[row] - 1 + within].reset_index(drop=True)
    file = f"{folder}/bbox_{part}/" + crops["person"] + "/" + crops["name"]
    of_track = tracks[["track_pid", "track_camera", "role"]].iloc[row].reset_index(drop=True)
    return crops.assign(file=file, member="", tracklet=row + _FIRST_TRACKLET[part]).join(of_track)


def _read_names(path: Path) -> pd.DataFrame:
    """Return name, person (its folder), published_pid, camera, frame and distractor of each line."""
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; copy info/ of the published set")
    names = path.read_text(encoding="utf-8-sig", errors="replace").split()
    matches = [_FILE_NAME.fullmatch(name) for name in names]
    fields = [match.groups() for match in matches if match is not None]
    if len(fields) < len(names):
        line = matches.index(None)
        raise ReidopsError(
            f"{path}: line {line + 1} ({names[line]}) is no file name of this set; expected one like {_EXAMPLE}"
        )
    table = pd.DataFrame(fields, columns=["person", "camera", "frame"], dtype="str")
    table[["camera", "frame"]] = table[["camera", "frame"]].astype("int64")
    pid = table["person"].replace("00-1", "-1").astype("int64")
    return table.assign(name=names, published_pid=pid, distractor=pid == _BACKGROUND)


def _check_persons(crops: pd.DataFrame, path: Path) -> None:
    """Raise an error if the person or camera of a tracklet differs from those in the names of its crops."""
    wrong = ((crops["published_pid"] != crops["track_pid"]) | (crops["camera"] != crops["track_camera"])).to_numpy()
    if wrong.any():
        row = crops.iloc[wrong.argmax()]
        tracklet = f"a tracklet of person {row['track_pid']} in camera {row['track_camera']}"
        raise ReidopsError(f"{path}: {tracklet} holds {row['name']}; unpack info/ again")


def _drop_junk(crops: pd.DataFrame) -> Listing:
    """Return the crops without junk and without distractors outside the gallery."""
    junk = crops["published_pid"] == _JUNK
    background = crops["distractor"] & (crops["role"] != "gallery")
    taken = Counter(
        {"crops": len(crops), "junk (pid -1)": int(junk.sum()), "background (pid 0)": int(background.sum())}
    )
    return crops[~junk & ~background].reset_index(drop=True), taken


SET = ReidSet(
    name="MARS",
    layout="mars",
    folder_names=("MARS", "mars"),
    list_part=list_part,
    reads=reads,
    how_to_ask=(
        "MARS is handed out by its authors on https://zheng-lab.cecs.anu.edu.au/Project/project_mars.html and info/ "
        "with their"
        " evaluation code (liangzheng06/MARS-evaluation); unpack bbox_train.zip and bbox_test.zip beside info/"
    ),
)
