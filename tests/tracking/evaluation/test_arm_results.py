import numpy as np
import pandas as pd
import pytest
from mot_factory import write_gt, write_mot_sequence

from reidops.boxes.embeddings import EmbeddedDetections, read_embeddings, write_embeddings
from reidops.errors import ReidopsError
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part
from reidops.tracking.constants import DeepSortConstants, SortConstants
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.evaluation.arm_names import ARMS
from reidops.tracking.evaluation.arm_results import evaluate_parts, score_table, score_tree
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.trackers import Finishing, finish_tracks, track_sequence

pytestmark = pytest.mark.slow


def embedded(sequence, rng) -> EmbeddedDetections:
    """Return the sequence's detections, each with its person's own vector; rows in any order."""
    rows = read_detections(sequence).sample(frac=1, random_state=int(rng.integers(9)))
    looks = np.eye(8, dtype=np.float32)
    box_ltwh = rows[["left", "top", "width", "height"]].to_numpy(np.float32)
    people = (box_ltwh[:, 1] // 11).astype(int) % 8
    return EmbeddedDetections(
        rows["frame"].to_numpy(np.int32), box_ltwh, rows["confidence"].to_numpy(np.float32), looks[people], "model"
    )


@pytest.fixture
def parts(tmp_path):
    """Return two tracked sequences of three people, whose embeddings lie in the same folder; the second is a half."""
    made = []
    for name, first in (("TOY-01", 1), ("TOY-02", 7)):
        sequence = read_sequence(write_mot_sequence(tmp_path / name, num_frames=12))
        write_embeddings(embedded(sequence, np.random.default_rng(0)), tmp_path / f"{name}.npz")
        made.append(Part("track", "TOY", "mot", sequence.folder, name, sequence.scene, first, 12))
    return made


def tracker_setup(folder, **changes) -> TrackerSetup:
    values = {"min_confidence": None, "tracker": "deepsort", "gate": 0.2, "constants": DeepSortConstants(n_init=1)}
    return TrackerSetup(folder, "model", **{**values, **changes})


def test_each_arm_tracks_and_scores_each_sequence_and_both_together(parts, tmp_path):
    tree = score_tree(score_table(evaluate_parts(parts, tracker_setup(tmp_path))))
    assert set(tree) == {*ARMS, "difference"}
    for arm in ARMS:
        assert set(tree[arm]) == {"TOY-01", "TOY-02", "combined"}
    assert tree["appearance"]["combined"]["IDF1"] == tree["oracle"]["combined"]["IDF1"] == 1
    assert tree["difference"]["combined"]["IDSW"] == 0


def test_a_tracker_without_appearance_has_its_one_arm_only(parts, tmp_path):
    results = evaluate_parts(parts, tracker_setup(tmp_path, tracker="sort", constants=SortConstants()))
    assert [(result.sequence, result.arm) for result in results] == [
        ("TOY-01", "no_appearance"),
        ("TOY-02", "no_appearance"),
    ]
    assert set(score_tree(score_table(results))) == {"no_appearance"}


def test_of_a_half_only_its_own_frames_are_tracked_and_scored(parts, tmp_path):
    half = [result for result in evaluate_parts(parts, tracker_setup(tmp_path)) if result.sequence == "TOY-02"]
    assert [result.arm for result in half] == list(ARMS)
    for result in half:
        assert set(result.tracks["frame"]) <= set(range(7, 13))
        assert result.counts.num_objects == 3 * 6
        assert len(result.of_frames) == 6


def test_a_score_floor_above_all_scores_leaves_nothing_to_track(parts, tmp_path):
    results = evaluate_parts(parts, tracker_setup(tmp_path, min_confidence=2.0))
    assert all(result.tracks.empty for result in results)
    tree = score_tree(score_table(results))
    assert tree["appearance"]["combined"]["FN"] == 3 * 12 + 3 * 6


@pytest.mark.parametrize("frame", [1, 6])
def test_a_frame_of_ten_thousand_detections_is_tracked_and_scored_in_every_arm(parts, tmp_path, frame):
    rng, name = np.random.default_rng(0), "TOY-01"
    inputs = read_embeddings(tmp_path / f"{name}.npz")
    crowd = np.column_stack([rng.uniform(-50, 200, (10_000, 2)), rng.uniform(5, 80, (10_000, 2))])
    crowded = EmbeddedDetections(
        np.append(inputs.frame, np.full(10_000, frame, np.int32)),
        np.concatenate([inputs.box_ltwh, crowd.astype(np.float32)]),
        np.append(inputs.confidence, np.full(10_000, 0.9, np.float32)),
        np.concatenate([inputs.embeddings, np.tile(np.eye(8, dtype=np.float32), (1250, 1))]),
        "model",
    )
    write_embeddings(crowded, tmp_path / f"{name}.npz")
    results = evaluate_parts(parts[:1], tracker_setup(tmp_path, constants=DeepSortConstants()))
    assert [result.arm for result in results] == list(ARMS)
    assert all(result.counts.num_objects == 3 * 12 and len(result.tracks) < 100 for result in results)


def test_embeddings_of_another_model_than_the_calibrated_one_are_refused(parts, tmp_path):
    with pytest.raises(ReidopsError, match="made by the model model, expected other"):
        evaluate_parts(parts, TrackerSetup(tmp_path, "other", None, "deepsort", 0.2, DeepSortConstants()))


def test_tracks_of_a_sequence_do_not_depend_on_the_order_of_its_rows(parts, tmp_path):
    sequence = read_sequence(parts[0].folder)
    found = [
        track_sequence(DeepSort(), embedded(sequence, np.random.default_rng(seed)), range(1, 13)) for seed in (0, 1)
    ]
    ordered = [tracks.sort_values(["frame", "track_id"], ignore_index=True) for tracks in found]
    # A detection is named by its row, which the order changes.
    pd.testing.assert_frame_equal(*(table.drop(columns="detection") for table in ordered))
    assert len(ordered[0]) == 3 * 10


def test_a_sequence_without_detections_has_no_tracks(parts):
    nothing = embedded(read_sequence(parts[0].folder), np.random.default_rng(0)).keep(np.zeros(0, int))
    assert track_sequence(DeepSort(), nothing, range(1, 13)).columns.tolist()[:2] == ["frame", "track_id"]


def test_arms_run_side_by_side_give_what_they_give_one_after_the_other(parts, tmp_path, monkeypatch):
    alone = evaluate_parts(parts, tracker_setup(tmp_path))
    monkeypatch.setattr("reidops.tracking.evaluation.arm_results.FRAMES_OF_ONE_PROCESS", 0)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    beside = evaluate_parts(parts, tracker_setup(tmp_path))
    pd.testing.assert_frame_equal(score_table(beside), score_table(alone))
    assert [(result.sequence, result.arm) for result in beside] == [(result.sequence, result.arm) for result in alone]


def test_the_moments_of_switches_are_kept_for_the_reported_arm_only(tmp_path, monkeypatch):
    sequence = read_sequence(write_mot_sequence(tmp_path / "TOY-01", num_frames=12))
    write_gt_of_one_person_for_two(sequence.folder)
    part = Part("track", "TOY", "mot", sequence.folder, "TOY-01", "TOY-01", 1, 12)
    write_embeddings(embedded(sequence, np.random.default_rng(0)), tmp_path / "TOY-01.npz")
    results = {result.arm: result for result in evaluate_parts([part], tracker_setup(tmp_path, num_switches=3))}
    assert list(results["appearance"].moments) == [7]
    assert not results["no_appearance"].moments and results["no_appearance"].counts.num_switches == 1
    monkeypatch.setattr("reidops.tracking.evaluation.watching.MOST_BYTES", 0)  # then they are found in a second run
    again = {result.arm: result for result in evaluate_parts([part], tracker_setup(tmp_path, num_switches=3))}[
        "appearance"
    ].moments[7]
    moment = results["appearance"].moments[7]
    assert (again.detections == moment.detections).all() and (
        again.decisions.terms["overlap"] == moment.decisions.terms["overlap"]
    ).all()


def write_gt_of_one_person_for_two(folder):
    """Let the ground truth say that the first person is the second from frame 7 on, and the second the first."""
    lines = [line.split(",") for line in (folder / "gt" / "gt.txt").read_text().splitlines()]
    rows = [
        [int(f), {1: 2, 2: 1}.get(int(i), int(i)) if int(f) >= 7 else int(i), *map(float, rest)]
        for f, i, *rest in lines
        if int(i) != 2 or int(f) < 7
    ]
    write_gt(folder, [tuple(row) for row in rows])


def test_tracks_are_linked_and_filled_after_tracking_where_asked_for():
    frames = [1, 2, 3, 4, 9, 10, 11, 12]
    tracks = pd.DataFrame(
        {
            "frame": frames,
            "track_id": [1] * 4 + [2] * 4,
            "left": [2.0 * f for f in frames],
            "top": 5.0,
            "width": 40.0,
            "height": 100.0,
            "confidence": 1.0,
        }
    )
    assert finish_tracks(tracks, Finishing()) is tracks
    assert set(finish_tracks(tracks, Finishing(linking=True))["track_id"]) == {1}
    assert len(finish_tracks(tracks, Finishing(interpolation=True))) == 8  # two tracks, each without a gap
    both = finish_tracks(tracks, Finishing(linking=True, interpolation=True))
    assert both["frame"].tolist() == list(range(1, 13)) and both["left"].to_numpy() == pytest.approx(
        2.0 * both["frame"].to_numpy(), abs=2
    )
