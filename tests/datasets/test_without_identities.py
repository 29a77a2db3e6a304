"""Data sets for detectors have no identities: they are refused with what they are and what to use instead."""

import json
from pathlib import Path

import pytest

from reidops.datasets.obtaining import find_local
from reidops.datasets.without_identities import without_identities
from reidops.errors import ReidopsError


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


CROWD = json.dumps({"ID": "273271,c9db", "gtboxes": [{"tag": "person", "fbox": [1, 2, 3, 4], "extra": {"box_id": 0}}]})
COCO = json.dumps({"images": [], "annotations": [], "categories": []})
DETECTOR_SETS = {
    "annotation_train.odgt": (CROWD, "CrowdHuman's format"),
    "labels/train/a.txt": ("0 0.5 0.5 0.1 0.2\n", "label file of YOLO"),
    "labels/a.txt": ("0 0.5 0.5 0.1 0.2 0.9\n", "label file of YOLO"),
    "train/labels/a.txt": ("0 0.5 0.5 0.1 0.2\n", "label file of YOLO"),
    "annotations/instances_train.json": (COCO, "COCO's format; if its boxes have a track_id"),
}


@pytest.mark.parametrize("name", DETECTOR_SETS)
def test_a_set_for_detectors_is_refused_with_its_format_and_a_remedy(tmp_path, monkeypatch, name):
    text, expected = DETECTOR_SETS[name]
    write(tmp_path / "sets" / "mine" / name, text)
    write(tmp_path / "sets" / "mine" / "images" / "train" / "a.jpg", "")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(ReidopsError, match=rf"mine: holds no data set.*{expected}.*detect\.source"):
        find_local("mine", "sets")


@pytest.mark.parametrize(
    ("name", "text"), [("labels/a.txt", "1 2 3\n"), ("labels/classes.txt", "person\n"), ("notes.json", '{"a": 1}')]
)
def test_other_folders_are_not_taken_for_a_set_of_a_detector(tmp_path, name, text):
    write(tmp_path / name, text)
    assert without_identities(tmp_path) == ""
