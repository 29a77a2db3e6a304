"""Build the tables of MOT sequences that are validated: annotations, detections, sequences, frames, decoded frames.

Every table has the columns `file` and `row`: the place of each row in the user's files.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.box_units import check_boxes
from reidops.mot.classes import check_classes
from reidops.mot.sequences import DETECTORS, Sequence, read_annotation_file, read_detections
from reidops.mot.splits import split_half
from reidops.mot.text_rows import read_rows
from reidops.parallel import map_parallel
from reidops.tables import ANNOTATIONS, DETECTIONS
from reidops.validation.findings import NUM_PLACES
from reidops.validation.image_faults import inspect_image
from reidops.validation.published import published_counts


@dataclass(frozen=True)
class SequenceTables:
    """The tables of one sequence.

    `record` is its row of the sequences table and holds the reading faults. `frames` has one row per frame of
    seqinfo.ini, with the frame number as `row`. `decoded` has one row per sampled frame.
    """

    record: dict[str, object]
    annotations: pd.DataFrame = field(repr=False)
    detections: pd.DataFrame = field(repr=False)
    frames: pd.DataFrame = field(repr=False)
    decoded: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class SequenceJob:
    """A sequence to inspect; `label` is the name of its folder in messages.

    Detections are read only if the sequence is tracked. `image_sample` frames, spread evenly, are decoded; -1 = all.
    Frames of videos are not: `download` checks that they can be read. Without labels, ground truth may be missing.
    """

    sequence: Sequence
    label: str
    is_tracked: bool
    image_sample: int
    is_scored_or_labelled: bool = True


def inspect_sequences(jobs: list[SequenceJob]) -> list[SequenceTables]:
    """Return the tables of every sequence, in order.

    Processes run in parallel only if many frames are decoded, because starting them takes time.
    """
    decodes_much = any(job.image_sample < 0 or job.image_sample > 100 for job in jobs)
    return map_parallel(inspect_sequence, jobs, None if decodes_much else 1, desc="inspect sequences")


def share_inside(boxes: pd.DataFrame, width: int, height: int) -> np.ndarray:
    """Return the fraction of each box's area inside the frame, float64 [N], 0 … 1; 0 for a box without area."""
    left, top = boxes["left"].to_numpy(), boxes["top"].to_numpy()
    right, bottom = left + boxes["width"].to_numpy(), top + boxes["height"].to_numpy()
    inside = (right.clip(0, width) - left.clip(0, width)) * (bottom.clip(0, height) - top.clip(0, height))
    area = (right - left) * (bottom - top)
    return np.divide(inside, area, out=np.zeros(len(boxes)), where=area > 0)


def evenly(num_rows: int, sample: int) -> np.ndarray:
    """Return the sorted indices of `sample` rows spread evenly over `num_rows`; -1 = all.

    >>> evenly(10, 3).tolist(), evenly(2, 5).tolist(), evenly(3, -1).tolist(), evenly(3, 0).tolist()
    ([0, 4, 9], [0, 1], [0, 1, 2], [])
    """
    if sample < 0 or sample >= num_rows:
        return np.arange(num_rows)
    return np.linspace(0, num_rows - 1, sample).astype(int)


def inspect_sequence(job: SequenceJob) -> SequenceTables:
    """Return the tables of one sequence; its record holds the faults of files that cannot be read."""
    sequence = job.sequence
    annotations, lines, annotations_fault = _empty(ANNOTATIONS.dtypes), np.empty(0, dtype=np.int64), ""
    if job.is_scored_or_labelled or (sequence.folder / "gt" / "gt.txt").is_file():
        annotations, lines, annotations_fault = _annotations(sequence)
    detections, detections_fault = _empty(DETECTIONS.dtypes), ""
    # Without det.txt the stage `detect` makes the detections, or raises.
    has_detections = job.is_tracked and (sequence.folder / "det" / "det.txt").is_file()
    if has_detections:
        detections, detections_fault = _read(_checked_detections, sequence, DETECTIONS.dtypes)
    frames = _frames(job)
    record = {
        "file": f"{job.label}/seqinfo.ini",
        "row": 0,
        "sequence": sequence.name,
        "length": sequence.length,
        "annotations_fault": annotations_fault,
        "detections_fault": detections_fault,
        "num_images_past_end": _num_images(sequence) - int(frames["exists"].sum()),
        "empty_frames_fault": _empty_frames(detections, sequence.length)
        if has_detections and not detections_fault
        else "",
        "unlike_copy": _unlike_copy(sequence),
        **_pedestrian_counts(sequence, annotations),
    }
    return SequenceTables(
        record=record,
        annotations=_with_place(annotations, sequence, f"{job.label}/gt/gt.txt", lines),
        detections=_with_place(
            detections, sequence, f"{job.label}/det/det.txt", _line_numbers(sequence, len(detections))
        ),
        frames=frames,
        decoded=_decoded(job, frames),
    )


def _read(
    reader: Callable[[Sequence], pd.DataFrame], sequence: Sequence, dtypes: dict[str, str]
) -> tuple[pd.DataFrame, str]:
    """Return the table and "", or an empty table and the reader's error, so that the other files are still checked."""
    try:
        return reader(sequence), ""
    except ReidopsError as error:
        return _empty(dtypes), str(error)


def _checked_detections(sequence: Sequence) -> pd.DataFrame:
    found = read_detections(sequence)
    check_boxes(found, sequence.width, sequence.height, str(sequence.folder / "det" / "det.txt"))
    return found


def _empty(dtypes: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})


def _annotations(sequence: Sequence) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the annotations, their lines and "", or empty ones and the fault that the reader found."""
    try:
        found = read_annotation_file(sequence)
        check_classes(found.table["class_id"].to_numpy(), sequence.folder / "gt" / "gt.txt")
        check_boxes(found.table, sequence.width, sequence.height, str(sequence.folder / "gt" / "gt.txt"))
    except ReidopsError as error:
        return _empty(ANNOTATIONS.dtypes), np.empty(0, dtype=np.int64), str(error)
    return found.table, found.line_numbers, ""


def _with_place(boxes: pd.DataFrame, sequence: Sequence, file: str, lines: np.ndarray) -> pd.DataFrame:
    """Add file, row (line of the file), length (seqLength) and share_inside."""
    return boxes.assign(
        file=file,
        row=lines,
        length=sequence.length,
        share_inside=share_inside(boxes, sequence.width, sequence.height),
    )


def _line_numbers(sequence: Sequence, num_rows: int) -> np.ndarray:
    """Return the 1-based line number of each row of det.txt, int64; empty lines, which the reader leaves out, count."""
    if not num_rows:
        return np.empty(0, dtype=np.int64)
    return read_rows(sequence.folder / "det" / "det.txt", minimum_fields=1).line_numbers


def _empty_frames(detections: pd.DataFrame, length: int) -> str:
    """Return "3 frames without a detection: 4, 9, 12" with the first frames, "" for none."""
    empty = np.setdiff1d(np.arange(1, length + 1), detections["frame"])
    named = ", ".join(map(str, empty[:NUM_PLACES])) + (", …" if len(empty) > NUM_PLACES else "")
    return f"{len(empty):,} frames without a detection: {named}" if len(empty) else ""


def _pedestrian_counts(sequence: Sequence, annotations: pd.DataFrame) -> dict[str, object]:
    """Return the numbers of considered pedestrian boxes and people, in all frames and in the validation half.

    The published numbers are added; they are None for an unknown sequence.
    """
    pedestrians = annotations[(annotations["class_id"] == 1) & annotations["considered"]]
    half = pedestrians[pedestrians["frame"] >= split_half(sequence.length)[1].first]
    published = published_counts(sequence)
    return {
        "num_annotations": len(annotations),
        "num_pedestrian_boxes": len(pedestrians),
        "num_people": pedestrians["track_id"].nunique(),
        "num_half_boxes": len(half),
        "num_half_people": half["track_id"].nunique(),
        **{
            f"published_{name}": getattr(published, name, None)
            for name in ("boxes", "people", "half_boxes", "half_people")
        },
    }


def _unlike_copy(sequence: Sequence) -> str:
    """Return the name of the first detector copy of the sequence with a different gt.txt, "" for none."""
    if not sequence.detector:
        return ""
    own = _lines(sequence.folder)
    stem = sequence.name.removesuffix(sequence.detector)
    copies = (sequence.folder.with_name(stem + detector) for detector in DETECTORS)
    return next((copy.name for copy in copies if (copy / "gt" / "gt.txt").is_file() and _lines(copy) != own), "")


def _lines(folder: Path) -> list[str] | None:
    path = folder / "gt" / "gt.txt"
    return sorted(path.read_text(encoding="utf-8-sig", errors="replace").split()) if path.is_file() else None


def _num_images(sequence: Sequence) -> int:
    return len(sequence.files.names) if sequence.files else 0


def _frames(job: SequenceJob) -> pd.DataFrame:
    """Return one row per frame of seqinfo.ini: file, row (the frame), exists."""
    sequence = job.sequence
    numbers = range(1, 1 if sequence.is_video else sequence.length + 1)
    names = [sequence.frame_path(frame).name for frame in numbers]
    present = {entry.name for entry in os.scandir(sequence.frames_dir)} if sequence.frames_dir.is_dir() else set()
    return pd.DataFrame(
        {
            "file": [f"{job.label}/{sequence.frames_dir.name}/{name}" for name in names],
            "row": np.array(numbers, dtype=np.int64),
            "exists": np.array([name in present for name in names], dtype=bool),
        }
    )


def _decoded(job: SequenceJob, frames: pd.DataFrame) -> pd.DataFrame:
    """Decode the sampled frames and return one row for each.

    The columns are file, row (the frame), fault, width, height, promised_width and promised_height [px]. width and
    height are NaN if the frame cannot be decoded.
    """
    sequence = job.sequence
    present = frames[frames["exists"]]
    sample = present.iloc[evenly(len(present), job.image_sample)].reset_index(drop=True)
    found = [inspect_image(sequence.frame_path(frame)) for frame in sample["row"]]
    sizes = pd.DataFrame(found, columns=["fault", "width", "height"])
    sizes = sizes.astype({"fault": "str", "width": "float64", "height": "float64"})
    return sample[["file", "row"]].join(sizes).assign(promised_width=sequence.width, promised_height=sequence.height)
