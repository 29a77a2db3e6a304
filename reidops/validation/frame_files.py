"""The frames of videos by the content of their files: which frames several videos have in common."""

import os
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Rows
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reidops.files import sha256
from reidops.mot.sequences import Sequence, read_sequence
from reidops.parts import LEARNING, Part
from reidops.validation.leaks import scene_key


@dataclass(frozen=True)
class Frames:
    """The frames of a sequence that are used in one role.

    `key` is the scene key of the video. `name` identifies the frames in messages: "MOT17-09-FRCNN of MOT17 (track)".
    """

    sequence: Sequence
    numbers: range
    key: str
    name: str


def frames_of(parts: Rows[Part], roles: tuple[str, ...]) -> list[Frames]:
    """Return the frames in one of the roles, one entry per video and range.

    The copies of a MOT17 video for several detectors count as one video.
    """
    found: dict[tuple[str, int, int], Frames] = {}
    for part in (part for role in roles for part in parts if part.part == role and part.layout == "mot"):
        key = scene_key(part.dataset, part.scene)
        numbers, name = range(part.first_frame, part.last_frame + 1), f"{part.sequence} of {part.dataset} ({part.part})"
        found.setdefault(
            (key, part.first_frame, part.last_frame), Frames(read_sequence(part.folder), numbers, key, name)
        )
    return list(found.values())


def repeated_frames(parts: Rows[Part]) -> set[tuple[str, int]]:
    """Return (scene key, number) of the frames whose bytes every learnt video holds; none if there are fewer than two.

    Such a picture is a title, a test picture or a drawing, and identifies no video.
    """
    learnt = [part for part in parts if part.is_learnt and part.layout == "mot" and not part.is_transductive]
    videos = {scene_key(part.dataset, part.scene) for part in learnt}
    if len(videos) < 2:
        return set()
    sizes = file_sizes(frames_of(learnt, LEARNING))
    shared = {size for size, frames in sizes.items() if size and {own.key for own, _ in frames} == videos}
    same = by_digest(sizes, shared).values()
    return {(own.key, number) for frames in same if {own.key for own, _ in frames} == videos for own, number in frames}


def file_sizes(side: list[Frames]) -> dict[int, list[tuple[Frames, int]]]:
    """Return the frames whose files exist, by file size in bytes."""
    found: dict[int, list[tuple[Frames, int]]] = defaultdict(list)
    for own in side:
        entries = os.scandir(own.sequence.frames_dir) if own.sequence.frames_dir.is_dir() else ()
        sizes = {entry.name: entry.stat().st_size for entry in entries}
        for number in own.numbers:
            name = own.sequence.frame_path(number).name
            if name in sizes:
                found[sizes[name]].append((own, number))
    return found


def by_digest(sizes: dict[int, list[tuple[Frames, int]]], shared: Iterable[int]) -> dict[str, list[tuple[Frames, int]]]:
    """Return the frames whose file size is in `shared`, by the SHA-256 of the file."""
    frames = [frame for size in sorted(shared) for frame in sizes[size]]
    found: dict[str, list[tuple[Frames, int]]] = defaultdict(list)
    with ThreadPoolExecutor() as pool:
        for frame, digest in zip(frames, pool.map(_digest, frames), strict=True):
            found[digest].append(frame)
    return found


def _digest(frame: tuple[Frames, int]) -> str:
    return sha256(frame[0].sequence.frame_path(frame[1]))
