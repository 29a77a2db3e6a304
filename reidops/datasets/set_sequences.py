"""Find sequences in other layouts than that of MOTChallenge: VisDrone, UAVDT, KITTI and exports of annotation tools."""

from dataclasses import dataclass
from pathlib import Path

from reidops.mot.frame_files import find_pictures

_EXPORTS = (("cvat", "annotations.xml"), ("json", "annotations.json"), ("json", "instances.json"))

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
    found = [sequence for base in bases for sequence in (*_visdrone(base), *_uavdt(base), *_kitti(base))]
    found += _folders(folder / "train")
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


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match, sorted, without hidden ones such as macOS's `._name`."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _folders(train: Path) -> list[Found]:
    """Return the folders of `train` with an export, UAVDT's gt_whole.txt, or a gt.txt without seqinfo.ini.

    CVAT's "MOT 1.1" has no seqinfo.ini.
    """
    found = []
    for path in sorted(train.iterdir()) if train.is_dir() else []:
        if not path.is_dir():
            continue
        export = next(((kind, path / name) for kind, name in _EXPORTS if (path / name).is_file()), None)
        bare = (path / "gt" / "gt.txt").is_file() and not (path / "seqinfo.ini").is_file()
        whole = path / "gt" / "gt_whole.txt"
        if whole.is_file():
            found.append(Found(path.name, whole, find_pictures(path), "uavdt", path))
        elif export and not (path / "gt" / "gt.txt").is_file():
            found.append(Found(path.name, export[1], find_pictures(path), export[0], path))
        elif bare:
            found.append(Found(path.name, path / "gt" / "gt.txt", find_pictures(path), "gt", path))
    return found
