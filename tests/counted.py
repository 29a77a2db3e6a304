"""Count the people and crops of a ReID set's parts, in the form of the published counts."""

from pathlib import Path

from reidops.datasets.reid_set import ReidSet


def count_parts(known: ReidSet, folder: Path, protocol: str) -> dict[str, tuple[int, int]]:
    """Return (people, crops) of train, query and gallery; distractors are crops but no people."""
    found = {"train": known.list_part(folder, "train", protocol)[0]}
    found |= dict(iter(known.list_part(folder, "test", protocol)[0].groupby("role")))
    return {
        role: (crops.loc[~crops["distractor"], "published_pid"].nunique(), len(crops)) for role, crops in found.items()
    }
