"""Another model on the detections of an evaluation: the same boxes, the same tracker, its own gate."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_set

from reidops.boxes.embeddings import embed_sequence, read_embeddings, write_embeddings
from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.evaluation.arm_results import evaluate_parts, score_table, score_tree
from reidops.tracking.evaluation.report import write_report
from reidops.tracking.evaluation.rescoring import check_unseen, embed_again, score_again
from reidops.tracking.evaluation.rivals import lead_over
from reidops.tracking.evaluation.scoring_code import NO_SCORES, PACKAGE, scoring_code_digest, scoring_files
from reidops.tracking.evaluation.setups import TrackingSettings, build_setup, read_tracking_settings

SETTINGS = TrackingSettings("deepsort", "calibrated", None, {"max_age": 9}, "none", False, False, 4, "c0de")


class OtherEmbedder(FakeEmbedder):
    """Embeds a crop as its mean colour, and a constant."""

    weights_sha256 = "e" * 64

    def embed(self, crops, batch_size=64):
        rows = np.array([[*crop.mean(axis=(0, 1)), 30.0] for crop in crops], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def bench(tmp_path):
    """Return a folder with two sequences embedded by the challenger, and the parts."""
    folder = write_mot_set(tmp_path / "TOY")
    parts = []
    for path in sorted((folder / "train").iterdir()):
        sequence = read_sequence(path)
        parts.append(Part("track", "TOY", "mot", path, path.name, sequence.scene, 1, 12))
        write_embeddings(
            embed_sequence(sequence, read_detections(sequence), FakeEmbedder()),
            tmp_path / "embeddings" / f"{path.name}.npz",
        )
    for embedder, gate in ((FakeEmbedder, 0.3), (OtherEmbedder, 0.01)):
        write_json(
            {"weights_sha256": embedder.weights_sha256, "gates": {"cosine": gate}},
            tmp_path / f"{embedder.__name__}.json",
        )
    return tmp_path, parts


def test_the_champion_embeds_the_boxes_that_the_challenger_tracked(bench):
    root, parts = bench
    embed_again(parts, root / "embeddings", OtherEmbedder(), root / "again")
    for part in parts:
        ours, theirs = (read_embeddings(root / folder / f"{part.sequence}.npz") for folder in ("embeddings", "again"))
        np.testing.assert_array_equal(ours.box_ltwh, theirs.box_ltwh)
        np.testing.assert_array_equal(ours.frame, theirs.frame)
        assert theirs.weights_sha256 == OtherEmbedder.weights_sha256
        direct = embed_sequence(
            read_sequence(part.folder), read_detections(read_sequence(part.folder)), OtherEmbedder()
        )
        np.testing.assert_allclose(theirs.embeddings, direct.embeddings, atol=1e-3)


def test_a_model_that_is_scored_again_gets_the_scores_and_windows_of_its_own_evaluation(bench):
    """It leads itself by nothing, over the same windows."""
    root, parts = bench
    setup = build_setup(SETTINGS, root / "embeddings", root / "FakeEmbedder.json")
    arms = evaluate_parts(parts, setup)
    write_report(arms, root / "tracking")
    first = score_tree(score_table(arms))["appearance"]
    (root / "made").mkdir()
    embed_again(parts, root / "embeddings", FakeEmbedder(), root / "made")
    settings = replace(SETTINGS, window=30)  # that of write_report
    assert score_again(parts, settings, root / "made", root / "FakeEmbedder.json", root / "made") == first
    lead = lead_over(root / "tracking" / "windows.npz", root / "made" / "windows.npz")
    assert lead is not None
    assert all(interval is None or interval.low == interval.high == 0 for interval in lead.values())


def test_a_champion_that_was_trained_on_a_tracked_scene_is_not_compared(bench):
    root, parts = bench
    row = {
        "dataset": "TOY",
        "scene": parts[0].scene,
        "sequence": parts[0].sequence,
        "first_frame": 1,
        "last_frame": 5,
        "num_people": 3,
    }
    trained_on = {"started_from": "random weights", "scenes": [row], "unknown_start": ""}
    write_json({"trained_on": trained_on}, root / "embedder.json")
    with pytest.raises(ReidopsError, match="frames 1 … 5 of TOY-01 are tracked, but the model .* was trained on"):
        check_unseen(parts, root)
    write_json({"trained_on": trained_on | {"scenes": []}}, root / "embedder.json")
    check_unseen(parts, root)


def test_each_model_is_tracked_with_the_gate_that_is_calibrated_for_it(bench):
    root, _ = bench
    gates = [build_setup(SETTINGS, root, root / f"{name}.json").gate for name in ("FakeEmbedder", "OtherEmbedder")]
    assert gates == [0.3, 0.01]
    assert build_setup(replace(SETTINGS, gate=0.2), root, root / "OtherEmbedder.json").gate == 0.2
    assert build_setup(SETTINGS, root, root / "OtherEmbedder.json").constants == DeepSortConstants(max_age=9)


def test_a_calibration_that_names_no_model_is_refused(bench):
    root, _ = bench
    write_json({"gates": {"cosine": 0.3}}, root / "old.json")
    with pytest.raises(ReidopsError, match="old.json: does not name its model"):
        build_setup(SETTINGS, root, root / "old.json")


def test_settings_are_read_as_they_were_written(tmp_path):
    write_json(vars(SETTINGS), tmp_path / "trial.json")
    assert read_tracking_settings(tmp_path / "trial.json") == SETTINGS
    (tmp_path / "trial.json").write_text(json.dumps({"tracker": "sort"}))
    with pytest.raises(ReidopsError, match="trial.json: holds no settings of an evaluation"):
        read_tracking_settings(tmp_path / "trial.json")


def copied(tmp_path):
    for path in [*scoring_files(), *(PACKAGE / name for name in NO_SCORES)]:
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "tracking/deepsort.py",
        "tracking/evaluation/scoring.py",
        "tracking/constants.py",
        "mot/boxes.py",
        "boxes/box_embedding.py",
    ],
)
def test_a_change_of_the_code_that_tracks_and_scores_makes_another_bench(tmp_path, name):
    package = copied(tmp_path)
    assert scoring_code_digest(package) == scoring_code_digest()
    (package / name).write_text((package / name).read_text() + "\n")
    assert scoring_code_digest(package) != scoring_code_digest()


@pytest.mark.parametrize("name", sorted(NO_SCORES))
def test_a_change_of_a_file_that_changes_no_score_keeps_the_bench(tmp_path, name):
    package = copied(tmp_path)
    (package / name).write_text((package / name).read_text() + "\n")
    assert scoring_code_digest(package) == scoring_code_digest()


def test_a_new_file_counts_until_it_is_named(tmp_path):
    package = copied(tmp_path)
    (package / "tracking" / "newsort.py").write_text("")
    assert scoring_code_digest(package) != scoring_code_digest()
