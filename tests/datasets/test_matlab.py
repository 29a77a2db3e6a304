"""Pictures and variables come out of MATLAB's files as MATLAB shows them."""

import os
from pathlib import Path

import numpy as np
import pytest
from mat_factory import Cells, write_mat73
from scipy.io import savemat

from reidops.datasets.matlab import cell_shape, is_picture, read_matrix, read_picture, read_variables
from reidops.errors import ReidopsError


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write `pictures`: 2 × 1 cells, the first one of 2 × 3 cells, of which (2, 3) is a picture of 4 × 2 px and the
    rest empty.
    """
    inner: Cells = [[None, None, None], [None, None, _picture()]]
    tests: Cells = [[np.array([[1.0, 7.0], [2.0, 8.0], [3.0, 9.0]])]]
    return str(write_mat73(tmp_path / "a.mat", {"pictures": [[inner], [[[None]]]], "tests": tests}))


def _picture() -> np.ndarray:
    """Return RGB [4, 2, 3], every value another."""
    return np.arange(24, dtype=np.uint8).reshape(4, 2, 3)


def test_a_picture_comes_upright_and_in_bgr(file: str) -> None:
    picture = read_picture(file, "pictures{1}{2,3}")
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous
    assert np.array_equal(picture, _picture()[:, :, [2, 1, 0]])


def test_a_single_index_counts_columns_first(file: str) -> None:
    assert is_picture(file, "pictures{1}{6}") and not is_picture(file, "pictures{1}{5}")


def test_cells_and_matrices_have_their_rows_first(file: str) -> None:
    assert (cell_shape(file, "pictures"), cell_shape(file, "pictures{1}")) == ((2, 1), (2, 3))
    assert read_matrix(file, "tests{1}").tolist() == [[1, 7], [2, 8], [3, 9]]
    assert read_matrix(file, "pictures{1}{1,1}").size == 0


@pytest.mark.parametrize(
    ("member", "finding"),
    [
        ("pictures{1}{1,1}", "is no picture"),
        ("tests{1}", "is no picture"),
        ("pictures{1}{3,1}", "has 2 × 3 cells"),
        ("pictures{1}{2,0}", "has 2 × 3 cells"),
        ("frames{1}", "holds no frames; it holds pictures, tests"),
        ("tests{1}{1,1}", "no cell array"),
    ],
)
def test_a_member_that_is_no_picture_is_named(file: str, member: str, finding: str) -> None:
    with pytest.raises(ReidopsError, match=finding):
        read_picture(file, member)


def test_the_file_is_opened_once(file: str) -> None:
    read_picture(file, "pictures{1}{2,3}")
    os.unlink(file)
    assert read_picture(file, "pictures{1}{2,3}").shape == (4, 2, 3)


def test_a_file_cut_off_is_named(file: str, tmp_path: Path) -> None:
    whole = Path(file).read_bytes()
    (tmp_path / "half.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReidopsError, match=r"half\.mat: is no whole MATLAB 7\.3 file"):
        read_picture(str(tmp_path / "half.mat"), "pictures{1}{2,3}")
    with pytest.raises(ReidopsError, match=r"nothing\.mat: no such file"):
        read_picture(str(tmp_path / "nothing.mat"), "pictures{1}{2,3}")


def test_variables_of_an_older_file_come_as_vectors(tmp_path: Path) -> None:
    savemat(
        tmp_path / "a.mat",
        {"names": np.array([["b.png"], ["a.png"]], dtype=object), "one": 3, "column": np.array([[4], [5]])},
    )
    found = read_variables(tmp_path / "a.mat", ("names", "one", "column"))
    assert {name: values.tolist() for name, values in found.items()} == {
        "names": ["b.png", "a.png"],
        "one": [3],
        "column": [4, 5],
    }


def test_what_an_older_file_lacks_is_named(tmp_path: Path, file: str) -> None:
    savemat(tmp_path / "b.mat", {"names": 1})
    (tmp_path / "cut.mat").write_bytes((tmp_path / "b.mat").read_bytes()[:150])
    (tmp_path / "text.mat").write_text("not a .mat")
    findings = {
        "b": "lacks labels; it holds names",
        "none": "no such file",
        "cut": "lacks labels|is no MATLAB",
        "text": "is no MATLAB",
    }
    for name, finding in findings.items():
        with pytest.raises(ReidopsError, match=rf"{name}\.mat: ({finding})"):
            read_variables(tmp_path / f"{name}.mat", ("labels",))
    with pytest.raises(ReidopsError, match="is no MATLAB file of version 5"):
        read_variables(Path(file), ("labels",))
