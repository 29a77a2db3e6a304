"""reidops/datasets/exports.py: sets of other projects and tools become the same boxes in MOTChallenge's layout."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from default_params import default_params
from drawn_exports import (
    FEW,
    HEIGHT,
    WIDTH,
    bare_mot,
    bdd100k,
    coco,
    cvat,
    kitti,
    kitti_mots,
    label_studio,
    labels_with_ids,
    mots,
    own_columns,
    personpath22,
    uavdt,
    visdrone,
)

from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules, choose_boxes
from reidops.mot.cvat import read_cvat
from reidops.mot.frame_files import FrameFiles
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.mot.video_json import read_video_json
from reidops.parts import read_parts
from stages.download import DownloadParams, download


def downloaded(tmp_path: Path, write, monkeypatch, **changes) -> list:
    for name in ("one", "two"):
        write(tmp_path / "sets" / "mine", name)
    monkeypatch.setattr("reidops.files.repository_root", lambda: tmp_path)
    monkeypatch.setattr("reidops.mot.sequences.repository_root", lambda: tmp_path)
    monkeypatch.setattr("reidops.datasets.inventory.repository_root", lambda: tmp_path)
    mine = {"local": "sets", "train": ["mine"], "test": ["mine"], "track": ["mine"], "sequences": ["two"]}
    params = default_params(DownloadParams, **mine, **changes)
    download(tmp_path / "raw", params)
    return read_parts(tmp_path / "raw")


SETS = [bdd100k, personpath22, labels_with_ids, mots, kitti_mots]
EXPORTS = [visdrone, kitti, cvat, coco, label_studio, bare_mot, *SETS]


@pytest.mark.parametrize("write", EXPORTS)
def test_every_tools_export_gives_the_same_boxes_of_people(tmp_path, monkeypatch, write):
    parts = downloaded(tmp_path, write, monkeypatch)
    assert {part.sequence for part in parts} == {"one", "two"}
    for part in parts:
        sequence = read_sequence(part.folder)
        table = read_annotations(sequence)
        people = table[(table["class_id"] == 1) & table["considered"]]
        found = {
            (row.frame, row.track_id): (row.left + 1, row.top + 1, row.width, row.height) for row in people.itertuples()
        }
        assert found.keys() == FEW.boxes.keys()
        np.testing.assert_allclose([found[key] for key in FEW.boxes], list(FEW.boxes.values()), atol=1e-6)


@pytest.mark.parametrize("write", EXPORTS)
def test_a_box_of_every_export_is_cut_out_of_its_own_picture(tmp_path, monkeypatch, write):
    part = downloaded(tmp_path, write, monkeypatch)[0]
    sequence = read_sequence(part.folder)
    boxes, _ = choose_boxes(sequence, BoxRules())
    for row in boxes.itertuples():
        picture = cv2.imread(str(sequence.frame_path(row.frame)))
        colour = np.random.default_rng(row.track_id).integers(0, 256, 3)
        inside = picture[row.y1 + 4 : row.y2 - 4, row.x1 + 3 : row.x2 - 3].reshape(-1, 3)
        others = [np.random.default_rng(p).integers(0, 256, 3) for p in range(1, FEW.num + 1) if p != row.track_id]
        apart = [np.abs(inside.mean(0) - other).sum() for other in others]
        assert np.abs(inside.mean(0) - colour).sum() < min(apart)


@pytest.mark.parametrize(
    "numbers", [(0, 1, 2, 3, 4, 5), (0, 1, 2, 4, 7, 8), (1, 2, 4, 5, 6, 9), (10, 15, 20, 25, 30, 31)]
)
def test_boxes_in_some_frames_are_not_shifted_whatever_the_numbers_of_the_pictures(tmp_path, monkeypatch, numbers):
    """Boxes in frames 2 … 5 alone, with detections: the numbers of the pictures are other frames."""

    def write(root, name):
        coco(root, name)
        folder = root / "train" / name
        for frame, number in reversed(list(enumerate(numbers, 1))):
            (folder / "img1" / f"cam7_{99 + frame:04d}.jpg").rename(folder / "img1" / f"p_{number:04d}.jpg")
        content = json.loads((folder / "annotations.json").read_text())
        for image, number in zip(content["images"], numbers, strict=True):
            image["file_name"] = f"img1/p_{number:04d}.jpg"
        content["annotations"] = [box for box in content["annotations"] if 2 <= box["image_id"] <= 5]
        (folder / "annotations.json").write_text(json.dumps(content))

    part = downloaded(tmp_path, write, monkeypatch)[0]
    table = read_annotations(read_sequence(part.folder))
    people = table[table["class_id"] == 1]
    found = {
        (row.frame, row.track_id): (row.left + 1, row.top + 1, row.width, row.height) for row in people.itertuples()
    }
    assert found == {key: pytest.approx(box) for key, box in FEW.boxes.items() if 2 <= key[0] <= 5}


def with_hidden_files(folder: Path) -> None:
    """Write what macOS leaves beside every file and folder."""
    for path in list(folder.rglob("*")):
        (path.with_name(f"._{path.name}") if path.is_file() else path / ".DS_Store").write_bytes(b"\0\5\x16\7")


@pytest.mark.parametrize("write", [visdrone, kitti, cvat, coco, bare_mot])
def test_an_export_in_an_archive_with_a_folder_around_it_is_read(tmp_path, monkeypatch, write):
    for name in ("one", "two"):
        write(tmp_path / "export" / "my data", name)
    with_hidden_files(tmp_path / "export")
    (tmp_path / "sets").mkdir()
    with zipfile.ZipFile(tmp_path / "sets" / "mine.zip", "w") as archive:
        for path in sorted((tmp_path / "export").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "export"))
        archive.writestr("__MACOSX/my data/._train", b"\0\5\x16\7")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    mine = {"local": "sets", "train": ["mine"], "test": ["mine"], "track": ["mine"], "sequences": ["two"]}
    download(tmp_path / "raw", default_params(DownloadParams, **mine))
    for part in read_parts(tmp_path / "raw"):
        sequence = read_sequence(part.folder)
        assert len(choose_boxes(sequence, BoxRules())[0]) == len(FEW.boxes)
        assert cv2.imread(str(sequence.frame_path(FEW.num_frames))).shape == (HEIGHT, WIDTH, 3)


def test_hidden_files_beside_annotations_are_no_sequences(tmp_path, monkeypatch):
    def write(root, name):
        visdrone(root, name)
        with_hidden_files(root)

    assert {part.sequence for part in downloaded(tmp_path, write, monkeypatch)} == {"one", "two"}


def test_a_set_one_folder_further_down_is_named(tmp_path, monkeypatch):
    with pytest.raises(ReidopsError, match=r"holds no data set.* mine/export holds one: write this name"):
        downloaded(tmp_path, lambda root, name: bare_mot(root / "export", name), monkeypatch)


def test_annotated_sequences_beside_train_are_named_because_they_are_not_read(tmp_path, monkeypatch, caplog):
    def write(root, name):
        bare_mot(root, name)
        (root / "val" / f"{name}-v" / "gt").mkdir(parents=True)
        (root / "val" / f"{name}-v" / "gt" / "gt.txt").write_text("1,1,5,5,10,20,1,1,1\n")

    assert {part.sequence for part in downloaded(tmp_path, write, monkeypatch)} == {"one", "two"}
    assert "mine/val: its 2 annotated sequences are not read" in caplog.text


def test_people_whose_pictures_are_all_of_another_format_are_refused_with_the_format(tmp_path, monkeypatch):
    def write(root, name):
        for side in ("train", "test"):
            (root / side / name).mkdir(parents=True)
            (root / side / name / "0.HEIC").write_bytes(b"ftypheic")

    with pytest.raises(ReidopsError, match=r"its pictures, 4 of \.heic, are not read: convert them to one of \.jpg"):
        downloaded(tmp_path, write, monkeypatch)


def test_columns_classes_and_numbering_that_params_name_are_heeded(tmp_path, monkeypatch):
    def write(root, name):
        own_columns(root, name)
        info = f"[Sequence]\nframeRate=10\nseqLength={FEW.num_frames}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
        (root / "train" / name / "seqinfo.ini").write_text(info)

    formats = {"mine": "frame0,left,top,right,bottom,class,id"}
    part = downloaded(tmp_path, write, monkeypatch, formats=formats, people={"mine": [0]})[0]
    table = read_annotations(read_sequence(part.folder))
    people = table[table["class_id"] == 1]
    assert {(row.frame, row.track_id) for row in people.itertuples()} == set(FEW.boxes)
    assert people[["width", "height"]].drop_duplicates().to_numpy().tolist() == [[12, 30]]
    assert table.loc[table["track_id"] == 77, "class_id"].tolist() == [2]


def test_uavdt_is_read_in_its_own_columns_and_its_vehicles_are_named_in_params(tmp_path, monkeypatch):
    part = downloaded(tmp_path, uavdt, monkeypatch, people={"mine": ["car"]})[0]
    table = read_annotations(read_sequence(part.folder))
    chosen = table[table["class_id"] == 1]
    assert {(row.frame, row.track_id) for row in chosen.itertuples()} == set(FEW.boxes)
    assert chosen.groupby("track_id")["visibility"].first().tolist() == [1.0, 0.25, 0.5]
    assert table.loc[table["track_id"] == 90, "class_id"].tolist() == [3]


def test_uavdt_without_named_vehicles_is_refused_because_it_holds_no_people(tmp_path, monkeypatch):
    with pytest.raises(ReidopsError, match=r"one_gt_whole\.txt: .*no people.*download\.people: {.*car, truck, bus"):
        downloaded(tmp_path, uavdt, monkeypatch)


@pytest.mark.parametrize(("write", "frames"), [(bdd100k, "images/track/train"), (personpath22, "frame_data")])
def test_videos_of_a_large_set_without_frames_are_counted_and_not_used(tmp_path, monkeypatch, caplog, write, frames):
    def some(root, name):
        write(root, name)
        write(root, f"not-unpacked-{name}")
        folder = next(root.glob(f"{frames.rpartition('/')[0] or '.'}/*/not-unpacked-{name}"))
        folder.rename(root / f"elsewhere-{name}")

    assert {part.sequence for part in downloaded(tmp_path, some, monkeypatch)} == {"one", "two"}
    assert "2 of its videos have no frames below" in caplog.text


@pytest.mark.parametrize(("write", "number", "word"), [(mots, 2, "pedestrian"), (labels_with_ids, 0, "person")])
def test_people_name_classes_of_masks_and_label_files_by_number_or_word(tmp_path, monkeypatch, write, number, word):
    for place, people in enumerate(([number], [word])):
        part = downloaded(tmp_path / str(place), write, monkeypatch, people={"mine": people})[0]
        table = read_annotations(read_sequence(part.folder))
        assert (table["class_id"] == 1).sum() == len(FEW.boxes)


def test_a_frame_that_is_a_dangling_link_is_named(tmp_path, monkeypatch):
    def write(root, name):
        bare_mot(root, name)
        for path in (root / "train" / name / "img1").iterdir():
            path.unlink()
            path.symlink_to(root / "moved" / path.name)

    with pytest.raises(ReidopsError, match=r"000001\.jpg: is a link to a file that is not there"):
        downloaded(tmp_path, write, monkeypatch)


def test_an_unknown_format_is_named(tmp_path, monkeypatch):
    with pytest.raises(ReidopsError, match=r"download\.formats: mine: motx .*; expected mot, mot15, visdrone, uavdt"):
        downloaded(tmp_path, bare_mot, monkeypatch, formats={"mine": "motx"})


def test_frames_that_the_annotations_need_and_are_not_there_are_named(tmp_path, monkeypatch):
    def write(root, name):
        cvat(root, name)
        (root / "train" / name / "images" / "frame_000005.PNG").unlink()

    with pytest.raises(ReidopsError, match="boxes are in frames 6 … 6, and .* holds 5 pictures"):
        downloaded(tmp_path, write, monkeypatch)


@pytest.mark.parametrize(("write", "picture"), [(cvat, "images/frame_000002.PNG"), (kitti, "000002.png")])
def test_a_missing_picture_in_the_middle_is_named_because_frames_would_be_shifted(
    tmp_path, monkeypatch, write, picture
):
    def with_gap(root, name):
        write(root, name)
        folder = root / ("train" if write is cvat else "training/image_02") / name
        (folder / picture).unlink()
        last = {cvat: "images/frame_000006.PNG", kitti: "000006.png"}[
            write
        ]  # so that their number is that of the frames
        cv2.imwrite(str(folder / last), np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    with pytest.raises(ReidopsError, match=r"the picture with the number 2, after .*000001\.[pP].*would be shifted"):
        downloaded(tmp_path, with_gap, monkeypatch)


def test_cvat_keyframes_are_interpolated_and_end_where_they_are_outside(tmp_path):
    box = '<box frame="{}" outside="{}" occluded="0" keyframe="1" xtl="{}" ytl="0" xbr="{}" ybr="20"/>'
    track = box.format(0, 0, 0, 10) + box.format(4, 0, 8, 18) + box.format(5, 1, 8, 18)
    (tmp_path / "a.xml").write_text(f'<annotations><track id="3" label="person">{track}</track></annotations>')
    table = read_cvat(tmp_path / "a.xml").table
    assert table[["frame", "left", "width"]].to_numpy().tolist() == [[k + 1, 2.0 * k, 10.0] for k in range(5)]


FILES = FrameFiles(tuple(range(1, 7)), tuple(f"{n:06d}.jpg" for n in range(1, 7)))


def coco_file(tmp_path: Path, images: list[dict], boxes: list[dict]):
    path = tmp_path / "cam-a" / "annotations.json"
    path.parent.mkdir(exist_ok=True)
    rows = [{"id": k, "bbox": [4, 8, 12, 30], "category_id": 1, "track_id": 7} | box for k, box in enumerate(boxes)]
    content = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "person"}]}
    path.write_text(json.dumps(content))
    return read_video_json(path, FILES, WIDTH, HEIGHT)


def test_a_coco_file_of_several_videos_gives_the_boxes_of_its_own_sequence(tmp_path):
    images = [{"id": k, "file_name": f"val/{name}/img1/000002.jpg"} for k, name in enumerate(("cam-a", "cam-b"))]
    boxes = [{"image_id": 0}, {"image_id": 1, "track_id": 8}]
    read = coco_file(tmp_path, images, boxes)
    assert read.table[["frame", "track_id"]].to_numpy().tolist() == [[2, 7]]
    assert "1 boxes are of other sequences" in read.remark
    (tmp_path / "cam-a").rename(tmp_path / "cam-x")
    images = [image | {"file_name": image["file_name"].replace("cam-a", "cam-c")} for image in images]
    with pytest.raises(ReidopsError, match=r"2 folders \(val/cam-b/img1, val/cam-c/img1\).* none is cam-a"):
        coco_file(tmp_path, images, boxes)


def test_coco_boxes_of_larger_images_are_scaled_to_the_frames(tmp_path):
    image = {"id": 1, "file_name": "000001.jpg", "width": 2 * WIDTH, "height": 4 * HEIGHT}
    read = coco_file(tmp_path, [image], [{"image_id": 1}])
    assert read.table[["left", "top", "width", "height"]].to_numpy().tolist() == [[2, 2, 6, 7.5]]
    assert "scaled to 160 × 96 px" in read.remark


def test_coco_track_ids_that_are_words_are_numbered_and_occlusion_is_heeded(tmp_path):
    boxes = [{"image_id": 1, "track_id": word} for word in ("p-9", "p-3", "p-9")]
    boxes[1]["attributes"] = {"occluded": True}
    table = coco_file(tmp_path, [{"id": 1, "file_name": "000001.jpg"}], boxes).table
    assert table["track_id"].tolist() == [1, 2, 1] and table["visibility"].tolist() == [1.0, 0.5, 1.0]


def studio_file(tmp_path: Path, value: dict, *others: dict):
    result = {"type": "videorectangle", "value": {"labels": ["person"]} | value}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([{"annotations": [*others, {"result": [result]}]}]))
    return read_video_json(path, FILES, WIDTH, HEIGHT).table


def keyframe(frame: int, **more) -> dict:
    return {"frame": frame, "enabled": True, "x": 50, "y": 25, "width": 10, "height": 50} | more


def test_a_label_studio_video_of_another_length_is_refused_because_frames_would_be_shifted(tmp_path):
    assert studio_file(tmp_path, {"sequence": [keyframe(5)], "framesCount": 7})["frame"].tolist() == [5, 6]
    with pytest.raises(ReidopsError, match=r"annotations\.json: .* 12 frames, and there are 6 pictures.*frameRate"):
        studio_file(tmp_path, {"sequence": [keyframe(5)], "framesCount": 12})


def test_keyframes_in_any_order_and_a_cancelled_annotation_are_read(tmp_path):
    keys = [keyframe(4, enabled=False), keyframe(2)]
    table = studio_file(tmp_path, {"sequence": keys, "framesCount": 6}, {"result": [], "was_cancelled": True})
    assert table["frame"].tolist() == [2, 3]


def test_rotated_boxes_become_the_upright_box_around_them(tmp_path):
    side = {"width": 10, "height": 100 * 16 / HEIGHT, "rotation": 90}  # 16 × 16 px, turned around its left upper corner
    table = studio_file(tmp_path, {"sequence": [keyframe(1, **side)]})
    np.testing.assert_allclose(table[["left", "top", "width", "height"]], [[64, 24, 16, 16]], atol=1e-9)
    box = '<box frame="0" xtl="10" ytl="10" xbr="14" ybr="20" rotation="90.0"/>'
    (tmp_path / "a.xml").write_text(f'<annotations><track id="3" label="person">{box}</track></annotations>')
    table = read_cvat(tmp_path / "a.xml").table
    np.testing.assert_allclose(table[["left", "top", "width", "height"]], [[7, 13, 10, 4]], atol=1e-9)


@pytest.mark.parametrize(("num_pictures", "frames"), [(3, [1, 2, 3]), (40, [11, *range(12, 22)])])
def test_a_cvat_task_of_a_part_of_a_video_is_counted_by_its_own_pictures(tmp_path, num_pictures, frames):
    box = '<box frame="{}" outside="0" keyframe="1" xtl="1" ytl="1" xbr="11" ybr="21"/>'
    task = "<meta><task><size>3</size><start_frame>10</start_frame><frame_filter>step=5</frame_filter></task></meta>"
    track = "".join(box.format(frame) for frame in (10, 15, 20))
    text = f'<annotations>{task}<track id="3" label="person">{track}</track></annotations>'
    (tmp_path / "a.xml").write_text(text)
    assert read_cvat(tmp_path / "a.xml", num_pictures).table["frame"].tolist() == frames


def test_a_cvat_file_with_polygons_only_is_named(tmp_path):
    track = '<track id="0" label="person"><polygon frame="0" points="1,1;2,2;3,1"/></track>'
    (tmp_path / "a.xml").write_text(f"<annotations>{track}</annotations>")
    with pytest.raises(ReidopsError, match=r"a\.xml: holds no track with a box"):
        read_cvat(tmp_path / "a.xml")


def test_params_have_the_new_names_and_are_empty():
    section = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())["download"]
    assert section["formats"] == {} and section["people"] == {}
