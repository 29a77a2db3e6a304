"""Samples of what a service saw: figures and embeddings of boxes, without pictures, one file per pair of frames."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.drift.observations import MAX_BOXES, Observations
from reidops.errors import ReidopsError
from reidops.files import whole_file

SUFFIX = ".sample.npz"
COLUMNS = ("is_later", "height", "width", "brightness", "contrast", "red_green", "blue_yellow", "confidence")
"""Columns of a sample beside its embeddings."""

MIN_PAIRS = 4
"""Pairs of frames of a camera; a camera with fewer is left out."""


def write_sample(path: Path, pair: Observations) -> None:
    """Write the observations of one pair of frames; embeddings are kept as float16."""
    columns = {name: getattr(pair, name) for name in COLUMNS}
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(
            stream, camera=np.array(pair.scene), embeddings=pair.embeddings.astype(np.float16), **columns
        )


def find_samples(folder: Path, weights_sha256: str) -> list[Path]:
    """Return the sample files of a model in the log `folder` of a service, in the order of their time."""
    return sorted((folder / weights_sha256[:12]).glob(f"*/*{SUFFIX}"))


def is_sample_log(folder: Path) -> bool:
    """Return whether a folder is the log of a service."""
    return next(folder.glob(f"*/*/*{SUFFIX}"), None) is not None


def read_samples(folder: Path, weights_sha256: str) -> list[Observations]:
    """Return the observations of each camera in a log, from pairs of frames that are spread over its time.

    As in the reference, a camera has about MAX_BOXES boxes.

    Raises:
        ReidopsError: the log has no samples of this model, or too few pairs of each camera.
    """
    files = find_samples(folder, weights_sha256)
    if not files:
        raise ReidopsError(f"{folder}: has no samples of the model {weights_sha256[:12]}; was another version served?")
    cameras: dict[str, list[Observations]] = {}
    for file in files:
        pair = _read_sample(file)
        cameras.setdefault(pair.scene, []).append(pair)
    enough = {camera: pairs for camera, pairs in cameras.items() if len(pairs) >= MIN_PAIRS}
    if not enough:
        counts = ", ".join(f"{camera} {len(pairs)}" for camera, pairs in cameras.items())
        raise ReidopsError(f"{folder}: at least {MIN_PAIRS} pairs of frames of a camera are needed; found {counts}")
    return [_join(camera, _thin(pairs)) for camera, pairs in enough.items()]


def _read_sample(path: Path) -> Observations:
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in COLUMNS}
            camera, embeddings = str(file["camera"]), file["embeddings"].astype(np.float32)
    except (BadZipFile, ValueError, KeyError, OSError, EOFError) as error:
        raise ReidopsError(f"{path}: is not a sample of a service ({str(error)[:80]}); delete it") from None
    return Observations(camera, pair=np.zeros(len(embeddings), int), embeddings=embeddings, num_frames=2, **columns)


def _thin(pairs: Sequence[Observations]) -> list[Observations]:
    """Return pairs, evenly spread, that hold about MAX_BOXES boxes."""
    per_pair = max(1e-9, sum(map(len, pairs)) / len(pairs))
    num = int(np.clip(MAX_BOXES / per_pair, MIN_PAIRS, len(pairs)))
    return [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, num).astype(int))]


def _join(camera: str, pairs: Sequence[Observations]) -> Observations:
    columns = {name: np.concatenate([getattr(pair, name) for pair in pairs]) for name in (*COLUMNS, "embeddings")}
    if not len(columns["height"]):
        raise ReidopsError(f"camera {camera}: the sampled frames have no box of 4 px or more")
    index = np.concatenate([np.full(len(pair), number) for number, pair in enumerate(pairs)])
    return Observations(camera, pair=index, num_frames=2 * len(pairs), **columns)
