"""Write data/raw as `download` does, for tests that start with `convert`."""

from pathlib import Path

from reidops.datasets.inventory import write_inventory
from reidops.parts import Part, write_parts


def whole(part: str, dataset: Path, sequence: str, first: int = 1, last: int = 12) -> Part:
    """Return frames of a drawn sequence as a part; its scene is its name."""
    return Part(part, dataset.name, "mot", dataset / "train" / sequence, sequence, sequence, first, last)


def write_raw(raw: Path, parts: list[Part]) -> Path:
    """Write parts.csv and inventory.json into `raw` and return it."""
    raw.mkdir(exist_ok=True)
    write_parts(parts, raw)
    write_inventory(parts, raw, {part.dataset: f"local:{part.dataset}" for part in parts})
    return raw
