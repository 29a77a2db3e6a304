"""Read MOTChallenge sequences (seqinfo.ini, gt.txt, det.txt), and read and write result files.

Files count frames and pixels from 1. The functions return 0-based pixels and 1-based frames.
"""

import configparser
import logging
import re
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import repository_root, whole_file
from reidops.mot.classes import read_class_names
from reidops.mot.columns import frame_column, named_detections, with_numbered_ids
from reidops.mot.frame_files import FrameFiles, is_video, list_frames
from reidops.mot.ground_truth import FIELDS, Boxes, recognise, with_identities
from reidops.mot.numbering import FROM_ONE, PICTURES, Numbering, possible_numberings
from reidops.mot.picture_names import with_picture_numbers
from reidops.mot.text_rows import TextRows, read_rows, read_text
from reidops.tables import ANNOTATIONS, DETECTIONS

logger = logging.getLogger(__name__)

_MOST_FRAMES = 10**8
_MOST_SCORE = 10  # scores of published detectors are below, those in percent above
COUNTED = "frameNumbers"  # key of seqinfo.ini
LOCAL_FRAMES = "local:"  # imDir of a copy of annotations whose frames stay in the user's folder
DETECTORS = ("DPM", "FRCNN", "SDP")
PEDESTRIAN = 1  # class_id
# MOT15's names of videos that are numbered in MOT16 and MOT17: the same frames, other annotations.
_NUMBERED = {"Venice-2": "02", "ETH-Pedcross2": "05", "ADL-Rundle-6": "09", "ADL-Rundle-8": "10"}
_DETECTION_FIELDS = ("frame", "track_id", "left", "top", "width", "height", "confidence")


@dataclass(frozen=True)
class Sequence:
    """A MOTChallenge folder: `length` in frames, `frame_rate` in fps, `width` and `height` in px.

    Frames are the images of `frames_dir` in the order of their numbers (`files`). Without images, a frame's name is its
    number with 6 digits. `root` is the sequence's folder if it is not the parent of `frames_dir`.

    `frames_dir` may also be a video file. `readable` is then the number of its frames that can be read, if the video
    breaks off before its end. With `is_counted` the frame numbers of gt.txt and det.txt count from 1, whatever the
    numbers of the images; `download` writes them so.
    """

    name: str
    scene: str
    frames_dir: Path
    length: int
    frame_rate: float
    width: int
    height: int
    extension: str = ".jpg"
    files: FrameFiles | None = field(default=None, repr=False)
    root: Path | None = None
    readable: int | None = None
    is_counted: bool = False

    @property
    def is_video(self) -> bool:
        """Return whether the frames are those of a video file, which is not unpacked."""
        return is_video(self.frames_dir) and not self.frames_dir.is_dir()

    @property
    def last_frame(self) -> int:
        """Return the last frame that can be read: the length, or less for a video that breaks off."""
        return self.length if self.readable is None else min(self.readable, self.length)

    @property
    def folder(self) -> Path:
        """Return the folder that holds gt/, det/ and seqinfo.ini."""
        return self.root or self.frames_dir.parent

    @property
    def detector(self) -> str:
        """Return the detector of the copy (`FRCNN` of MOT17-02-FRCNN), "" in a set without detector copies."""
        last = self.name.rpartition("-")[2]
        return last if last in DETECTORS else ""

    @property
    def picture_numbers(self) -> Rows[int]:
        """Return the image numbers of frames 1 … length, ascending, including those of missing images."""
        if self.files is None:
            return range(1, self.length + 1)
        if self.files.first is not None:
            return range(self.files.first, self.files.first + self.length)
        return self.files.numbers[: self.length]

    def frame_path(self, frame: int) -> Path:
        """Return the path of the image of a 1-based frame, which may be missing."""
        if self.files is None:
            return self.frames_dir / f"{frame:06d}{self.extension}"
        return self.frames_dir / (self.files.name_of(frame) or self.files.expected_name(frame))


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
        ReidopsError: the file is missing, or a value is missing, not a number or not above 0.
    """
    path = Path(folder) / "seqinfo.ini"
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; put it beside img1/ and gt/, as in MOTChallenge")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_with_section(read_text(path)))
        sections = {name.lower(): parser[name] for name in parser.sections()}
        sequence = _sequence(Path(folder), sections["sequence"])
    except (configparser.Error, KeyError, ValueError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ReidopsError(
            f"{path}: {fault}; expected a [Sequence] section with seqLength, frameRate, imWidth, imHeight"
        ) from None
    if min(sequence.length, sequence.frame_rate, sequence.width, sequence.height) <= 0:
        raise ReidopsError(f"{path}: seqLength, frameRate, imWidth and imHeight must be above 0; correct the file")
    if max(sequence.length, sequence.width, sequence.height) > _MOST_FRAMES:
        raise ReidopsError(f"{path}: seqLength, imWidth and imHeight must be below {_MOST_FRAMES:,}; correct the file")
    return sequence


def _with_section(text: str) -> str:
    return text if text.lstrip().startswith("[") else f"[Sequence]\n{text}"


def _sequence(folder: Path, info: configparser.SectionProxy) -> Sequence:
    """Return the sequence of seqinfo.ini; images with another extension than imExt are used if there are no others."""
    frames_dir, extension = _frames_dir(folder, info.get("imDir", "img1")), _bare(info.get("imExt", ""))
    length = _whole(info["seqLength"])
    files = list_frames(frames_dir, extension or None, length)
    return Sequence(
        name=folder.name,
        scene=scene_of(folder.name),
        frames_dir=frames_dir,
        length=length,
        frame_rate=_rate(info["frameRate"]),
        width=_whole(info["imWidth"]),
        height=_whole(info["imHeight"]),
        extension="." + (extension or ".jpg").lstrip("."),
        files=files,
        root=folder,
        readable=_whole(info["readable"]) if "readable" in info else None,
        is_counted=info.get(COUNTED, "") == FROM_ONE,
    )


def _frames_dir(folder: Path, stated: str) -> Path:
    """Return the folder in imDir: a subfolder of the sequence, or a folder of the user if the prefix is `local:`.

    If there is no such folder, as with a path of another machine, a subfolder of the same name is used.
    """
    if stated.startswith(LOCAL_FRAMES):
        return repository_root() / Path(stated.removeprefix(LOCAL_FRAMES)).expanduser()
    place = Path(_bare(stated).replace("\\", "/") or "img1")
    is_moved = not (folder / place).is_dir() and (folder / place.name).is_dir()
    return folder / (place.name if is_moved else place)


def _bare(word: str) -> str:
    return word.strip().strip("\"'").strip()


def _whole(text: str) -> int:
    value = float(text)
    if value % 1:
        raise ValueError(f"{text} is not a whole number")
    return int(value)


def _rate(text: str) -> float:
    """Return a rate in fps from a number, with a point or a decimal comma, or from a fraction, e.g. 30000/1001."""
    above, _, below = text.replace(",", ".").partition("/")
    if below and not float(below):
        raise ValueError(f"frameRate {text} divides by 0")
    rate = float(above) / float(below or 1)
    if not np.isfinite(rate):
        raise ValueError(f"frameRate {text} is not a finite number")
    return rate


@dataclass(frozen=True)
class AnnotationFile:
    """A gt.txt as an annotations table, px 0-based; `line_numbers` are the lines of its rows, [n], from 1.

    `remark` describes the format unless it is that of MOTChallenge.
    """

    table: pd.DataFrame
    line_numbers: np.ndarray
    remark: str = ""


def read_annotations(sequence: Sequence) -> pd.DataFrame:
    """Return gt.txt as an annotations table (tables.ANNOTATIONS), in the order of the file, pixels 0-based.

    Raises:
        ReidopsError: the file is missing, a line is not an annotation, or the format is ambiguous.
    """
    return read_annotation_file(sequence).table


def read_annotation_file(
    sequence: Sequence, *, path: Path | None = None, layout: str = "", people: Rows[int | str] | None = None
) -> AnnotationFile:
    """Return gt.txt, or another file of annotations (`path`), with the lines of its rows and a remark on its format.

    `layout` and `people` are those of `ground_truth.recognise`.

    Raises:
        ReidopsError: as `read_annotations`.
    """
    path = path or sequence.folder / "gt" / "gt.txt"
    rows = read_rows(path, minimum_fields=6, word_columns=(0, 1, 7))
    column = frame_column(rows, layout)
    has_names = column in rows.words
    if column is not None and has_names:
        rows = with_picture_numbers(rows, column, sequence.files)
    rows, numbered = with_numbered_ids(rows, layout)
    _check_numbers(rows)
    names = read_class_names(path.parent / "labels.txt")
    boxes = recognise(rows, layout, people, names)
    if has_names or sequence.is_counted:
        boxes = replace(boxes, frame_kind=PICTURES if has_names else FROM_ONE)
    _check_boxes(rows, boxes)
    boxes = with_identities(boxes, path)
    frames, counted = _frames_of(sequence, rows, boxes)
    remark = "; ".join(word for word in (boxes.remark, numbered, counted) if word)
    if remark:
        _log_once(path, remark)
    table = boxes.table.assign(frame=frames, left=boxes.table["left"] - 1, top=boxes.table["top"] - 1)
    table = table[list(FIELDS)].astype(ANNOTATIONS.dtypes)[list(ANNOTATIONS.columns)].reset_index(drop=True)
    return AnnotationFile(table, rows.line_numbers[boxes.rows], remark)


@cache
def _log_once(path: Path, remark: str) -> None:
    logger.info("%s: %s", path, remark)


def _check_numbers(rows: TextRows) -> None:
    numbers = np.delete(rows.values, list(rows.words), axis=1)
    rows.refuse("holds NaN or infinity; remove or correct the row", ~np.isfinite(numbers).all(axis=1))


def _check_boxes(rows: TextRows, boxes: Boxes) -> None:
    """Check the frame, the id and the size of each row's box.

    Raises:
        ReidopsError: a value is invalid; the message names the first such line.
    """
    table, wrong = boxes.table, np.zeros(len(rows.values), bool)
    ids, frames = table["track_id"].to_numpy(), table["frame"].to_numpy()
    faults = {
        "its frame is no whole number from 0": (frames < 0) | (frames % 1 != 0) | (frames > _MOST),
        "its id is above 2^53; number the people from 1": np.abs(ids) > _MOST,
        "its id is no whole number": ids % 1 != 0,
        "its box has no area; width and height must be positive, remove the row": (
            table[["width", "height"]].to_numpy() <= 0
        ).any(axis=1),
    }
    for fault, of_table in faults.items():
        wrong[boxes.rows] = of_table
        rows.refuse(fault, wrong)


_MOST = 2**53  # whole numbers up to here are exact


def _frames_of(sequence: Sequence, rows: TextRows, boxes: Boxes) -> tuple[np.ndarray, str]:
    """Return the 1-based frames of ground truth, and a remark on its frame numbers unless they count from 1.

    Raises:
        ReidopsError: the frame numbers have no interpretation, or several.
    """
    values = boxes.table["frame"].to_numpy()
    numbers = sequence.picture_numbers
    if boxes.frame_kind:
        chosen = Numbering(boxes.frame_kind, np.asarray(numbers))
        outside = np.zeros(len(rows.values), bool)
        outside[boxes.rows] = chosen.to_frames(values) == 0
        rows.refuse(f"its frame is outside the {sequence.length} frames of the sequence; numbers {chosen}", outside)
        return chosen.to_frames(values), "" if sequence.is_counted else f"frames {chosen}"
    found = possible_numberings(values, numbers)
    if len(found) > 1:
        found = _with_detections(sequence, found)
    if len(found) > 1:
        raise ReidopsError(_several_readings(sequence, rows.path, values, found))
    if not found:
        _refuse_frames(sequence, rows, boxes)
    is_usual = found[0].kind == FROM_ONE and numbers[0] == 1
    return found[0].to_frames(values), "" if is_usual else f"frames {found[0]} ({_named(values)})"


def _named(values: np.ndarray) -> str:
    return f"{values.min():.0f} … {values.max():.0f}" if len(values) else "none"


def _with_detections(sequence: Sequence, found: list[Numbering]) -> list[Numbering]:
    """Return the interpretations that also fit det.txt, or all if none does."""
    path = sequence.folder / "det" / "det.txt"
    if not path.is_file():
        return found
    frames = _detection_table(_detection_rows(path, may_be_empty=True))["frame"].to_numpy()
    allowed = [reading for reading in found if len(frames) and reading.holds(frames)]
    return allowed or found


def _several_readings(sequence: Sequence, path: Path, values: np.ndarray, found: list[Numbering]) -> str:
    pictures = f"{sequence.frame_path(1).name} … {sequence.frame_path(sequence.length).name}"
    dataset = sequence.folder.parents[1].name
    answers = " or ".join(f"{reading.kind} (numbers {reading})" for reading in found)
    return (
        f"{path}: its frames are {_named(values)} and the pictures {pictures}, so that the numbers can be read in two "
        f"ways: they {' or '.join(str(reading) for reading in found)}. Set download.formats: {{{dataset}: "
        f"'{found[0].kind},id,left,top,width,height,considered,class,visibility'}} in params.yaml, where the first "
        f"word is {answers}"
    )


def _refuse_frames(sequence: Sequence, rows: TextRows, boxes: Boxes) -> None:
    """Raise an error for the first row whose frame is not in the sequence."""
    numbers = np.asarray(sequence.picture_numbers)
    values = boxes.table["frame"].to_numpy()
    even = len(set(np.diff(numbers).tolist())) < 2
    readings = [Numbering(FROM_ONE, numbers)] if even else [Numbering("picture", numbers)]
    outside = np.zeros(len(rows.values), bool)
    outside[boxes.rows] = readings[0].to_frames(values) == 0
    if not even:
        rows.refuse(
            f"there is no picture of that number; the pictures of {sequence.frames_dir} have gaps, so that their "
            f"numbers are the frames; unpack the frames again, or correct seqLength",
            outside,
        )
    rows.refuse(
        f"its frame is outside 1 … {sequence.length} (seqLength); frames count from 1, or all of them from 0", outside
    )


def read_detections(sequence: Sequence) -> pd.DataFrame:
    """Return det.txt as a detections table (tables.DETECTIONS), in the order of the file, pixels 0-based.

    Raises:
        ReidopsError: the file is missing, or a line is not a detection.
    """
    path = sequence.folder / "det" / "det.txt"
    if sequence.is_counted:
        return _detections(_detection_rows(path), sequence.length, range(1, sequence.length + 1))
    return read_detections_of(sequence, path, may_be_empty=False)


def read_detections_of(sequence: Sequence, path: Path, *, may_be_empty: bool = True) -> pd.DataFrame:
    """Return a file in the format of det.txt for a sequence, as `read_detections` does.

    Raises:
        ReidopsError: the file is missing, or a line is not a detection in these frames.
    """
    rows = _detection_rows(path, may_be_empty=may_be_empty)
    return _detections(rows, sequence.length, sequence.picture_numbers, _annotated(sequence))


def read_detection_file(path: Path, length: int | None = None, numbers: Rows[int] | None = None) -> pd.DataFrame:
    """Return a file in the format of det.txt, which may be empty, as a detections table in file order, 0-based px.

    Args:
        length: number of frames of the sequence; None: unknown, frames past the end are returned.
        numbers: numbers of its images, ascending; None: they count from 1.

    Raises:
        ReidopsError: the file is missing, or a line is not a detection.
    """
    return _detections(_detection_rows(Path(path), may_be_empty=True), length, numbers)


def read_raw_detections(path: Path) -> pd.DataFrame:
    """Return a file in the format of det.txt, which may be empty, with its own frame numbers (from 0 or 1), 0-based px.

    Raises:
        ReidopsError: the file is missing, or a line is not a detection.
    """
    rows = _detection_rows(path, may_be_empty=True)
    table = _detection_table(rows)
    _check_boxes(rows, Boxes(table, np.arange(len(table))))
    return table.assign(frame=table["frame"].astype("int64"), left=table["left"] - 1, top=table["top"] - 1)


def _annotated(sequence: Sequence) -> np.ndarray:
    """Return the frame numbers in gt.txt, an empty array if it cannot be read or is not the user's own."""
    if sequence.is_counted:
        return np.zeros(0)
    try:
        return read_rows(sequence.folder / "gt" / "gt.txt", minimum_fields=6, word_columns=(1, 7)).values[:, 0]
    except ReidopsError:
        return np.zeros(0)


def _detection_rows(path: Path, *, may_be_empty: bool = False) -> TextRows:
    rows = read_rows(path, minimum_fields=6, may_be_empty=may_be_empty)
    _check_numbers(rows)
    return rows


def write_detections(detections: pd.DataFrame, path: Path) -> None:
    """Write a detections table in the format of det.txt; values that were read from such a file are preserved."""
    numbers = zip(
        detections["frame"],
        detections["left"] + 1,
        detections["top"] + 1,
        detections["width"],
        detections["height"],
        detections["confidence"],
        strict=True,
    )
    # 12 digits hide the rounding error of subtracting and adding 1, and preserve the precision of a detector.
    text = "".join(f"{f:d},-1,{x:.12g},{y:.12g},{w:.12g},{h:.12g},{c:.12g}\n" for f, x, y, w, h, c in numbers)
    with whole_file(path) as partial:
        partial.write_text(text)


def _detections(
    rows: TextRows, length: int | None, numbers: Rows[int] | None, other: np.ndarray | None = None
) -> pd.DataFrame:
    """Return rows of det.txt with 1-based frames.

    `other` are frame numbers of the same sequence, which decide if those of the file are ambiguous.
    """
    table = _detection_table(rows)
    whole = np.arange(len(table))
    _check_boxes(rows, Boxes(table, whole))
    values = table["frame"].to_numpy()
    if numbers is None:
        numbers = range(1, length + 1 if length else int(max(values.max(initial=0) + 1, 1)) + 1)
    found = possible_numberings(values, numbers)
    if len(found) > 1 and other is not None and len(other):
        found = [reading for reading in found if reading.holds(other)] or found
    if len(found) == 1:
        frames = found[0].to_frames(values)
        if found[0].kind != FROM_ONE:
            _log_once(rows.path, f"frames {found[0]} ({_named(values)})")
    elif found:
        raise ReidopsError(
            f"{rows.path}: its frames are {_named(values)} and the numbers of the pictures begin at {numbers[0]}, so "
            f"that the frames can be read in two ways: they {' or '.join(map(str, found))}; rename the pictures to "
            f"numbers from 1 on"
        )
    else:
        rows.refuse(
            f"its frame is outside 1 … {len(numbers)} (seqLength); frames count from 1, or all of them from 0",
            Numbering(FROM_ONE, np.asarray(numbers)).to_frames(values) == 0,
        )
        frames = values
    table = table.assign(frame=frames, left=table["left"] - 1, top=table["top"] - 1)
    return table.astype({"frame": "int64"})[list(DETECTIONS.columns)].astype(DETECTIONS.dtypes)


def _detection_table(rows: TextRows) -> pd.DataFrame:
    """Return rows of det.txt with the numbers of the file; if every confidence is -1 (unknown), all become 1."""
    table = pd.DataFrame(_detection_values(rows), columns=list(_DETECTION_FIELDS))
    if len(table) and (table["confidence"] > _MOST_SCORE).mean() > 0.5:
        _warn_once(
            rows.path,
            f"most scores are above {_MOST_SCORE}, the highest is {table['confidence'].max():g}; if they are percents, "
            f"write shares of 1, because thresholds of trackers are shares",
        )
    if len(table) and (table["confidence"] == -1).all():
        _warn_once(rows.path, "every score is -1 (unknown); the boxes get a score of 1")
        table = table.assign(confidence=1.0)
    return table


def _detection_values(rows: TextRows) -> np.ndarray:
    """Return frame, id, left, top, width, height and score, [n, 7]; id is -1 and score 1 in files without them."""
    if rows.names:
        return named_detections(rows)
    values = rows.values[:, :7]
    if values.shape[1] == 7:
        return values
    ones = np.ones(len(values))
    last = values[:, 5]
    # A score in place of the height: no box of a person has a height of 1 px.
    if len(values) and ((last >= 0) & (last <= 1)).all() and (values[:, 1:5] > 1).any(axis=1).all():
        _log_once(rows.path, "6 fields, taken as frame, left, top, width, height and score")
        return np.column_stack([values[:, 0], -ones, values[:, 1:]])
    return np.column_stack([values, ones])


@cache
def _warn_once(path: Path, remark: str) -> None:
    logger.warning("%s: %s", path, remark)


def write_results(tracks: pd.DataFrame, path: Path) -> None:
    """Write tracks as a MOTChallenge result file.

    The columns are frame, track_id, left, top, width, height and confidence; px are 0-based.
    """
    with whole_file(path) as partial:
        partial.write_text(format_results(tracks))


def format_results(tracks: pd.DataFrame) -> str:
    """Return the text of a result file, ordered by frame and track."""
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
    """Return a MOTChallenge result file as tracks.

    The columns are frame, track_id, left, top, width, height and confidence; px are 0-based.

    Raises:
        ReidopsError: the file is missing, or a line is not a box of a track.
    """
    rows = read_rows(Path(path), minimum_fields=6, may_be_empty=True)
    _check_numbers(rows)
    table = pd.DataFrame(_detection_values(rows), columns=list(_DETECTION_FIELDS))
    _check_boxes(rows, Boxes(table, np.arange(len(table))))
    rows.refuse("its frame is below 1; frames count from 1", (table["frame"] < 1).to_numpy())
    table = table.assign(left=table["left"] - 1, top=table["top"] - 1)
    return table.astype({"frame": "int64", "track_id": "int64"})
