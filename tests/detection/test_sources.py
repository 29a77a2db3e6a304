from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from mot_factory import write_mot_set, write_rows

from reidops.detection.detector_source import DetectorSource
from reidops.detection.settings import DetectorSettings
from reidops.detection.sources import open_source
from reidops.errors import ReidopsError
from reidops.frame_detections import open_detections
from reidops.mot.sequences import read_detections, read_sequence


class BrightestRow:
    """A detector that finds one box as high as the picture's number of its first pixel, to tell pictures apart."""

    num_pictures = 0

    def detect(self, picture):
        self.num_pictures += 1
        return sv.Detections(xyxy=np.array([[0.0, 1, 5, 1 + int(picture[0, 0, 0])]]), confidence=np.array([0.5]))


class Nobody:
    def detect(self, picture):
        return sv.Detections.empty()


@pytest.fixture
def sequences(tmp_path):
    folder = write_mot_set(tmp_path / "TOY")
    return [read_sequence(path) for path in sorted((folder / "train").iterdir())]


def test_public_detections_are_those_of_the_wanted_frames(sequences):
    published = read_detections(sequences[0])
    chosen = open_source("public").detections(sequences[0], range(5, 8))
    assert len(chosen) == 3 * 3
    assert chosen.equals(published[published["frame"].isin([5, 6, 7])].reset_index(drop=True))


def test_a_sequence_without_public_detections_says_what_else_there_is(sequences):
    (sequences[0].folder / "det" / "det.txt").unlink()
    with pytest.raises(ReidopsError, match=r"TOY-01/det/det\.txt: no such file; .* set detect\.source to a detector"):
        open_source("public").detections(sequences[0], range(1, 5))


@pytest.mark.parametrize("place", ["{}.txt", "{}/det/det.txt", "{}/det.txt"])
def test_a_folder_holds_a_file_for_each_sequence(sequences, tmp_path, place):
    for left, sequence in enumerate(sequences, 1):
        path = tmp_path / "own" / place.format(sequence.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, [(3, -1, left, 5, 10, 20, 0.5)])
    source = open_source(str(tmp_path / "own"))
    assert [source.detections(sequence, range(1, 13))["left"].tolist() for sequence in sequences] == [[0], [1]]


def test_one_file_is_of_one_sequence(sequences, tmp_path):
    write_rows(tmp_path / "own.txt", [(3, -1, 1, 5, 10, 20, 0.5)])
    source = open_source(str(tmp_path / "own.txt"))
    assert len(source.detections(sequences[0], range(1, 13))) == 1
    with pytest.raises(
        ReidopsError, match="own.txt: is one file, but detections of TOY-01 and TOY-02 are needed; name a folder"
    ):
        source.detections(sequences[1], range(1, 13))


def test_a_path_is_relative_to_the_repository(tmp_path, monkeypatch):
    (tmp_path / "own.txt").write_text("")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    open_source("own.txt")
    with pytest.raises(ReidopsError, match="other.txt: no such file or folder"):
        open_source("other.txt")


def test_a_folder_without_a_sequences_file_is_told(sequences, tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(
        ReidopsError,
        match=r"own/TOY-01.txt: no such file; put the detections there, or into TOY-01/det/det.txt or TOY-01/det.txt",
    ):
        open_source(str(tmp_path / "own")).detections(sequences[0], range(1, 13))


def test_a_detector_sees_each_wanted_frame_once(sequences):
    detector = BrightestRow()
    table = DetectorSource(detector).detections(sequences[0], range(4, 9))
    assert (detector.num_pictures, table["frame"].tolist()) == (5, [4, 5, 6, 7, 8])
    assert table["height"].nunique() > 1 and table[["left", "top", "width"]].to_numpy().tolist() == [[0, 1, 5]] * 5


def test_where_a_detector_finds_nobody_the_table_is_empty_and_has_its_columns(sequences):
    table = DetectorSource(Nobody()).detections(sequences[0], range(1, 4))
    assert len(table) == 0 and table.dtypes.equals(read_detections(sequences[0]).dtypes)


def test_a_frame_that_a_detector_cannot_see_is_told(sequences):
    path = sequences[0].frame_path(6)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(
        ReidopsError, match="000006.jpg: its .* bytes are no whole picture; copy or unpack the frames again"
    ):
        DetectorSource(Nobody()).detections(sequences[0], range(1, 13))


def test_boxes_of_another_resolution_are_scaled_by_sequence_and_a_detector_takes_no_scale(sequences, tmp_path):
    write_rows(tmp_path / "own.txt", [(3, -1, 1, 5, 10, 20, 0.5)])
    halved = open_source(str(tmp_path / "own.txt"), scale={"TOY-01": 0.5}).detections(sequences[0], range(1, 13))
    assert halved.iloc[0].tolist() == [3, 0, 2, 5, 10, 0.5]
    same = open_source(str(tmp_path / "own.txt"), scale={"another": 0.5}).detections(sequences[0], range(1, 13))
    assert same.iloc[0].tolist() == [3, 0, 4, 10, 20, 0.5]
    with pytest.raises(ReidopsError, match="detect.scale is 0.5, but detect.source fcos_resnet50_fpn is a detector"):
        open_source("fcos_resnet50_fpn", scale=0.5)


@pytest.mark.parametrize("name", ["yolo11n.pt", "best.torchscript", "d.engine", "d.TFLITE", "model.xml", "saved.pb"])
@pytest.mark.parametrize("opened", [open_source, lambda name: open_detections(name, Path("v.mp4"), DetectorSettings())])
def test_a_detector_in_another_format_than_onnx_is_refused_with_the_way_to_export_it(tmp_path, name, opened):
    (tmp_path / name).write_bytes(b"PK\3\4")
    with pytest.raises(ReidopsError, match=rf"{name}: .*read as ONNX; export it: .+"):
        opened(str(tmp_path / name))


def test_a_folder_in_place_of_a_file_of_detections_is_named(tmp_path):
    with pytest.raises(ReidopsError, match="is a folder; name one file"):
        open_detections(str(tmp_path), Path("v.mp4"), DetectorSettings())


def test_a_git_lfs_pointer_in_place_of_a_detector_is_named(tmp_path):
    (tmp_path / "d.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(ReidopsError, match=r"d\.onnx: is a Git LFS pointer.*git lfs pull"):
        open_source(str(tmp_path / "d.onnx"))
