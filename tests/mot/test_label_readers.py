"""BDD100K, PersonPath22, label folders and MOTS: each gives the boxes of its pictures, or names what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from reidops.errors import ReidopsError
from reidops.mot.frame_files import FrameFiles
from reidops.mot.label_folder import read_label_folder
from reidops.mot.mots import is_mots, read_mots
from reidops.mot.video_json import read_video_json

SIZE = (160, 96)
FILES = FrameFiles(tuple(range(1, 7)), tuple(f"{n:06d}.jpg" for n in range(1, 7)))
BOX = ["left", "top", "width", "height"]


def code_of(left: int, top: int, width: int, height: int, size: tuple[int, int] = SIZE) -> str:
    """Return the mask of a rectangle as MOTS writes it."""
    mask = np.zeros((size[1], size[0]), np.uint8, order="F")
    mask[top : top + height, left : left + width] = 1
    return coco_masks.encode(mask)["counts"].decode()


def read_json(tmp_path: Path, content, files: FrameFiles = FILES):
    path = tmp_path / "cam-a" / "annotations.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return read_video_json(path, files, *SIZE)


def bdd_frame(number: int, *labels: dict, video: str = "cam-a") -> dict:
    return {"name": f"{number:06d}.jpg", "videoName": video, "frameIndex": number - 1, "labels": list(labels)}


def bdd_label(**more) -> dict:
    return {"id": "00122063", "category": "pedestrian", "box2d": {"x1": 4, "y1": 8, "x2": 16, "y2": 38}} | more


def test_bdd100k_gives_boxes_of_its_pictures_with_classes_and_occlusion(tmp_path):
    frames = [
        bdd_frame(2, bdd_label(attributes={"occluded": True}), bdd_label(id="7", category="car")),
        bdd_frame(3, bdd_label(), bdd_label(id="9", attributes={"crowd": True})),
    ]
    read = read_json(tmp_path, frames)
    assert read.table[["frame", "track_id", "class_name", "visibility"]].to_numpy().tolist() == [
        [2, 1, "pedestrian", 0.5],
        [2, 2, "car", 1.0],
        [3, 1, "pedestrian", 1.0],
    ]
    assert read.table.loc[0, BOX].tolist() == [4, 8, 12, 30] and "1 crowds are left out" in read.remark
    assert read_json(tmp_path, {"frames": frames}).table.equals(read.table)


def test_bdd100k_takes_the_frames_of_its_own_video_and_refuses_a_file_without_it(tmp_path):
    frames = [bdd_frame(1, bdd_label()), bdd_frame(1, bdd_label(), video="cam-b")]
    read = read_json(tmp_path, frames)
    assert len(read.table) == 1 and "1 frames are of other videos" in read.remark
    with pytest.raises(ReidopsError, match=r"holds 2 videos \(cam-b, cam-c\), and none is cam-a"):
        read_json(tmp_path, [bdd_frame(1, bdd_label(), video=name) for name in ("cam-b", "cam-c")])


def test_bdd100k_labels_of_a_detector_have_no_ids_and_are_refused(tmp_path):
    with pytest.raises(ReidopsError, match=r"no id, .*box_track_20.*det_20"):
        read_json(tmp_path, [bdd_frame(1, bdd_label(id=None))])


def test_bdd100k_with_boxes_of_a_missing_picture_is_refused(tmp_path):
    with pytest.raises(ReidopsError, match=r"000009\.jpg, which is not among the frames"):
        read_json(tmp_path, [bdd_frame(9, bdd_label())])


def entity(frame: int, left: float = 10, **more) -> dict:
    given = {"id": 3, "bb": [left, 8, 12, 30], "labels": {"person": 1}, "blob": {"frame_idx": frame - 1}}
    return given | more


def path22(tmp_path: Path, entities: list[dict], files: FrameFiles, length: int | None = None):
    metadata = {"fps": 25, "resolution": {"width": SIZE[0], "height": SIZE[1]}, "number_of_frames": length}
    return read_json(tmp_path, {"metadata": metadata, "entities": entities}, files)


def files_of(*numbers: int) -> FrameFiles:
    return FrameFiles(numbers, tuple(f"{n:06d}.jpg" for n in numbers))


def test_personpath22_is_interpolated_between_its_keyframes_and_not_across_a_gap(tmp_path):
    entities = [entity(1, 10), entity(6, 20), entity(16, 40), entity(11, 0, id=4)]
    table = path22(tmp_path, entities, files_of(*range(1, 21)), 20).table
    found = table[table["track_id"] == 3]
    assert found["frame"].tolist() == [1, 2, 3, 4, 5, 6, 16] and found["left"].tolist() == [10, 12, 14, 16, 18, 20, 40]


@pytest.mark.parametrize(("first", "numbers"), [(1, (1, 6, 11)), (0, (0, 5, 10))])
def test_personpath22_finds_keyframes_that_were_extracted_alone_by_their_numbers(tmp_path, first, numbers):
    table = path22(tmp_path, [entity(6, 20), entity(11, 30), entity(1, 10)], files_of(*numbers), 300).table
    assert dict(zip(table["frame"], table["left"], strict=True)) == {1: 10, 2: 20, 3: 30}


@pytest.mark.parametrize("numbers", [range(1, 4), (1, 7, 13), range(0, 9)])
def test_personpath22_refuses_pictures_that_are_of_another_numbering(tmp_path, numbers):
    with pytest.raises(ReidopsError, match=r"frames 1 … 11 of a video of 300 frames.*ffmpeg -i"):
        path22(tmp_path, [entity(1), entity(6), entity(11)], files_of(*numbers), 300)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({"person": 1}, "person"),
        ({"severly_occluded_person": 2}, "person"),
        ({"person": 1, "sitting_person": 4}, "static person"),
        ({"person_in_vehicle": 7}, "rider"),
        ({"reflection": 1}, "reflection"),
        ({"crowd": 1}, "crowd"),
    ],
)
def test_personpath22_labels_become_classes(tmp_path, labels, name):
    assert path22(tmp_path, [entity(1, labels=labels)], FILES).table["class_name"].tolist() == [name]


def labels_in(tmp_path: Path, **files: str):
    folder = tmp_path / "labels_with_ids"
    folder.mkdir(exist_ok=True)
    for stem, text in files.items():
        (folder / f"{stem}.txt").write_text(text)
    return read_label_folder(folder, FILES, *SIZE)


JDE = "0 7 0.1 0.25 0.05 0.25\n"  # 8 × 24 px around (16, 24)


@pytest.mark.parametrize(
    "line", [JDE, JDE.replace(" ", "\t"), "0 7.0 .1 .25 .05 .25\n", "0 0.1 0.25 0.05 0.25 7\n", "0 .1 .25 .05 .25 7 \n"]
)
def test_label_folders_of_jde_and_of_ultralytics_tracking_give_the_same_box(tmp_path, line):
    read = labels_in(tmp_path, **{"000002": line, "000003": "", "classes": "person\n"})
    row = read.table.iloc[0]
    assert (row["frame"], row["track_id"], row["class_name"]) == (2, 7, "person")
    np.testing.assert_allclose(row[BOX].astype(float), [12, 12, 8, 24])


def test_boxes_of_label_folders_without_identity_are_left_out_and_counted(tmp_path):
    read = labels_in(tmp_path, **{"000001": JDE + JDE.replace(" 7 ", " -1 "), "000002": JDE.replace("0 7", "2 7")})
    assert "1 boxes without identity" in read.remark and read.table["class_name"].tolist() == ["person", "2"]
    with pytest.raises(ReidopsError, match=r"every identity is -1"):
        labels_in(tmp_path, **{"000001": JDE.replace(" 7 ", " -1 "), "000002": ""})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0 0.1 0.25 0.05 0.25\n", r"000002\.txt: .*without identities.*detect\.source"),
        ("0 0.1 0.25 0.05 0.25 0.9 7\n", r"has 7 fields, expected 6"),
        ("0 7 16 24 8 24\n", r"neither the second and the last field"),
        ("0 1 1 1 1 1\n", r"both the second and the last field"),
        ("0 7 0.1 0.25 0 0.25\n", r"000002\.txt: line 1 .*no area"),
        ("0 7 5.1 0.25 0.1 0.25\n", r"center is not in the frame"),
        ("0.5 7 0.1 0.25 0.1 0.25\n", r"class is no whole number"),
        ("", r"label files are empty"),
    ],
)
def test_label_folders_that_are_not_understood_are_refused(tmp_path, text, fault):
    with pytest.raises(ReidopsError, match=fault):
        labels_in(tmp_path, **{"000002": text})


def test_a_label_file_without_its_picture_is_refused(tmp_path):
    with pytest.raises(ReidopsError, match=r"000009\.txt: there is no picture of this name"):
        labels_in(tmp_path, **{"000009": JDE})


def mots_in(tmp_path: Path, *lines: str, files: FrameFiles = FILES):
    path = tmp_path / "gt.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return read_mots(path, files, *SIZE)


def test_mots_gives_the_boxes_around_its_masks_without_regions_to_ignore(tmp_path):
    lines = [
        f"2 2005 2 96 160 {code_of(12, 20, 8, 30)}",
        f"3 1001 1 96 160 {code_of(0, 0, 160, 96)}",
        f"3 10000 10 96 160 {code_of(1, 1, 5, 5)}",
    ]
    read = mots_in(tmp_path, *lines)
    assert read.table[["frame", "track_id", *BOX]].to_numpy().tolist() == [
        [2, 2005, 12, 20, 8, 30],
        [3, 1001, 0, 0, 160, 96],
    ]
    assert read.table["class_name"].tolist() == ["pedestrian", "car"] and "1 regions" in read.remark
    assert is_mots(tmp_path / "gt.txt")


@pytest.mark.parametrize(("first", "frame"), [(0, 0), (1, 1), (100, 100)])
def test_a_frame_of_mots_is_the_number_of_its_picture(tmp_path, first, frame):
    files = files_of(*range(first, first + 6))
    read = mots_in(tmp_path, f"{frame} 2001 2 96 160 {code_of(1, 2, 3, 4)}", files=files)
    assert read.table["frame"].tolist() == [1]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"7 2001 2 96 160 {code_of(1, 2, 3, 4)}", "no picture with the number 7"),
        (f"1 2001 2 48 80 {code_of(1, 2, 3, 4, (80, 48))}", "80 × 48 px, the frames 160 × 96"),
        (f"1 2001 2 96 160 {code_of(1, 2, 0, 0)}", "the mask is empty"),
        ("1 2001 2 96 160 Phb05", "the mask is empty or larger"),  # 19,200 px, and 5 px behind them
        ("1 2001 2 96 160 00o", "is not frame id class height width mask"),
        ("1 2001 2 96 160 ~", "is not frame id class height width mask"),
        ("1,2001,2,96,160,00", "is not frame id class height width mask"),
        (f"1 10000 10 96 160 {code_of(1, 2, 3, 4)}", "holds no mask of a person"),
    ],
)
def test_mots_that_is_damaged_or_of_other_frames_is_refused_with_its_line(tmp_path, line, fault):
    with pytest.raises(ReidopsError, match=fault):
        mots_in(tmp_path, line)


@pytest.mark.parametrize("line", ["1 2 3 4 5 6", "1,1,5,5,10,20,1,1,1", "1 1 5 5 10 20 1 1 1", "", "1 1 5 5 10 20.5"])
def test_other_annotations_are_not_taken_for_mots(tmp_path, line):
    (tmp_path / "gt.txt").write_text(line + "\n")
    assert not is_mots(tmp_path / "gt.txt") and not is_mots(tmp_path / "none.txt")


def test_coco_frames_are_found_by_number_where_pictures_are_missing(tmp_path):
    files = FrameFiles((1, 2, 4, 5), tuple(f"{n:06d}.jpg" for n in (1, 2, 4, 5)), first=1)
    box = {"id": 1, "image_id": 4, "bbox": [4, 8, 12, 30], "category_id": 1, "track_id": 7}
    content = {
        "images": [{"id": 4, "file_name": "000004.jpg"}],
        "annotations": [box],
        "categories": [{"id": 1, "name": "person"}],
    }
    assert read_json(tmp_path, content, files).table["frame"].tolist() == [4]
