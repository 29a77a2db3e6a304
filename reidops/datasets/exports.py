"""Convert exports of annotation tools and other projects to the layout of MOTChallenge.

Only text is written (seqinfo.ini, gt.txt, det.txt), below data/raw; the frames stay in the user's folder, or where
their archive was unpacked.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.layouts import SetFolder
from reidops.datasets.motchallenge import PUBLISHED
from reidops.datasets.set_sequences import Found, find_exports
from reidops.errors import ReidopsError
from reidops.image_headers import read_size
from reidops.mot import label_folder, mots
from reidops.mot.classes import as_people, number_of_name
from reidops.mot.cvat import read_cvat
from reidops.mot.exported import Exported
from reidops.mot.frame_files import FrameFiles, list_frames
from reidops.mot.ground_truth import FORMATS
from reidops.mot.kitti import read_kitti
from reidops.mot.numbering import FROM_ONE
from reidops.mot.sequences import (
    COUNTED,
    LOCAL_FRAMES,
    read_annotation_file,
    read_detections,
    read_sequence,
    scene_of,
    write_detections,
)
from reidops.mot.sequences import (
    Sequence as MotSequence,
)
from reidops.mot.video_json import read_video_json
from reidops.parts import local_folder

logger = logging.getLogger(__name__)

_FRAME_RATES = {"kitti": 10.0, "visdrone": 30.0, "uavdt": 30.0, "bdd100k": 5.0}
_CLASS_NAMES = {"labels": label_folder.CLASS_NAMES, "mots": mots.CLASS_NAMES}  # of class numbers in download.people
_DEFAULT_RATE = 25.0


@dataclass(frozen=True)
class Reading:
    """Params for reading annotations: `formats` (a format, or column names) and `people` (classes) by data set."""

    formats: Mapping[str, str]
    people: Mapping[str, Sequence[int | str]]

    def names(self, dataset: str) -> bool:
        """Return whether `formats` or `people` has an entry for the data set."""
        return dataset in self.formats or dataset in self.people


def in_mot_layout(found: SetFolder, raw: Path, reading: Reading, local: str | None) -> SetFolder:
    """Return a set in the layout of MOTChallenge.

    A set in this layout without an entry in `reading` is returned unchanged; else its text is written below `raw`.

    Args:
        raw: data/raw while it is written; archives are unpacked there.

    Raises:
        ReidopsError: a format is unknown, or the annotations cannot be read.
    """
    _log_unused(found)
    sequences = find_exports(found.folder)
    if not sequences and not reading.names(found.name):
        return found
    layout = reading.formats.get(found.name, "")
    if layout and "," not in layout and layout not in FORMATS:
        raise ReidopsError(
            f"download.formats: {found.name}: {layout} is not a format; expected {', '.join(FORMATS)}, or the column "
            f"names, e.g. 'frame,id,left,top,width,height,considered,class,visibility'"
        )
    exported = {sequence.name for sequence in sequences}
    plain = [sequence for sequence in _plain(found.folder) if sequence.name not in exported]
    for sequence in (*sequences, *plain):
        _write_copy(sequence, raw, raw / found.name / "train", layout, reading.people.get(found.name), local)
    return SetFolder(found.name, "mot", raw / found.name, found.source)


def _log_unused(found: SetFolder) -> None:
    """Warn of annotated sequences beside `train` of an own set, which are not read."""
    for name in () if found.name in PUBLISHED else ("val", "test"):
        annotated = [path for path in (found.folder / name).glob("*/gt/gt.txt") if not path.parts[-3].startswith(".")]
        if annotated:
            logger.warning(
                "%s: its %d annotated sequences are not read, only those of train; to use them, move them to %s",
                found.folder / name,
                len(annotated),
                found.folder / "train",
            )


def _plain(folder: Path) -> list[Found]:
    train = folder / "train"
    return [
        Found(path.name, path / "gt" / "gt.txt", read_sequence(path).frames_dir, "gt", path)
        for path in (sorted(train.iterdir()) if train.is_dir() else [])
        if (path / "gt" / "gt.txt").is_file() and (path / "seqinfo.ini").is_file()
    ]


def _write_copy(
    found: Found, raw: Path, train: Path, layout: str, people: Sequence[int | str] | None, local: str | None
) -> None:
    """Write seqinfo.ini, gt.txt and det.txt of one sequence."""
    sequence = _sequence(found)
    table, remark = _annotations(found, sequence, layout, people)
    target = train / found.name
    detections = read_detections(sequence) if (sequence.folder / "det" / "det.txt").is_file() else None
    (target / "gt").mkdir(parents=True, exist_ok=True)
    (target / "gt" / "gt.txt").write_text(_lines(table))
    (target / "seqinfo.ini").write_text(_seqinfo(sequence, _frames_place(sequence.frames_dir, raw, target, local)))
    if detections is not None:
        write_detections(detections, target / "det" / "det.txt")
    classes = ", ".join(f"{number} × class {name}" for name, number in table["class_id"].value_counts().items())
    logger.info("%s: %s; %s", found.annotations, remark or "MOTChallenge's format", classes)


def _sequence(found: Found) -> MotSequence:
    """Return the sequence of seqinfo.ini; without this file, length and size are read from the frames."""
    if found.folder is not None and (found.folder / "seqinfo.ini").is_file():
        return read_sequence(found.folder)
    files = list_frames(found.frames_dir)
    if files is None:
        raise ReidopsError(f"{found.frames_dir}: holds no image; put the frames of {found.annotations} there")
    first = found.frames_dir / files.names[0]
    if not first.is_file():
        raise ReidopsError(f"{first}: is a link to a file that is not there; copy or unpack the frames")
    width, height = read_size(first.read_bytes(), str(first))
    rate = _FRAME_RATES.get(found.kind, _DEFAULT_RATE)
    if found.kind not in _FRAME_RATES:
        logger.info("%s: using the default frame rate of %g fps; set it in seqinfo.ini", found.frames_dir, rate)
    return MotSequence(
        name=found.name,
        scene=scene_of(found.name),
        frames_dir=found.frames_dir,
        length=len(files.names),
        frame_rate=rate,
        width=width,
        height=height,
        extension=Path(files.names[0]).suffix,
        files=files,
        root=found.folder or found.frames_dir,
    )


def _annotations(
    found: Found, sequence: MotSequence, layout: str, people: Sequence[int | str] | None
) -> tuple[pd.DataFrame, str]:
    """Return annotations (tables.ANNOTATIONS) and a remark on their format."""
    if found.kind in ("gt", "visdrone", "uavdt"):
        kind = layout or (found.kind if found.kind != "gt" else "")
        read = read_annotation_file(sequence, path=found.annotations, layout=kind, people=people)
        return read.table, read.remark
    exported = _exported(found, sequence)
    return _checked(exported.table, found, sequence, people), exported.remark


def _exported(found: Found, sequence: MotSequence) -> Exported:
    files = sequence.files
    if found.kind in ("kitti", "cvat") and files is not None:
        _check_gaps(files, found)
    if found.kind == "kitti":
        return read_kitti(found.annotations)
    if found.kind == "cvat":
        return read_cvat(found.annotations, None if files is None else len(files.names))
    if files is None:
        raise ReidopsError(f"{found.annotations}: there are no frames beside this file; put the video's frames there")
    if found.kind == "mots":
        return mots.read_mots(found.annotations, files, sequence.width, sequence.height)
    if found.kind == "labels":
        return label_folder.read_label_folder(found.annotations, files, sequence.width, sequence.height)
    return read_video_json(found.annotations, files, sequence.width, sequence.height)


def _check_gaps(files: FrameFiles, found: Found) -> None:
    """Check that no picture between two others is missing, so that the frames of a file are not shifted.

    Pictures at equal distances, such as those of every 5th frame, are complete.

    Raises:
        ReidopsError: one is missing; names the first.
    """
    steps = [after - before for before, after in zip(files.numbers, files.numbers[1:], strict=False)]
    usual = min(steps, default=1)
    place = next((place for place, step in enumerate(steps) if step != usual), None)
    if place is not None:
        missing = files.numbers[place] + usual
        raise ReidopsError(
            f"{found.frames_dir}: the picture with the number {missing}, after {files.names[place]}, is missing, so "
            f"that the frames of {found.annotations} would be shifted; add it, or rename the pictures without a gap"
        )


def _checked(
    table: pd.DataFrame, found: Found, sequence: MotSequence, people: Sequence[int | str] | None
) -> pd.DataFrame:
    past = table[(table["frame"] < 1) | (table["frame"] > sequence.length)]
    if len(past):
        raise ReidopsError(
            f"{found.annotations}: {len(past):,} boxes are in frames {past['frame'].min()} … {past['frame'].max()}, "
            f"and {sequence.frames_dir} holds {sequence.length} pictures; put all frames there"
        )
    flat = table[(table["width"] <= 0) | (table["height"] <= 0)]
    if len(flat):
        raise ReidopsError(f"{found.annotations}: a box in frame {flat['frame'].iloc[0]} has no area; remove it")
    words = table["class_name"].tolist()
    names = _CLASS_NAMES.get(found.kind, {})
    wanted = None if people is None else [names.get(word, word) if isinstance(word, int) else word for word in people]
    classes = (
        as_people(words, wanted) if wanted is not None else np.array([number_of_name(word) for word in words], int)
    )
    return table.assign(class_id=classes).drop(columns="class_name")


def _lines(table: pd.DataFrame) -> str:
    rows = table[
        ["frame", "track_id", "left", "top", "width", "height", "considered", "class_id", "visibility"]
    ].itertuples(index=False, name=None)
    return "".join(
        f"{f:d},{i:d},{x + 1:.12g},{y + 1:.12g},{w:.12g},{h:.12g},{int(c)},{k:d},{v:.6g}\n"
        for f, i, x, y, w, h, c, k, v in rows
    )


def _frames_place(frames_dir: Path, raw: Path, target: Path, local: str | None) -> str:
    """Return imDir: relative to the sequence for unpacked frames, else the prefix `local:` and the user's folder."""
    if frames_dir.is_relative_to(raw):
        return Path(os.path.relpath(frames_dir, target)).as_posix()
    base = local_folder(local or "")
    inside = frames_dir.is_relative_to(base)
    place = (Path(local or "") / frames_dir.relative_to(base)) if inside else frames_dir
    return f"{LOCAL_FRAMES}{place.as_posix()}"


def _seqinfo(sequence: MotSequence, frames: str) -> str:
    return (
        f"[Sequence]\nname={sequence.name}\nimDir={frames}\nframeRate={sequence.frame_rate:g}\n"
        f"seqLength={sequence.length}\nimWidth={sequence.width}\nimHeight={sequence.height}\n"
        f"imExt={sequence.extension}\n{COUNTED}={FROM_ONE}\n"
    )
