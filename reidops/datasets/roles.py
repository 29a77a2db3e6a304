"""Who plays which part: from sets and the user's wishes to parts whose people and frames stay apart."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidops.datasets.families import family_of
from reidops.datasets.layouts import SetFolder
from reidops.datasets.sets import LAYOUTS
from reidops.errors import ReidopsError
from reidops.mot.crops import check_frames
from reidops.mot.sequences import Sequence, find_sequences, read_sequence
from reidops.mot.splits import FrameRange, split_half, split_scenes
from reidops.parts import IDENTITY, Part


@dataclass(frozen=True)
class Roles:
    """The names of the sets in each part; `sequences` are scenes or sequence names.

    `split` says how a set that trains and is tested or tracked is divided: by `scene`, `half`, `k-fold` (scenes, `fold`
    of `num_folds` is held) or `identity` (people; `test_share` of each held scene's are tested).
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    track: tuple[str, ...]
    sequences: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ("FRCNN",)
    split: str = "scene"
    num_folds: int = 5
    fold: int = 0
    test_share: float = 0.5

    @property
    def names(self) -> list[str]:
        """Return every set that plays a part, once, in the order of the parts."""
        return list(dict.fromkeys((*self.train, *self.test, *self.track)))


Scenes = dict[str, list[Sequence]]  # scene → its copies, in the order of `detectors`


def assign_parts(sets: Mapping[str, SetFolder], roles: Roles) -> list[Part]:
    """Return the parts: train first, then test, then track.

    A scene that is tested or tracked ("held") trains nobody (`scene`, `k-fold`), only until its half (`half`), or only
    some of its people (`identity`); scenes are the same in sets of one family, so MOT16-02 and MOT15's Venice-2 are
    held where MOT17-02 is.

    Raises:
        ReidopsError: a set has no folder for its part, a name matches nothing, or a part would be empty.
    """
    scenes = {name: _scenes(sets[name], roles.detectors) for name in roles.names if sets[name].layout == "mot"}
    _check_roles(sets, scenes, roles)
    held = _held_scenes(scenes, roles)
    parts = [part for name in roles.train for part in _train_parts(sets[name], scenes.get(name), held, roles)]
    if not roles.names:
        raise ReidopsError("download: train, test and track are all []; name a set in one of them")
    if roles.train and not parts:
        raise ReidopsError(
            f"download: every scene of {', '.join(roles.train) or 'download.train'} is tested or tracked, nobody is "
            f"left to train;"
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


def _check_roles(sets: Mapping[str, SetFolder], scenes: Mapping[str, Scenes], roles: Roles) -> None:
    for name in roles.track:
        if sets[name].layout != "mot":
            raise ReidopsError(
                f"download.track: {name} holds single crops; only sets in MOTChallenge's layout can be tracked"
            )
    _check_twins(scenes, roles)
    _check_split(sets, roles)


def _check_twins(scenes: Mapping[str, Scenes], roles: Roles) -> None:
    """Refuse two sets of the same people in train, and a ReID set in test that shares people with another one in train.

    MOT sets of one family share the people of the scenes that both have; what is tested of these, `_train_parts` leaves
    out.
    """
    families = defaultdict(list)
    for name in dict.fromkeys(roles.train):
        families[family_of(name)].append(name)
    for twins in families.values():
        shared = _shared_scenes(twins, scenes)
        if shared:
            raise ReidopsError(
                f"download.train: {' and '.join(twins)} show the same people{_listing(shared)}; name one of them"
            )
    for name in roles.test:
        for twin in families.get(family_of(name), []):
            if twin != name and name not in scenes:
                raise ReidopsError(
                    f"download: {twin} trains and {name} is tested, and they show the same people; name one set, with "
                    f"one protocol, in both"
                )


def _shared_scenes(twins: list[str], scenes: Mapping[str, Scenes]) -> list[str]:
    """Return the scenes that several of the sets have; a ReID set is one scene without a name."""
    num_sets = Counter(scene for name in twins for scene in scenes.get(name, [""]))
    return [scene for scene, number in num_sets.items() if number > 1]


def _listing(scenes: list[str]) -> str:
    return f" in {', '.join(scenes)}" if any(scenes) else ""


def _check_split(sets: Mapping[str, SetFolder], roles: Roles) -> None:
    if roles.split == "k-fold" and roles.sequences:
        raise ReidopsError(
            f"download.sequences is {', '.join(roles.sequences)}, but split k-fold chooses the scenes itself; set it "
            f"to []"
        )
    if roles.split == "k-fold" and not 0 <= roles.fold < roles.num_folds:
        raise ReidopsError(
            f"download.fold is {roles.fold}, expected 0 … {roles.num_folds - 1} (num_folds is {roles.num_folds})"
        )
    if roles.split != "identity":
        return
    both = sorted({family_of(name) for name in roles.train} & {family_of(name) for name in roles.track})
    if both:
        raise ReidopsError(
            f"download.split: identity trains on people of every scene, and {', '.join(both)} is tracked too: its "
            f"figures would be of"
            " frames that were trained on; use scene, k-fold or half, or track another set"
        )
    for name in roles.test:
        if name not in roles.train and family_of(name) in {family_of(twin) for twin in roles.train}:
            raise ReidopsError(
                f"download.split: identity divides the people of one set; name {name} in download.train, too"
            )
    if not any(sets[name].layout == "mot" for name in roles.train):
        raise ReidopsError(
            "download.split: identity divides the people of MOT sets, and download.train names none; use scene"
        )


def _scenes(found: SetFolder, detectors: tuple[str, ...]) -> Scenes:
    """Return the set's scenes, each with the copies that `detectors` names; a set without copies has one per scene."""
    copies: dict[str, dict[str, Sequence]] = defaultdict(dict)
    for sequence in find_sequences(found.folder):
        twin = copies[sequence.scene].get(sequence.detector)
        if twin is not None:
            raise ReidopsError(
                f"{sequence.folder}: shows scene {sequence.scene}, as {twin.name} does; put one of the two into a set "
                f"of its own"
            )
        copies[sequence.scene][sequence.detector] = sequence
    return {scene: _wanted_copies(by_detector, detectors) for scene, by_detector in copies.items()}


def _wanted_copies(by_detector: dict[str, Sequence], detectors: tuple[str, ...]) -> list[Sequence]:
    if "" in by_detector:
        return [by_detector[""]]
    wanted = [by_detector[detector] for detector in detectors if detector in by_detector]
    if not wanted:
        folder = next(iter(by_detector.values())).folder
        raise ReidopsError(
            f"{folder}: there are the detector copies {', '.join(by_detector)}; download.detectors is "
            f"{', '.join(detectors)}"
        )
    return wanted


def _held_scenes(scenes: Mapping[str, Scenes], roles: Roles) -> dict[str, list[str]]:
    """Return the scenes of each set that are tested or tracked."""
    training = {family_of(name) for name in roles.train}
    held = {}
    for name in dict.fromkeys((*roles.track, *roles.test)):
        if name not in scenes:
            continue
        if roles.split == "k-fold" and family_of(name) in training:
            held[name] = _fold(scenes[name], roles, name)
        elif name in roles.track:
            held[name] = _select(scenes[name], roles.sequences, name)
        elif family_of(name) not in training:
            held[name] = list(scenes[name])
        elif roles.sequences or roles.split == "identity":
            held[name] = _select(scenes[name], roles.sequences, name)
        else:
            raise ReidopsError(
                f"download: {name} is in train and in test, and its people would be on both sides;"
                f" name the scenes to test in download.sequences ({', '.join(scenes[name])})"
            )
    _check_sequences(scenes, held, roles.sequences)
    return held


def _fold(scenes: Scenes, roles: Roles, name: str) -> list[str]:
    """Return the scenes of one fold; the folds are the same whatever else is named."""
    if roles.num_folds > len(scenes):
        raise ReidopsError(
            f"download.num_folds is {roles.num_folds}, but {name} has {len(scenes)} scenes: a fold needs one"
        )
    return split_scenes(list(scenes), roles.num_folds, np.random.default_rng(0))[roles.fold]


def _select(scenes: Scenes, wanted: tuple[str, ...], name: str) -> list[str]:
    """Return the scenes that are named, by themselves or by a sequence; all where none is named."""
    if not wanted:
        return list(scenes)
    chosen = [scene for scene, copies in scenes.items() if {scene, *(copy.name for copy in copies)} & set(wanted)]
    if not chosen:
        raise ReidopsError(
            f"download.sequences: {', '.join(wanted)}: none of them is in {name}, which has the scenes "
            f"{', '.join(scenes)}"
        )
    return chosen


def _check_sequences(scenes: Mapping[str, Scenes], held: Mapping[str, list[str]], wanted: tuple[str, ...]) -> None:
    """Refuse a name in `sequences` that matches nothing, which would be a typing error."""
    known = {
        word
        for name in held
        for scene, copies in scenes[name].items()
        for word in (scene, *(copy.name for copy in copies))
    }
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
            raise ReidopsError(f"download.sequences: {name} is no scene or sequence of a tested or tracked set; {hint}")


def _train_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_reid_part("train", found)]
    held_here = {scene for name, names in held.items() if family_of(name) == family_of(found.name) for scene in names}
    parts = []
    for scene, copies in scenes.items():
        if scene not in held_here:
            parts.append(_part("train", found, copies[0], FrameRange(1, copies[0].length)))
        elif roles.split == "half":
            parts.append(_part("train", found, copies[0], split_half(copies[0].length)[0]))
        elif roles.split == "identity":
            parts.append(_part("train", found, copies[0], FrameRange(1, copies[0].length), _divided(roles)))
    return parts


def _divided(roles: Roles) -> str:
    return f"{IDENTITY}{roles.test_share:g}"


def _test_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_reid_part("test", found)]
    trains = family_of(found.name) in {family_of(name) for name in roles.train}
    whole = not trains and found.name not in roles.track
    protocol = _divided(roles) if roles.split == "identity" and trains else ""
    return [
        _part("test", found, copy, FrameRange(1, copy.length) if whole else _held_frames(copy, roles), protocol)
        for copy in (scenes[scene][0] for scene in held[found.name])
    ]


def _held_frames(sequence: Sequence, roles: Roles) -> FrameRange:
    frames = split_half(sequence.length)[1] if roles.split == "half" else FrameRange(1, sequence.length)
    if frames.last < frames.first:
        raise ReidopsError(
            f"{sequence.folder}: has {sequence.length} frames, which is too short for download.split: half"
        )
    return frames


def _part(part: str, found: SetFolder, sequence: Sequence, frames: FrameRange, protocol: str = "") -> Part:
    return Part(
        part, found.name, "mot", sequence.folder, sequence.name, sequence.scene, frames.first, frames.last, protocol
    )


def _reid_part(part: str, found: SetFolder) -> Part:
    return Part(part, found.name, found.layout, found.folder, "", found.name, 0, 0, found.protocol)


def _check_part(part: Part) -> None:
    """Refuse a folder that lacks what its part reads.

    Raises:
        ReidopsError: names what is missing.
    """
    if part.layout == "mot":
        # det.txt is checked by the stage `detect`, which may have other detections; frames are checked below.
        needed: tuple[str, ...] = ("gt/gt.txt",)
    else:
        needed = LAYOUTS[part.layout].reads(part.part, part.protocol)
        if not needed:
            raise ReidopsError(
                f"download.{part.part}: {part.dataset} has no {'training' if part.part == 'train' else 'test'} people; "
                f"take another set"
            )
    missing = [name for name in needed if not _is_there(part.folder / name)]
    if missing:
        raise ReidopsError(
            f"{part.folder}: {', '.join(missing)} is missing or empty; {part.part} needs {', '.join(needed)}"
        )
    if part.layout == "mot":
        check_frames(read_sequence(part.folder), part.first_frame, part.last_frame)


def _is_there(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
