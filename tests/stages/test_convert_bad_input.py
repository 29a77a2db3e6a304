"""`convert` names what is wrong with its input, the file and the line where there is one, and leaves nothing behind."""

import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from default_params import default_params
from market_factory import write_crop, write_market_set
from mot_factory import write_gt, write_mot_set
from raw_folder import whole, write_raw

from reidops.datasets import packing
from reidops.errors import ReidopsError
from reidops.parts import Part
from reidops.tables import CROPS, read_table
from stages.convert import ConvertParams, convert

pytestmark = pytest.mark.slow

PARAMS = default_params(ConvertParams, gap=4, queries_per_person=2, workers=1)
BOX = "20,20,12,30,1,1,1"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_mot_set(tmp_path / "toy", ("TOY-01", "TOY-02", "TOY-03"), num_people=5)


@pytest.fixture
def raw(tmp_path: Path, toy: Path) -> Path:
    return write_raw(tmp_path / "raw", parts(toy))


def parts(toy: Path) -> list:
    return [whole("train", toy, "TOY-01"), whole("train", toy, "TOY-02"), whole("test", toy, "TOY-03")]


def converted(raw: Path, params: ConvertParams = PARAMS) -> pd.DataFrame:
    convert(raw, raw.parent / "crops", params)
    return read_table(raw.parent / "crops" / "crops.parquet", CROPS)


def refuses(toy: Path, message: str, params: ConvertParams = PARAMS) -> None:
    """Check that the set as it now is, is refused with the message, and that nothing is left under any name."""
    raw = write_raw(toy.parent / "raw", parts(toy))
    with pytest.raises(ReidopsError, match=message):
        converted(raw, params)
    assert sorted(path.name for path in raw.parent.iterdir()) == ["raw", "toy"]


def gt_of(toy: Path) -> Path:
    return toy / "train" / "TOY-01" / "gt" / "gt.txt"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,1,20,20,12,30", r"line 61 has 6 fields, expected 9 like line 1"),
        (
            "1,9,2o,20,12,30,1,1,1",
            r"line 61 \(1,9,2o,.*no number; remove the header line or correct the row",
        ),
        ("1,9,nan,20,12,30,1,1,1", r"line 61 \(.*holds NaN or infinity"),
        (
            "1,9,20,20,-12,30,1,1,1",
            r"line 61 \(.*its box has no area; width and height must be positive, remove the row",
        ),
        ("1,9,20,20,12,0,1,1,1", r"line 61 \(.*its box has no area"),
        (f"0,9,{BOX}", r"line 61 \(.*its frame is outside 1 … 12 \(seqLength\); frames count from 1"),
        (f"13,9,{BOX}", r"line 61 \(.*its frame is outside 1 … 12"),
        (f"1.5,9,{BOX}", r"line 61 \(.*its frame is no whole number"),
        (f"1,9.5,{BOX}", r"line 61 \(.*its id is no whole number"),
        (
            "1,9,20,20,12,30,1,1,1.5",
            r"in frame 1 id 9 has visibility 1\.5; expected 0 … 1.*download\.formats: {toy: '.*class,-'}",
        ),
    ],
)
def test_a_faulty_line_is_named(toy: Path, line: str, message: str) -> None:
    gt_of(toy).write_text(gt_of(toy).read_text() + line + "\n")
    refuses(toy, r"TOY-01/gt/gt\.txt: " + message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"gt\.txt: is empty; expected one line per box"),
        (b"\n\n", r"gt\.txt: is empty"),
        (
            b"frame,id,left,top,breadth,height,flag,class,visibility\n1,1,20,20,12,30,1,1,1\n",
            r"gt\.txt: line 1 \(frame,id.*remove the header line",
        ),
        (b"1,1,20,20,12\n", r"gt\.txt: line 1 has 5 fields, expected at least 6"),
        (b"\xff\xd8\xff\xe0", r"gt\.txt: byte 0 is not text"),
        (None, r"gt\.txt"),
    ],
)
def test_a_file_that_holds_no_annotations_is_named(toy: Path, content: bytes | None, message: str) -> None:
    gt_of(toy).unlink()
    if content is not None:
        gt_of(toy).write_bytes(content)
    refuses(toy, message)


@pytest.mark.parametrize("change", ["bom", "crlf", "trailing comma", "blank lines", "spaces"])
def test_how_editors_save_a_file_changes_nothing(raw: Path, toy: Path, change: str) -> None:
    expected = converted(raw)
    text = gt_of(toy).read_text()
    changed = {
        "bom": "\ufeff" + text,
        "crlf": text.replace("\n", "\r\n"),
        "trailing comma": text.replace("\n", ",\n"),
        "blank lines": text.replace("\n", "\n\n"),
        "spaces": text.replace(",", ", "),
    }
    gt_of(toy).write_text(changed[change], newline="")
    assert converted(write_raw(raw, parts(toy))).equals(expected)


def test_one_person_twice_in_a_frame_is_two_crops_as_in_mot2reid(toy: Path) -> None:
    lines = gt_of(toy).read_text().splitlines()
    gt_of(toy).write_text("\n".join([lines[0], *lines]) + "\n")
    crops = converted(write_raw(toy.parent / "raw", parts(toy)))
    first = crops[(crops["scene"] == "TOY-01") & (crops["track_id"] == 1)].sort_values("path")
    assert first["frame"].tolist() == [1, 1, *range(2, 13)]
    assert first["path"].str[-10:].tolist() == [f"{k:06d}.jpg" for k in range(13)]


def test_a_box_outside_its_frame_is_left_out(toy: Path) -> None:
    gt_of(toy).write_text(gt_of(toy).read_text() + "1,9,-50,20,12,30,1,1,1\n")
    crops = converted(write_raw(toy.parent / "raw", parts(toy)), replace(PARAMS, min_per_person=1))
    assert 9 not in set(crops.loc[crops["scene"] == "TOY-01", "track_id"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "seqLength=12",
            "seqLength=13",
            r"000013\.jpg: the frame is missing \(1 of 13 are\); seqinfo\.ini states seqLength=13",
        ),
        (
            "imWidth=160",
            "imWidth=161",
            r"0000\d\d\.jpg: has 160 × 96 px, expected 161 × 96 \(seqinfo\.ini\); correct seqinfo\.ini or the frames",
        ),
        ("imHeight=96", "imHeight=0", r"seqinfo\.ini: seqLength, frameRate, imWidth and imHeight must be above 0"),
        (
            "seqLength=12",
            "seqLength=twelve",
            r"seqinfo\.ini: .*twelve.*; expected a \[Sequence\] section with seqLength",
        ),
        ("seqLength=12", "", r"seqinfo\.ini: seqLength is missing; expected a \[Sequence\] section"),
        ("imDir=img1", "imDir=img2", r"img2/0000\d\d\.jpg: the frame is missing \(12 of 12 are\)"),
    ],
)
def test_a_seqinfo_that_contradicts_the_images_is_named(toy: Path, old: str, new: str, message: str) -> None:
    info = toy / "train" / "TOY-01" / "seqinfo.ini"
    info.write_text(info.read_text().replace(old, new))
    rows = [replace(part, last_frame=13) if "13" in new and part.sequence == "TOY-01" else part for part in parts(toy)]
    with pytest.raises(ReidopsError, match=message):
        converted(write_raw(toy.parent / "raw", rows))
    assert not (toy.parent / "crops").exists()


def test_a_missing_seqinfo_is_named(toy: Path) -> None:
    (toy / "train" / "TOY-01" / "seqinfo.ini").unlink()
    refuses(toy, r"TOY-01/seqinfo\.ini: no such file")


def test_images_past_the_length_are_nobodys(raw: Path, toy: Path) -> None:
    expected = converted(raw)
    images = toy / "train" / "TOY-01" / "img1"
    (images / "000013.jpg").write_bytes((images / "000012.jpg").read_bytes())
    assert converted(write_raw(raw, parts(toy))).equals(expected)


def test_a_missing_frame_is_named(toy: Path) -> None:
    (toy / "train" / "TOY-02" / "img1" / "000004.jpg").unlink()
    refuses(toy, r"TOY-02/img1/000004\.jpg: the frame is missing \(1 of 12 are\)")


def test_a_truncated_frame_is_named(toy: Path) -> None:
    frame = toy / "train" / "TOY-02" / "img1" / "000004.jpg"
    frame.write_bytes(frame.read_bytes()[:700])
    refuses(toy, r"TOY-02/img1/000004\.jpg: the JPEG is cut off after 700 bytes; copy or unpack it again")


def test_a_frame_that_is_damaged_in_its_middle_is_named(toy: Path) -> None:
    frame = toy / "train" / "TOY-02" / "img1" / "000004.jpg"
    data = frame.read_bytes()
    frame.write_bytes(data[:2000] + data[-50:])
    refuses(
        toy,
        r"TOY-02/img1/000004\.jpg: is damaged, parts of the picture are lost \(Corrupt JPEG data: .*copy or unpack it "
        r"again",
    )


def test_a_frame_that_is_no_image_is_named(toy: Path) -> None:
    (toy / "train" / "TOY-02" / "img1" / "000004.jpg").write_text("<html>not found</html>")
    refuses(toy, r"TOY-02/img1/000004\.jpg: is no readable image; copy or unpack it again")


def test_a_frame_that_cannot_be_read_is_named(toy: Path) -> None:
    frame = toy / "train" / "TOY-02" / "img1" / "000004.jpg"
    frame.unlink()
    frame.mkdir()
    refuses(toy, r"TOY-02/img1/000004\.jpg: Is a directory")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"min_per_person": 13},
            "the training split has 0 people.*10 people: fewer than min_per_person crops.*lower convert.min_per_person",
        ),
        ({"val_split": 0.89}, "the training split has 1 people"),
        ({"vis_threshold": 1.0, "classes": [7]}, "the training split has 0 people.*another class 180"),
        ({"gap": 12}, "the test part has no query and some gallery crops"),
    ],
)
def test_a_split_from_which_nothing_can_be_learnt_is_refused(raw: Path, changes: dict, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        converted(raw, replace(PARAMS, **changes))
    assert not (raw.parent / "crops").exists()


def test_one_person_only_cannot_train(toy: Path) -> None:
    for name in ("TOY-01", "TOY-02"):
        write_gt(
            toy / "train" / name, [(f, 1, 20, 20, 12, 30, 1, 1, 1.0) for f in range(1, 13 if name == "TOY-01" else 4)]
        )
    facts = (
        "the training split has 1 people, expected at least 2; left out: .*1 people: fewer than .*lower "
        "convert.min_per_person"
    )
    refuses(toy, facts, replace(PARAMS, val_split=0.0))


@pytest.mark.parametrize(
    ("folder", "pid", "message"),
    [
        ("bounding_box_train", -1, r"the training split has 0 people.*left out: .*junk \(pid -1\) 3"),
        ("bounding_box_train", 2, "the training split has 1 people"),
        ("bounding_box_test", -1, "the test part has some query and no gallery crops"),
        ("query", -1, "the test part has no query and some gallery crops"),
    ],
)
def test_a_market_set_without_people_for_a_part_is_refused(tmp_path: Path, folder: str, pid: int, message: str) -> None:
    market = write_market_set(tmp_path / "Market-1501")
    for path in (market / folder).iterdir():
        path.unlink()
    for frame in (900, 901):
        write_crop(market / folder, pid, 1, frame)
    rows = [Part(part, market.name, "market1501", market, "", market.name, 0, 0) for part in ("train", "test")]
    with pytest.raises(ReidopsError, match=message):
        converted(write_raw(tmp_path / "raw", rows), replace(PARAMS, val_split=0.0))
    assert not (tmp_path / "crops").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_leaves_the_previous_crops_as_they_were(raw: Path, toy: Path, workers: int) -> None:
    expected = converted(raw)
    frame = toy / "train" / "TOY-02" / "img1" / "000004.jpg"
    frame.write_bytes(frame.read_bytes()[:700])
    write_raw(raw, parts(toy))
    with pytest.raises(ReidopsError, match=r"000004\.jpg"):
        converted(raw, replace(PARAMS, workers=workers))
    assert read_table(raw.parent / "crops" / "crops.parquet", CROPS).equals(expected)
    assert sorted(path.name for path in raw.parent.iterdir()) == ["crops", "raw", "toy"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_when_a_crop_is_written(toy: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    count = iter(range(1000))
    write = packing.write_member

    def write_until_full(*arguments: object) -> tuple[int, int]:
        if next(count) == 40:
            raise OSError(number, os.strerror(number))
        return write(*arguments)

    monkeypatch.setattr(packing, "write_member", write_until_full)
    refuses(
        toy,
        r"crops: no space is left on its disk \(.*free some space .* and run again",
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 128 kB, where the machine lets us."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_is_full_ends_with_nothing_on_it(raw: Path, small_disk: Path, workers: int) -> None:
    with pytest.raises(ReidopsError, match=r"disk/crops: no space is left on its disk \(No space left on device\)"):
        convert(raw, small_disk / "crops", replace(PARAMS, workers=workers))
    assert list(small_disk.iterdir()) == []
