"""Choose the scenes of a search for constants: never reported ones, preferably of people unknown to the model."""

import difflib
from collections.abc import Sequence as Rows
from typing import Any

from reidops.datasets.families import family_of
from reidops.errors import ReidopsError
from reidops.parts import Part

STRANGERS, TRAINED_ON = "strangers", "trained on"


def choose_scenes(parts: Rows[Part], wanted: Rows[str] = ()) -> list[Part]:
    """Return the parts to tune on, one for each sequence.

    Args:
        parts: of the whole data set.
        wanted: scenes or sequences. None given = those that are tested and neither tracked nor trained on, whose people
            the model has not seen; if there are none, all that trained it and are not tracked.

    Raises:
        ReidopsError: nothing is left, or a name is unknown or reported.
    """
    tracked = {_video(part) for part in parts if part.part == "track"}
    free = {
        part.sequence: part
        for kind in ("train", "test")
        for part in parts
        if part.part == kind and part.layout == "mot" and _video(part) not in tracked
    }
    if wanted:
        return _select(list(free.values()), parts, wanted)
    strangers = [part for part in free.values() if people_of(part, parts) == STRANGERS]
    if not free:
        raise ReidopsError(
            "parts.csv: no scene is left to tune constants on, as none with a ground truth trains or is tested without "
            "being tracked;"
            " name a further MOT set in download.test, keep scenes out of download.sequences, or set tune.trials to 0"
        )
    return strangers or list(free.values())


def people_of(part: Part, parts: Rows[Part]) -> str:
    """Return whether the model was trained on people of a part's scene, with or without labels."""
    return (
        TRAINED_ON
        if any(other.is_learnt and other.layout == "mot" and _video(other) == _video(part) for other in parts)
        else STRANGERS
    )


def scene_rows(chosen: Rows[Part], parts: Rows[Part]) -> list[dict[str, Any]]:
    """Return the rows of the report about the scenes that were tuned on."""
    columns = ("dataset", "sequence", "scene", "first_frame", "last_frame")
    return [{name: getattr(part, name) for name in columns} | {"people": people_of(part, parts)} for part in chosen]


def _select(free: list[Part], parts: Rows[Part], wanted: Rows[str]) -> list[Part]:
    tracked = {name for part in parts if part.part == "track" for name in (part.scene, part.sequence)}
    known = {name for part in free for name in (part.scene, part.sequence)}
    for name in wanted:
        if name in known:
            continue
        if name in tracked:
            raise ReidopsError(
                f"tune.sequences: {name} is tracked and reported; constants are tuned on other scenes: "
                f"{_listing(known)}"
            )
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {_listing(known)}"
        raise ReidopsError(f"tune.sequences: {name} is no scene or sequence that trains or is tested; {hint}")
    return [part for part in free if {part.scene, part.sequence} & set(wanted)]


def _listing(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _video(part: Part) -> tuple[str, str]:
    return family_of(part.dataset), part.scene
