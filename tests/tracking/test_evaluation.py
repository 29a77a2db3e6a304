import numpy as np
import pandas as pd
import pytest
from mot_factory import write_mot_sequence

from reidops.errors import ReidopsError
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.embeddings import EmbeddedDetections, write_embeddings
from reidops.tracking.evaluation import Trial, evaluate_parts, score_table, score_tree
from reidops.tracking.report import choose_gate, format_scores
from reidops.tracking.trackers import DeepSort, track_sequence


def embedded(sequence, rng) -> EmbeddedDetections:
    """Return the sequence's detections, each with its person's own vector; rows in any order."""
    rows = read_detections(sequence).sample(frac=1, random_state=int(rng.integers(9)))
    looks = np.eye(8, dtype=np.float32)
    box_ltwh = rows[["left", "top", "width", "height"]].to_numpy(np.float32)
    people = (box_ltwh[:, 1] // 11).astype(int) % 8
    return EmbeddedDetections(rows["frame"].to_numpy(np.int32), box_ltwh, rows["confidence"].to_numpy(np.float32), looks[people], "model")


@pytest.fixture
def parts(tmp_path):
    """Return two tracked sequences of three people, whose embeddings lie in the same folder; the second is a half."""
    made = []
    for name, first in (("TOY-01", 1), ("TOY-02", 7)):
        sequence = read_sequence(write_mot_sequence(tmp_path / name, num_frames=12))
        write_embeddings(embedded(sequence, np.random.default_rng(0)), tmp_path / f"{name}.npz")
        made.append(Part("track", "TOY", "mot", sequence.folder, name, sequence.scene, first, 12))
    return made


def trial(folder, **changes) -> Trial:
    values = {"min_confidence": None, "tracker": "deepsort", "cosine_gate": 0.2, "constants": DeepSortConstants(n_init=1)}
    return Trial(folder, "model", **{**values, **changes})


def test_each_arm_tracks_and_scores_each_sequence_and_both_together(parts, tmp_path):
    tree = score_tree(score_table(evaluate_parts(parts, trial(tmp_path))))
    assert set(tree) == {"appearance", "no_appearance", "difference"}
    for arm in ("appearance", "no_appearance"):
        assert set(tree[arm]) == {"TOY-01", "TOY-02", "combined"}
        assert tree[arm]["combined"]["IDF1"] == 1
    assert tree["difference"]["combined"]["IDSW"] == 0


def test_of_a_half_only_its_own_frames_are_tracked_and_scored(parts, tmp_path):
    half = [result for result in evaluate_parts(parts, trial(tmp_path)) if result.sequence == "TOY-02"]
    for result in half:
        assert sorted(result.tracks["frame"].unique()) == list(range(7, 13))
        assert result.counts.num_objects == 3 * 6


def test_a_score_floor_above_all_scores_leaves_nothing_to_track(parts, tmp_path):
    results = evaluate_parts(parts, trial(tmp_path, min_confidence=2.0))
    assert all(result.tracks.empty for result in results)
    tree = score_tree(score_table(results))
    assert tree["appearance"]["combined"]["FN"] == 3 * 12 + 3 * 6


def test_embeddings_of_another_model_than_the_calibrated_one_are_refused(parts, tmp_path):
    with pytest.raises(ReidopsError, match="made by the model model, expected other"):
        evaluate_parts(parts, Trial(tmp_path, "other", None, "deepsort", 0.2, DeepSortConstants()))


def test_tracks_of_a_sequence_do_not_depend_on_the_order_of_its_rows(parts, tmp_path):
    sequence = read_sequence(parts[0].folder)
    found = [track_sequence(DeepSort(), embedded(sequence, np.random.default_rng(seed)), range(1, 13)) for seed in (0, 1)]
    ordered = [tracks.sort_values(["frame", "track_id"], ignore_index=True) for tracks in found]
    pd.testing.assert_frame_equal(*ordered)
    assert len(ordered[0]) == 3 * 10


def test_a_sequence_without_detections_has_no_tracks(parts):
    nothing = embedded(read_sequence(parts[0].folder), np.random.default_rng(0)).keep(np.zeros(0, int))
    assert track_sequence(DeepSort(), nothing, range(1, 13)).columns.tolist()[:2] == ["frame", "track_id"]


def test_the_table_shows_each_arm_and_the_difference(parts, tmp_path):
    lines = format_scores(score_table(evaluate_parts(parts, trial(tmp_path)))).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["TOY-01", arm] for arm in ("appearance", "no_appearance", "difference")]
    assert lines[-1].split()[0] == "combined"


def test_the_gate_is_the_calibrated_the_published_or_a_number(tmp_path):
    calibration = {"gates": {"cosine": 0.31}}
    assert [choose_gate(gate, calibration, tmp_path) for gate in ("calibrated", "published", 0.4)] == [0.31, 0.2, 0.4]
    with pytest.raises(ReidopsError, match="no gates.cosine"):
        choose_gate("calibrated", {}, tmp_path)
