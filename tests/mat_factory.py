"""Write MATLAB 7.3 files for tests, nested as MATLAB nests them."""

from pathlib import Path

import h5py
import numpy as np

Cells = list[list[object]]  # rows of a cell array; a cell is an array, another cell array, or None


def write_mat73(path: Path, variables: dict[str, Cells]) -> Path:
    """Write a file as MATLAB 7.3 does: HDF5 behind a header, axes transposed, cells as references into `#refs#`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_group("#refs#")
        for name, cells in variables.items():
            _write(file, name, cells)
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def _write(file: h5py.File, name: str, value: object) -> h5py.Dataset:
    if isinstance(value, list):
        dataset = file.create_dataset(name, (len(value[0]), len(value)), dtype=h5py.ref_dtype)
        dataset.attrs["MATLAB_class"] = np.bytes_("cell")
        for row, column in np.ndindex(len(value), len(value[0])):
            dataset[column, row] = _write(file, f"#refs#/{len(file['#refs#'])}", value[row][column]).ref
        return dataset
    if value is None:
        dataset = file.create_dataset(name, data=np.zeros(2, dtype=np.uint64))
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
        return dataset
    return file.create_dataset(name, data=np.asarray(value).T)
