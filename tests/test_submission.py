"""reidops/submission.py: the sequences of a test set without ground truth as one zip."""

import shutil
import zipfile

import pytest
from mot_factory import write_mot_sequence

from reidops.mot.sequences import read_results
from reidops.submission import main


@pytest.fixture
def dataset(tmp_path):
    """Return a set with two test sequences without ground truth."""
    for name in ("TOY-03-DPM", "TOY-03-SDP"):
        shutil.rmtree(write_mot_sequence(tmp_path / "TOY" / "test" / name) / "gt")
    return tmp_path / "TOY"


def submit(dataset, *options) -> int:
    try:
        main([str(dataset), "--model", "none", "--tracker", "bytetrack", *map(str, options)])
    except SystemExit as ended:
        return ended.code
    return 0


def test_the_zip_has_one_result_file_per_test_sequence_in_its_root(dataset, tmp_path):
    assert submit(dataset, "--output", tmp_path / "TOY.zip") == 0
    with zipfile.ZipFile(tmp_path / "TOY.zip") as archive:
        assert archive.namelist() == ["TOY-03-DPM.txt", "TOY-03-SDP.txt"]
        archive.extractall(tmp_path)
    for name in ("TOY-03-DPM", "TOY-03-SDP"):
        assert read_results(tmp_path / f"{name}.txt")["track_id"].nunique() == 3


def test_detections_may_be_a_folder_with_a_file_per_sequence(dataset, tmp_path):
    (tmp_path / "own").mkdir()
    for folder in (dataset / "test").iterdir():
        shutil.move(folder / "det" / "det.txt", tmp_path / "own" / f"{folder.name}.txt")
    assert submit(dataset, "--detections", tmp_path / "own", "--output", tmp_path / "TOY.zip") == 0
    assert zipfile.is_zipfile(tmp_path / "TOY.zip")


def test_a_sequence_that_cannot_be_tracked_is_named_and_no_zip_is_written(dataset, tmp_path, capsys):
    (dataset / "test" / "TOY-03-SDP" / "det" / "det.txt").unlink()
    assert submit(dataset, "--output", tmp_path / "TOY.zip") == 1
    assert "TOY-03-SDP/det/det.txt: no such file" in capsys.readouterr().err
    assert not (tmp_path / "TOY.zip").exists()


def test_a_set_without_test_sequences_is_an_error(dataset, tmp_path, capsys):
    assert submit(dataset, "--split", "train", "--output", tmp_path / "TOY.zip") == 1
    assert "TOY/train: holds no sequence" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--results", "--times"])
def test_an_option_that_names_a_file_of_one_video_is_refused(dataset, tmp_path, capsys, option):
    assert submit(dataset, option, tmp_path / "one", "--output", tmp_path / "TOY.zip") == 1
    assert f"{option} names the file of one video" in capsys.readouterr().err
    assert not (tmp_path / "TOY.zip").exists() and not (tmp_path / "one").exists()
