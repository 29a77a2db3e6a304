"""Read MATLAB files: pictures in the cells of a 7.3 file, which is HDF5, and variables of older files.

Members have MATLAB's names: `detected{1}{12,6}` is row 12, column 6 of the cell array in the first cell of `detected`,
counted from 1. MATLAB stores columns first, so that all arrays in the file are transposed.
"""

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from reidops.errors import ReidopsError
from reidops.image_headers import check_size

_MEMBER = re.compile(r"(?P<cell>\w+(\{\d+(,\d+)?\})*)\{(?P<index>\d+(,\d+)?)\}")


def read_picture(file: str, member: str) -> np.ndarray:
    """Return a picture of a 7.3 file as BGR uint8 [height, width, 3]; the file stays open for the next call.

    Raises:
        ReidopsError: the file or the member is missing or damaged, or the member is not an RGB picture or has more
            pixels than the bound.
    """
    dataset = _find(file, member)
    if dataset is None or not _is_rgb(dataset):
        raise ReidopsError(f"{file}: {member} is no picture (RGB, 8 bits); copy or unpack the file again")
    _, width, height = dataset.shape
    check_size(width, height, f"{file}: {member}")
    return np.ascontiguousarray(read_matrix(file, member)[:, :, ::-1])


def is_picture(file: str, member: str) -> bool:
    """Return whether a member is an 8-bit RGB picture; an empty cell is not."""
    dataset = _find(file, member)
    return dataset is not None and _is_rgb(dataset)


def _is_rgb(dataset: h5py.Dataset) -> bool:
    return dataset.ndim == 3 and dataset.shape[0] == 3 and dataset.dtype == np.uint8


def cell_shape(file: str, cell: str) -> tuple[int, int]:
    """Return the numbers of rows and columns of a cell array."""
    rows, columns = _references(file, cell).shape
    return rows, columns


def read_matrix(file: str, member: str) -> np.ndarray:
    """Return an array of a 7.3 file with rows first, as in MATLAB; an empty cell gives an array without elements."""
    dataset = _find(file, member)
    if dataset is None or "MATLAB_empty" in dataset.attrs:
        return np.empty((0, 0))
    try:
        return dataset[()].T
    except OSError as error:
        raise ReidopsError(f"{file}: {member} is damaged ({error}); copy or unpack the file again") from None


def read_variables(file: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return variables of a file older than 7.3 as vectors; a cell array of strings becomes an array of strings.

    Raises:
        ReidopsError: the file is missing or invalid, or lacks a variable.
    """
    # Imported here, because every worker of the stage `convert` imports this module, and scipy.io takes long.
    from scipy.io import loadmat, matlab, whosmat

    if not file.is_file():
        raise ReidopsError(f"{file}: no such file")
    names = list(names)
    try:
        found = loadmat(file, squeeze_me=True, variable_names=names)
    except (matlab.MatReadError, NotImplementedError, OSError, IndexError, TypeError, ValueError, zlib.error) as error:
        raise ReidopsError(f"{file}: is no MATLAB file of version 5 ({error}); copy it again") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise ReidopsError(
            f"{file}: lacks {', '.join(missing)}; it holds {_listing(name for name, *_ in whosmat(file))}; copy the "
            f"published file again"
        )
    return {name: np.atleast_1d(found[name]).ravel() for name in names}


def _find(file: str, member: str) -> h5py.Dataset | None:
    """Return the HDF5 dataset of a variable or a cell, None for an empty cell."""
    match = _MEMBER.fullmatch(member)
    if match is None:
        return _variable(file, member)
    references = _references(file, match["cell"])
    index = tuple(int(number) - 1 for number in match["index"].split(","))
    flat = references if len(index) == 2 else references.ravel(order="F")
    if any(not 0 <= at < size for at, size in zip(index, flat.shape, strict=True)):
        raise ReidopsError(
            f"{file}: there is no {member}; {match['cell']} has {' × '.join(map(str, references.shape))} cells"
        )
    reference = flat[index]
    return _open(file)[reference] if reference else None


@lru_cache(maxsize=64)
def _references(file: str, cell: str) -> np.ndarray:
    """Return the references of a cell array, [rows, columns]."""
    dataset = _find(file, cell)
    if dataset is None or dataset.dtype.kind != "O" or dataset.ndim != 2:
        raise ReidopsError(f"{file}: {cell} is no cell array; copy or unpack the file again")
    return dataset[()].T


def _variable(file: str, name: str) -> h5py.Dataset:
    root = _open(file)
    if name not in root:
        raise ReidopsError(f"{file}: holds no {name}; it holds {_listing(root)}")
    return root[name]


@lru_cache(maxsize=4)
def _open(file: str) -> h5py.File:
    if not Path(file).is_file():
        raise ReidopsError(f"{file}: no such file")
    try:
        # Locks are not needed for reading, and fail on many network file systems.
        return h5py.File(file, "r", locking=False)
    except OSError as error:
        raise ReidopsError(f"{file}: is no whole MATLAB 7.3 file ({error}); copy or unpack it again") from None


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(name for name in names if not name.startswith(("#", "__")))) or "nothing"
