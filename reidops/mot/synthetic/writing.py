"""One drawn scene as three MOT17 sequence folders: frames, gt.txt, det.txt, seqinfo.ini. Pixels are 1-based from here
on.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reidops.files import whole_folder
from reidops.mot.sequences import PEDESTRIAN
from reidops.mot.synthetic.detectors import DETECTORS, detect
from reidops.mot.synthetic.frames import Film, Sighting
from reidops.mot.synthetic.params import SyntheticParams
from reidops.parallel import map_parallel

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Commission:
    """An order to draw the scene number `index` (from 0) into `train`."""

    train: Path
    params: SyntheticParams
    index: int


def write_synthetic(folder: Path, params: SyntheticParams, workers: int | None = None) -> None:
    """Write the data set to `<folder>/train/SYN-01-DPM/…`; the folder appears whole or not at all.

    Args:
        folder: is replaced where it exists.
        params: what to draw.
        workers: processes; None = one per usable core.
    """
    with whole_folder(Path(folder)) as partial:
        write_scenes(partial / "train", params, workers)


def write_scenes(train: Path, params: SyntheticParams, workers: int | None) -> None:
    """Draw all scenes, side by side."""
    map_parallel(
        write_scene,
        [Commission(train, params, index) for index in range(params.scenes)],
        workers,
        desc="drawing scenes",
    )


def write_scene(commission: Commission) -> None:
    """Draw one scene and write its three copies, which share frames and ground truth and differ in their detections."""
    params, index = commission.params, commission.index
    rng = np.random.default_rng([params.seed, index])
    num_people = int(rng.integers(params.min_people, params.max_people + 1))
    size = params.width, params.height
    film = Film(rng, index, size, num_people=num_people, num_frames=params.frames, frame_rate=params.frame_rate)
    names = [f"SYN-{index + 1:02d}-{detector.name}" for detector in DETECTORS]
    sightings = _write_frames(film, commission.train / names[0] / "img1")
    for name, detector in zip(names, DETECTORS, strict=True):
        folder = commission.train / name
        _link_frames(commission.train / names[0] / "img1", folder / "img1")
        _write_text(folder / "gt" / "gt.txt", _annotation_lines(sightings))
        _write_text(
            folder / "det" / "det.txt", _detection_lines(detect(rng, detector, sightings, film.street, params.frames))
        )
        _write_text(folder / "seqinfo.ini", _seqinfo_lines(name, params))


def _write_frames(film: Film, folder: Path) -> list[Sighting]:
    """Write every frame as JPEG and return all annotated boxes."""
    folder.mkdir(parents=True)
    sightings = []
    for frame, (picture, seen) in enumerate(film.shoot(), 1):
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / f"{frame:06d}.jpg").write_bytes(jpeg.tobytes())
        sightings += seen
    return sightings


def _link_frames(source: Path, target: Path) -> None:
    """Give a copy of the sequence the same frames, as hard links where the file system has them."""
    if source == target:
        return
    target.mkdir(parents=True)
    for frame in sorted(source.iterdir()):
        try:
            os.link(frame, target / frame.name)
        except OSError:
            shutil.copyfile(frame, target / frame.name)


def _annotation_lines(sightings: list[Sighting]) -> list[str]:
    """Return the lines of gt.txt, track by track as MOT17 has them; only pedestrians are considered."""
    lines = []
    for s in sorted(sightings, key=lambda s: (s.track_id, s.frame)):
        left, top, width, height = (round(value) for value in s.box_ltwh)
        considered = int(s.class_id == PEDESTRIAN)
        lines.append(
            f"{s.frame},{s.track_id},{left + 1},{top + 1},{width},{height},{considered},{s.class_id},{s.visibility:.5g}"
        )
    return lines


def _detection_lines(detections: np.ndarray) -> list[str]:
    """Return the lines of det.txt from detections [n, 6]."""
    return [
        f"{int(frame)},-1,{left + 1:.2f},{top + 1:.2f},{width:.2f},{height:.2f},{score:.4f}"
        for frame, left, top, width, height, score in detections
    ]


def _seqinfo_lines(name: str, params: SyntheticParams) -> list[str]:
    values = {
        "name": name,
        "imDir": "img1",
        "frameRate": params.frame_rate,
        "seqLength": params.frames,
        "imWidth": params.width,
        "imHeight": params.height,
        "imExt": ".jpg",
    }
    return ["[Sequence]", *(f"{key}={value}" for key, value in values.items()), ""]


def _write_text(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
