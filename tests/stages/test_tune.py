import json

import pandas as pd
import pytest
from default_params import default_params
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_set
from pydantic import ValidationError

from reidops.boxes.embeddings import embed_sequence, write_embeddings
from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part, write_parts
from reidops.tracking.constants import CONSTANTS
from stages.detect import DetectParams
from stages.embed import EmbedParams
from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking
from stages.tune import TuneParams, tune

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def fake_embedder(monkeypatch):
    monkeypatch.setattr("reidops.tracking.tuning.scene_search.Embedder", FakeEmbedder)


@pytest.fixture
def data(tmp_path):
    """Return a folder with raw and calibration: TOY-01 and TOY-02 train, TOY-03 is tested and tracked."""
    write_mot_set(tmp_path / "raw" / "TOY", ("TOY-01", "TOY-02", "TOY-03"))
    for name in ("TOY-01", "TOY-02"):
        hide_people(tmp_path / "raw" / "TOY" / "train" / name / "det" / "det.txt")
    share_out(tmp_path, {"TOY-01": ["train"], "TOY-02": ["train"], "TOY-03": ["test", "track"]})
    write_json(
        {
            "weights_sha256": FakeEmbedder.weights_sha256,
            "gates": {"cosine": 0.3, "ema_cosine": 0.25},
            "likelihoods": {"evidence": [[0.0, 4.0], [1.0, -4.0]]},
        },
        tmp_path / "calibration.json",
    )
    return tmp_path


def hide_people(det):
    """Take the detections of frames 6 to 8 away: a track that lives for less than 3 unseen frames is lost."""
    det.write_text(
        "".join(line for line in det.read_text().splitlines(keepends=True) if not 6 <= int(line.split(",")[0]) <= 8)
    )


def share_out(data, roles):
    parts = []
    for sequence, kinds in roles.items():
        folder = data / "raw" / "TOY" / "train" / sequence
        parts += [Part(kind, "TOY", "mot", folder, sequence, read_sequence(folder).scene, 1, 12) for kind in kinds]
    write_parts(sorted(parts, key=lambda part: part.part), data / "raw")


def run(data, **changes):
    values = {"trials": 5, "tracker": "sort", "search": {"sort": {"max_age": [1, 8], "min_hits": 1, "iou": 0.1}}}
    values |= changes
    source = values.pop("source", "public")
    tracking = {"tracker": values.pop("tracker"), "camera_motion": values.pop("camera_motion", "none")}
    tune(
        data / "raw",
        data / "model",
        data / "calibration.json",
        data / "tuning",
        params=default_params(TuneParams, **values),
        **shared(source, **tracking),
    )
    return json.loads((data / "tuning" / "constants.json").read_text())


def shared(source="public", **tracking):
    """Return the sections that a search shares with other stages."""
    return {
        "tracking": default_params(EvaluateTrackingParams, **tracking),
        "detect": default_params(DetectParams, source=source),
        "embed": default_params(EmbedParams),
    }


def report(data, **changes):
    """Track TOY-03 with what was found."""
    for name in ("TOY-01", "TOY-03"):
        sequence = read_sequence(data / "raw" / "TOY" / "train" / name)
        write_embeddings(
            embed_sequence(sequence, read_detections(sequence), FakeEmbedder()), data / "embeddings" / f"{name}.npz"
        )
    values = {
        "tracker": "sort",
        "gate": "calibrated",
        "min_confidence": None,
        "constants": {},
        "num_clips": 0,
        "num_frames": 0,
        "camera_motion": "none",
    }
    evaluate_tracking(
        data / "raw",
        data / "embeddings",
        data / "calibration.json",
        data / "tuning",
        data / "tracking",
        default_params(EvaluateTrackingParams, **{**values, **changes}),
    )
    return json.loads((data / "tracking" / "protocol.json").read_text())


def test_without_trials_there_is_no_search_and_nothing_is_read(tmp_path):
    none = tmp_path / "none"
    tune(none, none, none, tmp_path / "tuning", params=default_params(TuneParams), **shared(tracker="botsort"))
    assert sorted(path.name for path in (tmp_path / "tuning").iterdir()) == ["constants.json", "metrics.json"]
    assert json.loads((tmp_path / "tuning" / "constants.json").read_text()) == {
        "tracker": "botsort",
        "constants": {},
        "tuned_on": [],
    }


def test_a_search_finds_that_tracks_must_outlive_the_gap(data):
    found = run(data)
    assert found["constants"]["max_age"] >= 3 and found["constants"]["min_hits"] == 1
    metrics = json.loads((data / "tuning" / "metrics.json").read_text())
    assert metrics["num_trials"] == 5
    assert metrics["found"]["IDF1"] > metrics["start"]["IDF1"] and metrics["found"]["IDSW"] == 0


def test_the_scenes_of_the_search_are_written_down_and_none_is_tracked(data):
    assert run(data)["tuned_on"] == [
        {
            "dataset": "TOY",
            "sequence": f"TOY-0{i}",
            "scene": f"TOY-0{i}",
            "first_frame": 1,
            "last_frame": 12,
            "people": "trained on",
        }
        for i in (1, 2)
    ]


def test_scenes_of_strangers_come_before_those_that_trained(data):
    share_out(data, {"TOY-01": ["train"], "TOY-02": ["test"], "TOY-03": ["test", "track"]})
    rows = run(data)["tuned_on"]
    assert [(row["sequence"], row["people"]) for row in rows] == [("TOY-02", "strangers")]
    assert [row["sequence"] for row in run(data, sequences=("TOY-01",))["tuned_on"]] == ["TOY-01"]


def test_the_same_seed_gives_the_same_bytes(data):
    run(data)
    first = {path.name: path.read_bytes() for path in (data / "tuning").iterdir() if path.suffix != ".png"}
    run(data)
    assert first == {path.name: path.read_bytes() for path in (data / "tuning").iterdir() if path.suffix != ".png"}


def test_every_trial_stands_in_the_table_the_start_first(data):
    run(data)
    table = pd.read_csv(data / "tuning" / "trials.csv")
    assert table["trial"].tolist() == [0, 1, 2, 3, 4, 5] and table["max_age"].between(1, 8).all()
    assert table["IDF1"].max() == pytest.approx(
        json.loads((data / "tuning" / "metrics.json").read_text())["found"]["IDF1"], abs=1e-6
    )
    assert (data / "tuning" / "trials.png").stat().st_size > 5_000
    assert sorted(path.name for path in (data / "tuning").iterdir()) == [
        "constants.json",
        "metrics.json",
        "trials.csv",
        "trials.png",
    ]


@pytest.mark.parametrize("tracker", CONSTANTS)
def test_every_tracker_can_be_tuned_in_its_own_space(data, tracker):
    found = run(data, tracker=tracker, trials=2, search={})
    assert found["tracker"] == tracker and set(found["constants"]) <= set(found["searched"])


def test_gate_and_least_score_are_searched_where_they_are_named(data):
    search = {"deepsort": {"gate": [0.1, 0.6], "min_confidence": [0.95, 0.99], "n_init": [1, 2]}}
    found = run(data, tracker="deepsort", search=search)
    # Every detection has 0.9: no trial keeps one, and the start, with the setting's own gate and all detections, wins.
    assert found["constants"] == {} and "gate" not in found and "min_confidence" not in found
    metrics = json.loads((data / "tuning" / "metrics.json").read_text())
    assert metrics["found"] == metrics["start"] and metrics["start"]["IDF1"] > 0.5
    found = run(
        data,
        tracker="deepsort",
        search={"deepsort": {**search["deepsort"], "min_confidence": 0.5, "max_age": [10, 12]}},
    )
    assert found["min_confidence"] == 0.5 and 0.1 <= found["gate"] <= 0.6


def test_detections_of_ones_own_and_the_cameras_motion_take_part(data, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(data))
    for name in ("TOY-01", "TOY-02"):
        (data / "own").mkdir(exist_ok=True)
        (data / "own" / f"{name}.txt").write_text("1,-1,20,20,12,30,0.9\n")
    run(data, source="own", tracker="botsort", trials=1, search={}, camera_motion="sparse_flow")
    assert json.loads((data / "tuning" / "metrics.json").read_text())["found"]["IDF1"] < 0.1  # one box is all there is
    assert sorted(path.name for path in (data / ".cache" / "camera_motion").iterdir()) == [
        "TOY-01.sparse_flow.npz",
        "TOY-02.sparse_flow.npz",
    ]


def test_the_model_is_not_asked_about_people_who_trained_it(data, monkeypatch, caplog):
    caplog.set_level("INFO")
    asked = []
    monkeypatch.setattr(FakeEmbedder, "load", classmethod(lambda cls, model: asked.append(model) or cls()))
    run(data, tracker="deepsort", trials=1, search={})
    assert not asked and "with motion only" in caplog.text
    run(data, tracker="deepsort", trials=1, search={}, appearance=True)
    assert len(asked) == 1 and "with the embeddings of the model" in caplog.text
    share_out(data, {"TOY-01": ["train"], "TOY-02": ["test"], "TOY-03": ["test", "track"]})
    run(data, tracker="deepsort", trials=1, search={})
    assert len(asked) == 2
    run(data, tracker="deepsort", trials=1, search={}, appearance=False)
    assert len(asked) == 2


def test_what_was_found_is_what_is_reported_with(data):
    found = run(data)
    protocol = report(data, constants={"sort": {"min_hits": 7}})
    assert (
        protocol["constants"]["published_but_for"] == found["constants"] and protocol["tuned_on"] == found["tuned_on"]
    )


def test_a_search_that_was_off_changes_nothing(data):
    run(data, trials=0, tracker="botsort")
    protocol = report(data, constants={"sort": {"min_hits": 2}})
    assert protocol["constants"] == {"published_but_for": {"min_hits": 2}, "found_by": None}


def test_a_scene_of_the_search_cannot_be_reported_afterwards(data):
    run(data)
    share_out(data, {"TOY-02": ["train"], "TOY-01": ["track"]})
    with pytest.raises(ReidopsError, match="tuned on TOY-01, the scene of TOY-01, which is to be reported"):
        report(data)


def test_constants_of_another_tracker_are_refused(data):
    run(data)
    with pytest.raises(
        ReidopsError, match="holds constants of sort, but evaluate_tracking.tracker is deepsort; .*dvc repro -f tune"
    ):
        report(data, tracker="deepsort")


def test_where_every_scene_is_reported_there_is_nothing_to_tune_on(data):
    share_out(data, {"TOY-01": ["track"], "TOY-02": ["test", "track"]})
    with pytest.raises(ReidopsError, match=r"no scene is left to tune .* download.test, .* set tune.trials to 0"):
        run(data)
    assert not (data / "tuning").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TOY-3", "TOY-3 is no scene .*did you mean TOY-0"),
        ("TOY-03", "TOY-03 is tracked and reported; .* other scenes: TOY-01, TOY-02"),
    ],
)
def test_a_name_that_cannot_be_tuned_on_is_refused(data, name, says):
    with pytest.raises(ReidopsError, match=says):
        run(data, sequences=(name,))


def test_a_model_that_is_not_the_calibrated_one_is_refused(data):
    write_json({"weights_sha256": "0" * 64, "gates": {"cosine": 0.3, "ema_cosine": 0.25}}, data / "calibration.json")
    with pytest.raises(ReidopsError, match="made by the model ffffffffffff, expected 000000000000"):
        run(data, tracker="deepsort", search={}, appearance=True)


def test_a_scene_without_detections_is_named(data):
    (data / "raw" / "TOY" / "train" / "TOY-02" / "det" / "det.txt").unlink()
    with pytest.raises(ReidopsError, match=r"TOY-02/det/det\.txt"):
        run(data)


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"sort": {"maxage": [1, 9]}}, r"sort\.maxage is unknown; did you mean `max_age`"),
        ({"sort": {"max_age": [9, 1]}}, r"sort\.max_age is \[9, 1\]: the first must be less than the second"),
        ({"sort": {"max_age": [1]}}, r"sort\.max_age is \[1\]: expected \[least, most\]"),
        ({"sort": {"max_age": [0, 9]}}, r"sort\.max_age is 0: expected whole number ≥ 1"),
        ({"sort": {"max_age": [1.5, 9]}}, r"sort\.max_age is 1\.5"),
        ({"deepsort": {"gate": "wide"}}, r"deepsort\.gate is 'wide': expected a number"),
        ({"sort": {"max_age": 1, "min_hits": 1, "iou": 0.3}}, "every knob is held at one value"),
        ({"deepsord": {}}, "deepsord is no tracker; known: sort, deepsort"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_runs(search, says):
    with pytest.raises(ValidationError, match=says):
        default_params(TuneParams, search=search)
