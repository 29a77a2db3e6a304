"""Read and write data/raw/parts.csv: the frames of sequences and the ReID sets in each part.

`download` writes the file and all later stages read it, so that the division is defined in one place.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import repository_path
from reidops.tables import PARTS, read_table, write_table

LOCAL = "local:"
IDENTITY = "identity:"
IMAGES = "images:"
TRANSDUCTIVE = "transductive"
LEARNING = ("train", "adapt")  # parts whose frames change the weights
CLASSIC_CUHK03 = "-classic-"


@dataclass(frozen=True)
class Part:
    """Frames of one sequence, or a whole ReID set, in one part (train, adapt, test, track).

    `folder` is the folder of the sequence for the layout `mot`, and of the set for others. Frames are 1-based and
    inclusive, 0 and 0 for a ReID set. `protocol` is the published split of a ReID set ("" if it has only one),
    `identity:SHARE` for frames or crops whose people are divided between train and test, `images:SHARE` for a set whose
    crops of each person are divided (a closed set), or `transductive` for tested or tracked frames that are also used
    without labels (download.adapt_on_test_frames).
    """

    part: str
    dataset: str
    layout: str
    folder: Path
    sequence: str
    scene: str
    first_frame: int
    last_frame: int
    protocol: str = ""

    @property
    def divides_people(self) -> bool:
        """Return whether the people of these frames are divided between train and test."""
        return self.protocol.startswith(IDENTITY)

    @property
    def is_closed_set(self) -> bool:
        """Return whether the people of a ReID set both train and are tested, with different crops."""
        return self.protocol.startswith(IMAGES)

    @property
    def is_transductive(self) -> bool:
        """Return whether these frames are used without labels and are tested or tracked too."""
        return self.protocol == TRANSDUCTIVE

    @property
    def is_learnt(self) -> bool:
        """Return whether the model learns from these frames or crops, with or without labels."""
        return self.part in LEARNING

    @property
    def is_single_gallery_shot(self) -> bool:
        """Return whether published scores of this split are of galleries of one crop per person (CUHK03 classic)."""
        return self.layout == "cuhk03" and CLASSIC_CUHK03 in self.protocol

    @property
    def num_frames(self) -> int:
        """Return the number of frames, 0 for a ReID set."""
        return self.last_frame - self.first_frame + 1 if self.first_frame else 0

    def frames(self, stride: int = 1) -> range:
        """Return the frames of the part, 1-based; with a stride every stride-th one, from the first."""
        return range(self.first_frame, self.last_frame + 1, stride)


def read_parts(raw: Path) -> list[Part]:
    """Return the rows of `raw/parts.csv` with resolved folders.

    Raises:
        ReidopsError: the table is missing or breaks its contract, or learnt frames are also in test or track.
    """
    path = Path(raw) / "parts.csv"
    rows = read_table(path, PARTS).to_dict("records")
    parts = [Part(**{**row, "folder": _resolve(row["folder"], Path(raw))}) for row in rows]
    check_parts(parts, str(path))
    return parts


def tracked_parts(raw: Path) -> list[Part]:
    """Return the tracked parts, one for each sequence.

    Raises:
        ReidopsError: there is none, or a sequence occurs twice.
    """
    parts = find_tracked_parts(raw)
    if not parts:
        raise ReidopsError(
            f"{raw}/parts.csv: there is no row with part `track`; add a set to download.track in params.yaml (without "
            "one, nothing is tracked)"
        )
    return parts


def find_tracked_parts(raw: Path) -> list[Part]:
    """Return the tracked parts, one for each sequence; there may be none.

    Raises:
        ReidopsError: a sequence occurs twice.
    """
    parts = [part for part in read_parts(raw) if part.part == "track"]
    names = [part.sequence for part in parts]
    if len(set(names)) < len(names):
        raise ReidopsError(
            f"{raw}/parts.csv: a sequence is tracked twice ({', '.join(sorted(names))}), so that its files would "
            "overwrite each other; remove one from download.track"
        )
    return parts


def adapt_parts(raw: Path) -> list[Part]:
    """Return the parts that are used without labels; there may be none.

    Raises:
        ReidopsError: two sequences have the same name, so that their detections would overwrite each other.
    """
    parts = [part for part in read_parts(raw) if part.part == "adapt"]
    names = [part.sequence for part in parts if part.sequence]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReidopsError(
            f"{raw}/parts.csv: {', '.join(twice)} is in several sets of download.adapt and download.videos; rename one "
            f"of the videos, or remove one of the sets"
        )
    return parts


def write_parts(parts: list[Part], raw: Path, local: str | None = None) -> None:
    """Write `raw/parts.csv`; folders outside `raw` are written relative to `local`, independent of the machine.

    Raises:
        ReidopsError: learnt frames are also in test or track.
    """
    check_parts(parts, "parts")
    rows = [{**vars(part), "folder": _address(part.folder, Path(raw), local)} for part in parts]
    write_table(pd.DataFrame(rows, columns=list(PARTS.columns)), Path(raw) / "parts.csv", PARTS)


def local_folder(local: str) -> Path:
    """Return the folder of `download.local`; a relative path starts at the repository's root."""
    return repository_path(local)


def check_parts(parts: list[Part], where: str) -> None:
    """Check that no learnt frames are also in test or track.

    Raises:
        ReidopsError: the message gives the sequence and the frames.
    """
    for learnt in (part for part in parts if part.is_learnt and part.layout == "mot" and not part.is_transductive):
        for other in (part for part in parts if not part.is_learnt and _same_sequence(part, learnt)):
            if learnt.divides_people and learnt.protocol == other.protocol:
                continue  # convert puts each person on one side
            first, last = max(learnt.first_frame, other.first_frame), min(learnt.last_frame, other.last_frame)
            if first <= last:
                raise ReidopsError(
                    f"{where}: frames {first} … {last} of {learnt.sequence} are in {learnt.part} and in {other.part}; "
                    "correct download.split in params.yaml"
                )


def _same_sequence(a: Part, b: Part) -> bool:
    return (a.layout, a.dataset, a.scene) == (b.layout, b.dataset, b.scene)


def _resolve(address: str, raw: Path) -> Path:
    return local_folder(address.removeprefix(LOCAL)) if address.startswith(LOCAL) else raw / address


def _address(folder: Path, raw: Path, local: str | None) -> str:
    if folder.is_relative_to(raw):
        return folder.relative_to(raw).as_posix()
    if local is not None and folder.is_relative_to(local_folder(local)):
        return LOCAL + (Path(local) / folder.relative_to(local_folder(local))).as_posix()
    return LOCAL + folder.as_posix()
