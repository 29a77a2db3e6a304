"""Find videos and folders of frames without annotations, and describe them in the layout of MOTChallenge.

Only text is written (seqinfo.ini, times.csv, copies of det.txt and gt.txt), below data/raw. The frames stay in the
user's files; a video is not unpacked.
"""

import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reidops.datasets.inventory import check_inventory
from reidops.datasets.layouts import SetFolder, listing
from reidops.errors import ReidopsError
from reidops.image_headers import read_size
from reidops.mot.frame_files import VIDEO_SUFFIXES, has_pictures, is_video, list_frames
from reidops.mot.frame_times import write_times
from reidops.mot.sequences import LOCAL_FRAMES, read_sequence
from reidops.mot.video_facts import DEFAULT_FRAME_RATE, read_facts
from reidops.parts import LOCAL, Part, local_folder, read_parts

log = logging.getLogger(__name__)


class NoFootage(ReidopsError):
    """The folder of download.videos holds no video and no folder of frames."""


@dataclass(frozen=True)
class Footage:
    """A video file or a folder of frames; `name` is that of its sequence, `folder` the sequence's folder or None."""

    name: str
    frames: Path
    folder: Path | None = None


def find_footage(folder: Path) -> list[Footage]:
    """Return the videos and folders of frames in a folder and its subfolders, in the order of their paths.

    A sequence is named by its path: the video `hall/monday.mp4` by `hall-monday`.

    Raises:
        NoFootage: the folder holds neither.
        ReidopsError: the folder is missing, or two names are equal.
    """
    if not folder.is_dir():
        raise ReidopsError(f"download.videos: {folder} is not a folder; a relative path starts at the repository")
    found = list(_below(folder, (), frozenset({folder.resolve()})))
    if not found:
        raise NoFootage(
            f"download.videos: {folder} holds no video ({', '.join(VIDEO_SUFFIXES[:5])}, …) and no folder of frames; "
            f"it holds {listing(folder)}"
        )
    names = [footage.name for footage in found]
    for name in names:
        if names.count(name) > 1:
            both = " and ".join(str(footage.frames) for footage in found if footage.name == name)
            raise ReidopsError(f"download.videos: {both} would have the same name {name}; rename one of them")
    return found


def write_video_set(videos: str, raw: Path) -> SetFolder:
    """Describe the videos of a folder below `raw` as a set in the layout of MOTChallenge.

    The set has the name of the folder.

    Args:
        videos: download.videos.

    Raises:
        ReidopsError: there is no video, or one cannot be read at all; the message has the number of readable frames.
    """
    folder = local_folder(videos)
    name = folder.resolve().name
    target = raw / name
    if target.exists():
        raise ReidopsError(f"download.videos: {folder} has the name of a data set in use, {name}; rename the folder")
    for footage in find_footage(folder):
        place = (Path(videos) / footage.frames.relative_to(folder)).as_posix()
        _describe(footage, target / "train" / footage.name, f"{LOCAL_FRAMES}{place}")
    return SetFolder(name, "mot", target, f"{LOCAL}{videos}")


def _below(folder: Path, names: tuple[str, ...], above: frozenset[Path]) -> Iterator[Footage]:
    """Yield the footage in a folder and its subfolders.

    Args:
        names: the names of the folders on the way to `folder`.
        above: the real paths of these folders; a link to one of them is a cycle and is not followed.
    """
    if names and (folder / "seqinfo.ini").is_file():
        yield Footage(_joined(names), read_sequence(folder).frames_dir, folder)
    elif has_pictures(folder):
        yield Footage(_joined(names or (folder.resolve().name,)), folder)
    elif (folder / "img1").is_dir() and has_pictures(folder / "img1"):
        yield Footage(_joined(names or (folder.resolve().name,)), folder / "img1", folder)
    else:
        for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
            if path.is_dir():
                real = path.resolve()
                if real not in above:
                    yield from _below(path, (*names, path.name), above | {real})
            elif is_video(path):
                yield Footage(_joined((*names, path.stem)), path)


def _joined(names: tuple[str, ...]) -> str:
    return "-".join(re.sub(r"[\s,]+", "_", name) for name in names)


def _describe(footage: Footage, target: Path, frames: str) -> None:
    """Write seqinfo.ini, the varying times of the frames, and copies of the detections and annotations beside them."""
    target.mkdir(parents=True)
    facts = _video_facts(footage, target) if is_video(footage.frames) else _folder_facts(footage)
    rows = {"name": footage.name, "imDir": frames, **facts}
    (target / "seqinfo.ini").write_text("[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in rows.items()))
    base = footage.folder or footage.frames
    for kind, beside in (("det", base.with_suffix(".txt")), ("gt", None)):
        inside = base / kind / f"{kind}.txt"
        source = next((path for path in (inside, beside) if path is not None and path.is_file()), None)
        if source is not None:
            (target / kind).mkdir()
            shutil.copyfile(source, target / kind / f"{kind}.txt")


def _video_facts(footage: Footage, target: Path) -> dict[str, object]:
    facts = read_facts(footage.frames)
    if facts.times:
        write_times(facts.times, target)
        log.info("%s: the frame rate varies, %.3g fps in the mean", footage.frames, facts.frame_rate)
    found: dict[str, object] = {
        "frameRate": f"{facts.frame_rate:g}",
        "seqLength": facts.length,
        "imWidth": facts.width,
        "imHeight": facts.height,
    }
    if facts.num_packets < facts.length:
        log.warning(
            "%s: broke off: %d of its %d frames can be read; these are used, copy the file again to use all of them",
            footage.frames,
            facts.num_packets,
            facts.length,
        )
        found["readable"] = facts.num_packets
    return found


def _folder_facts(footage: Footage) -> dict[str, object]:
    if footage.folder is not None and (footage.folder / "seqinfo.ini").is_file():
        known = read_sequence(footage.folder)
        size, rate, length = (known.width, known.height), known.frame_rate, known.length
    else:
        files = list_frames(footage.frames)
        if files is None:
            raise ReidopsError(f"{footage.frames}: holds no picture; put the frames there")
        first = footage.frames / files.names[0]
        size, rate, length = read_size(first.read_bytes(), str(first)), DEFAULT_FRAME_RATE, len(files.names)
        log.info("%s: a frame rate of %g fps is assumed; set it in seqinfo.ini", footage.frames, rate)
    return {"frameRate": f"{rate:g}", "seqLength": length, "imWidth": size[0], "imHeight": size[1]}


def changed_footage(videos: str, raw: Path) -> list[str]:
    """Return the names of the videos that were added, removed or changed since `download` described them in `raw`.

    Args:
        videos: download.videos.

    Raises:
        NoFootage: the folder holds no video.
        ReidopsError: the folder is missing.
    """
    folder = local_folder(videos)
    found = {footage.name for footage in find_footage(folder)}
    if not (raw / "parts.csv").is_file():
        return sorted(found)
    parts = [part for part in read_parts(raw) if part.part == "adapt" and part.dataset == folder.resolve().name]
    differing = found ^ {part.sequence for part in parts}
    return sorted(differing) if differing else _changed(parts, raw)


def _changed(parts: list[Part], raw: Path) -> list[str]:
    """Return the names of the parts if the content of any of them differs from the inventory."""
    try:
        check_inventory(parts, raw)
    except ReidopsError:
        return [part.sequence for part in parts]
    return []
