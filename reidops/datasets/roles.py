"""Who plays which part: from sets and the user's wishes to parts whose people and frames stay apart."""

import difflib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reidops.datasets import market1501
from reidops.datasets.motchallenge import family_of
from reidops.datasets.obtaining import SetFolder
from reidops.errors import ReidopsError
from reidops.mot.crops import check_frames
from reidops.mot.sequences import Sequence, find_sequences, read_sequence
from reidops.mot.splits import FrameRange, split_half
from reidops.parts import Part


@dataclass(frozen=True)
class Roles:
    """The names of the sets in each part; `sequences` are scenes or sequence names; `split` is scene or half."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    track: tuple[str, ...]
    sequences: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ("FRCNN",)
    split: str = "scene"

    @property
    def names(self) -> list[str]:
        """Return every set that plays a part, once, in the order of the parts."""
        return list(dict.fromkeys((*self.train, *self.test, *self.track)))


Scenes = dict[str, list[Sequence]]  # scene → its copies, in the order of `detectors`


def assign_parts(sets: Mapping[str, SetFolder], roles: Roles) -> list[Part]:
    """Return the parts: train first, then test, then track.

    A scene that is tested or tracked ("held") trains nobody (`scene`), or only until its half (`half`); scenes are the same in
    sets of one family, so MOT16-02 is held where MOT17-02 is.

    Raises:
        ReidopsError: a set has no folder for its part, a name matches nothing, or a part would be empty.
    """
    scenes = {name: _scenes(sets[name], roles.detectors) for name in roles.names if sets[name].layout == "mot"}
    _check_roles(sets, roles)
    held = _held_scenes(scenes, roles)
    parts = [part for name in roles.train for part in _train_parts(sets[name], scenes.get(name), held, roles)]
    if not parts:
        raise ReidopsError(
            f"download: every scene of {', '.join(roles.train) or 'download.train'} is tested or tracked, nobody is left to train;"
            " name some of them in download.sequences, or set download.split to half"
        )
    parts += [part for name in roles.test for part in _test_parts(sets[name], scenes.get(name), held, roles)]
    parts += [
        _part("track", sets[name], copy, _held_frames(copy, roles))
        for name in roles.track
        for scene in held[name]
        for copy in scenes[name][scene]
    ]
    for part in parts:
        _check_part(part)
    return parts


def _check_roles(sets: Mapping[str, SetFolder], roles: Roles) -> None:
    for name in roles.track:
        if sets[name].layout != "mot":
            raise ReidopsError(f"download.track: {name} holds single crops; only sets in MOTChallenge's layout can be tracked")
    families = defaultdict(list)
    for name in dict.fromkeys(roles.train):
        families[family_of(name)].append(name)
    for twins in families.values():
        if len(twins) > 1:
            raise ReidopsError(f"download.train: {' and '.join(twins)} show the same people; name one of them")


def _scenes(found: SetFolder, detectors: tuple[str, ...]) -> Scenes:
    """Return the set's scenes, each with the copies that `detectors` names; a set without copies has one per scene."""
    copies: dict[str, dict[str, Sequence]] = defaultdict(dict)
    for sequence in find_sequences(found.folder):
        copies[sequence.scene][sequence.detector] = sequence
    return {scene: _wanted_copies(by_detector, detectors) for scene, by_detector in copies.items()}


def _wanted_copies(by_detector: dict[str, Sequence], detectors: tuple[str, ...]) -> list[Sequence]:
    if "" in by_detector:
        return [by_detector[""]]
    wanted = [by_detector[detector] for detector in detectors if detector in by_detector]
    if not wanted:
        folder = next(iter(by_detector.values())).folder
        raise ReidopsError(f"{folder}: there are the detector copies {', '.join(by_detector)}; download.detectors is {', '.join(detectors)}")
    return wanted


def _held_scenes(scenes: Mapping[str, Scenes], roles: Roles) -> dict[str, list[str]]:
    """Return the scenes of each set that are tested or tracked."""
    training = {family_of(name) for name in roles.train}
    held = {}
    for name in dict.fromkeys((*roles.track, *roles.test)):
        if name not in scenes:
            continue
        if name in roles.track:
            held[name] = _select(scenes[name], roles.sequences, name)
        elif family_of(name) not in training:
            held[name] = list(scenes[name])
        elif roles.sequences:
            held[name] = _select(scenes[name], roles.sequences, name)
        else:
            raise ReidopsError(
                f"download: {name} is in train and in test, and its people would be on both sides;"
                f" name the scenes to test in download.sequences ({', '.join(scenes[name])})"
            )
    _check_sequences(scenes, held, roles.sequences)
    return held


def _select(scenes: Scenes, wanted: tuple[str, ...], name: str) -> list[str]:
    """Return the scenes that are named, by themselves or by a sequence; all where none is named."""
    if not wanted:
        return list(scenes)
    chosen = [scene for scene, copies in scenes.items() if {scene, *(copy.name for copy in copies)} & set(wanted)]
    if not chosen:
        raise ReidopsError(f"download.sequences: {', '.join(wanted)}: none of them is in {name}, which has the scenes {', '.join(scenes)}")
    return chosen


def _check_sequences(scenes: Mapping[str, Scenes], held: Mapping[str, list[str]], wanted: tuple[str, ...]) -> None:
    """Refuse a name in `sequences` that matches nothing, which would be a typing error."""
    known = {word for name in held for scene, copies in scenes[name].items() for word in (scene, *(copy.name for copy in copies))}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
            raise ReidopsError(f"download.sequences: {name} is no scene or sequence of a tested or tracked set; {hint}")


def _train_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_market_part("train", found)]
    held_here = {scene for name, names in held.items() if family_of(name) == family_of(found.name) for scene in names}
    parts = []
    for scene, copies in scenes.items():
        if scene not in held_here:
            parts.append(_part("train", found, copies[0], FrameRange(1, copies[0].length)))
        elif roles.split == "half":
            parts.append(_part("train", found, copies[0], split_half(copies[0].length)[0]))
    return parts


def _test_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_market_part("test", found)]
    trains = family_of(found.name) in {family_of(name) for name in roles.train}
    whole = not trains and found.name not in roles.track
    return [
        _part("test", found, copy, FrameRange(1, copy.length) if whole else _held_frames(copy, roles))
        for copy in (scenes[scene][0] for scene in held[found.name])
    ]


def _held_frames(sequence: Sequence, roles: Roles) -> FrameRange:
    frames = split_half(sequence.length)[1] if roles.split == "half" else FrameRange(1, sequence.length)
    if frames.last < frames.first:
        raise ReidopsError(f"{sequence.folder}: has {sequence.length} frames, which is too short for download.split: half")
    return frames


def _part(part: str, found: SetFolder, sequence: Sequence, frames: FrameRange) -> Part:
    return Part(part, found.name, "mot", sequence.folder, sequence.name, sequence.scene, frames.first, frames.last)


def _market_part(part: str, found: SetFolder) -> Part:
    return Part(part, found.name, "market1501", found.folder, "", found.name, 0, 0)


def _check_part(part: Part) -> None:
    """Refuse a folder that lacks what its part reads.

    Raises:
        ReidopsError: names what is missing.
    """
    if part.layout == "market1501":
        needed = market1501.TRAIN_FOLDERS if part.part == "train" else market1501.TEST_FOLDERS
        missing = [name for name in needed if not _has_files(part.folder / name)]
    else:
        needed = ("img1", "gt/gt.txt") + (("det/det.txt",) if part.part == "track" else ())
        missing = [name for name in needed if not (part.folder / name).exists()]
    if missing:
        raise ReidopsError(f"{part.folder}: {', '.join(missing)} is missing or empty; {part.part} needs {', '.join(needed)}")
    if part.layout == "mot":
        check_frames(read_sequence(part.folder), part.first_frame, part.last_frame)


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
