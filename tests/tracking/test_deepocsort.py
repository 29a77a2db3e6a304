import numpy as np
import pytest
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.appearance import FARTHEST
from reidops.tracking.camera_cache import CachedMotion
from reidops.tracking.camera_motion import identity
from reidops.tracking.constants import DeepOcSortConstants, OcSortConstants
from reidops.tracking.decisions import APPEARANCE
from reidops.tracking.deepocsort import DeepOcSort, leaves_no_choice, match_margin, published_weight_factor
from reidops.tracking.ocsort import FIRST, RECOVERED, OcSort

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
NO_EMBEDDING = np.zeros(3, dtype=np.float32)
AT_ONCE = DeepOcSortConstants(min_hits=0)
ALWAYS_ASKED = DeepOcSortConstants(min_hits=0, as_coded=False)
OF_OC_SORT = {"filter": "xysr"}
PEOPLE = 12  # of the drawn scene


def detections(*lefts: float, confidence: float = 1.0) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, np.full_like(left, 200)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.full(len(left), confidence))


def ids(tracker: OcSort, lefts: list[float], colours: list[np.ndarray] | None = None, **options: float) -> list[int]:
    embeddings = None if colours is None else np.array(colours, dtype=np.float32).reshape(len(lefts), 3)
    return tracker.update(detections(*lefts, **options), embeddings).tracker_id.tolist()


def walks(num_frames: int, num_people: int) -> list[sv.Detections]:
    """Return people who walk among each other by whole px; one in ten is not seen. Each detection's person is in its
    `data`.
    """
    rng = np.random.default_rng(4)
    lefts = np.round(
        np.cumsum(rng.normal(0, 4, (num_frames, num_people)), axis=0) + np.linspace(0, 40 * num_people, num_people)
    )
    scene = []
    for row in lefts:
        seen = detections(*row)
        seen.data["person"] = np.arange(num_people)
        scene.append(seen[rng.random(num_people) < 0.9])
    return scene


@pytest.mark.parametrize("byte", [False, True])
def test_without_embeddings_and_camera_it_is_oc_sort(byte):
    deep, plain = DeepOcSort(DeepOcSortConstants(byte=byte, **OF_OC_SORT)), OcSort(OcSortConstants(byte=byte))
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


def test_appearance_identifies_people_who_are_close():
    """The boxes come back between the two predictions, a little nearer to the wrong one."""
    for colours, expected in (([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])):
        tracker = DeepOcSort(AT_ONCE)
        for _ in range(10):
            ids(tracker, [0, 20], [RED, GREEN])
        assert ids(tracker, [8, 12], colours) == expected


def test_as_published_appearance_alone_recovers_no_track():
    tracker = DeepOcSort(AT_ONCE)
    for _ in range(10):
        ids(tracker, [0], [RED])
    assert ids(tracker, [300], [RED]) == [2]


@pytest.mark.parametrize("gate", [None, 0.5])
def test_a_stranger_in_the_same_place_is_not_kept_away(gate):
    tracker = DeepOcSort(AT_ONCE, gate=gate)
    for left in (0, 3, 6):
        ids(tracker, [left], [RED])
    assert ids(tracker, [9], [BLUE]) == [1]


@pytest.mark.parametrize(("gate", "expected"), [(None, [2, 1]), (0.35, [2, 1]), (0.25, [1, 2]), (0.0, [1, 2])])
def test_beyond_a_gate_overlap_decides(gate, expected):
    """The boxes stay, but each looks a little more like the other track: by 0.3 unlike it, and 0.4 unlike its own."""
    similarity = np.array([[0.6, 0.7], [0.7, 0.6]])
    colours = np.column_stack([similarity, np.sqrt(1 - (similarity**2).sum(axis=1))])
    tracker = DeepOcSort(DeepOcSortConstants(min_hits=0, as_coded=False, appearance_weight=5), gate=gate)
    for _ in range(10):
        ids(tracker, [0, 10], [RED, GREEN])
    assert ids(tracker, [0, 10], list(colours)) == expected


def test_likeness_ends_at_the_gate_without_a_step():
    distances = np.array([[0.0, 0.1, 0.2, 0.3999, 0.4, 0.4001, FARTHEST, np.nan]])
    assert DeepOcSort(gate=0.4)._similarity(distances)[0] == pytest.approx([1, 0.75, 0.5, 0.00025, 0, 0, 0, 0])
    assert DeepOcSort()._similarity(distances)[0] == pytest.approx([1, 0.9, 0.8, 0.6001, 0.6, 0.5999, 0, 0])


def test_a_gate_lets_a_detection_without_embedding_pass():
    tracker = DeepOcSort(AT_ONCE, gate=0.5)
    for colour in (RED, RED, NO_EMBEDDING):
        result = ids(tracker, [0], [colour])
    assert result == [1]


@pytest.mark.parametrize(("confidence", "share"), [(1.0, 0.05), (0.8, 0.025), (0.6, 0.0)])
def test_the_weight_of_a_new_embedding_grows_with_confidence(confidence, share):
    tracker = DeepOcSort(ALWAYS_ASKED)
    ids(tracker, [0], [RED])
    ids(tracker, [0], [GREEN], confidence=confidence)
    expected = (1 - share) * RED + share * GREEN
    ids(tracker, [0], [GREEN])
    distance = tracker.decisions.terms[APPEARANCE][0, 0]
    assert distance == pytest.approx(1 - expected @ GREEN / np.linalg.norm(expected), abs=1e-6)


def test_a_detection_without_embedding_is_tracked_by_overlap():
    tracker = DeepOcSort(ALWAYS_ASKED)
    for _ in range(3):
        ids(tracker, [0, 300], [RED, GREEN])
    assert ids(tracker, [0, 300], [NO_EMBEDDING, GREEN]) == [1, 2]
    assert tracker.decisions.terms[APPEARANCE][:, 0].tolist() == [FARTHEST, FARTHEST]


@pytest.mark.parametrize(("as_coded", "stage"), [(True, FIRST), (False, RECOVERED)])
def test_as_in_the_published_code_appearance_is_ignored_where_overlap_is_unambiguous(as_coded, stage):
    """Asked, a track far away that is more alike draws the detection off the one it overlaps, and the sightings pair it
    after all.
    """
    tracker = DeepOcSort(DeepOcSortConstants(min_hits=0, as_coded=as_coded))
    for _ in range(3):
        ids(tracker, [0, 300], [RED, GREEN])
    assert ids(tracker, [5], [GREEN]) == [1]
    assert [name for *_, name in tracker.decisions.pairs] == [stage]
    assert np.isnan(tracker.decisions.terms[APPEARANCE]).all() == as_coded


def test_an_unsure_detection_is_no_choice():
    tracker = DeepOcSort(DeepOcSortConstants(min_hits=0, byte=True))
    ids(tracker, [0], [RED])
    seen = detections(0, 5)
    for unsure, asked in ((0.3, False), (0.9, True)):
        seen.confidence = np.array([1.0, unsure])
        tracker.update(seen, np.array([RED, GREEN]))
        assert np.isnan(tracker.decisions.terms[APPEARANCE]).any() != asked


@pytest.mark.parametrize(
    ("overlapping", "expected"),
    [
        (np.zeros((0, 3)), True),
        (np.zeros((3, 0)), True),
        (np.zeros((2, 2)), True),
        (np.eye(3), True),
        (np.eye(2, 4), True),
        ([[1, 1], [0, 0]], False),
        ([[1, 0], [1, 0]], False),
        ([[1, 0], [1, 1]], False),
    ],
)
def test_a_choice_is_left_where_a_track_or_a_detection_overlaps_two(overlapping, expected):
    assert leaves_no_choice(np.array(overlapping, dtype=bool)) == expected


def meetings(num_frames: int = 60) -> list[sv.Detections]:
    """Return pairs of people who walk into each other, are both hidden where they would cover each other, and turn
    back.

    Each detection's person is in its `data`.
    """
    rng = np.random.default_rng(9)
    apart = np.abs(np.arange(num_frames) - num_frames / 2) * 4.0
    scene = []
    for gap in apart + 14:
        left = np.ravel([(pair * 600 - gap / 2, pair * 600 + gap / 2) for pair in range(PEOPLE // 2)]) + rng.normal(
            0, 2, PEOPLE
        )
        seen = detections(*left)
        seen.data["person"] = np.arange(PEOPLE)
        scene.append(seen[np.full(PEOPLE, gap > 24)])
    return scene


def num_mistaken(tracker: OcSort, scene: list[sv.Detections], embeddings: list[np.ndarray | None]) -> int:
    """Return how many detections are not given to the track that their person had first."""
    first: dict[int, int] = {}
    num = 0
    for seen, vectors in zip(scene, embeddings, strict=True):
        result = tracker.update(seen, vectors)
        given = (
            dict(zip(result.data["person"].tolist(), result.tracker_id.tolist(), strict=True)) if len(result) else {}
        )
        num += sum(
            given.get(person) != first.setdefault(person, given.get(person)) for person in seen.data["person"].tolist()
        )
    return num


def directions(num: int, dim: int = 256) -> np.ndarray:
    vectors = np.random.default_rng(num).normal(0, 1, (num, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("gate", [None, 0.5])
def test_ideal_embeddings_correct_the_errors_of_overlap(gate):
    scene, people = meetings(), directions(PEOPLE)
    by_overlap = num_mistaken(DeepOcSort(AT_ONCE), scene, [None] * len(scene))
    assert by_overlap > 100
    assert num_mistaken(DeepOcSort(AT_ONCE, gate=gate), scene, [people[seen.data["person"]] for seen in scene]) == 0


def random_vectors(scene: list[sv.Detections]) -> list[np.ndarray]:
    counts = [len(seen) for seen in scene]
    return np.split(directions(sum(counts)), np.cumsum(counts)[:-1])


@pytest.mark.parametrize("scene", [walks(60, 10), meetings()], ids=["walks", "meetings"])
def test_with_a_gate_vectors_that_mean_nothing_change_no_track(scene):
    random, plain = DeepOcSort(ALWAYS_ASKED, gate=0.5), DeepOcSort(ALWAYS_ASKED)
    for seen, vectors in zip(scene, random_vectors(scene), strict=True):
        assert random.update(seen, vectors).tracker_id.tolist() == plain.update(seen).tracker_id.tolist()


@pytest.mark.parametrize("scene", [walks(60, 10), meetings()], ids=["walks", "meetings"])
def test_as_published_vectors_that_mean_nothing_do_little_harm(scene):
    by_overlap = num_mistaken(DeepOcSort(AT_ONCE), scene, [None] * len(scene))
    assert num_mistaken(DeepOcSort(AT_ONCE), scene, random_vectors(scene)) <= 1.1 * by_overlap


def test_the_published_weight_is_lowered_by_the_ratio_of_the_second_best_to_the_best():
    similarity = np.array([[0.8, 0.2, 0.0], [0.8, 0.6, 0.0]])
    # 0.2 of 0.8 stands out; equals do not, nor do zeros
    of_rows, of_columns = [1, 1 - (0.6 / 0.8 - 0.5) / 0.5], [0, 1, 0]
    assert published_weight_factor(similarity, 0.5) == pytest.approx(np.outer(of_rows, of_columns))
    assert published_weight_factor(np.ones((1, 1)), 0.5).tolist() == [[1]]
    assert published_weight_factor(np.zeros((0, 3)), 0.5).shape == (0, 3)


def test_as_published_an_embedding_takes_no_detection_that_its_track_does_not_overlap():
    """Track 1's person stands beyond its box. Without the rule the embedding wins that pair, which is then taken out
    for its overlap.
    """
    for as_coded, expected in ((True, [1, 2]), (False, [2])):
        tracker = DeepOcSort(DeepOcSortConstants(min_hits=0, as_coded=as_coded, appearance_weight=9.0, max_age=3))
        for _ in range(5):
            ids(tracker, [0, 30], [RED, GREEN])
        tracker.update(detections(0, 30, 400), np.array([BLUE, GREEN, RED]))
        decisions = tracker.decisions
        assert sorted(int(decisions.track_ids[row]) for row, _, stage in decisions.pairs if stage == FIRST) == expected


def unseen(tracker: OcSort) -> float:
    """Return the height of the first track after a frame without detections."""
    tracker.update(sv.Detections.empty())
    return tracker._tracks.box_ltwh[0, 3]


@pytest.mark.parametrize("filter", ["xywh", "xysr"])
def test_the_published_filter_keeps_the_size_of_a_track_that_is_not_seen(filter):
    tracker = DeepOcSort(DeepOcSortConstants(min_hits=0, filter=filter))
    for step in range(8):
        box = sv.Detections(xyxy=np.array([[0, 0, 40 + 2.0 * step, 100 + 5.0 * step]]), confidence=np.ones(1))
        tracker.update(box)
    sizes = [unseen(tracker) for _ in range(3)]
    assert (sizes[2] == pytest.approx(sizes[1])) == (filter == "xywh")


def test_clearness_equals_that_of_a_plain_loop():
    similarity = np.random.default_rng(6).uniform(-1, 1, (5, 7))
    for row in range(5):
        for column in range(7):
            ranked_row, ranked_column = (
                sorted(similarity[row], reverse=True),
                sorted(similarity[:, column], reverse=True),
            )
            leads = min(ranked_row[0] - ranked_row[1], 0.5) + min(ranked_column[0] - ranked_column[1], 0.5)
            assert match_margin(similarity, 0.5)[row, column] == pytest.approx(leads / 2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_without_a_second_best_the_margin_is_zero(shape):
    assert match_margin(np.ones(shape), 0.5).tolist() == np.zeros(shape).tolist()


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
