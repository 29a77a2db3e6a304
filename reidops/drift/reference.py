"""The reference of a model: what its own scenes are like, one unit per scene or per stretch of a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.drift.observations import Observations
from reidops.drift.statistics import DISTANCES, SCALARS, distance_statistics, scalar_statistics
from reidops.errors import ReidopsError
from reidops.files import whole_file

REFERENCE = "drift_reference.npz"
MIN_SCENES = 4
"""With fewer scenes the units are stretches of scenes, which differ less than scenes do."""

STRETCHES = 5  # of a scene
_MAX_ROWS = 200  # embeddings of a unit that are kept
_ARRAYS = ("units", "kind", "statistics", "names", "embeddings", "lengths", "gate", "weights_sha256")


@dataclass(frozen=True)
class Reference:
    """The units of a reference.

    Attributes:
        units: names of the units.
        kind: `scenes`, or `stretches` if there are fewer than MIN_SCENES scenes.
        statistics: by name, float [num_units]; distances are of each unit from all others.
        embeddings: of each unit, float32 [n, dim].
        gate: cosine distance at which two crops are taken for the same person.
        weights_sha256: of the model.
    """

    units: tuple[str, ...]
    kind: str
    statistics: dict[str, np.ndarray]
    embeddings: tuple[np.ndarray, ...]
    gate: float
    weights_sha256: str


def make_reference(scenes: Sequence[Observations], gate: float, weights_sha256: str) -> Reference:
    """Return the reference of scenes.

    Raises:
        ReidopsError: there are too few units to state a variation.
    """
    is_by_scene = len(scenes) >= MIN_SCENES
    units = list(scenes) if is_by_scene else [stretch for scene in scenes for stretch in scene.cut(STRETCHES)]
    if len(units) < MIN_SCENES:
        raise ReidopsError(f"the reference has {len(units)} units, at least {MIN_SCENES} are needed")
    embeddings = tuple(_thin(unit.embeddings) for unit in units)
    rows = [
        scalar_statistics(unit, gate) | distance_statistics(own, [*embeddings[:i], *embeddings[i + 1 :]])
        for i, (unit, own) in enumerate(zip(units, embeddings, strict=True))
    ]
    statistics = {name: np.array([row[name] for row in rows]) for name in (*SCALARS, *DISTANCES)}
    kind = "scenes" if is_by_scene else "stretches"
    return Reference(tuple(unit.scene for unit in units), kind, statistics, embeddings, gate, weights_sha256)


def write_reference(reference: Reference, path: Path) -> None:
    """Write a reference; equal references give equal bytes."""
    names = tuple(reference.statistics)
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(
            stream,
            units=np.array(reference.units),
            kind=np.array(reference.kind),
            names=np.array(names),
            statistics=np.stack([reference.statistics[name] for name in names]),
            embeddings=np.concatenate(reference.embeddings).astype(np.float16),
            lengths=np.array([len(rows) for rows in reference.embeddings]),
            gate=np.array(reference.gate),
            weights_sha256=np.array(reference.weights_sha256),
        )


def read_reference(path: Path) -> Reference:
    """Read a reference.

    Raises:
        ReidopsError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in _ARRAYS}
    except FileNotFoundError:
        raise ReidopsError(
            f"{path}: no such file; the model has no drift reference, make one with `dvc repro evaluate_reid`"
        ) from None
    except (BadZipFile, ValueError, KeyError, OSError, EOFError) as error:
        raise ReidopsError(f"{path}: is not a drift reference ({str(error)[:80]})") from None
    rows = np.split(content["embeddings"].astype(np.float32), np.cumsum(content["lengths"])[:-1])
    return Reference(
        tuple(content["units"].tolist()),
        str(content["kind"]),
        dict(zip(content["names"].tolist(), content["statistics"], strict=True)),
        tuple(rows),
        float(content["gate"]),
        str(content["weights_sha256"]),
    )


def _thin(rows: np.ndarray) -> np.ndarray:
    """Return at most _MAX_ROWS rows, evenly spread, as float16 keeps them."""
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MAX_ROWS)).astype(int))]
    return chosen.astype(np.float16).astype(np.float32)
