from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from default_params import default_params
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_set

from reidops.boxes.embeddings import read_embeddings
from reidops.datasets.origin import Origin
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.parts import Part, read_parts, write_parts
from reidops.stage_times import read_times
from stages.detect import DetectParams, detect
from stages.embed import EmbedParams, embed


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Return a data set whose sequence 02 is tracked from frame 5 on, and put a model in place that needs no torch."""
    monkeypatch.setattr("stages.embed.Embedder", FakeEmbedder)
    folder = write_mot_set(tmp_path / "raw" / "TOY", detectors=("FRCNN",))
    plays = (("train", "TOY-01-FRCNN", 1), ("track", "TOY-02-FRCNN", 5))
    parts = [
        Part(play, "TOY", "mot", folder / "train" / name, name, name[4:6], first, 12) for play, name, first in plays
    ]
    write_parts(parts, tmp_path / "raw")
    detect(tmp_path / "raw", tmp_path / "detections", default_params(DetectParams))
    return tmp_path / "raw"


def run(raw, **params):
    embed(
        raw, raw.parent / "detections", raw / "model", raw.parent / "embeddings", default_params(EmbedParams, **params)
    )
    folder = raw.parent / "embeddings"
    return {path.relative_to(folder).as_posix(): read_embeddings(path) for path in sorted(folder.rglob("*.npz"))}


def test_only_tracked_sequences_are_embedded_and_only_their_frames(raw):
    files = run(raw)
    assert list(files) == ["TOY-02-FRCNN.npz", "annotations/TOY-02-FRCNN.npz"]
    detected = files["TOY-02-FRCNN.npz"]
    assert sorted(set(detected.frame.tolist())) == list(range(5, 13))
    assert (len(detected), detected.weights_sha256) == (3 * 8, FakeEmbedder.weights_sha256)
    assert read_times(raw.parent / "embeddings")["embed"] > 0


@pytest.mark.parametrize(("floor", "num_left"), [(0.95, 0), ({"FRCNN": 0.95}, 0), ({"DPM": 0.95}, 24), (0.9, 24)])
def test_a_score_floor_leaves_detections_out(raw, floor, num_left):
    assert len(run(raw, min_confidence=floor)["TOY-02-FRCNN.npz"]) == num_left


def test_a_failure_leaves_no_half_folder(raw):
    (raw / "TOY" / "train" / "TOY-02-FRCNN" / "img1" / "000009.jpg").unlink()
    with pytest.raises(ReidopsError, match="000009.jpg: no such file"):
        run(raw)
    assert not (raw.parent / "embeddings").exists()


@pytest.mark.parametrize(("last_frame", "is_refused"), [(5, True), (4, False)])
def test_a_model_that_was_trained_on_tracked_frames_is_refused_before_it_embeds(
    raw, monkeypatch, last_frame, is_refused
):
    row = {
        "dataset": "TOY",
        "scene": "02",
        "sequence": "TOY-02-FRCNN",
        "first_frame": 1,
        "last_frame": last_frame,
        "people": [1],
    }
    trained_on = Origin("before.pt", (row,)).facts
    monkeypatch.setattr(FakeEmbedder, "description", SimpleNamespace(trained_on=trained_on))
    with pytest.raises(ReidopsError, match="frames 5 … 5 of TOY-02-FRCNN are tracked") if is_refused else nullcontext():
        run(raw)
    assert (raw.parent / "embeddings").exists() != is_refused
    if not is_refused:
        assert read_json(raw.parent / "embeddings" / "trained_on.json") == trained_on


def test_the_boxes_of_the_ground_truth_are_embedded_with_their_identities(raw):
    people = run(raw)["annotations/TOY-02-FRCNN.npz"]
    assert sorted(set(zip(people.frame.tolist(), people.track_id.tolist(), strict=True))) == [
        (f, i) for f in range(5, 13) for i in (1, 2, 3)
    ]


def test_the_ground_truth_may_be_left_out(raw):
    assert list(run(raw, annotations=False)) == ["TOY-02-FRCNN.npz"]


def test_where_nothing_is_tracked_nothing_is_embedded_and_the_log_says_why(raw, caplog):
    write_parts([part for part in read_parts(raw) if part.part == "train"], raw)
    assert run(raw) == {}
    assert (raw.parent / "embeddings").is_dir()
    assert "has the part `track`: nothing is embedded" in caplog.text
