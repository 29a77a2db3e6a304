"""Ground truth of other origins: what is recognised per file, what is refused with the params that answer."""

import logging
from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules, choose_boxes
from reidops.mot.sequences import read_annotation_file, read_annotations, read_sequence

INFO = "[Sequence]\nimDir=img1\nframeRate=10\nseqLength=9\nimWidth=640\nimHeight=480\nimExt=.jpg\n"
BOX = "11,21,30,40"


def sequence(folder: Path, gt: str, info: str = INFO):
    root = folder / "mine" / "train" / "cam-a"
    (root / "gt").mkdir(parents=True, exist_ok=True)
    (root / "gt" / "gt.txt").write_text(gt)
    (root / "seqinfo.ini").write_text(info)
    return read_sequence(root)


def rows_of(folder: Path, *tails: str):
    return read_annotations(sequence(folder, "".join(f"{n},{n},{BOX}{tail}\n" for n, tail in enumerate(tails, 1))))


@pytest.mark.parametrize(
    "tail",
    [
        ",1,1,-1",  # UAVDT and own sets: visibility not known
        ",1,-1,-1,-1",  # MOT15
        ",0.87,-1,-1,-1",  # a score in place of the flag
        ",-1,1,-1",
        ",1,1",
        ",1",
        "",
        ",1,1,-1,-1",
        ",1,1,1,-1,-1,-1",  # world coordinates after the nine
        ",1,pedestrian,1",
    ],
)
def test_fields_that_are_fewer_more_or_not_known_keep_the_box(tmp_path, tail):
    rows = rows_of(tmp_path, tail, tail)
    assert rows["considered"].all() and (rows["class_id"] == 1).all() and (rows["visibility"] == 1).all()
    assert rows.loc[0, ["left", "top", "width", "height"]].tolist() == [10, 20, 30, 40]


def test_one_row_with_an_unknown_visibility_leaves_the_others_as_they_are(tmp_path):
    rows = rows_of(tmp_path, ",1,1,0.4", ",1,1,-1", ",1,3,0.2")
    assert rows["visibility"].tolist() == [0.4, 1.0, 0.2] and rows["class_id"].tolist() == [1, 1, 3]


def test_one_odd_row_does_not_make_people_of_the_cars_of_a_file(tmp_path):
    tails = [",1,3,0.5,0", ",1,1,0.5,0"] * 4 + [",1,3,7.5,0"]
    with pytest.raises(ReidopsError, match=r"the 8th and 9th can be class and visibility in 89%.*download\.formats"):
        rows_of(tmp_path, *tails)


def test_visdrone_is_recognised_truncation_is_no_visibility_and_regions_are_left_out(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        rows = rows_of(tmp_path, ",1,1,0,0", ",1,4,0,1", ",0,0,0,0", ",1,2,1,2", ",0,1,0,0")
    assert rows[["class_id", "visibility"]].to_numpy().tolist() == [[1, 1.0], [3, 0.75], [7, 0.25]]
    assert "VisDrone's format" in caplog.text and "2 regions to ignore" in caplog.text


@pytest.mark.parametrize("classes", [(-1, -1), (0, 0), (0, 1), (1, 15)])
def test_classes_of_another_numbering_are_refused_with_what_was_found_and_the_param(tmp_path, classes):
    found = sequence(tmp_path, "".join(f"{n},{n},{BOX},1,{c},1\n" for n, c in enumerate(classes, 1)))
    odd = next(c for c in classes if not 1 <= c <= 13)
    with pytest.raises(
        ReidopsError, match=rf"gt\.txt: its classes are .*{odd} \(.*download\.people: {{mine: \[{odd}\]}}"
    ):
        choose_boxes(found, BoxRules())
    boxes, _ = choose_boxes(found, BoxRules(classes=(odd,)))
    assert len(boxes) == classes.count(odd)


def test_people_name_the_classes_by_number_or_by_word(tmp_path):
    by_number = sequence(tmp_path, f"1,1,{BOX},1,0,1\n1,2,{BOX},1,2,1\n")
    assert read_annotation_file(by_number, people=[0]).table["class_id"].tolist() == [1, 2]
    by_word = sequence(tmp_path, f"1,1,{BOX},1,worker,1\n1,2,{BOX},1,van,1\n")
    assert read_annotation_file(by_word, people=["Worker"]).table["class_id"].tolist() == [1, 3]


@pytest.mark.parametrize(
    "text",
    [
        f"frame,id,bb_left,bb_top,bb_width,bb_height,conf,class,visibility\n1,7,{BOX},1,1,1\n",
        "frame_id;track_id;x1;y1;x2;y2;label\n1;7;11;21;41;61;person\n",
        "frame\tid\tcx\tcy\tw\th\n1\t7\t26\t41\t30\t40\n",
        f"1 7 {BOX.replace(',', ' ')} 1 1 1\n",
        f"# frame id box\n1;7;{BOX.replace(',', ';')};1;1;1\n",
        "1;7;11,0;21,0;30,0;40,0;1;1;1,0\n",
        "1,0;7,0;11,0;21,0;30,0;40,0;1,0;1,0;1,0\n",
        "1\t7\t11,0\t21,0\t30\t40\t1\t1\t1\n",
        "1 7 11,0 21,0 30,0 40,0 1 1 1,0\n",
        "1, 7, 11.0, 21.0, 30, 40, 1, 1, 1\n",
        "1 ,\t7 ,\t11 ,\t21 ,\t30 ,\t40\n",
        "1.0,7.0,11.0,21.0,30.0,40.0,1.0,1.0,1.0\n",
        '"1","7","11","21","30","40","1","1","1"\n',
        'sep=;\n"Frame #";"Object ID";"X";"Y";"Width";"Height"\n1;7;11;21;30;40\n',
        ",image_id,track_id,x,y,w,h\n0,1,7,11,21,30,40\n",
    ],
)
def test_named_columns_and_other_separators_give_the_same_box(tmp_path, text):
    rows = read_annotations(sequence(tmp_path, text))
    assert rows.iloc[0].tolist() == [1, 7, 10, 20, 30, 40, True, 1, 1.0]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,p-9,11,21,30,40\n1,p-3,11,21,30,40\n2,p-9,11,21,30,40\n", [1, 2, 1]),
        ("frame,id,x,y,w,h\n1,anna,11,21,30,40\n2,bob,11,21,30,40\n3,bob,11,21,30,40\n", [1, 2, 2]),
        ("frame;x;y;w;h;label;person_id\n1;11;21;30;40;person;anna\n1;11;21;30;40;person;bob\n", [1, 2]),
    ],
)
def test_ids_that_are_words_are_numbered_and_said(tmp_path, caplog, text, numbers):
    caplog.set_level(logging.INFO)
    found = sequence(tmp_path, text)
    assert read_annotations(found)["track_id"].tolist() == numbers
    assert "ids are words and are numbered" in caplog.text


def test_a_field_that_is_no_number_is_named_with_its_place(tmp_path):
    with pytest.raises(ReidopsError, match=r"line 2 .*its field 3 \(11px\) is no number"):
        read_annotations(sequence(tmp_path, f"1,1,{BOX}\n2,1,11px,21,30,40\n"))


def test_an_id_that_is_too_large_is_named_as_such(tmp_path):
    with pytest.raises(ReidopsError, match=r"line 1 .*its id is above 2\^53; number the people from 1"):
        read_annotations(sequence(tmp_path, "1,90071992547400001,11,21,30,40\n"))


def test_a_file_in_utf_16_is_read_by_its_byte_order_mark_and_refused_without(tmp_path):
    found = sequence(tmp_path, "")
    path = found.folder / "gt" / "gt.txt"
    path.write_text(f"1,7,{BOX},1,1,1\r\n", encoding="utf-16")
    (found.folder / "seqinfo.ini").write_text(INFO, encoding="utf-16")
    assert read_annotations(read_sequence(found.folder)).iloc[0].tolist() == [1, 7, 10, 20, 30, 40, True, 1, 1.0]
    path.write_text(f"1,7,{BOX},1,1,1\n", encoding="utf-16-le")
    with pytest.raises(ReidopsError, match=r"gt\.txt: holds zero bytes.*expected UTF-8"):
        read_annotations(found)


@pytest.mark.parametrize(
    "text",
    [
        f"frame_0105.jpg,7,{BOX},1,1,1\n",
        f"img1\\frame_0105.jpg,7,{BOX}\n",
        "file_name;id;x1;y1;x2;y2\nimg1/frame_0105.jpg;7;11;21;41;61\n",
        "frame,id,x,y,w,h\nframe_0105.jpg,7,11,21,30,40\n",
    ],
)
def test_frames_that_are_named_by_their_pictures_are_found_by_name(tmp_path, text):
    found = sequence(tmp_path, text)
    found.frames_dir.mkdir()
    for number in range(100, 109):
        (found.frames_dir / f"frame_{number:04d}.jpg").touch()
    found = read_sequence(found.folder)
    assert read_annotations(found).iloc[0, :6].tolist() == [6, 7, 10, 20, 30, 40]
    (found.frames_dir / "frame_0105.jpg").rename(found.frames_dir / "frame_0109.jpg")
    with pytest.raises(ReidopsError, match=r"frame_0105\.jpg is not among the 9 pictures"):
        read_annotations(read_sequence(found.folder))


@pytest.mark.parametrize(
    "stated", [r"C:\data\cam-a\frames", "/data/cam-a/frames", '"frames"', r".\frames\\", " frames "]
)
def test_a_folder_of_frames_on_another_machine_is_found_by_its_name(tmp_path, stated):
    found = sequence(tmp_path, f"1,1,{BOX}\n", INFO.replace("img1", stated).replace(".jpg", '".jpg"'))
    (found.folder / "frames").mkdir()
    (found.folder / "frames" / "000001.jpg").touch()
    assert read_sequence(found.folder).frame_path(1) == found.folder / "frames" / "000001.jpg"


def test_seqinfo_without_its_section_and_with_a_decimal_comma_is_read(tmp_path):
    found = sequence(tmp_path, f"1,1,{BOX}\n", INFO.replace("[Sequence]\n", "").replace("=10\n", "=29,97\n"))
    assert (found.length, found.frame_rate) == (9, 29.97)


def test_names_that_are_not_known_are_refused_with_those_that_are(tmp_path):
    with pytest.raises(ReidopsError, match=r"unknown names foo; .*download\.formats: frame, frame0"):
        read_annotations(sequence(tmp_path, f"frame,id,left,top,width,height,foo\n1,7,{BOX},1\n"))


def test_the_columns_of_params_are_heeded(tmp_path):
    found = sequence(tmp_path, "0,11,21,41,61,5,7\n8,11,21,41,61,5,7\n")
    table = read_annotation_file(found, layout="frame0,left,top,right,bottom,-,id").table
    assert table[["frame", "track_id", "width", "height"]].to_numpy().tolist() == [[1, 7, 30, 40], [9, 7, 30, 40]]
    with pytest.raises(ReidopsError, match=r"weight is not a column; download\.formats is"):
        read_annotation_file(found, layout="frame0,left,top,right,bottom,weight,id")


def test_frames_that_count_from_0_are_moved_and_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        rows = read_annotations(sequence(tmp_path, f"0,1,{BOX},1,1,1\n8,1,{BOX},1,1,1\n"))
    assert rows["frame"].tolist() == [1, 9] and "frames count from 0" in caplog.text


@pytest.mark.parametrize("number", ["1", "car"])
def test_uavdt_is_recognised_by_fields_that_are_no_flag_and_no_visibility(tmp_path, number):
    found = sequence(tmp_path, f"1,1,{BOX},1,2,1\n1,2,{BOX},3,1,2\n")
    people = [int(number) if number.isdecimal() else number]
    table = read_annotation_file(found, people=people).table
    assert table["class_id"].tolist() == [1, 3] and table["visibility"].tolist() == [0.25, 1.0]
    with pytest.raises(ReidopsError, match=r"UAVDT's format.*no people.*download\.people: {mine: \[car, truck, bus\]}"):
        read_annotations(found)


def test_one_in_all_fields_is_motchallenge_unless_params_name_uavdt(tmp_path):
    found = sequence(tmp_path, f"1,1,{BOX},1,1,1\n")
    assert read_annotations(found)["class_id"].tolist() == [1]
    table = read_annotation_file(found, layout="uavdt", people=["truck"]).table
    assert table["class_id"].tolist() == [3]
    with pytest.raises(ReidopsError, match=r"not those of UAVDT.*correct download\.formats"):
        read_annotation_file(sequence(tmp_path, f"1,1,{BOX},1,1\n"), layout="uavdt", people=["truck"])


def test_boxes_with_an_id_below_0_are_regions_to_ignore_and_the_others_stay(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        rows = read_annotations(sequence(tmp_path, f"1,-1,{BOX},1,1,1\n1,7,{BOX},1,1,1\n2,-1,{BOX},1,1,1\n"))
    assert rows["track_id"].tolist() == [7] and "2 boxes with an id below 0" in caplog.text


@pytest.mark.parametrize("number", [-1, 1, 0, 77])
def test_detections_without_identities_are_refused_as_ground_truth(tmp_path, number):
    lines = "".join(f"{frame},{number},{left},21,30,40,1,1,1\n" for frame in (1, 2, 3) for left in (11, 61, 91))
    with pytest.raises(ReidopsError, match=r"gt\.txt: .*without identities.*download\.formats"):
        choose_boxes(sequence(tmp_path, lines), BoxRules())


def labels_of(folder: Path, *names: str, classes: tuple[int, ...] = (1, 2)):
    lines = "".join(f"1,{n},{BOX},1,{number},1.0\n" for n, number in enumerate(classes, 1))
    found = sequence(folder, lines)
    (found.folder / "gt" / "labels.txt").write_text("\n".join(names) + "\n")
    return found


def test_the_classes_of_cvats_labels_txt_are_heeded(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert read_annotations(labels_of(tmp_path, "car", "person"))["class_id"].tolist() == [3, 1]
    assert "classes of labels.txt: car, person" in caplog.text
    people = read_annotation_file(labels_of(tmp_path, "car", "worker"), people=["worker"]).table
    assert people["class_id"].tolist() == [3, 1]
    assert read_annotation_file(labels_of(tmp_path, "car", "worker"), people=[2]).table["class_id"].tolist() == [3, 1]


def test_a_labels_txt_without_a_name_of_people_is_refused_with_the_param(tmp_path):
    with pytest.raises(
        ReidopsError, match=r"labels\.txt: none of its classes \(worker, car\).*people: {mine: \[worker"
    ):
        read_annotations(labels_of(tmp_path, "worker", "car"))


def test_motchallenges_own_names_in_labels_txt_change_nothing(tmp_path):
    names = ("pedestrian", "person_on_vehicle", "car", "bicycle", "motorbike", "non_mot_vehicle", "static_person")
    found = labels_of(tmp_path, *names, classes=(1, 2, 3, 4, 5, 7))
    assert read_annotations(found)["class_id"].tolist() == [1, 2, 3, 4, 5, 7]
