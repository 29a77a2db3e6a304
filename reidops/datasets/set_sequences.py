"""Find sequences in other layouts than that of MOTChallenge: VisDrone, KITTI and exports of annotation tools."""

from dataclasses import dataclass
from pathlib import Path

from reidops.mot.frame_files import find_pictures

_EXPORTS = (("cvat", "annotations.xml"), ("json", "annotations.json"), ("json", "instances.json"))


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
    found = [sequence for base in bases for sequence in (*_visdrone(base), *_kitti(base))]
    found += _folders(folder / "train")
    return sorted(found, key=lambda sequence: sequence.name)


def _visdrone(base: Path) -> list[Found]:
    labels, frames = base / "annotations", base / "sequences"
    if not (labels.is_dir() and frames.is_dir()):
        return []
    return [Found(path.stem, path, frames / path.stem, "visdrone") for path in sorted(labels.glob("*.txt"))]


def _kitti(base: Path) -> list[Found]:
    labels, frames = base / "label_02", base / "image_02"
    if not (labels.is_dir() and frames.is_dir()):
        return []
    return [Found(path.stem, path, frames / path.stem, "kitti") for path in sorted(labels.glob("*.txt"))]


def _folders(train: Path) -> list[Found]:
    """Return the folders of `train` with an export, or with a gt.txt without seqinfo.ini, as in CVAT's "MOT 1.1"."""
    found = []
    for path in sorted(train.iterdir()) if train.is_dir() else []:
        if not path.is_dir():
            continue
        export = next(((kind, path / name) for kind, name in _EXPORTS if (path / name).is_file()), None)
        bare = (path / "gt" / "gt.txt").is_file() and not (path / "seqinfo.ini").is_file()
        if export and not (path / "gt" / "gt.txt").is_file():
            found.append(Found(path.name, export[1], find_pictures(path), export[0], path))
        elif bare:
            found.append(Found(path.name, path / "gt" / "gt.txt", find_pictures(path), "gt", path))
    return found
