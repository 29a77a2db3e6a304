"""`convert`: what comes out is mot2reid's, is divided as asked, and appears whole or not at all."""

import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from default_params import default_params
from market_factory import write_market_set
from mot_factory import write_gt, write_mot_set
from raw_folder import whole, write_raw

from reidops.errors import ReidopsError
from reidops.files import read_json, sha256
from reidops.mot.sequences import find_sequences
from reidops.parts import Part
from reidops.tables import CROPS, read_table
from stages.convert import ConvertParams, convert

pytestmark = pytest.mark.slow

PARAMS = default_params(ConvertParams, gap=4, queries_per_person=2, workers=1)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_mot_set(tmp_path / "toy", ("TOY-01", "TOY-02", "TOY-03"), num_people=5)


@pytest.fixture
def raw(tmp_path: Path, toy: Path) -> Path:
    parts = [
        whole("train", toy, "TOY-01"),
        whole("train", toy, "TOY-02"),
        whole("test", toy, "TOY-03"),
        whole("track", toy, "TOY-03"),
    ]
    return write_raw(tmp_path / "raw", parts)


def converted(raw: Path, params: ConvertParams = PARAMS) -> pd.DataFrame:
    convert(raw, raw.parent / "crops", params)
    return read_table(raw.parent / "crops" / "crops.parquet", CROPS)


def test_offsets_lead_to_the_jpegs(raw: Path) -> None:
    crops = converted(raw)
    tar = (raw.parent / "crops" / "crops.tar").read_bytes()
    with tarfile.open(raw.parent / "crops" / "crops.tar") as archive:
        for row in crops.itertuples():
            assert tar[row.offset : row.offset + row.size] == archive.extractfile(row.path).read()
    assert crops["path"].is_unique
    assert crops["offset"].is_monotonic_increasing


def test_every_file_is_the_same_for_any_number_of_workers(raw: Path) -> None:
    digests = []
    for workers in (1, 2):
        converted(raw, replace(PARAMS, workers=workers))
        digests.append(
            {path.name: sha256(path) for path in sorted((raw.parent / "crops").rglob("*")) if path.is_file()}
        )
    assert digests[0] == digests[1]
    assert set(digests[0]) == {"crops.tar", "crops.parquet", "report.json", "train_80.txt", "val_20.txt", "train.txt"}


def test_train_val_and_test_share_no_person(raw: Path) -> None:
    crops = converted(raw)
    people = {split: set(rows["pid"]) for split, rows in crops.groupby("split")}
    assert {split: len(pids) for split, pids in people.items()} == {"train": 8, "val": 2, "query": 5, "gallery": 5}
    assert not people["train"] & people["val"]
    assert not (people["train"] | people["val"]) & (people["query"] | people["gallery"])
    assert set(crops["pid"]) == set(range(15))
    assert crops.groupby("scene")["camid"].unique().map(list).to_dict() == {"TOY-01": [0], "TOY-02": [1], "TOY-03": [2]}


def test_every_scene_gives_validating_people(raw: Path) -> None:
    crops = converted(raw)
    assert crops[crops["split"] == "val"].groupby("scene")["pid"].nunique().to_dict() == {"TOY-01": 1, "TOY-02": 1}


def test_by_name_the_last_folders_validate(raw: Path) -> None:
    crops = converted(raw, replace(PARAMS, val_by="name"))
    assert set(crops.loc[crops["split"] == "val", "path"].str.split("/").str[1]) == {"TOY-02_000004", "TOY-02_000005"}


def test_each_query_has_a_match_that_is_at_least_the_gap_away(raw: Path) -> None:
    crops = converted(raw)
    for query in crops[crops["split"] == "query"].itertuples():
        matches = crops[(crops["split"] == "gallery") & (crops["pid"] == query.pid)]
        assert len(matches) > 0
        assert (matches["frame"] - query.frame).abs().min() >= PARAMS.gap


def test_a_person_seen_too_shortly_is_gallery_only_and_counted(raw: Path, toy: Path) -> None:
    box = (20, 20, 12, 30, 1, 1, 1.0)
    write_gt(toy / "train" / "TOY-03", [*((f, 1, *box) for f in range(1, 13)), *((f, 2, *box) for f in (3, 4))])
    write_raw(raw, [whole("train", toy, "TOY-01"), whole("test", toy, "TOY-03")])
    crops = converted(raw)
    test = crops[crops["scene"] == "TOY-03"]
    assert set(test.loc[test["track_id"] == 2, "split"]) == {"gallery"}
    left_out = read_json(raw.parent / "crops" / "report.json")["people_left_out"]
    assert left_out["gallery only, seen for less than gap frames"] == 1


def test_in_a_half_split_no_frame_is_on_both_sides_and_people_keep_their_pid(tmp_path: Path, toy: Path) -> None:
    crops = converted(
        write_raw(tmp_path / "raw", [whole("train", toy, "TOY-01", 1, 7), whole("test", toy, "TOY-01", 8, 12)]),
        replace(PARAMS, min_per_person=1),
    )
    training = crops["split"].isin(["train", "val"])
    assert set(crops.loc[training, "frame"]) == set(range(1, 8))
    assert set(crops.loc[~training, "frame"]) <= set(range(8, 13))
    assert crops.groupby("track_id")["pid"].nunique().eq(1).all()
    assert read_json(tmp_path / "crops" / "report.json")["people_in_train_and_test"] == 5


def test_rare_people_are_dropped_and_frequent_ones_thinned_by_the_seed(raw: Path, toy: Path) -> None:
    box = (20, 20, 12, 30, 1, 1, 1.0)
    write_gt(
        toy / "train" / "TOY-01", [(f, p, *box) for p, most in ((1, 12), (2, 12), (3, 7)) for f in range(1, most + 1)]
    )
    write_raw(raw, [whole("train", toy, "TOY-01"), whole("test", toy, "TOY-03")])
    params = replace(PARAMS, max_per_person=9, val_split=0.0)
    first, again, other = (converted(raw, replace(params, seed=seed)) for seed in (0, 0, 1))
    train = first[first["split"] == "train"]
    assert train.groupby("track_id").size().to_dict() == {1: 9, 2: 9}
    assert first.equals(again)
    assert set(train["path"]) != set(other.loc[other["split"] == "train", "path"])
    report = read_json(raw.parent / "crops" / "report.json")
    assert report["people_left_out"]["fewer than min_per_person crops"] == 1
    assert report["boxes"]["TOY-01"]["crops beyond max_per_person"] == 6


def test_a_test_box_may_be_less_visible_than_a_training_box(raw: Path, toy: Path) -> None:
    rows = [(f, p, 20, 20, 12, 30, 1, 1, 0.2 if f % 2 else 0.9) for p in (1, 2) for f in range(1, 13)]
    for name in ("TOY-01", "TOY-03"):
        write_gt(toy / "train" / name, rows)
    write_raw(raw, [whole("train", toy, "TOY-01"), whole("test", toy, "TOY-03")])
    crops = converted(raw, replace(PARAMS, min_per_person=1, val_split=0.0, test_vis_threshold=0.1))
    assert crops.groupby("scene")["visibility"].min().to_dict() == {"TOY-01": 0.9, "TOY-03": 0.2}


@pytest.mark.parametrize(("digits", "extension"), [(8, ".jpg"), (6, ".png"), (1, ".jpg")])
def test_frames_may_be_named_and_coded_otherwise(raw: Path, toy: Path, digits: int, extension: str) -> None:
    expected = converted(raw)
    for name in ("TOY-01", "TOY-03"):
        info = toy / "train" / name / "seqinfo.ini"
        info.write_text(info.read_text().replace(".jpg", extension))
        for path in sorted((toy / "train" / name / "img1").iterdir()):
            renamed = path.with_name(f"{int(path.stem):0{digits}d}{extension}")
            renamed.write_bytes(
                cv2.imencode(extension, cv2.imread(str(path)))[1].tobytes()
                if extension == ".png"
                else path.read_bytes()
            )
            if renamed != path:
                path.unlink()
    crops = converted(
        write_raw(raw, [whole("train", toy, "TOY-01"), whole("train", toy, "TOY-02"), whole("test", toy, "TOY-03")])
    )
    assert crops.equals(expected)


def test_crops_have_the_size_that_is_asked_for(raw: Path) -> None:
    crops = converted(raw, replace(PARAMS, size=[40, 20]))
    assert (set(crops["height"]), set(crops["width"])) == ({40}, {20})
    tar = (raw.parent / "crops" / "crops.tar").read_bytes()
    row = crops.iloc[3]
    jpeg = np.frombuffer(tar[row["offset"] : row["offset"] + row["size"]], np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (40, 20, 3)


def test_pngs_among_the_published_crops_are_packed_as_they_are(tmp_path: Path) -> None:
    folder = write_market_set(tmp_path / "Market-1501", num_train=5)
    picture = folder / "bounding_box_train" / "0002_c1s1_000201_01.jpg"
    png = cv2.imencode(".png", cv2.imread(str(picture)))[1].tobytes()
    picture.write_bytes(png)  # published sets hold such files: the content tells, not the name
    crops = converted(write_raw(tmp_path / "raw", market_parts(folder)))
    row = crops[crops["path"].str.endswith(picture.name)].iloc[0]
    assert (tmp_path / "crops" / "crops.tar").read_bytes()[row["offset"] : row["offset"] + row["size"]] == png
    assert (row["width"], row["height"]) == (32, 64)


def market_parts(folder: Path) -> list[Part]:
    return [Part(part, folder.name, "market1501", folder, "", folder.name, 0, 0) for part in ("train", "test")]


def test_market_is_packed_as_published(tmp_path: Path) -> None:
    folder = write_market_set(tmp_path / "Market-1501", num_train=5)
    crops = converted(write_raw(tmp_path / "raw", market_parts(folder)))
    assert crops.groupby("split")["pid"].nunique().to_dict() == {"train": 4, "val": 1, "query": 3, "gallery": 4}
    assert crops.loc[crops["pid"] == -1, "path"].tolist() == ["imgs/Market-1501_000000/0000_c1s1_000007_01.jpg"]
    assert set(crops["camid"]) == {0, 1, 2}
    assert (set(crops["width"]), set(crops["height"]), set(crops["track_id"])) == ({32}, {64}, {-1})
    tar = (tmp_path / "crops" / "crops.tar").read_bytes()
    query = crops[crops["split"] == "query"].iloc[0]
    assert (
        tar[query["offset"] : query["offset"] + query["size"]]
        == (folder / "query" / Path(query["path"]).name).read_bytes()
    )


def test_people_and_cameras_of_two_sets_are_kept_apart(tmp_path: Path, toy: Path) -> None:
    folder = write_market_set(tmp_path / "Market-1501")
    crops = converted(write_raw(tmp_path / "raw", [*market_parts(folder), whole("train", toy, "TOY-01")]))
    for column in ("pid", "camid"):
        owners = crops[crops["pid"] >= 0].groupby(column)["dataset"].nunique()
        assert owners.eq(1).all()
    assert crops["camid"].nunique() == 4


def test_one_sequence_in_two_sets_is_refused(raw: Path, toy: Path) -> None:
    again = write_mot_set(raw.parent / "again", ("TOY-01",), num_people=5)
    write_raw(raw, [whole("train", toy, "TOY-01"), whole("train", again, "TOY-01")])
    with pytest.raises(
        ReidopsError, match=r"again/.*000001\.jpg and .*toy/.* would both be written to imgs/TOY-01_000001/000000\.jpg"
    ):
        converted(raw)


def test_a_set_that_changed_since_download_is_refused(raw: Path, toy: Path) -> None:
    write_gt(toy / "train" / "TOY-01", [(1, 1, 20, 20, 12, 30, 1, 1, 1.0)])
    with pytest.raises(ReidopsError, match="dvc repro -f download"):
        converted(raw)


def whole_params(**changes: object) -> str:
    """Return the params of a conversion as an argument of a script."""
    return repr(vars(default_params(ConvertParams, gap=4, **changes)))


KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
import cv2
from stages.convert import ConvertParams, convert
encode, count = cv2.imencode, iter(range(1000))
cv2.imencode = lambda *args: os.kill(os.getpid(), signal.SIGKILL) if next(count) == 40 else encode(*args)
convert(Path(sys.argv[1]), Path(sys.argv[2]), ConvertParams(**eval(sys.argv[3])))
"""


@pytest.mark.parametrize("has_previous", [False, True])
def test_a_killed_conversion_leaves_the_previous_one_or_nothing(raw: Path, has_previous: bool) -> None:
    crops = raw.parent / "crops"
    if has_previous:
        converted(raw)
    before = {path.name: sha256(path) for path in crops.rglob("*") if path.is_file()}
    run = subprocess.run([sys.executable, "-c", KILLED_HALFWAY, raw, crops, whole_params(workers=1)], check=False)
    assert run.returncode == -9
    assert {path.name: sha256(path) for path in crops.rglob("*") if path.is_file()} == before
    converted(raw)
    assert sorted(path.name for path in raw.parent.iterdir()) == ["crops", "raw", "toy"]


INTERRUPTED = """
import sys
from pathlib import Path
from stages.convert import ConvertParams, convert
convert(Path(sys.argv[1]), Path(sys.argv[2]), ConvertParams(**eval(sys.argv[3])))
"""


def test_a_conversion_by_two_processes_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    toy = write_mot_set(tmp_path / "toy", ("TOY-01",), num_frames=900, num_people=8)
    raw = write_raw(tmp_path / "raw", [whole("train", toy, "TOY-01", last=900)])
    command = [sys.executable, "-c", INTERRUPTED, raw, tmp_path / "crops", whole_params(workers=2)]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while run.poll() is None and not list(tmp_path.glob(".crops.partial/.crops.tar.*/*")):
        time.sleep(0.002)
    run.send_signal(signal.SIGINT)
    assert run.wait(20) != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "toy"]


def test_the_cut_of_mot17_09_converts_to_its_counted_crops(real_data: Path, tmp_path: Path) -> None:
    sequences = {sequence.scene: sequence for sequence in find_sequences(real_data / "MOT17")}
    nine = sequences["09"]
    lines = [line.split(",") for line in (nine.folder / "gt" / "gt.txt").read_text().splitlines()]
    visible = [line for line in lines if line[7] == "1" and line[6] == "1" and float(line[8]) >= 0.3]
    assert (nine.length, len(lines)) == (262, 4629)
    part = Part("train", "MOT17", "mot", nine.folder, nine.name, "09", 1, nine.length)
    crops = converted(write_raw(tmp_path / "raw", [part]), replace(PARAMS, min_per_person=1, workers=None))
    assert len(crops) == len(visible)
    assert crops["track_id"].nunique() == len({line[1] for line in visible})


def test_the_cut_of_market_converts_to_its_counted_crops(real_data: Path, tmp_path: Path) -> None:
    crops = converted(write_raw(tmp_path / "raw", market_parts(real_data / "Market-1501-v15.09.15")))
    assert crops["split"].isin(["train", "val"]).sum() == 7670
    assert crops["split"].value_counts()[["query", "gallery"]].tolist() == [372, 1366]
    assert crops.loc[crops["split"].isin(["train", "val"]), "pid"].nunique() == 451
    assert crops["camid"].nunique() == 6
    assert read_json(tmp_path / "crops" / "report.json")["queries_without_match"] == 0
