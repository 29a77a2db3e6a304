"""Write small MOTChallenge sets for tests: coloured rectangles that walk to the right."""

import re
import zlib
from pathlib import Path

import cv2
import numpy as np

SEQINFO = """[Sequence]
name={name}
imDir=img1
frameRate=10
seqLength={num_frames}
imWidth={width}
imHeight={height}
imExt=.jpg
"""


def write_mot_set(
    folder: Path,
    sequences: tuple[str, ...] = ("TOY-01", "TOY-02"),
    *,
    detectors: tuple[str, ...] = (),
    num_frames: int = 12,
    num_people: int = 3,
    width: int = 160,
    height: int = 96,
) -> Path:
    """Write `folder/train/<sequence>[-<detector>]` for each name and return `folder`.

    Person i (track_id i + 1) is a rectangle of 12 × 30 px in a colour of its own, visible in every frame.
    """
    for name in sequences:
        copies = [f"{name}-{detector}" for detector in detectors] or [name]
        for copy in copies:
            write_mot_sequence(
                folder / "train" / copy, num_frames=num_frames, num_people=num_people, width=width, height=height
            )
    return folder


def write_mot_sequence(
    folder: Path, *, num_frames: int = 12, num_people: int = 3, width: int = 160, height: int = 96
) -> Path:
    """Write one sequence folder with seqinfo.ini, gt/gt.txt (track by track, as published), det/det.txt and img1."""
    for name in ("img1", "gt", "det"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    seqinfo = SEQINFO.format(name=folder.name, num_frames=num_frames, width=width, height=height)
    (folder / "seqinfo.ini").write_text(seqinfo)
    boxes = {
        (person, frame): person_box(person, frame, width, height)
        for person in range(1, num_people + 1)
        for frame in range(1, num_frames + 1)
    }
    write_gt(folder, [(frame, person, *box, 1, 1, 1.0) for (person, frame), box in boxes.items()])
    detections = [(frame, -1, *box, 0.9) for (_, frame), box in sorted(boxes.items(), key=lambda item: item[0][::-1])]
    write_rows(folder / "det" / "det.txt", detections)
    for frame in range(1, num_frames + 1):
        people = {person: boxes[person, frame] for person in range(1, num_people + 1)}
        cv2.imwrite(
            str(folder / "img1" / f"{frame:06d}.jpg"), draw_frame(people, width, height, seed=_seed(folder.name, frame))
        )
    return folder


def _seed(sequence: str, frame: int) -> int:
    """Return a seed of the frame's own; a sequence's copies for several detectors show the same frames."""
    video = re.sub("-(DPM|FRCNN|SDP)$", "", sequence)
    return zlib.crc32(f"{video} {frame}".encode())


def write_gt(folder: Path, rows: list[tuple]) -> None:
    """Replace gt.txt by rows (frame, id, left, top, width, height, flag, class, visibility), 1-based."""
    write_rows(folder / "gt" / "gt.txt", rows)


def write_rows(path: Path, rows: list[tuple]) -> None:
    path.write_text("".join(",".join(f"{value:g}" for value in row) + "\n" for row in rows))


def person_box(person: int, frame: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, width, height, 1-based px, of a person who walks 2 px per frame."""
    left = (person * 37 + 2 * frame) % (width - 14) + 1
    top = (person * 11) % (height - 32) + 1
    return left, top, 12, 30


def draw_frame(people: dict[int, tuple[int, int, int, int]], width: int, height: int, seed: int) -> np.ndarray:
    """Return BGR uint8 [height, width, 3]: faint noise and one rectangle per person."""
    frame = np.random.default_rng(seed).integers(90, 130, (height, width, 3), dtype=np.uint8)
    for person, (left, top, box_width, box_height) in people.items():
        colour = tuple(int(value) for value in np.random.default_rng(person).integers(0, 256, 3))
        corner = (left + box_width - 2, top + box_height - 2)
        cv2.rectangle(frame, (left - 1, top - 1), corner, colour, thickness=-1)
    return frame
