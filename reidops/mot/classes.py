"""Classes of annotations: the classes of MOTChallenge, and those of other data sets by number or by name."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.text_rows import read_text

PEDESTRIAN, ON_VEHICLE, CAR, BICYCLE, MOTORBIKE, OTHER_VEHICLE, STATIC_PERSON, CROWD = 1, 2, 3, 4, 5, 6, 7, 13
NUM_CLASSES = 13

# Class names for pedestrians; download.people names others.
PEOPLE_NAMES = frozenset({"person", "pedestrian", "people", "human", "player", "man", "woman", "body"})
_NUMBER_OF = {
    "person_sitting": STATIC_PERSON, "person sitting": STATIC_PERSON, "static person": STATIC_PERSON,
    "static_person": STATIC_PERSON, "person_on_vehicle": ON_VEHICLE, "cyclist": ON_VEHICLE,
    "rider": ON_VEHICLE, "person on vehicle": ON_VEHICLE,
    "bicycle": BICYCLE, "bike": BICYCLE, "motorbike": MOTORBIKE, "motorcycle": MOTORBIKE, "motor": MOTORBIKE,
    "non motorized vehicle": OTHER_VEHICLE, "non-motorized-vehicle": OTHER_VEHICLE, "distractor": 8, "occluder": 9,
    "occluder on the ground": 10, "occluder_on_the_ground": 10, "occluder full": 11, "occluder_full": 11,
    "reflection": 12, "crowd": CROWD,
}  # fmt: skip


def number_of_name(name: str) -> int:
    """Return the MOTChallenge class of a class name; unknown names are not people (3, car).

    >>> number_of_name("Pedestrian"), number_of_name("van"), number_of_name("Person_sitting")
    (1, 3, 7)
    """
    word = name.strip().lower()
    return PEDESTRIAN if word in PEOPLE_NAMES else _NUMBER_OF.get(word, CAR)


def as_people(classes: Sequence[int | str] | np.ndarray, people: Iterable[int | str]) -> np.ndarray:
    """Return MOTChallenge classes, int64 [n]; those in `people` become pedestrians (1), all others do not."""
    wanted = {_key(word) for word in people}
    keys = [_key(word) for word in classes]
    other = [number_of_name(key) if not key.lstrip("-").isdecimal() else int(key) for key in keys]
    kept = [number if 1 < number <= NUM_CLASSES else CAR for number in other]
    return np.array([PEDESTRIAN if key in wanted else number for key, number in zip(keys, kept, strict=True)], int)


def _key(word: int | str) -> str:
    return word.strip().lower() if isinstance(word, str) else str(int(word))


def read_class_names(path: Path) -> dict[int, str]:
    """Return the class names by number, from 1, of the file labels.txt that CVAT's "MOT 1.1" writes beside gt.txt.

    Without the file or a name in it the result is empty.

    Raises:
        ReidopsError: the file is not text.
    """
    if not path.is_file():
        return {}
    names = [line.strip() for line in read_text(path).splitlines()]
    return {number: name for number, name in enumerate(names, 1) if name}


def named_classes(
    classes: np.ndarray, names: Mapping[int, str], people: Iterable[int | str] | None, path: Path
) -> np.ndarray:
    """Return MOTChallenge classes, int64 [n], of the class numbers of a file with names.

    Args:
        people: classes of people, by number or name; None: those with the usual names of people.

    Raises:
        ReidopsError: no class has the name of people, and `people` is None.
    """
    if people is None and not PEOPLE_NAMES & {name.lower() for name in names.values()}:
        dataset = path.parents[3].name if len(path.parents) > 3 else "SET"
        raise ReidopsError(
            f"{path.parent / 'labels.txt'}: none of its classes ({', '.join(names.values())}) has a usual name of "
            f"people; name those that are people in params.yaml: download.people: {{{dataset}: [{names[min(names)]}]}}"
        )
    words = [names.get(int(number), str(int(number))) for number in classes]
    if people is None:
        return np.array([number_of_name(word) for word in words], int)
    return as_people(words, [names.get(word, word) if isinstance(word, int) else word for word in people])


def check_classes(
    classes: np.ndarray, path: Path, wanted: Sequence[int] = (PEDESTRIAN,), *, crops_too: bool = True
) -> None:
    """Check that all classes are those of MOTChallenge, if only its pedestrians are wanted.

    Args:
        crops_too: whether the message names the param for crops, too.

    Raises:
        ReidopsError: there are other classes; the message has their numbers and the params that name people.
    """
    outside = (classes < 1) | (classes > NUM_CLASSES)
    if tuple(wanted) != (PEDESTRIAN,) or not outside.any():
        return
    counts = Counter(np.asarray(classes).tolist())
    found = ", ".join(f"{number} ({count:,} rows)" for number, count in counts.most_common(8))
    odd = int(Counter(classes[outside].tolist()).most_common(1)[0][0])
    where = path.parents[3].name if len(path.parents) > 3 else "SET"
    crops = f", or, for the crops only, convert.classes: [{odd}]" if crops_too else ""
    raise ReidopsError(
        f"{path}: its classes are {found}; MOTChallenge's are 1 … {NUM_CLASSES}, and 1 is a pedestrian. Name the "
        f"classes of people in params.yaml: download.people: {{{where}: [{odd}]}}{crops}"
    )
