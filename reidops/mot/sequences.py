"""MOTChallenge sequences as published: seqinfo.ini, gt.txt, det.txt; and result files.

The one place that knows that files count frames and pixels from 1. Boxes leave here 0-based; frames stay 1-based.
"""

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.tables import ANNOTATIONS, DETECTIONS

DETECTORS = ("DPM", "FRCNN", "SDP")
PEDESTRIAN = 1  # class_id
# MOT15's names of the videos that MOT16 and MOT17 number: the same frames, other annotations.
_NUMBERED = {"Venice-2": "02", "ETH-Pedcross2": "05", "ADL-Rundle-6": "09", "ADL-Rundle-8": "10"}
_ANNOTATION_FIELDS = ("frame", "track_id", "left", "top", "width", "height", "considered", "class_id", "visibility")
_DETECTION_FIELDS = ("frame", "track_id", "left", "top", "width", "height", "confidence")


@dataclass(frozen=True)
class Sequence:
    """A MOTChallenge folder: `length` in frames, `frame_rate` in fps, `width` and `height` in px.

    Frames are named by their number with leading zeros: 6 `digits` in MOTChallenge, 8 in DanceTrack, 1 where there are
    none.
    """

    name: str
    scene: str
    frames_dir: Path
    length: int
    frame_rate: float
    width: int
    height: int
    extension: str = ".jpg"
    digits: int = 6

    @property
    def folder(self) -> Path:
        """Return the folder that holds img1/, gt/ and det/."""
        return self.frames_dir.parent

    @property
    def detector(self) -> str:
        """Return the detector copy (`FRCNN` of MOT17-02-FRCNN), empty where the set has no copies."""
        last = self.name.rpartition("-")[2]
        return last if last in DETECTORS else ""

    def frame_path(self, frame: int) -> Path:
        """Return the image file of a 1-based frame."""
        return self.frames_dir / f"{frame:0{self.digits}d}{self.extension}"


def scene_of(name: str) -> str:
    """Return the video behind a sequence's name, without data set or detector.

    >>> scene_of("MOT17-02-FRCNN"), scene_of("MOT16-02"), scene_of("Venice-2"), scene_of("dancetrack0001")
    ('02', '02', '02', 'dancetrack0001')
    """
    stem = re.sub(rf"-({'|'.join(DETECTORS)})$", "", name)
    published = re.fullmatch(r"(?:MOT\d\d|SYN)-(.+)", stem)
    return published[1] if published else _NUMBERED.get(stem, stem)


def find_sequences(dataset: Path) -> list[Sequence]:
    """Return the sequences of `<dataset>/train`, sorted by name.

    Raises:
        ReidopsError: there is no such folder or no sequence in it.
    """
    train = Path(dataset) / "train"
    folders = sorted(p for p in train.iterdir() if p.is_dir()) if train.is_dir() else []
    if not folders:
        raise ReidopsError(
            f"{train}: holds no sequences; expected the published layout, "
            f"{train}/<sequence>/{{img1,gt,det,seqinfo.ini}}"
        )
    return [read_sequence(folder) for folder in folders]


def read_sequence(folder: Path) -> Sequence:
    """Read seqinfo.ini of one sequence's folder.

    Raises:
        ReidopsError: the file is missing, or a value of it is missing, no number or not above 0.
    """
    path = Path(folder) / "seqinfo.ini"
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; a MOTChallenge sequence has one beside img1/ and gt/")
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        sequence = _sequence(Path(folder), parser["Sequence"])
    except (configparser.Error, KeyError, ValueError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ReidopsError(
            f"{path}: {fault}; expected a [Sequence] section with seqLength, frameRate, imWidth, imHeight"
        ) from None
    if min(sequence.length, sequence.frame_rate, sequence.width, sequence.height) <= 0:
        raise ReidopsError(
            f"{path}: seqLength, frameRate, imWidth and imHeight must be above 0; mend the one that is not"
        )
    return sequence


def _sequence(folder: Path, info: configparser.SectionProxy) -> Sequence:
    frames_dir, extension = folder / info.get("imDir", "img1"), info.get("imExt", ".jpg")
    return Sequence(
        name=folder.name,
        scene=scene_of(folder.name),
        frames_dir=frames_dir,
        length=int(info["seqLength"]),
        frame_rate=float(info["frameRate"]),
        width=int(info["imWidth"]),
        height=int(info["imHeight"]),
        extension=extension,
        digits=_num_digits(frames_dir, extension),
    )


def _num_digits(frames_dir: Path, extension: str) -> int:
    """Return how many digits the shortest of the frames' names has; 6 where there is no frame."""
    names = os.listdir(frames_dir) if frames_dir.is_dir() else []
    stems = [name.removesuffix(extension) for name in names if name.endswith(extension)]
    return min((len(stem) for stem in stems if stem.isdecimal()), default=6)


def read_annotations(sequence: Sequence) -> pd.DataFrame:
    """Return gt.txt as an annotations table (tables.ANNOTATIONS), in the order of the file, pixels 0-based.

    MOT15 files have neither class nor visibility: every row is then class 1 with visibility 1, and the flag column
    counts.

    Raises:
        ReidopsError: the file is missing, or names the line that is no annotation.
    """
    path = sequence.folder / "gt" / "gt.txt"
    lines = _read_lines(path, sequence.length, minimum_fields=7)
    num_fields = lines.shape[1]
    if num_fields not in (7, 9, 10):
        raise ReidopsError(
            f"{path}: its lines have {num_fields} fields, a MOTChallenge ground truth line has 9 (MOT15: 10, with "
            f"world coordinates)"
        )
    if num_fields == 10 and _has_classes(lines):
        raise ReidopsError(
            f"{path}: its lines have 10 fields, of which the 8th and 9th look like class and visibility; remove the "
            f"last field"
        )
    values = lines if num_fields == 9 else np.column_stack([lines[:, :7], np.ones((len(lines), 2))])
    frame = pd.DataFrame(values, columns=list(_ANNOTATION_FIELDS))
    frame["considered"] = frame["considered"] != 0
    return _zero_based(frame).astype(ANNOTATIONS.dtypes)[list(ANNOTATIONS.columns)]


def _has_classes(lines: np.ndarray) -> bool:
    """Tell whether fields 8 and 9 can be class and visibility; of MOT15 they are world coordinates in metres or
    millimetres, or −1.
    """
    classes, visibility = lines[:, 7], lines[:, 8]
    return bool(np.all((classes >= 1) & (classes % 1 == 0) & (visibility >= 0) & (visibility <= 1)))


def read_detections(sequence: Sequence) -> pd.DataFrame:
    """Return det.txt as a detections table (tables.DETECTIONS), in the order of the file, pixels 0-based.

    Raises:
        ReidopsError: the file is missing, or names the line that is no detection.
    """
    return _detections(_read_lines(sequence.folder / "det" / "det.txt", sequence.length, minimum_fields=7))


def read_detection_file(path: Path, length: int | None = None) -> pd.DataFrame:
    """Return any file in det.txt's format as a detections table, in the order of the file, pixels 0-based; it may hold
    no line.

    Args:
        length: of the sequence in frames; None = not known.

    Raises:
        ReidopsError: the file is missing, or names the line that is no detection.
    """
    return _detections(_read_lines(Path(path), length, minimum_fields=7, may_be_empty=True))


def write_detections(detections: pd.DataFrame, path: Path) -> None:
    """Write a detections table in det.txt's format, in its order; what was read from such a file comes back as it
    was.
    """
    numbers = zip(
        detections["frame"],
        detections["left"] + 1,
        detections["top"] + 1,
        detections["width"],
        detections["height"],
        detections["confidence"],
        strict=True,
    )
    # 12 digits: what taking 1 off and adding it again changes is beyond them, what a detector tells is not.
    text = "".join(f"{f:d},-1,{x:.12g},{y:.12g},{w:.12g},{h:.12g},{c:.12g}\n" for f, x, y, w, h, c in numbers)
    with whole_file(path) as partial:
        partial.write_text(text)


def _detections(lines: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(lines[:, :7], columns=list(_DETECTION_FIELDS))
    return _zero_based(frame).astype({"frame": "int64"})[list(DETECTIONS.columns)].astype(DETECTIONS.dtypes)


def write_results(tracks: pd.DataFrame, path: Path) -> None:
    """Write tracks (columns frame, track_id, left, top, width, height, confidence; px 0-based) as a MOTChallenge result
    file.
    """
    with whole_file(path) as partial:
        partial.write_text(format_results(tracks))


def format_results(tracks: pd.DataFrame) -> str:
    """Return the lines of a result file, ordered by frame and track, each with its end."""
    ordered = tracks.sort_values(["frame", "track_id"], kind="stable")
    rows = zip(
        ordered["frame"],
        ordered["track_id"],
        ordered["left"] + 1,
        ordered["top"] + 1,
        ordered["width"],
        ordered["height"],
        ordered["confidence"],
        strict=True,
    )
    return "".join(f"{f:d},{i:d},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{c:.4g},-1,-1,-1\n" for f, i, x, y, w, h, c in rows)


def read_results(path: Path) -> pd.DataFrame:
    """Return a MOTChallenge result file as tracks: frame, track_id, left, top, width, height, confidence; px
    0-based.
    """
    lines = _read_lines(Path(path), None, minimum_fields=6, may_be_empty=True)
    values = lines[:, :7] if lines.shape[1] > 6 else np.column_stack([lines, np.ones(len(lines))])
    frame = pd.DataFrame(values, columns=list(_DETECTION_FIELDS))
    return _zero_based(frame).astype({"frame": "int64", "track_id": "int64"})


def _zero_based(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(left=frame["left"] - 1, top=frame["top"] - 1)


def _read_lines(path: Path, length: int | None, *, minimum_fields: int, may_be_empty: bool = False) -> np.ndarray:
    """Return a comma-separated file of numbers as float64 [lines, fields]; a trailing comma, a BOM and CRLF are
    tolerated.
    """
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; the sequence is not as published")
    lines = [(n, line.strip().rstrip(",")) for n, line in enumerate(_read_text(path).splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line]
    if not lines and not may_be_empty:
        raise ReidopsError(f"{path}: is empty; expected one line per box")
    num_fields = lines[0][1].count(",") + 1 if lines else minimum_fields
    values = _values(lines, path, num_fields, minimum_fields).reshape(len(lines), num_fields)
    _check_values(values, lines, path, length)
    return values


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReidopsError(
            f"{path}: byte {error.start} is no text; expected lines of numbers, copy or unpack the file again"
        ) from None


def _values(lines: list[tuple[int, str]], path: Path, num_fields: int, minimum_fields: int) -> np.ndarray:
    """Return the numbers of all lines one after the other; line by line only where a fault is to be named."""
    if num_fields >= minimum_fields and all(line.count(",") == num_fields - 1 for _, line in lines):
        try:
            return np.array(
                [float(field) for field in ",".join(line for _, line in lines).split(",")] if lines else [],
                dtype=np.float64,
            )
        except ValueError:
            pass
    return np.array([_numbers(line, path, n, num_fields, minimum_fields) for n, line in lines], dtype=np.float64)


def _numbers(line: str, path: Path, n: int, num_fields: int, minimum_fields: int) -> list[float]:
    fields = line.split(",")
    if len(fields) != num_fields or num_fields < minimum_fields:
        expected = f"{num_fields} like line 1" if num_fields >= minimum_fields else f"at least {minimum_fields}"
        raise ReidopsError(f"{path}: line {n} has {len(fields)} fields, expected {expected}")
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise ReidopsError(
            f"{path}: line {n} ({line}) holds something that is no number; remove a header line, mend the row"
        ) from None


def _check_values(values: np.ndarray, lines: list[tuple[int, str]], path: Path, length: int | None) -> None:
    frames = values[:, 0]
    faults = {
        "holds NaN or infinity; remove or mend the row": ~np.isfinite(values).all(1),
        f"its frame is outside 1 … {length or '∞'} (seqLength); frames count from 1": (frames < 1)
        | (frames % 1 != 0)
        | (frames > (length or np.inf)),
        "its id is no whole number": values[:, 1] % 1 != 0,
        "its box has no area; width and height must be positive, remove the row": (values[:, 4:6] <= 0).any(1),
    }
    for expectation, wrong in faults.items():
        if wrong.any():
            n, line = lines[int(wrong.argmax())]
            raise ReidopsError(f"{path}: line {n} ({line}): {expectation} ({int(wrong.sum())} such lines)")
