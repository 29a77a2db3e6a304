import numpy as np
import pytest
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.appearance import FARTHEST
from reidops.tracking.camera_cache import CachedMotion
from reidops.tracking.camera_motion import identity
from reidops.tracking.constants import DeepOcSortConstants, OcSortConstants
from reidops.tracking.decisions import APPEARANCE
from reidops.tracking.deepocsort import DeepOcSort, clearness
from reidops.tracking.ocsort import OcSort

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
NOBODY = np.zeros(3, dtype=np.float32)
AT_ONCE = DeepOcSortConstants(min_hits=0)


def detections(*lefts: float, confidence: float = 1.0) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, np.full_like(left, 200)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.full(len(left), confidence))


def ids(tracker: OcSort, lefts: list[float], colours: list[np.ndarray] | None = None, **options: float) -> list[int]:
    embeddings = None if colours is None else np.array(colours, dtype=np.float32).reshape(len(lefts), 3)
    return tracker.update(detections(*lefts, **options), embeddings).tracker_id.tolist()


def walks(num_frames: int, num_people: int) -> list[sv.Detections]:
    """Return people who walk among each other by whole px; one in ten is not seen."""
    rng = np.random.default_rng(4)
    lefts = np.round(np.cumsum(rng.normal(0, 4, (num_frames, num_people)), axis=0) + np.linspace(0, 40 * num_people, num_people))
    return [detections(*row[rng.random(num_people) < 0.9]) for row in lefts]


@pytest.mark.parametrize("byte", [False, True])
def test_without_embeddings_and_camera_it_is_oc_sort(byte):
    deep, plain = DeepOcSort(DeepOcSortConstants(byte=byte)), OcSort(OcSortConstants(byte=byte))
    for seen in walks(60, 10):
        assert deep.update(seen).tracker_id.tolist() == plain.update(seen).tracker_id.tolist()


def test_a_moving_camera_that_is_known_changes_nothing():
    """The same people, by a camera that stands still and by one that jumps to and fro by more than their width."""
    shifts = np.random.default_rng(5).integers(-200, 200, 60)
    affines = np.tile(identity(), (60, 1, 1))
    affines[1:, 0, 2] = np.diff(shifts)
    still, moved, unaware = DeepOcSort(), DeepOcSort(camera=CachedMotion(affines)), DeepOcSort()
    agreed = []
    for seen, shift in zip(walks(60, 10), shifts, strict=True):
        jumped = sv.Detections(xyxy=seen.xyxy + [shift, 0, shift, 0], confidence=seen.confidence)
        expected = still.update(seen).tracker_id.tolist()
        assert moved.update(jumped).tracker_id.tolist() == expected
        agreed.append(unaware.update(jumped).tracker_id.tolist() == expected)
    assert not all(agreed)


def test_the_camera_is_known_to_a_track_that_is_found_where_it_was_last_seen():
    affines = np.tile(identity(), (40, 1, 1))
    affines[33, 0, 2] = 300
    tracker = DeepOcSort(AT_ONCE, camera=CachedMotion(affines))
    for left in range(0, 300, 10):
        ids(tracker, [left])
    for _ in range(6):
        ids(tracker, [])
    assert ids(tracker, [592]) == [1]


def test_appearance_tells_who_is_who_when_two_stand_close():
    """The boxes come back between the two predictions, a little nearer to the wrong one."""
    for colours, expected in (([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])):
        tracker = DeepOcSort(AT_ONCE)
        for _ in range(10):
            ids(tracker, [0, 20], [RED, GREEN])
        assert ids(tracker, [8, 12], colours) == expected


def test_as_published_nobody_is_brought_back_by_appearance_alone():
    tracker = DeepOcSort(AT_ONCE)
    for _ in range(10):
        ids(tracker, [0], [RED])
    assert ids(tracker, [300], [RED]) == [2]


@pytest.mark.parametrize(("gate", "expected"), [(None, [1]), (0.5, [2])])
def test_a_gate_forbids_a_stranger_in_the_same_place(gate, expected):
    tracker = DeepOcSort(AT_ONCE, gate=gate)
    for left in (0, 3, 6):
        ids(tracker, [left], [RED])
    assert ids(tracker, [9], [BLUE]) == expected


def test_a_gate_lets_a_detection_without_embedding_pass():
    tracker = DeepOcSort(AT_ONCE, gate=0.5)
    for colour in (RED, RED, NOBODY):
        result = ids(tracker, [0], [colour])
    assert result == [1]


@pytest.mark.parametrize(("confidence", "share"), [(1.0, 0.05), (0.8, 0.025), (0.6, 0.0)])
def test_a_detection_changes_the_looks_by_how_sure_it_is(confidence, share):
    tracker = DeepOcSort(AT_ONCE)
    ids(tracker, [0], [RED])
    ids(tracker, [0], [GREEN], confidence=confidence)
    expected = (1 - share) * RED + share * GREEN
    ids(tracker, [0], [GREEN])
    distance = tracker.decisions.terms[APPEARANCE][0, 0]
    assert distance == pytest.approx(1 - expected @ GREEN / np.linalg.norm(expected), abs=1e-6)


def test_a_detection_without_embedding_is_tracked_by_overlap():
    tracker = DeepOcSort(AT_ONCE)
    for _ in range(3):
        ids(tracker, [0, 300], [RED, GREEN])
    assert ids(tracker, [0, 300], [NOBODY, GREEN]) == [1, 2]
    assert tracker.decisions.terms[APPEARANCE][:, 0].tolist() == [FARTHEST, FARTHEST]


def test_clearness_equals_that_of_a_plain_loop():
    likeness = np.random.default_rng(6).uniform(-1, 1, (5, 7))
    for row in range(5):
        for column in range(7):
            ranked_row, ranked_column = sorted(likeness[row], reverse=True), sorted(likeness[:, column], reverse=True)
            leads = min(ranked_row[0] - ranked_row[1], 0.5) + min(ranked_column[0] - ranked_column[1], 0.5)
            assert clearness(likeness, 0.5)[row, column] == pytest.approx(leads / 2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_without_a_second_best_nothing_stands_out(shape):
    assert clearness(np.ones(shape), 0.5).tolist() == np.zeros(shape).tolist()


def test_tracks_do_not_depend_on_the_order_of_a_frames_detections():
    rng = np.random.default_rng(7)
    straight, shuffled = DeepOcSort(), DeepOcSort()
    for seen in walks(40, 10):
        colours = rng.normal(0, 1, (len(seen), 8)).astype(np.float32)
        colours /= np.linalg.norm(colours, axis=1, keepdims=True)
        order = rng.permutation(len(seen))
        expected, result = straight.update(seen, colours), shuffled.update(seen[order], colours[order])
        assert dict(zip(result.xyxy[:, 0], result.tracker_id, strict=True)) == dict(zip(expected.xyxy[:, 0], expected.tracker_id, strict=True))


def test_frames_without_detections_are_passed_over():
    tracker = DeepOcSort(AT_ONCE)
    assert ids(tracker, [], []) == []
    assert ids(tracker, [0], [RED]) == [1]
    assert ids(tracker, [], []) == []
    assert ids(tracker, [0], [RED]) == [1]


def test_embeddings_that_are_not_finite_are_refused():
    with pytest.raises(ReidopsError, match="embedding 0 holds NaN or infinity; give a row of zeros"):
        ids(DeepOcSort(), [0], [np.full(3, np.nan)])


def test_more_embeddings_than_detections_are_refused():
    with pytest.raises(ReidopsError, match="expected one row for each of 1 detections"):
        DeepOcSort().update(detections(0), np.zeros((2, 3), np.float32))
