"""A local set that changes behind the pipeline's back is noticed."""

import os
from pathlib import Path

import pytest
from market_factory import write_crop, write_market_set
from mot_factory import write_mot_set

from reidops.datasets import inventory
from reidops.datasets.inventory import check_inventory, take_inventory, write_inventory
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.parts import Part


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    mot = write_mot_set(tmp_path / "MOT17", ("MOT17-02",), num_frames=3) / "train" / "MOT17-02"
    market = write_market_set(tmp_path / "Market-1501")
    found = [
        Part("train", "MOT17", "mot", mot, "MOT17-02", "02", 1, 3),
        Part("test", "Market-1501", "market1501", market, "", "Market-1501", 0, 0),
    ]
    write_inventory(found, tmp_path, {"MOT17": "local:MOT17", "Market-1501": "local:Market-1501"})
    return found


def test_an_unchanged_set_passes(tmp_path: Path, parts: list[Part]) -> None:
    check_inventory(parts, tmp_path)
    counted = read_json(tmp_path / "inventory.json")["MOT17"]
    files = [path for path in parts[0].folder.rglob("*") if path.is_file()]
    assert (counted["num_files"], counted["num_bytes"]) == (len(files), sum(path.stat().st_size for path in files))


def test_a_mended_annotation_is_noticed_though_its_length_is_the_same(tmp_path: Path, parts: list[Part]) -> None:
    gt = parts[0].folder / "gt" / "gt.txt"
    gt.write_text(gt.read_text().replace("1,1,1\n", "1,7,1\n"))
    with pytest.raises(ReidopsError, match=r"MOT17 in .* changed .*`?dvc repro -f download"):
        check_inventory(parts, tmp_path)


def test_a_frame_with_other_content_of_the_same_size_and_time_is_noticed(tmp_path: Path, parts: list[Part]) -> None:
    frame = parts[0].folder / "img1" / "000002.jpg"
    times, content = frame.stat(), bytearray(frame.read_bytes())
    content[len(content) // 2] ^= 1
    frame.write_bytes(content)
    os.utime(frame, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ReidopsError, match="MOT17 in .* changed .*the content or the name of a file changed"):
        check_inventory(parts, tmp_path)


def test_a_file_that_did_not_change_is_hashed_once(
    tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(inventory, "_SETTLED_NS", 0)
    hashed: list[Path] = []
    monkeypatch.setattr(inventory, "sha256", lambda path: hashed.append(path) or path.name)
    places = [parts[0].folder, parts[0].folder / "seqinfo.ini"]
    first = take_inventory(places)
    assert len(hashed) == 7 and take_inventory(places) == first and len(hashed) == 7
    (parts[0].folder / "img1" / "000002.jpg").touch()
    assert take_inventory(places) == first and hashed[7:] == [parts[0].folder / "img1" / "000002.jpg"]


def test_a_file_that_was_just_written_is_hashed_again(
    tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    take_inventory([parts[0].folder])
    assert not (tmp_path / ".cache").exists()


def test_a_lost_frame_is_noticed(tmp_path: Path, parts: list[Part]) -> None:
    (parts[0].folder / "img1" / "000002.jpg").unlink()
    with pytest.raises(ReidopsError, match="num_files 6 → 5"):
        check_inventory(parts, tmp_path)


def test_what_no_part_uses_may_change(tmp_path: Path, parts: list[Part]) -> None:
    write_crop(parts[1].folder / "bounding_box_train", 99, 1, frame=1)
    check_inventory(parts, tmp_path)


def test_a_set_that_dvc_holds_is_not_read_again(tmp_path: Path, parts: list[Part]) -> None:
    write_inventory(parts, tmp_path, {"MOT17": "https://motchallenge.net", "Market-1501": "local:Market-1501"})
    (parts[0].folder / "img1" / "000002.jpg").unlink()
    check_inventory(parts, tmp_path)
