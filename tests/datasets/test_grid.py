"""GRID is read as published: pairs of probe and gallery, partitions in a .mat, and a gallery mostly of people who match
nobody.
"""

from pathlib import Path

import numpy as np
import pytest
from converted import convert_set
from counted import count_parts
from drawn_picture import write_picture
from scipy.io import loadmat, savemat

from reidops.datasets.grid import PARTITIONS, PUBLISHED_COUNTS, SET, list_part
from reidops.datasets.two_views import UNPAIRED
from reidops.errors import ReidopsError

NUM_PEOPLE, NUM_NOBODY = 4, 3
TRAINING = [[1 + n % 4, 1 + (n + 1 + n // 4) % 4] for n in range(10)]  # two of four people in each of ten partitions


def write_set(folder: Path) -> Path:
    """Write four people, three gallery pictures of nobody, and ten partitions beside some features."""
    for pid in range(1, NUM_PEOPLE + 1):
        write_picture(folder / "probe" / f"{pid:04d}_{pid}_2500{pid}_107_32_106_221.jpeg", pid)
        write_picture(folder / "gallery" / f"{pid:04d}_{pid + 1}_2600{pid}_116_134_128_330.jpeg", pid)
    for number in range(NUM_NOBODY):
        write_picture(folder / "gallery" / f"0000_{number + 1}_2700{number}_101_16_87_246.jpeg", 100 + number)
    (folder / "readme.txt").write_text("GRID\n")
    write_partitions(folder, TRAINING)
    return folder


def write_partitions(folder: Path, training: list[list[int]]) -> None:
    """Write cells of structs as published: rows of the feature table (gallery 2 p − 1, probe 2 p), and the people."""
    savemat(
        folder / PARTITIONS,
        {
            "ftrset": np.zeros((2 * NUM_PEOPLE + NUM_NOBODY, 4)),
            "trainIdxAll": _cells(training),
            "testIdxAll": _cells([sorted({1, 2, 3, 4} - set(people)) for people in training]),
        },
    )


def _cells(people: list[list[int]]) -> np.ndarray:
    cells = np.empty((1, len(people)), dtype=object)
    for n, pids in enumerate(people):
        rows = np.array([pids])
        cells[0, n] = {"probeImIdx": 2 * rows, "galleryImIdx": 2 * rows - 1, "personIdx": rows}
    return cells


def test_the_drawn_partitions_have_the_published_shape(tmp_path: Path) -> None:
    cells = loadmat(write_set(tmp_path / "underground_reid") / PARTITIONS)["trainIdxAll"]
    assert cells.shape == (1, 10)
    # the third field of a struct, by which loaders take the people
    assert cells[0][3][0][0][2][0].tolist() == TRAINING[3]
    assert cells[0, 0].dtype.names == ("probeImIdx", "galleryImIdx", "personIdx")


@pytest.mark.parametrize("number", range(10))
def test_the_partition_says_who_trains(tmp_path: Path, number: int) -> None:
    folder = write_set(tmp_path / "underground_reid")
    train, test = (list_part(folder, part, str(number))[0] for part in ("train", "test"))
    assert set(train["published_pid"]) == set(TRAINING[number])
    assert set(test["published_pid"]) == {0, 1, 2, 3, 4} - set(TRAINING[number])
    assert len(train) == 4 and not train["distractor"].any() and set(train["role"]) == {""}


def test_probes_ask_and_pictures_of_nobody_are_in_every_test_gallery(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "underground_reid")
    for number in range(10):
        test, taken = list_part(folder, "test", str(number))
        query, gallery = (test[test["role"] == role] for role in ("query", "gallery"))
        assert (len(query), len(gallery)) == (2, 2 + NUM_NOBODY)
        assert not query["distractor"].any()
        assert gallery["distractor"].sum() == (gallery["published_pid"] == 0).sum() == NUM_NOBODY
        assert taken == {"crops": 7, UNPAIRED: 0}


def test_person_camera_and_frame_are_of_the_name(tmp_path: Path) -> None:
    train, _ = list_part(write_set(tmp_path / "underground_reid"), "train", "0")
    first = train.iloc[0]
    assert (first["published_pid"], first["camera"], first["frame"]) == (1, 1, 25001)
    assert first["name"] == "probe_0001_1_25001_107_32_106_221.jpeg"
    assert train["name"].is_unique


def test_a_person_without_a_probe_is_counted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "underground_reid")
    next((folder / "probe").glob("0002_*")).unlink()
    for part in ("train", "test"):
        crops, taken = list_part(folder, part, "0")
        assert 2 not in set(crops["published_pid"])
        assert taken == {"crops": len(crops) + 1, UNPAIRED: 1}


def test_a_bad_file_name_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "underground_reid")
    write_picture(folder / "gallery" / "person7.jpeg", 7)
    with pytest.raises(
        ReidopsError, match=r"gallery/person7\.jpeg: a file name of this set is like 0001_1_25004_107_32_106_221\.jpeg"
    ):
        list_part(folder, "train", "0")


@pytest.mark.parametrize("name", ["probe", "gallery"])
def test_a_missing_folder_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "underground_reid")
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ReidopsError, match=f"{name}: no such folder"):
        list_part(folder, "train", "0")


def test_a_missing_file_of_partitions_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "underground_reid")
    (folder / PARTITIONS).unlink()
    with pytest.raises(ReidopsError, match=r"features_and_partitions\.mat: "):
        list_part(folder, "train", "0")


@pytest.mark.parametrize("content", [b"", b"no mat file, but as long as the header of one has to be" * 8])
def test_a_broken_file_of_partitions_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_set(tmp_path / "underground_reid")
    (folder / PARTITIONS).write_bytes(content)
    with pytest.raises(ReidopsError, match=r"features_and_partitions\.mat: is no MATLAB file"):
        list_part(folder, "train", "0")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4])
def test_a_cut_off_file_of_partitions_is_named(tmp_path: Path, share: float) -> None:
    folder = write_set(tmp_path / "underground_reid")
    whole = (folder / PARTITIONS).read_bytes()
    (folder / PARTITIONS).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ReidopsError, match=r"features_and_partitions\.mat: is no MATLAB file"):
        list_part(folder, "train", "0")


def test_a_partition_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "underground_reid")
    write_partitions(folder, TRAINING[:3])
    with pytest.raises(ReidopsError, match="trainIdxAll has no partition 4 with a personIdx"):
        list_part(folder, "train", "3")
    savemat(folder / PARTITIONS, {"trainIdxAll": np.arange(10)})
    with pytest.raises(ReidopsError, match="trainIdxAll has no partition 1 with a personIdx"):
        list_part(folder, "train", "0")
    savemat(folder / PARTITIONS, {"ftrset": np.zeros((2, 2))})
    with pytest.raises(ReidopsError, match=r"features_and_partitions\.mat: lacks trainIdxAll"):
        list_part(folder, "train", "0")


@pytest.mark.slow
def test_a_set_of_the_published_size_has_the_published_counts(tmp_path: Path) -> None:
    for name in ("probe", "gallery"):
        (tmp_path / name).mkdir()
        for pid in range(1, 251):
            (tmp_path / name / f"{pid:04d}_{1 + (name == 'gallery')}_25004_107_32_106_221.jpeg").touch()
    for number in range(775):
        (tmp_path / "gallery" / f"0000_{1 + number % 8}_{30000 + number}_101_16_87_246.jpeg").touch()
    write_partitions(tmp_path, [list(range(1 + n, 251, 2)) for n in (0, 1) * 5])
    for number in range(10):
        assert count_parts(SET, tmp_path, str(number)) == PUBLISHED_COUNTS["*"]


def test_the_set_converts_to_a_table(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "underground_reid"))
    assert crops["split"].value_counts().to_dict() == {"gallery": 5, "train": 4, "query": 2}
    assert (crops.loc[crops["pid"] < 0, "split"] == "gallery").all() and (crops["pid"] < 0).sum() == NUM_NOBODY
    assert crops["path"].str.endswith(".jpeg").all()
