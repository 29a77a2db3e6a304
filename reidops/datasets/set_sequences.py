"""Find sequences in other layouts than that of MOTChallenge: those of other data sets, and of annotation tools."""

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reidops.mot.frame_files import find_pictures
from reidops.mot.label_folder import label_files
from reidops.mot.mots import is_mots

logger = logging.getLogger(__name__)

_EXPORTS = (("cvat", "annotations.xml"), ("json", "annotations.json"), ("json", "instances.json"))
_BOX_TRACKS = ("labels/box_track_20", "labels/box_track")  # of BDD100K
_PERSONPATH = ("annotation/anno_visible_2022", "annotation/anno_amodal_2022")

_WHOLE = "_gt_whole.txt"  # UAVDT's annotations with classes; its gt.txt has none


@dataclass(frozen=True)
class Found:
    """A sequence: its annotations, its frames, the `kind` of the annotations, and its folder if it has one."""

    name: str
    annotations: Path
    frames_dir: Path
    kind: str
    folder: Path | None = None


def find_exports(folder: Path) -> list[Found]:
    """Return the sequences of a set's folder, sorted by name; an empty list for other layouts."""
    bases = [base for base in (folder, folder / "train", folder / "training") if base.is_dir()]
    readers = (_visdrone, _uavdt, _kitti, _kitti_mots)
    found = [sequence for base in bases for reader in readers for sequence in reader(base)]
    found += [*_bdd100k(folder), *_personpath22(folder), *_label_folders(folder), *_folders(folder / "train")]
    return sorted(found, key=lambda sequence: sequence.name)


def _visdrone(base: Path) -> list[Found]:
    labels, frames = base / "annotations", base / "sequences"
    if not (labels.is_dir() and frames.is_dir()):
        return []
    return [Found(path.stem, path, frames / path.stem, "visdrone") for path in _files(labels, "*.txt")]


def _uavdt(base: Path) -> list[Found]:
    """Return the sequences of UAVDT's published folders, UAV-benchmark-M and GT."""
    frames = base / "UAV-benchmark-M"
    labels = next((path for path in (base / "UAV-benchmark-MOTD_v1.0" / "GT", base / "GT") if path.is_dir()), None)
    if labels is None or not frames.is_dir():
        return []
    names = [(path.name.removesuffix(_WHOLE), path) for path in _files(labels, f"*{_WHOLE}")]
    return [Found(name, path, frames / name, "uavdt") for name, path in names]


def _kitti(base: Path) -> list[Found]:
    labels, frames = base / "label_02", base / "image_02"
    if not (labels.is_dir() and frames.is_dir()):
        return []
    return [Found(path.stem, path, frames / path.stem, "kitti") for path in _files(labels, "*.txt")]


def _kitti_mots(base: Path) -> list[Found]:
    labels = base / "instances_txt"
    frames = next((path for path in (base / "image_02", base / "training" / "image_02") if path.is_dir()), None)
    if not labels.is_dir() or frames is None:
        return []
    return [Found(path.stem, path, frames / path.stem, "mots") for path in _files(labels, "*.txt")]


def _bdd100k(folder: Path) -> list[Found]:
    """Return the sequences of BDD100K's published folders, those of train and val."""
    labels = next((folder / place for place in _BOX_TRACKS if (folder / place).is_dir()), None)
    frames = folder / "images" / "track"
    if labels is None or not frames.is_dir():
        return []
    found = [
        Found(path.stem, path, frames / part / path.stem, "bdd100k")
        for part in ("train", "val")
        for path in _files(labels / part, "*.json")
    ]
    return _with_frames(found, labels)


def _personpath22(folder: Path) -> list[Found]:
    labels = next((folder / place for place in _PERSONPATH if (folder / place).is_dir()), None)
    if labels is None:
        return []
    names = [(path.stem.removesuffix(".mp4"), path) for path in _files(labels, "*.json")]
    found = [Found(name, path, folder / "frame_data" / name, "personpath22") for name, path in names]
    return _with_frames(found, labels)


def _with_frames(found: list[Found], labels: Path) -> list[Found]:
    """Return the sequences with a folder of frames, because some may not be unpacked; all if none has."""
    there = [sequence for sequence in found if sequence.frames_dir.is_dir()]
    if there and len(there) < len(found):
        _warn_once(labels, len(found) - len(there), there[0].frames_dir.parent)
    return there or found


@cache
def _warn_once(labels: Path, number: int, frames: Path) -> None:
    logger.warning("%s: %d of its videos have no frames below %s and are not used", labels, number, frames)


def _label_folders(folder: Path) -> list[Found]:
    """Return the sequences of JDE's layout: each folder of labels_with_ids with files, and that of images beside it.

    A sequence has the name of its folder, without train and img1.
    """
    labels, images = folder / "labels_with_ids", folder / "images"
    if not (labels.is_dir() and images.is_dir()):
        return []
    found = []
    for path in sorted({labels, *(below for below in labels.rglob("*") if below.is_dir())}):
        if label_files(path):
            place = path.relative_to(labels)
            name = "-".join(part for part in place.parts if part not in ("train", "img1")) or folder.name
            frames = images / place
            own = frames.parent if (frames.parent / "seqinfo.ini").is_file() else None
            found.append(Found(name, path, frames, "labels", own))
    return found


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match, sorted, without hidden ones such as macOS's `._name`."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _folders(train: Path) -> list[Found]:
    """Return the folders of `train` with an export, UAVDT's gt_whole.txt, or a gt.txt of MOTS or without seqinfo.ini.

    CVAT's "MOT 1.1" has no seqinfo.ini.
    """
    found = []
    for path in sorted(train.iterdir()) if train.is_dir() else []:
        if not path.is_dir():
            continue
        export = next(((kind, path / name) for kind, name in _EXPORTS if (path / name).is_file()), None)
        truth = path / "gt" / "gt.txt"
        bare = truth.is_file() and not (path / "seqinfo.ini").is_file()
        whole = path / "gt" / "gt_whole.txt"
        if whole.is_file():
            found.append(Found(path.name, whole, find_pictures(path), "uavdt", path))
        elif is_mots(truth):
            found.append(Found(path.name, truth, find_pictures(path), "mots", path))
        elif export and not truth.is_file():
            found.append(Found(path.name, export[1], find_pictures(path), export[0], path))
        elif bare:
            found.append(Found(path.name, truth, find_pictures(path), "gt", path))
    return found
