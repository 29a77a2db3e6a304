"""CUHK03 is read out of its MATLAB files by its published protocols."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from converted import convert_set
from drawn_crops import draw_crop
from mat_factory import Cells, write_mat73
from scipy.io import savemat

from reidops.datasets.cuhk03 import PROTOCOLS, SET, list_part, reads
from reidops.datasets.matlab import read_picture
from reidops.errors import ReidopsError
from reidops.parts import Part

PEOPLE = {1: 4, 2: 2}  # pair of cameras → people
# Which of a person's ten cells hold a picture: person 2 of pair 1 was seen by one camera only.
ALL, FEW, ONE_VIEW = (1, 2, 6, 7, 10), (1, 6), (1, 2, 3)
TESTED = {0: [(1, 3), (2, 2)]}  # split → (pair, person); all others test (1, 1)
TRAINING = {(1, 1), (1, 2), (2, 1)}  # of the newer protocol


def write_set(folder: Path) -> Path:
    """Write six people of two pairs of cameras, detected and labeled, twenty classic splits and the newer protocol's
    two files.
    """
    cells = {
        boxes: [[_pair(boxes, pair, count)] for pair, count in PEOPLE.items()] for boxes in ("detected", "labeled")
    }
    splits: Cells = [[np.array(TESTED.get(split, [(1, 1)]), dtype=float)] for split in range(20)]
    write_mat73(folder / "cuhk03_release" / "cuhk-03.mat", {**cells, "testsets": splits})
    for boxes in ("detected", "labeled"):
        write_config(folder, boxes)
    return folder


def write_config(folder: Path, boxes: str = "detected", **changes: object) -> None:
    """Write the newer protocol's file: of each tested person the first picture of a view asks, the others answer."""
    pictures = [key for key in sorted((*person, number) for person in people() for number in cells_of(boxes, *person))]
    indices: dict[str, list[int]] = {"train_idx": [], "query_idx": [], "gallery_idx": []}
    for index, (pair, person, number) in enumerate(pictures, 1):
        is_query = (pair, person) not in TRAINING and number in (1, 6)
        indices["train_idx" if (pair, person) in TRAINING else "query_idx" if is_query else "gallery_idx"].append(index)
    labels = [1 + people().index((pair, person)) for pair, person, _ in pictures]
    columns = {**{name: _column(values) for name, values in indices.items()}, "labels": _column(labels)}
    names = np.array([[file_name(*key)] for key in pictures], dtype=object)
    cameras = _column([1 + (number > 5) for *_, number in pictures])
    savemat(
        folder / f"cuhk03_new_protocol_config_{boxes}.mat", {"filelist": names, "camId": cameras, **columns, **changes}
    )


def people() -> list[tuple[int, int]]:
    """Return (pair, person), all of them."""
    return [(pair, person) for pair, count in PEOPLE.items() for person in range(1, count + 1)]


def cells_of(boxes: str, pair: int, person: int) -> tuple[int, ...]:
    """Return the cells that hold a picture of a person, 1 … 10; the detector missed some."""
    if (pair, person) == (1, 2):
        return ONE_VIEW
    return FEW if (boxes, pair) == ("detected", 2) else ALL


def file_name(pair: int, person: int, number: int) -> str:
    """Return a picture's published name."""
    return f"{pair}_{person:03d}_{1 if number <= 5 else 2}_{number:02d}.png"


def draw(boxes: str, pair: int, person: int, number: int) -> np.ndarray:
    """Return a picture, RGB."""
    colours = np.random.default_rng(100 * pair + person).integers(0, 256, (2, 3))
    return draw_crop(colours, np.random.default_rng((len(boxes), pair, person, number)))


def _pair(boxes: str, pair: int, count: int) -> Cells:
    return [
        [
            draw(boxes, pair, person, number) if number in cells_of(boxes, pair, person) else None
            for number in range(1, 11)
        ]
        for person in range(1, count + 1)
    ]


def _column(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint16)[:, None]


def test_the_newer_protocol_trains_the_people_of_train_idx(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path), "train", "detected")
    assert crops.groupby("published_pid")["name"].agg(list).to_dict() == {
        1001: [file_name(1, 1, number) for number in ALL],
        1002: [file_name(1, 2, number) for number in ONE_VIEW],
        2001: [file_name(2, 1, number) for number in FEW],
    }
    assert set(crops["role"]) == {""} and taken == {"crops": 10}


def test_the_newer_protocol_asks_and_answers_as_listed(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path), "test", "labeled")
    for role, numbers in (("query", (1, 6)), ("gallery", (2, 7, 10))):
        found = crops[crops["role"] == role]
        assert found["name"].tolist() == [
            file_name(*person, number) for person in ((1, 3), (1, 4), (2, 2)) for number in numbers
        ]
        assert found["camera"].tolist() == [1 if number <= 5 else 2 for _ in range(3) for number in numbers]


def test_without_a_protocol_the_detected_boxes_are_meant(tmp_path: Path) -> None:
    write_set(tmp_path)
    assert list_part(tmp_path, "test", "")[0].equals(list_part(tmp_path, "test", "detected")[0])


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_in_a_classic_split_view_1_asks_view_2_answers_and_the_others_train(tmp_path: Path, boxes: str) -> None:
    write_set(tmp_path)
    for split in (0, 19):
        tested = TESTED.get(split, [(1, 1)])
        train, test = (list_part(tmp_path, part, f"{boxes}-classic-{split}")[0] for part in ("train", "test"))
        expected = [
            file_name(*person, number)
            for person in people()
            if person not in tested
            for number in cells_of(boxes, *person)
        ]
        assert train["name"].tolist() == expected
        for role, view in (("query", 1), ("gallery", 2)):
            expected = [
                file_name(*person, number)
                for person in tested
                for number in cells_of(boxes, *person)
                if (number > 5) + 1 == view
            ]
            assert test.loc[test["role"] == role, "name"].tolist() == expected


def test_each_member_is_the_picture_of_its_name(tmp_path: Path) -> None:
    write_set(tmp_path)
    for protocol in ("detected", "labeled-classic-0"):
        crops, _ = list_part(tmp_path, "test", protocol)
        for crop in crops.itertuples():
            pair, person, _, number = (int(field) for field in crop.name.removesuffix(".png").split("_"))
            picture = draw(protocol.partition("-")[0], pair, person, number)
            assert np.array_equal(read_picture(crop.file, crop.member), picture[:, :, ::-1])


def test_a_person_has_one_number_in_all_protocols(tmp_path: Path) -> None:
    write_set(tmp_path)
    for protocol in ("detected", "labeled", "detected-classic-7"):
        for part in ("train", "test"):
            crops, _ = list_part(tmp_path, part, protocol)
            assert (
                crops["published_pid"] == crops["name"].str[0].astype(int) * 1000 + crops["name"].str[2:5].astype(int)
            ).all()


def test_there_are_twenty_classic_splits_of_each_kind_of_boxes() -> None:
    assert len(PROTOCOLS) == len(set(PROTOCOLS)) == 42
    assert PROTOCOLS[0] == "detected" and {"labeled", "detected-classic-0", "labeled-classic-19"} <= set(PROTOCOLS)


def test_the_classic_splits_alone_are_ranked_in_galleries_of_one_crop_per_person() -> None:
    for protocol in PROTOCOLS:
        part = Part("test", "CUHK03", SET.layout, Path("CUHK03"), "", "CUHK03", 0, 0, protocol)
        assert part.is_single_gallery_shot == (protocol not in ("detected", "labeled"))


def test_a_classic_split_needs_no_file_of_the_newer_protocol() -> None:
    assert reads("train", "labeled-classic-3") == ("cuhk03_release/cuhk-03.mat",)
    assert reads("test", "labeled") == ("cuhk03_release/cuhk-03.mat", "cuhk03_new_protocol_config_labeled.mat")


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"query_idx": _column([1, 2]), "gallery_idx": _column([2, 3])},
            r"1_001_1_02\.png is listed twice in query_idx and gallery_idx",
        ),
        ({"gallery_idx": _column([99])}, "gallery_idx holds 99, filelist has 22 names"),
        ({"gallery_idx": _column([0])}, "gallery_idx holds 0, filelist has 22 names"),
        ({"labels": _column([1])}, "has 1 labels for the 22 names"),
        ({"labels": _column([1] * 22)}, r"1_002_1_01\.png has label 1"),
        ({"labels": _column(list(range(22)))}, r"1_001_1_02\.png has label 1"),
        ({"filelist": np.array([["1_001_1_06.png"]] * 22, dtype=object)}, r"1_001_1_06\.png in filelist"),
        (
            {"filelist": np.array([["0001_c1.png"]] * 22, dtype=object)},
            r"0001_c1\.png in filelist: .* like 1_001_1_01\.png",
        ),
    ],
)
def test_a_fault_of_the_newer_protocols_file_is_named(tmp_path: Path, changes: dict[str, object], finding: str) -> None:
    write_config(tmp_path, **changes)
    with pytest.raises(ReidopsError, match=rf"config_detected\.mat: ({finding})"):
        list_part(tmp_path, "test", "detected")


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"config_labeled\.mat: no such file; .*github\.com/zhunzhong07"):
        list_part(tmp_path, "train", "labeled")
    with pytest.raises(ReidopsError, match=r"cuhk03_release/cuhk-03\.mat: no such file"):
        list_part(tmp_path, "train", "labeled-classic-0")


def test_a_split_that_names_somebody_who_is_not_there_is_named(tmp_path: Path) -> None:
    tests: Cells = [[np.array([(1.0, 3.0)])], [np.array([(1.0, 1.0, 1.0)])]]
    write_mat73(
        tmp_path / "cuhk03_release" / "cuhk-03.mat",
        {"detected": [[[[None] * 10]]], "labeled": [[[[None] * 9]]], "testsets": tests},
    )
    for protocol, finding in (
        ("detected-classic-0", r"testsets\{1\} names person 3 of pair 1, who is not in detected"),
        ("detected-classic-1", r"testsets\{2\} is no matrix of two columns"),
        ("detected-classic-2", r"there is no testsets\{3\}"),
        ("labeled-classic-0", r"labeled\{1\} has 9 columns, expected 10"),
    ):
        with pytest.raises(ReidopsError, match=finding):
            list_part(tmp_path, "test", protocol)


@pytest.mark.parametrize(("protocol", "counts"), [("detected", (10, 6, 6)), ("labeled-classic-0", (18, 4, 6))])
def test_the_set_is_converted(tmp_path: Path, protocol: str, counts: tuple[int, ...]) -> None:
    crops = convert_set(SET, write_set(tmp_path / "set"), protocol)
    assert tuple(int((crops["split"] == split).sum()) for split in ("train", "query", "gallery")) == counts
    with tarfile.open(tmp_path / "crops.tar") as tar:
        packed = tar.extractfile("imgs/CUHK03_001003/1_003_1_01.png").read()
    picture = draw(protocol.partition("-")[0], 1, 3, 1)
    assert np.array_equal(cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_COLOR), picture[:, :, ::-1])
