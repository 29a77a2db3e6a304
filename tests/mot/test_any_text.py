"""Readers of annotations, detections, results and seqinfo.ini: any text gives a table or a ReidopsError."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reidops.errors import ReidopsError
from reidops.mot.cvat import read_cvat
from reidops.mot.frame_files import FrameFiles
from reidops.mot.kitti import read_kitti
from reidops.mot.label_folder import read_label_folder
from reidops.mot.mots import is_mots, read_mots
from reidops.mot.sequences import (
    Sequence,
    read_annotation_file,
    read_detection_file,
    read_detections_of,
    read_raw_detections,
    read_results,
    read_sequence,
)
from reidops.mot.video_json import read_video_json

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
INFO = "[Sequence]\nimDir=img1\nframeRate=10\nseqLength=9\nimWidth=640\nimHeight=480\nimExt=.jpg\n"
FILES = FrameFiles(tuple(range(1, 10)), tuple(f"{n:06d}.jpg" for n in range(1, 10)))
ODD = ["nan", "inf", "-inf", "1e300", "1e19", "-1", "0", "2.5", "1_0", "٣", "0x1", "person", "", " ", '"3"', "\x00"]
FIELD = st.one_of(st.integers(-2, 12).map(str), st.integers(1, 500).map(str), st.sampled_from(ODD))
MARK = st.sampled_from([",", ";", "\t", " ", ", "])


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Draw lines of one number of fields, mostly numbers, with a field of each kind that is odd in public files."""
    width, mark = draw(st.integers(5, 18)), draw(MARK)
    rows = draw(st.lists(st.lists(FIELD, min_size=width, max_size=width), min_size=1, max_size=4))
    return "\n".join(mark.join(row) for row in rows)


TEXT = st.one_of(
    tables(), st.text(max_size=60), st.text(alphabet="0123456789,;.-e \t\r\n\x85\u2028\ufeff", max_size=80)
)
BYTES = st.one_of(
    TEXT.map(lambda text: text.encode()),
    TEXT.map(lambda text: text.encode("utf-16")),
    TEXT.map(lambda text: text.replace("\n", "\r\n").encode("utf-8-sig")),
    TEXT.map(lambda text: text.encode("cp1252", errors="replace")),
    st.binary(max_size=60),
)


def _sequence(root: Path) -> Sequence:
    folder = root / "mine" / "train" / "cam-a"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seqinfo.ini").write_text(INFO)
    return read_sequence(folder)


def _is_finite_or_refused(read: Callable, path: Path, columns: tuple[str, ...]) -> None:
    try:
        table = read(path)
    except ReidopsError as error:
        assert path.name in str(error)
        return
    assert set(columns) <= set(table.columns)
    assert np.isfinite(table[list(columns)].to_numpy(dtype=float)).all()


BOX = ("frame", "left", "top", "width", "height")


@pytest.mark.parametrize(
    "name", ["gt", "gt visdrone", "gt mot15", "gt uavdt", "gt columns", "det", "det of sequence", "raw det", "results"]
)
@QUICK
@example(content=b"1,1,0,0,5,5,1,12,0,0")  # no category of VisDrone
@example(content=b"1,1,0,0,5,5,1,1,0,3")  # no occlusion of VisDrone
@given(content=BYTES)
def test_any_text_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, name, content):
    sequence = _sequence(tmp_path)
    path = tmp_path / "any.txt"
    path.write_bytes(content)

    def annotations(layout: str) -> Callable:
        return lambda path: read_annotation_file(sequence, path=path, layout=layout, people=[1, "person"]).table

    readers = {
        "gt": annotations(""),
        "gt visdrone": annotations("visdrone"),
        "gt mot15": annotations("mot15"),
        "gt uavdt": annotations("uavdt"),
        "gt columns": annotations("frame0,id,left,top,right,bottom,class"),
        "det": read_detection_file,
        "det of sequence": lambda path: read_detections_of(sequence, path),
        "raw det": read_raw_detections,
        "results": read_results,
    }
    _is_finite_or_refused(readers[name], path, BOX)


@QUICK
@given(content=BYTES)
def test_any_kitti_label_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, content):
    path = tmp_path / "0000.txt"
    path.write_bytes(content)
    _is_finite_or_refused(lambda path: read_kitti(path).table, path, BOX)


KITTI_ROW = st.tuples(FIELD, FIELD, st.sampled_from(["Pedestrian", "DontCare", "Car"]), *[FIELD] * 14)


@QUICK
@given(rows=st.lists(KITTI_ROW, min_size=1, max_size=4))
def test_any_row_of_kitti_is_a_finite_box_or_an_error_with_the_files_name(tmp_path, rows):
    path = tmp_path / "0000.txt"
    path.write_text("\n".join(" ".join(row) for row in rows), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_kitti(path).table, path, BOX)


VALUE = st.one_of(st.none(), st.booleans(), st.sampled_from([0, 1, -1, 5, 2.5, 1e300, 10**30]), st.sampled_from(ODD))


@QUICK
@given(
    values=st.lists(VALUE, min_size=8, max_size=8),
    names=st.lists(
        st.sampled_from(["frame", "outside", "occluded", "xtl", "ytl", "xbr", "ybr", "id"]), max_size=8, unique=True
    ),
    noise=st.sampled_from(["", "<", "&amp;", "<x>", "\ufeff"]),
)
def test_any_cvat_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, values, names, noise):
    given_values = {"frame": 0, "xtl": 1, "ytl": 1, "xbr": 9, "ybr": 9, "id": 1}
    given_values |= {n: str(v).strip('"\x00') for n, v in zip(names, values, strict=False)}
    number = given_values.pop("id")
    sides = " ".join(f'{n}="{v}"' for n, v in given_values.items())
    text = f'<annotations><track id="{number}" label="person"><box {sides}/></track>{noise}</annotations>'
    path = tmp_path / "annotations.xml"
    path.write_text(text, encoding="utf-8")
    _is_finite_or_refused(lambda path: read_cvat(path).table, path, BOX)


@QUICK
@given(content=BYTES)
def test_any_annotations_xml_or_json_is_a_table_or_an_error_with_its_name(tmp_path, content):
    for name, read in (
        ("annotations.xml", read_cvat),
        ("annotations.json", lambda path: read_video_json(path, FILES, 640, 480)),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        _is_finite_or_refused(lambda path, read=read: read(path).table, path, BOX)


JSON = st.recursive(VALUE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


@QUICK
@given(odd=st.dictionaries(st.integers(0, 13), st.one_of(VALUE, JSON), max_size=2))
def test_any_coco_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, odd):
    def at(place: int, usual: object) -> object:
        return odd.get(place, usual)

    image = {"id": at(0, 1), "file_name": at(1, "img1/000001.jpg")}
    box = {"id": 1, "image_id": at(2, 1), "bbox": at(3, [at(4, 1), 1, at(5, 9), 9]), "category_id": at(6, 1)}
    box |= {"track_id": at(7, 1), "attributes": at(8, {})}
    category = at(9, {"id": 1, "name": at(10, "person")})
    content = {"images": at(11, [image]), "annotations": at(12, [box]), "categories": at(13, [category])}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_video_json(path, FILES, 640, 480).table, path, BOX)


@QUICK
@given(odd=st.dictionaries(st.integers(0, 9), st.one_of(VALUE, JSON), max_size=2))
def test_any_label_studio_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, odd):
    def at(place: int, usual: object) -> object:
        return odd.get(place, usual)

    keyframe = {"frame": at(0, 1), "enabled": at(1, True), "x": at(2, 1), "y": 1, "width": at(3, 9), "height": 9}
    value = {"sequence": at(4, [keyframe]), "labels": at(5, ["person"]), "framesCount": at(6, 3)}
    result = {"type": "videorectangle", "value": at(7, value)}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([{"annotations": at(8, [{"result": at(9, [result])}])}]), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_video_json(path, FILES, 640, 480).table, path, BOX)


@QUICK
@given(odd=st.dictionaries(st.integers(0, 8), st.one_of(VALUE, JSON), max_size=2))
def test_any_bdd100k_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, odd):
    def at(place: int, usual: object) -> object:
        return odd.get(place, usual)

    box = {"x1": at(0, 1), "y1": 1, "x2": at(1, 9), "y2": 9}
    label = {"id": at(2, "7"), "category": at(3, "pedestrian"), "box2d": at(4, box), "attributes": at(5, {})}
    frame = {"name": at(6, "000001.jpg"), "videoName": at(7, "v"), "labels": at(8, [label])}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([frame, {"name": "000002.jpg", "labels": []}]), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_video_json(path, FILES, 640, 480).table, path, BOX)


@QUICK
@given(odd=st.dictionaries(st.integers(0, 8), st.one_of(VALUE, JSON), max_size=2))
def test_any_personpath22_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, odd):
    def at(place: int, usual: object) -> object:
        return odd.get(place, usual)

    box = {"id": at(0, 1), "bb": at(1, [at(2, 1), 1, 9, 9]), "labels": at(3, {"person": 1}), "time": at(4, 0)}
    box |= {"blob": at(5, {"frame_idx": at(6, 0)})}
    content = {"entities": at(7, [box, box]), "metadata": at(8, {"fps": 25, "number_of_frames": 9})}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_video_json(path, FILES, 640, 480).table, path, BOX)


@QUICK
@given(content=BYTES)
def test_any_label_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, content):
    (tmp_path / "labels").mkdir(exist_ok=True)
    (tmp_path / "labels" / "000001.txt").write_bytes(content)
    _is_finite_or_refused(lambda path: read_label_folder(path, FILES, 640, 480).table, tmp_path / "labels", BOX)


SHARE = st.sampled_from(["0.1", "0.5", "1", "-0.1", "0", "1e-9", "2.5", "nan", "1e300", "3"])


@QUICK
@given(rows=st.lists(st.tuples(FIELD, FIELD, SHARE, SHARE, SHARE, SHARE), min_size=1, max_size=3))
def test_any_row_of_jde_is_a_finite_box_or_an_error_with_the_folders_name(tmp_path, rows):
    (tmp_path / "labels").mkdir(exist_ok=True)
    (tmp_path / "labels" / "000001.txt").write_text("\n".join(" ".join(row) for row in rows), encoding="utf-8")
    _is_finite_or_refused(lambda path: read_label_folder(path, FILES, 640, 480).table, tmp_path / "labels", BOX)


CODE = st.text(alphabet=[chr(n) for n in range(40, 120)], min_size=1, max_size=12)


@QUICK
@given(content=st.one_of(BYTES, CODE.map(lambda code: f"1 2001 2 480 640 {code}".encode())))
def test_any_mots_file_is_a_finite_table_or_an_error_with_its_name(tmp_path, content):
    path = tmp_path / "gt.txt"
    path.write_bytes(content)
    assert is_mots(path) in (True, False)
    _is_finite_or_refused(lambda path: read_mots(path, FILES, 640, 480).table, path, BOX)


@QUICK
@given(content=BYTES, head=st.booleans())
def test_any_seqinfo_file_is_a_sequence_or_an_error_with_its_name(tmp_path, content, head):
    (tmp_path / "s").mkdir(exist_ok=True)
    (tmp_path / "s" / "seqinfo.ini").write_bytes((INFO.encode() if head else b"") + content)
    try:
        assert read_sequence(tmp_path / "s").length > 0
    except ReidopsError as error:
        assert "seqinfo.ini" in str(error)


KEYS = ("name", "imDir", "frameRate", "seqLength", "imWidth", "imHeight", "imExt")
INI_VALUE = st.one_of(
    st.sampled_from([*ODD, "local:", "..", "/", "a\\b", "30000/1001", "1/0", "9 ; px"]), st.text(max_size=8)
)


@QUICK
@given(values=st.dictionaries(st.sampled_from(KEYS), INI_VALUE, max_size=2))
def test_any_value_of_seqinfo_is_a_sequence_or_an_error_with_its_name(tmp_path, values):
    usual = {"imDir": "img1", "frameRate": "10", "seqLength": "9", "imWidth": "640", "imHeight": "480"}
    text = "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in (usual | values).items())
    (tmp_path / "s").mkdir(exist_ok=True)
    (tmp_path / "s" / "seqinfo.ini").write_text(text, encoding="utf-8")
    try:
        assert read_sequence(tmp_path / "s").length > 0
    except ReidopsError as error:
        assert "seqinfo.ini" in str(error) or str(tmp_path / "s") in str(error)
