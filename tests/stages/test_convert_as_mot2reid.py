"""`convert` with mot2reid's rules gives mot2reid's crops, byte for byte, and its lists; each difference is one that we
tell of.

The other side is tests/plain_mot2reid.py, which does the work in mot2reid's order.
"""

import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plain_mot2reid
import pytest
from default_params import default_params
from mot_factory import write_gt, write_mot_set, write_rows
from plain_mot2reid import Options
from raw_folder import whole, write_raw

from reidops.datasets.label_lists import read_list
from reidops.files import read_json
from reidops.mot.sequences import find_sequences
from reidops.tables import CROPS, read_table
from stages.convert import ConvertParams, convert

NAMES = ("TOY-01", "TOY-02", "TOY-03")
WIDTH, HEIGHT, NUM_FRAMES = 160, 96, 24
AS_MOT2REID = default_params(ConvertParams, considered_only=False, val_by="name", workers=1)
OUTSIDE = "wholly outside the frame"


def drawn_rows(seed: int, num_people: int) -> list[tuple]:
    """Return rows track by track: fractions of pixels, borders, classes, flags and visibilities of all kinds, tracks of
    any length.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for person in rng.permutation(num_people) + 1:
        for frame in np.sort(rng.permutation(NUM_FRAMES)[: rng.integers(4, NUM_FRAMES + 1)]) + 1:
            left, top = rng.uniform((-12, -20), (WIDTH - 8, HEIGHT - 8)).round(2)
            width, height = rng.uniform((13, 21), (40, 60)).round(2)
            flag, class_id, visibility = (
                rng.random() < 0.8,
                rng.choice([1, 1, 1, 7]),
                rng.choice([0.1, 0.29, 0.3, 0.5, 1.0]),
            )
            rows.append((frame, person, left, top, width, height, int(flag), class_id, visibility))
    return rows


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = write_mot_set(
        tmp_path_factory.mktemp("sets") / "toy", NAMES, num_frames=NUM_FRAMES, num_people=1, width=WIDTH, height=HEIGHT
    )
    for seed, name in enumerate(NAMES):
        write_gt(dataset / "train" / name, drawn_rows(seed, num_people=7))
    return dataset


def both(
    dataset: Path, names: tuple[str, ...], tmp_path: Path, options: Options, **changes: object
) -> tuple[Path, Path]:
    """Convert with the same options there and here, and return mot2reid's folder and ours, unpacked."""
    there, here = tmp_path / "there", tmp_path / "crops"
    plain_mot2reid.convert(dataset, there, options, names)
    parts = [
        whole("train", dataset, sequence.name, last=sequence.length)
        for sequence in find_sequences(dataset)
        if sequence.name in names
    ]
    convert(write_raw(tmp_path / "raw", parts), here, replace(AS_MOT2REID, **{**vars(options), **changes}))
    with tarfile.open(here / "crops.tar") as tar:
        tar.extractall(here, filter="data")
    return there, here


def images(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted((folder / "imgs").rglob("*.jpg"))}


def lines(folder: Path, first_val_label: int = 0) -> dict[str, list[str]]:
    """Return train_….txt and val_….txt, their lines sorted, since mot2reid leaves the order to the file system.

    Labels of val count from 0, as there; `first_val_label` is the one that the file begins with.
    """
    train, val = (next((folder / "meta").glob(f"{split}_*.txt")) for split in ("train", "val"))
    counted = read_list(val)
    relabelled = counted["path"].str.removeprefix("imgs/") + " " + (counted["label"] - first_val_label).astype("str")
    return {train.name: sorted(train.read_text().splitlines()), val.name: sorted(relabelled)}


def num_train(folder: Path) -> int:
    """Return how many people train."""
    return read_list(next((folder / "meta").glob("train_*.txt")))["label"].nunique()


def listed(folder: Path) -> set[str]:
    return {
        path
        for name in ("train_", "val_")
        for file in (folder / "meta").glob(f"{name}*")
        for path in read_list(file)["path"]
    }


def listed_images(folder: Path) -> dict[str, bytes]:
    """Return the crops that the lists name, by path."""
    names = listed(folder)
    return {path: data for path, data in images(folder).items() if path in names}


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(val_split=0.5, vis_threshold=0.0),
        Options(val_split=0.35, vis_threshold=0.5, min_per_person=2),
        Options(val_split=0.0, vis_threshold=1.0, min_per_person=1),
        Options(min_per_person=11),
    ],
)
def test_crops_names_and_lists_are_mot2reids(tmp_path: Path, toy: Path, options: Options) -> None:
    there, here = both(toy, NAMES, tmp_path, options)
    assert lines(here, num_train(here)) == lines(there)
    assert len(listed(there)) > 20
    # The tar holds the crops of the lists; there, people who were dropped have theirs, too.
    assert images(here) == listed_images(there)


def test_with_flags_heeded_the_crops_are_those_of_a_file_without_the_flagged_rows(tmp_path: Path, toy: Path) -> None:
    clean = write_mot_set(
        tmp_path / "clean", NAMES[:1], num_frames=NUM_FRAMES, num_people=1, width=WIDTH, height=HEIGHT
    )
    write_gt(clean / "train" / NAMES[0], [row for row in drawn_rows(0, 7) if row[6]])
    options = Options(min_per_person=1)
    _, heeded = both(toy, NAMES[:1], tmp_path / "1", options, considered_only=True)
    there, _ = both(clean, NAMES[:1], tmp_path / "2", options)
    assert images(heeded) == images(there)
    assert lines(heeded, num_train(heeded)) == lines(there)


def test_mot15_rows_of_ten_columns_are_pedestrians(tmp_path: Path) -> None:
    dataset = write_mot_set(
        tmp_path / "MOT15",
        ("TUD-Campus", "ADL-Rundle-6"),
        num_frames=NUM_FRAMES,
        num_people=1,
        width=WIDTH,
        height=HEIGHT,
    )
    for seed, folder in enumerate(sorted((dataset / "train").iterdir())):
        rows = drawn_rows(seed, num_people=6)
        write_rows(folder / "gt" / "gt.txt", [(*row[:6], 1, 0.5 * row[0], -3.25, 0) for row in rows])
    there, here = both(dataset, ("TUD-Campus", "ADL-Rundle-6"), tmp_path, Options(min_per_person=3))
    assert lines(here, num_train(here)) == lines(there)
    assert images(here) == listed_images(there)


def test_a_box_outside_the_frame_is_a_strip_there_and_nothing_here(tmp_path: Path, toy: Path) -> None:
    dataset = write_mot_set(
        tmp_path / "wide", NAMES[:1], num_frames=NUM_FRAMES, num_people=3, width=WIDTH, height=HEIGHT
    )
    gt = dataset / "train" / NAMES[0] / "gt" / "gt.txt"
    gt.write_text(f"3,1,{WIDTH + 9},20,12,30,1,1,1\n" + gt.read_text())
    there, here = both(dataset, NAMES[:1], tmp_path, Options(val_split=0.0))
    missing = images(there).keys() - images(here).keys()
    assert missing == {"imgs/TOY-01_000001/000000.jpg"}
    assert images(here) == {path: data for path, data in images(there).items() if path not in missing}
    assert read_json(here / "report.json")["boxes"]["TOY-01"] == {"boxes": 3 * NUM_FRAMES + 1, OUTSIDE: 1}


def test_people_with_too_many_crops_are_thinned_to_as_many_as_there(tmp_path: Path, toy: Path) -> None:
    there, here = both(toy, NAMES, tmp_path, Options(max_per_person=7))
    counts = [
        {name: Counter(line.rpartition("/")[0] for line in rows) for name, rows in lines(folder).items()}
        for folder in (there, here)
    ]
    assert counts[0] == counts[1]
    assert max(counts[1]["train_80.txt"].values()) == 7


def test_labels_of_val_go_on_where_those_of_train_end(tmp_path: Path, toy: Path) -> None:
    there, here = both(toy, NAMES, tmp_path, Options())
    train, val, joined = (read_list(here / "meta" / f"{name}.txt") for name in ("train_80", "val_20", "train"))
    assert joined.equals(pd.concat([train, val], ignore_index=True))
    assert min(val["label"]) == max(train["label"]) + 1
    twice = read_list(there / "meta" / "train.txt")
    assert sorted(joined["path"]) == sorted(twice["path"])
    assert twice["label"].nunique() < joined["label"].nunique()  # there two people share a label


def test_the_unpacked_lists_read_back_to_the_crops_table(tmp_path: Path, toy: Path) -> None:
    _, here = both(toy, NAMES, tmp_path, Options(), val_by="identity")
    crops = read_table(here / "crops.parquet", CROPS)
    found = read_list(here / "meta" / "train.txt")
    table = found.merge(crops, on="path", validate="one_to_one")
    assert len(table) == len(found) == len(crops)
    assert table.groupby("pid")["label"].nunique().eq(1).all()
    assert table.groupby("label")["pid"].nunique().eq(1).all()
    assert sorted(table["label"].unique()) == list(range(crops["pid"].nunique()))
    assert set(images(here)) == set(table["path"])
    assert {
        split: set(read_list(here / "meta" / f"{split}_{n}.txt")["path"]) for split, n in (("train", 80), ("val", 20))
    } == {split: set(rows["path"]) for split, rows in crops.groupby("split")}


@pytest.mark.slow
def test_the_cuts_of_mot17_are_mot2reids(real_data: Path, tmp_path: Path) -> None:
    names = tuple(f"MOT17-{scene}-FRCNN" for scene in ("02", "05", "10", "13"))
    there, here = both(real_data / "MOT17", names, tmp_path, Options(min_per_person=2))
    assert lines(here, num_train(here)) == lines(there)
    assert images(here) == listed_images(there)
    assert len(images(here)) > 200
