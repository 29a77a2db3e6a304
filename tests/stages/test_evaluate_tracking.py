import json

import pandas as pd
import pytest
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_set

from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.mot.sequences import read_detections, read_results, read_sequence
from reidops.parts import Part, write_parts
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.embeddings import embed_sequence, write_embeddings
from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking


@pytest.fixture
def data(tmp_path):
    """Return a folder with raw, embeddings and calibration of two tracked sequences."""
    folder = write_mot_set(tmp_path / "raw" / "TOY")
    parts = []
    for path in sorted((folder / "train").iterdir()):
        sequence = read_sequence(path)
        parts.append(Part("track", "TOY", "mot", path, path.name, sequence.scene, 1, 12))
        detected = embed_sequence(sequence, read_detections(sequence), FakeEmbedder())
        write_embeddings(detected, tmp_path / "embeddings" / f"{path.name}.npz")
    write_parts(parts, tmp_path / "raw")
    write_json({"weights_sha256": FakeEmbedder.weights_sha256, "gates": {"cosine": 0.3}}, tmp_path / "calibration.json")
    return tmp_path


def run(data, **changes):
    values = {"tracker": "deepsort", "gate": "calibrated", "min_confidence": None, "deepsort": DeepSortConstants()}
    params = EvaluateTrackingParams(**{**values, **changes})
    evaluate_tracking(data / "raw", data / "embeddings", data / "calibration.json", data / "tracking", params)
    return data / "tracking"


def test_scores_results_events_and_pictures_are_written(data):
    folder = run(data, num_frames=2)
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    expected = {"headline.json", "metrics.json", "sequences.csv"} | {f"timelines/TOY-0{i}.png" for i in (1, 2)}
    expected |= {f"{kind}/{arm}/TOY-0{i}.{suffix}" for kind, suffix in (("results", "txt"), ("events", "csv"))
                 for arm in ("appearance", "no_appearance") for i in (1, 2)}  # fmt: skip
    assert expected <= made
    assert len([name for name in made if name.startswith("frames/")]) == 4


def test_the_metrics_are_fractions_and_counts_of_each_arm(data):
    metrics = json.loads((run(data) / "metrics.json").read_text())
    assert set(metrics) == {"appearance", "no_appearance", "difference"}
    scores = metrics["no_appearance"]["combined"]
    assert set(scores) == {"MOTA", "IDF1", "HOTA", "DetA", "AssA", "IDSW", "MOTP", "FP", "FN", "MT", "ML", "Frag"}
    assert 0 < scores["IDF1"] <= 1
    # Three people in two sequences, each missed in the two frames before their track is confirmed.
    assert (scores["FN"], scores["FP"]) == (12, 0)


def test_the_headline_is_of_the_combined_scores(data):
    folder = run(data)
    metrics, shown = (json.loads((folder / name).read_text()) for name in ("metrics.json", "headline.json"))
    assert set(shown) == set(metrics)
    for arm, scores in shown.items():
        assert scores == {name: metrics[arm]["combined"][name] for name in ("IDF1", "HOTA", "MOTA", "IDSW")}


def test_both_scorers_stand_in_the_table(data):
    table = pd.read_csv(run(data) / "sequences.csv")
    assert len(table) == 2 * 2 * 3
    assert set(table["scorer"]) == {"reported", "trackeval"}


def test_result_files_are_in_motchallenge_format(data):
    tracks = read_results(run(data) / "results" / "no_appearance" / "TOY-01.txt")
    truth = read_detections(read_sequence(data / "raw" / "TOY" / "train" / "TOY-01"))
    joined = tracks.merge(truth, on=["frame", "left", "top", "width", "height"])
    assert len(joined) == len(tracks) == 3 * 10


def test_the_same_input_gives_the_same_bytes(data):
    first = {path.name: path.read_bytes() for path in run(data).rglob("*.json")}
    assert first == {path.name: path.read_bytes() for path in run(data).rglob("*.json")}


def test_a_model_that_is_not_the_calibrated_one_is_refused(data):
    write_json({"weights_sha256": "0" * 64, "gates": {"cosine": 0.3}}, data / "calibration.json")
    with pytest.raises(ReidopsError, match="made by the model ffffffffffff, expected 000000000000"):
        run(data)
    assert not (data / "tracking").exists()
