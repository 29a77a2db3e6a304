"""Assign data sets to the parts train, adapt, test and track without shared people or frames."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reidops.datasets import folder_per_identity
from reidops.datasets.families import family_of
from reidops.datasets.layouts import SetFolder
from reidops.datasets.sets import LAYOUTS
from reidops.errors import ReidopsError
from reidops.mot.crops import check_frames
from reidops.mot.sequences import Sequence, find_sequences, read_sequence
from reidops.mot.splits import FrameRange, split_half, split_scenes
from reidops.parts import IDENTITY, IMAGES, TRANSDUCTIVE, Part


@dataclass(frozen=True)
class Roles:
    """The names of the data sets in each part; `sequences` are scenes or sequence names.

    `split` is how a set is divided that is used for training and for test or tracking: by `scene`, by `half`, by
    `k-fold` (scenes; fold `fold` of `num_folds` is held out) or by `identity` (people; the share `test_share` of the
    people of each held-out scene is tested). A set with one folder per person in its root, which has no published
    division, is divided by people, or with `images` by the crops of each person.

    The sets of `adapt` are used without labels. They are divided as training sets are, except that their held-out
    scenes are left out under `identity`, because people cannot be separated without labels. `adapt_on_test_frames`
    uses the tested and tracked frames too.
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
    adapt: tuple[str, ...] = ()
    adapt_on_test_frames: bool = False

    @property
    def learnt(self) -> tuple[str, ...]:
        """Return the names of the sets that the model learns from, with or without labels."""
        return (*self.train, *self.adapt)

    @property
    def names(self) -> list[str]:
        """Return the unique names of all sets in the order of the parts."""
        return list(dict.fromkeys((*self.train, *self.test, *self.track, *self.adapt)))


Scenes = dict[str, list[Sequence]]  # scene → its detector copies, in the order of `detectors`


def assign_parts(sets: Mapping[str, SetFolder], roles: Roles) -> list[Part]:
    """Return the parts: train first, then adapt, test and track.

    A scene that is tested or tracked is held out. It is not used for training (`scene`, `k-fold`), or only its first
    half (`half`) or some of its people (`identity`) are. Sets of one family share scenes: MOT16-02 and Venice-2 of
    MOT15 are held out if MOT17-02 is.

    Raises:
        ReidopsError: a set has no folder for its part, a name matches nothing, or a part would be empty.
    """
    scenes = {name: _scenes(sets[name], roles.detectors) for name in roles.names if sets[name].layout == "mot"}
    _check_roles(sets, scenes, roles)
    held = _held_scenes(scenes, roles)
    parts = [part for name in roles.train for part in _train_parts(sets[name], scenes.get(name), held, roles)]
    if not roles.names:
        raise ReidopsError("download: train, test, track and adapt are all []; name a data set in one of them")
    if roles.train and not parts:
        raise ReidopsError(
            f"download: every scene of {', '.join(roles.train)} is tested or tracked, so that no training data are "
            f"left; name some of the scenes in download.sequences, or set download.split to half"
        )
    parts += _adapt_parts(sets, scenes, held, roles)
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
                f"download.track: {name} holds single crops; name data sets in the layout of MOTChallenge"
            )
    _check_twins(scenes, roles)
    _check_split(sets, roles)


def _check_twins(scenes: Mapping[str, Scenes], roles: Roles) -> None:
    """Raise an error if two sets in train, or two in adapt, share people, or a ReID set in test does with one of them.

    MOT sets of one family share people in common scenes; `_train_parts` leaves the tested scenes out.
    """
    for part, names in (("train", roles.train), ("adapt", roles.adapt)):
        families = defaultdict(list)
        for name in dict.fromkeys(names):
            families[family_of(name)].append(name)
        for twins in families.values():
            shared = _shared_scenes(twins, scenes)
            if shared:
                raise ReidopsError(
                    f"download.{part}: {' and '.join(twins)} show the same people{_listing(shared)}; name only one of "
                    f"them"
                )
        for name in (name for name in roles.test if name not in scenes):
            _check_tested_twins(name, families.get(family_of(name), []), part)


def _check_tested_twins(name: str, twins: list[str], part: str) -> None:
    for twin in (twin for twin in twins if twin != name):
        raise ReidopsError(
            f"download: {twin} is in {part} and {name} is in test, and they show the same people; name one data set, "
            f"with one protocol, in both"
        )


def _shared_scenes(twins: list[str], scenes: Mapping[str, Scenes]) -> list[str]:
    """Return the scenes that are in several of the sets; a ReID set counts as one scene with the name ""."""
    num_sets = Counter(scene for name in twins for scene in scenes.get(name, [""]))
    return [scene for scene, number in num_sets.items() if number > 1]


def _listing(scenes: list[str]) -> str:
    return f" in {', '.join(scenes)}" if any(scenes) else ""


def _check_split(sets: Mapping[str, SetFolder], roles: Roles) -> None:
    if roles.split == "k-fold" and roles.sequences:
        raise ReidopsError(
            f"download.sequences is {', '.join(roles.sequences)}, but download.split: k-fold selects the scenes; set "
            f"download.sequences to []"
        )
    if roles.split == "k-fold" and not 0 <= roles.fold < roles.num_folds:
        raise ReidopsError(
            f"download.fold is {roles.fold}, expected 0 … {roles.num_folds - 1} (num_folds is {roles.num_folds})"
        )
    if roles.split == "images":
        _check_images(sets, roles)
    if roles.split != "identity":
        return
    both = sorted({family_of(name) for name in roles.train} & {family_of(name) for name in roles.track})
    if both:
        raise ReidopsError(
            f"download.split: identity trains on people of every scene, but {', '.join(both)} is also tracked, so that "
            f"its metrics would be computed on training frames; use scene, k-fold or half, or track another data set"
        )
    for name in roles.test:
        if name not in roles.train and family_of(name) in {family_of(twin) for twin in roles.train}:
            raise ReidopsError(
                f"download.split: identity divides the people of one data set; name {name} in download.train, too"
            )
    if not any(sets[name].layout == "mot" or _is_divided(sets[name], roles) for name in roles.train):
        raise ReidopsError(
            "download.split: identity divides the people of MOT sets and of sets with one folder per person in their "
            "root, and download.train names none; use scene"
        )


def _check_images(sets: Mapping[str, SetFolder], roles: Roles) -> None:
    """Raise an error if download.split is images and no set, or a MOT set, would be divided."""
    for name in roles.train:
        if sets[name].layout == "mot" and name in (*roles.test, *roles.track):
            raise ReidopsError(
                f"download.split: images divides the crops of sets with one folder per person, and {name} has "
                f"sequences; use scene, half, k-fold or identity"
            )
    if not any(_is_divided(sets[name], roles) for name in roles.train):
        raise ReidopsError(
            "download.split: images divides the crops of a set with one folder per person in its root that is in "
            "download.train and in download.test, and there is none; use scene"
        )


def _is_divided(found: SetFolder, roles: Roles) -> bool:
    """Return whether a set without a division of its own trains and is tested."""
    is_plain = found.layout == folder_per_identity.SET.layout and not folder_per_identity.has_sides(found.folder)
    return is_plain and found.name in roles.learnt and found.name in roles.test


def _scenes(found: SetFolder, detectors: tuple[str, ...]) -> Scenes:
    """Return the scenes of a set with their copies for `detectors`; a set without detector copies has one each."""
    copies: dict[str, dict[str, Sequence]] = defaultdict(dict)
    for sequence in find_sequences(found.folder):
        twin = copies[sequence.scene].get(sequence.detector)
        if twin is not None:
            raise ReidopsError(
                f"{sequence.folder}: shows scene {sequence.scene}, as {twin.name} does; put one of the two into a "
                f"separate data set"
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
            f"{folder}: the scene has the detector copies {', '.join(by_detector)}; download.detectors is "
            f"{', '.join(detectors)}; name one of the copies there"
        )
    return wanted


def _held_scenes(scenes: Mapping[str, Scenes], roles: Roles) -> dict[str, list[str]]:
    """Return the scenes of each set that are tested or tracked."""
    learnt = {family_of(name) for name in roles.learnt}
    held = {}
    for name in dict.fromkeys((*roles.track, *roles.test)):
        if name not in scenes:
            continue
        if roles.split == "k-fold" and family_of(name) in learnt:
            held[name] = _fold(scenes[name], roles, name)
        elif name in roles.track:
            held[name] = _select(scenes[name], roles.sequences, name)
        elif family_of(name) not in learnt:
            held[name] = list(scenes[name])
        elif roles.sequences or roles.split == "identity":
            held[name] = _select(scenes[name], roles.sequences, name)
        else:
            raise ReidopsError(
                f"download: {name} is in {_learnt_as(name, roles)} and in test, so that its people would be on both "
                f"sides; name the scenes to test in download.sequences ({', '.join(scenes[name])})"
            )
    if held:  # else there is no scene, as in sets of crops, and `sequences` has no effect
        _check_sequences(scenes, held, roles.sequences)
    return held


def _learnt_as(name: str, roles: Roles) -> str:
    return "train" if family_of(name) in {family_of(other) for other in roles.train} else "adapt"


def _fold(scenes: Scenes, roles: Roles, name: str) -> list[str]:
    """Return the scenes of one fold; the folds depend on the scenes and `num_folds` only."""
    if roles.num_folds > len(scenes):
        raise ReidopsError(
            f"download.num_folds is {roles.num_folds}, but {name} has {len(scenes)} scenes; set it to at most "
            f"{len(scenes)}"
        )
    return split_scenes(list(scenes), roles.num_folds, np.random.default_rng(0))[roles.fold]


def _select(scenes: Scenes, wanted: tuple[str, ...], name: str) -> list[str]:
    """Return the scenes that `wanted` names by scene or sequence, or all scenes if it is empty."""
    if not wanted:
        return list(scenes)
    chosen = [scene for scene, copies in scenes.items() if {scene, *(copy.name for copy in copies)} & set(wanted)]
    if not chosen:
        raise ReidopsError(
            f"download.sequences: none of {', '.join(wanted)} is in {name}; name some of its scenes {', '.join(scenes)}"
        )
    return chosen


def _check_sequences(scenes: Mapping[str, Scenes], held: Mapping[str, list[str]], wanted: tuple[str, ...]) -> None:
    """Raise an error for a name in `sequences` that matches no scene or sequence, most likely a typing error."""
    known = {
        word
        for name in held
        for scene, copies in scenes[name].items()
        for word in (scene, *(copy.name for copy in copies))
    }
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known)) or 'none'}"
            raise ReidopsError(
                f"download.sequences: {name} is not a scene or sequence of a tested or tracked data set; {hint}"
            )


def _train_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_reid_part("train", found, roles)]
    held_here = _held_of_family(found, held)
    parts = []
    for scene, copies in scenes.items():
        if scene not in held_here:
            parts.append(_part("train", found, copies[0], FrameRange(1, copies[0].length)))
        elif roles.split == "half":
            parts.append(_part("train", found, copies[0], split_half(copies[0].length)[0]))
        elif roles.split == "identity":
            parts.append(_part("train", found, copies[0], FrameRange(1, copies[0].length), _divided(roles)))
    return parts


def _held_of_family(found: SetFolder, held: Mapping[str, list[str]]) -> set[str]:
    """Return the tested and tracked scenes of all sets of a family."""
    return {scene for name, names in held.items() if family_of(name) == family_of(found.name) for scene in names}


def _adapt_parts(
    sets: Mapping[str, SetFolder], scenes: Mapping[str, Scenes], held: Mapping[str, list[str]], roles: Roles
) -> list[Part]:
    """Return the parts that are used without labels.

    Raises:
        ReidopsError: every scene of a set is tested or tracked.
    """
    parts = []
    for name in dict.fromkeys(roles.adapt):
        found = sets[name]
        added = _unlabelled(found, scenes[name], held, roles) if name in scenes else [_reid_part("adapt", found, roles)]
        if not added:
            raise ReidopsError(
                f"download.adapt: every scene of {name} is tested or tracked, so that no frames are left; name some of "
                f"the scenes in download.sequences, or set download.split to half"
            )
        parts += added
    return parts


def _unlabelled(found: SetFolder, scenes: Scenes, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    held_here = _held_of_family(found, held)
    parts = []
    for scene, (copy, *_) in scenes.items():
        whole = FrameRange(1, copy.last_frame)
        if scene not in held_here:
            parts.append(_part("adapt", found, copy, whole))
        elif roles.adapt_on_test_frames:
            parts.append(_part("adapt", found, copy, whole, TRANSDUCTIVE))
        elif roles.split == "half":
            parts.append(_part("adapt", found, copy, split_half(copy.length)[0]))
    return parts


def _divided(roles: Roles) -> str:
    return f"{IDENTITY}{roles.test_share:g}"


def _test_parts(found: SetFolder, scenes: Scenes | None, held: Mapping[str, list[str]], roles: Roles) -> list[Part]:
    if scenes is None:
        return [_reid_part("test", found, roles)]
    trains = family_of(found.name) in {family_of(name) for name in roles.train}
    whole = family_of(found.name) not in {family_of(name) for name in roles.learnt} and found.name not in roles.track
    protocol = _divided(roles) if roles.split == "identity" and trains else ""
    return [
        _part("test", found, copy, FrameRange(1, copy.length) if whole else _held_frames(copy, roles), protocol)
        for copy in (scenes[scene][0] for scene in held[found.name])
    ]


def _held_frames(sequence: Sequence, roles: Roles) -> FrameRange:
    frames = split_half(sequence.length)[1] if roles.split == "half" else FrameRange(1, sequence.length)
    if frames.last < frames.first:
        raise ReidopsError(
            f"{sequence.folder}: has {sequence.length} frames, too few for download.split: half; use scene or k-fold"
        )
    return frames


def _part(part: str, found: SetFolder, sequence: Sequence, frames: FrameRange, protocol: str = "") -> Part:
    return Part(
        part, found.name, "mot", sequence.folder, sequence.name, sequence.scene, frames.first, frames.last, protocol
    )


def _reid_part(part: str, found: SetFolder, roles: Roles) -> Part:
    protocol = found.protocol
    if _is_divided(found, roles):
        protocol = f"{IMAGES if roles.split == 'images' else IDENTITY}{roles.test_share:g}"
    return Part(part, found.name, found.layout, found.folder, "", found.name, 0, 0, protocol)


def _check_part(part: Part) -> None:
    """Check that the folder of a part holds the files that the part reads.

    Raises:
        ReidopsError: a file or folder is missing or empty, or a frame is missing.
    """
    learnt = "train" if part.is_learnt else part.part
    if part.layout == "mot":
        # det.txt is checked by the stage `detect`, which may use other detections; frames are checked below.
        needed: tuple[str, ...] = () if part.part == "adapt" else ("gt/gt.txt",)
    else:
        needed = LAYOUTS[part.layout].reads(learnt, part.protocol)
        if not needed:
            raise ReidopsError(
                f"download.{part.part}: {part.dataset} has no {'training' if part.is_learnt else 'test'} people; "
                f"name another data set"
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
