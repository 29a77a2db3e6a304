import io
import json

import pandas as pd
import pytest
from default_params import default_params
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_set
from pydantic import ValidationError
from rich.console import Console

from reidops.boxes.embeddings import embed_sequence, write_embeddings
from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.mot.sequences import read_detections, read_results, read_sequence
from reidops.parts import Part, write_parts
from reidops.stage_times import read_times
from reidops.summary import render_summary
from reidops.tracking.constants import CONSTANTS, WITHOUT_APPEARANCE
from reidops.tracking.evaluation.arm_names import ARMS
from reidops.tracking.evaluation.rivals import read_windows
from reidops.tracking.evaluation.windows import window_scores
from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking

pytestmark = pytest.mark.slow


def write_inputs(tmp_path):
    """Write raw, embeddings and calibration of two tracked sequences; return the folder."""
    folder = write_mot_set(tmp_path / "raw" / "TOY")
    parts = []
    for path in sorted((folder / "train").iterdir()):
        sequence = read_sequence(path)
        parts.append(Part("track", "TOY", "mot", path, path.name, sequence.scene, 1, 12))
        detected = embed_sequence(sequence, read_detections(sequence), FakeEmbedder())
        write_embeddings(detected, tmp_path / "embeddings" / f"{path.name}.npz")
    write_parts(parts, tmp_path / "raw")
    write_json(
        {"weights_sha256": FakeEmbedder.weights_sha256, "gates": {"cosine": 0.3, "ema_cosine": 0.25}},
        tmp_path / "calibration.json",
    )
    write_json({"tracker": "deepsort", "constants": {}, "tuned_on": []}, tmp_path / "tuning" / "constants.json")
    return tmp_path


@pytest.fixture
def data(tmp_path):
    """Return a folder with the stage's inputs."""
    return write_inputs(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return what the stage wrote, pictures and all; for tests that only read it."""
    return run(write_inputs(tmp_path_factory.mktemp("finished")), num_frames=2)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out the pictures, which cost most."""
    monkeypatch.setattr("stages.evaluate_tracking._draw", lambda pictured, folder, bounds: None)
    monkeypatch.setattr("stages.evaluate_tracking.write_gap_curves", lambda *_: None)


def run(data, **changes):
    values = {"tracker": "deepsort", "gate": "calibrated", "min_confidence": None, "constants": {}, "num_clips": 0}
    values["camera_motion"] = "none"
    params = default_params(EvaluateTrackingParams, **{**values, **changes})
    evaluate_tracking(
        data / "raw", data / "embeddings", data / "calibration.json", data / "tuning", data / "tracking", params
    )
    return data / "tracking"


def test_scores_results_events_and_pictures_are_written(finished):
    made = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    expected = {f"{name}.json" for name in ("headline", "metrics", "proof", "protocol")} | {
        "gaps.csv",
        "gaps.png",
        "scorers.csv",
        "sequences.csv",
        "windows.npz",
    }
    expected |= {f"timelines/TOY-0{i}.png" for i in (1, 2)}
    expected |= {f"results/{arm}/TOY-0{i}.txt" for arm in ARMS for i in (1, 2)}
    expected |= {f"events/{arm}/TOY-0{i}.csv" for arm in ("appearance", "no_appearance") for i in (1, 2)}
    assert expected <= made
    assert len([name for name in made if name.startswith("frames/")]) == 4
    times = read_times(finished)
    assert set(times) == {f"associate/{arm}" for arm in ARMS} and min(times.values()) > 0


def test_the_metrics_are_fractions_and_counts_of_each_arm(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert set(metrics) == {*ARMS, "difference"}
    scores = metrics["no_appearance"]["combined"]
    assert set(scores) == {"MOTA", "IDF1", "HOTA", "DetA", "AssA", "IDSW", "MOTP", "FP", "FN", "MT", "ML", "Frag"}
    assert 0 < scores["IDF1"] <= 1
    # Three people in two sequences, each missed in the two frames before their track is confirmed.
    assert (scores["FN"], scores["FP"]) == (12, 0)


@pytest.mark.parametrize("tracker", CONSTANTS)
def test_every_tracker_runs_by_its_name(data, tracker, no_pictures):
    folder = run(data, tracker=tracker, gate="published")
    proof = json.loads((folder / "proof.json").read_text())
    assert proof["uses_appearance"] is (tracker not in WITHOUT_APPEARANCE)
    assert set(proof["arms"]) == set(ARMS if proof["uses_appearance"] else ["no_appearance"])
    assert proof["arms"]["no_appearance"]["IDF1"] > 0.8


def test_the_evidence_tracker_runs_with_its_calibrated_table_and_the_log_describes_it(data, no_pictures, caplog):
    caplog.set_level("INFO")
    table = [[0.0, 4.0], [0.3, 0.0], [1.0, -4.0]]
    calibration = {"weights_sha256": FakeEmbedder.weights_sha256, "gates": {}, "likelihoods": {"evidence": table}}
    write_json(calibration, data / "calibration.json")
    run(data, tracker="evidence")
    assert "by evidence, gate likelihood table (0 at 0.300)" in caplog.text


def test_constants_go_to_the_tracker_that_they_are_named_for(data, no_pictures):
    lax = run(data, constants={"deepsort": {"n_init": 1}, "sort": {"max_age": 3}})
    assert json.loads((lax / "metrics.json").read_text())["no_appearance"]["combined"]["FN"] == 0
    assert json.loads((lax / "protocol.json").read_text())["constants"]["published_but_for"] == {"n_init": 1}


@pytest.mark.parametrize(
    ("constants", "says"),
    [
        ({"deepsort": {"maxage": 30}}, r"deepsort\.maxage is unknown; did you mean `max_age`"),
        ({"deepsort": {"max_age": 0}}, r"deepsort\.max_age is 0: expected whole number ≥ 1"),
        ({"deepsord": {}}, "deepsord is no tracker; known: sort, deepsort"),
    ],
)
def test_a_constant_that_nobody_knows_is_refused(constants, says):
    with pytest.raises(ValidationError, match=says):
        default_params(EvaluateTrackingParams, constants=constants)


@pytest.mark.parametrize("linking", [False, True, "motion", "aflink", "own/weights.npz"])
def test_linking_is_off_by_motion_by_the_network_or_by_a_file_of_weights(linking):
    assert default_params(EvaluateTrackingParams, linking=linking).linking == linking


def test_another_name_of_linking_is_refused():
    with pytest.raises(ValidationError, match="linking"):
        default_params(EvaluateTrackingParams, linking="speed")


def test_camera_motion_is_computed_once_and_outlives_the_stage(data, monkeypatch, no_pictures):
    monkeypatch.setenv("DVC_ROOT", str(data))
    run(data, camera_motion="sparse_flow")
    kept = {path: path.stat().st_mtime_ns for path in (data / ".cache" / "camera_motion").iterdir()}
    assert sorted(path.name for path in kept) == ["TOY-01.sparse_flow.npz", "TOY-02.sparse_flow.npz"]
    run(data, camera_motion="sparse_flow")
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_a_tracker_runs_with_the_camera_motion_that_it_was_published_with(data, monkeypatch, no_pictures):
    monkeypatch.setenv("DVC_ROOT", str(data))
    run(data, camera_motion="published")
    assert not (data / ".cache").exists()
    run(data, tracker="botsort", camera_motion="published")
    assert (data / ".cache" / "camera_motion" / "TOY-01.sparse_flow.npz").is_file()


def test_equal_tracks_in_all_arms_are_reported_in_the_proof(data, no_pictures):
    """The people of these sequences never meet, so that BoT-SORT's overlap decides everything."""
    said = json.loads((run(data, tracker="botsort") / "proof.json").read_text())["say"]
    assert "all arms give the same tracks" in said and "constant proximity 0.5" in said


def test_a_zero_of_a_sequence_is_in_the_proof_the_log_and_the_summary(data, no_pictures, caplog):
    gt = data / "raw" / "TOY" / "train" / "TOY-01" / "gt" / "gt.txt"
    gt.write_text(gt.read_text().replace(",1,1,1\n", ",1,3,1\n"))
    folder = run(data)
    (found,) = json.loads((folder / "proof.json").read_text())["zeros"]
    assert found.startswith("TOY-01: 0 annotated people") and "3 (36 boxes)" in found and "download.people" in found
    assert found in caplog.messages
    shown = Console(width=400, file=io.StringIO())
    shown.print(render_summary(data))
    assert found in shown.file.getvalue()


def test_detections_below_the_least_score_are_counted_with_the_highest(data, no_pictures):
    zeros = json.loads((run(data, min_confidence=0.95) / "proof.json").read_text())["zeros"]
    assert len(zeros) == 2
    assert "0 of 36 detections reach evaluate_tracking.min_confidence (0.95)" in zeros[0] and "is 0.9;" in zeros[0]


def test_classes_that_are_not_motchallenges_are_refused_with_the_param_of_people(data, no_pictures):
    gt = data / "raw" / "TOY" / "train" / "TOY-02" / "gt" / "gt.txt"
    gt.write_text(gt.read_text().replace(",1,1,1\n", ",1,0,1\n"))
    with pytest.raises(ReidopsError, match=r"its classes are 0 \(36 rows\).*download\.people: {TOY: \[0\]}$"):
        run(data)


def test_tuning_on_a_scene_that_is_reported_is_refused(data, no_pictures):
    row = {"dataset": "TOY", "sequence": "TOY-01", "scene": "TOY-01", "first_frame": 1, "last_frame": 6}
    write_json({"tracker": "deepsort", "constants": {"max_age": 9}, "tuned_on": [row]}, data / "tuned.json")
    with pytest.raises(ReidopsError, match="tuned on TOY-01, the scene of TOY-01"):
        run(data, tuning=str(data / "tuned.json"))
    write_json(
        {"tracker": "deepsort", "constants": {"max_age": 9}, "tuned_on": [{**row, "scene": "TOY-03"}]},
        data / "tuned.json",
    )
    protocol = json.loads((run(data, tuning=str(data / "tuned.json")) / "protocol.json").read_text())
    assert protocol["constants"]["published_but_for"] == {"max_age": 9} and protocol["tuned_on"][0]["scene"] == "TOY-03"


def test_the_windows_that_later_models_are_compared_on_give_the_scores(finished):
    windows = read_windows(finished / "windows.npz")
    assert list(windows) == ["TOY-01:12", "TOY-02:12"]
    scores = window_scores(sum(counted.whole for counted in windows.values()))
    combined = json.loads((finished / "metrics.json").read_text())["appearance"]["combined"]
    assert {name: float(value) for name, value in scores.items()} == pytest.approx(
        {name: combined[name] for name in scores}
    )


def test_the_headline_is_of_the_combined_scores(finished):
    metrics, shown = (json.loads((finished / name).read_text()) for name in ("metrics.json", "headline.json"))
    assert set(shown) == set(metrics)
    for arm, scores in shown.items():
        assert scores == {name: metrics[arm]["combined"][name] for name in ("IDF1", "HOTA", "MOTA", "IDSW")}


def test_both_scorers_stand_in_the_table(finished):
    table = pd.read_csv(finished / "sequences.csv")
    assert len(table) == 2 * len(ARMS) * 3
    assert set(table["scorer"]) == {"reported", "motmetrics"}


def test_result_files_are_in_motchallenge_format(data, no_pictures):
    folder = run(data, constants={"deepsort": {"boxes": "detections", "coast": 0}})
    tracks = read_results(folder / "results" / "no_appearance" / "TOY-01.txt")
    truth = read_detections(read_sequence(data / "raw" / "TOY" / "train" / "TOY-01"))
    joined = tracks.merge(truth, on=["frame", "left", "top", "width", "height"])
    assert len(joined) == len(tracks) == 3 * 10


def test_the_same_input_gives_the_same_bytes(data, no_pictures):
    first, again = (
        {path.name: path.read_bytes() for path in run(data).rglob("*.[jct]*") if path.is_file()} for _ in range(2)
    )
    assert first == again


def test_a_model_that_is_not_the_calibrated_one_is_refused(data):
    write_json({"weights_sha256": "0" * 64, "gates": {"cosine": 0.3, "ema_cosine": 0.25}}, data / "calibration.json")
    with pytest.raises(ReidopsError, match="made by the model ffffffffffff, expected 000000000000"):
        run(data)
    assert not (data / "tracking").exists()
