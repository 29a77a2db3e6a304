import numpy as np
import pytest
import yaml
from made_detectors import write_detector
from mot_factory import write_mot_set, write_rows

from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.mot.sequences import read_detection_file, read_detections, read_sequence
from reidops.parts import Part, read_parts, write_parts
from reidops.stage_times import read_times
from stages.detect import DetectParams, detect


@pytest.fixture
def raw(tmp_path):
    """Return a data set whose sequences 02 and 03 are tracked from frame 5 on."""
    folder = write_mot_set(tmp_path / "raw" / "TOY", ("TOY-01", "TOY-02", "TOY-03"))
    plays = (("train", "TOY-01", 1), ("track", "TOY-02", 5), ("track", "TOY-03", 5))
    write_parts(
        [Part(play, "TOY", "mot", folder / "train" / name, name, name[4:], first, 12) for play, name, first in plays],
        tmp_path / "raw",
    )
    return tmp_path / "raw"


def run(raw, source="public", **settings):
    folder = raw.parent / "detections"
    detect(raw, folder, DetectParams(source, 1.0, DetectorSettings(**settings)))
    return {path.name: read_detection_file(path) for path in sorted(folder.iterdir())}


def test_public_detections_are_det_txt_of_the_tracked_frames_to_the_last_bit(raw):
    files = run(raw)
    assert list(files) == ["TOY-02.txt", "TOY-03.txt"]
    published = read_detections(read_sequence(raw / "TOY" / "train" / "TOY-02"))
    assert files["TOY-02.txt"].equals(published[published["frame"] >= 5].reset_index(drop=True))


def test_a_sequence_without_a_detection_in_its_frames_has_an_empty_file(raw):
    write_rows(raw / "TOY" / "train" / "TOY-02" / "det" / "det.txt", [(2, -1, 5, 5, 9, 9, 1)])
    assert [len(table) for table in run(raw).values()] == [0, 24]


def test_a_detector_is_run_on_the_tracked_frames(raw):
    outputs = {
        "boxes": np.array([[10, 20, 30, 60], [0, 0, 9, 9]], np.float32),
        "scores": np.array([0.8, 0.3], np.float32),
    }
    files = run(raw, str(write_detector(raw.parent / "d.onnx", outputs, size=(96, 160))), min_confidence=0.5)
    for table in files.values():
        assert table["frame"].tolist() == list(range(5, 13))
        np.testing.assert_allclose(table.iloc[:, 1:], [[10, 20, 20, 40, 0.8]] * 8, rtol=1e-6)
    assert read_times(raw.parent / "detections")["detect"] > 0


def test_files_of_ones_own_are_cut_to_the_tracked_frames(raw):
    own = raw.parent / "own"
    own.mkdir()
    for left, name in enumerate(("TOY-02", "TOY-03"), 1):
        write_rows(own / f"{name}.txt", [(frame, -1, left, 5, 9, 9, 1) for frame in (12, 4, 5)])
    files = run(raw, str(own))
    assert [table["frame"].tolist() for table in files.values()] == [[12, 5], [12, 5]]
    assert [table["left"].tolist() for table in files.values()] == [[0, 0], [1, 1]]


def test_where_nothing_is_tracked_the_folder_is_empty_and_the_log_says_why(raw, caplog):
    write_parts([part for part in read_parts(raw) if part.part == "train"], raw)
    assert run(raw) == {}
    assert (raw.parent / "detections").is_dir() and "has the part `track`" in caplog.text


def test_a_failure_leaves_no_half_folder(raw):
    (raw / "TOY" / "train" / "TOY-03" / "det" / "det.txt").write_text("5,-1,1,1,0,9,1\n")
    with pytest.raises(ReidopsError, match="TOY-03/det/det.txt: line 1 .* has no area"):
        run(raw)
    assert not (raw.parent / "detections").exists()


def test_a_source_that_means_nothing_is_told(raw):
    with pytest.raises(ReidopsError, match="own.txt: no such file or folder; put detections there"):
        run(raw, str(raw.parent / "own.txt"))


def test_a_new_model_or_tracker_never_detects_again(root):
    stage = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["detect"]
    assert "data/raw" in stage["deps"]
    assert not [dep for dep in stage["deps"] if dep.startswith(("data/model", "reidops/embedding", "reidops/tracking"))]
