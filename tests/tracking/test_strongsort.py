import numpy as np
import pytest
import supervision as sv

from reidops.tracking.constants import DeepSortConstants, StrongSortConstants
from reidops.tracking.decisions import APPEARANCE, MOTION
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.strongsort import StrongSort

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
NO_APPEARANCE = dict(high=0.0, nsa=False)


def detections(*lefts: float, confidence: float | list[float] = 0.9) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, np.full_like(left, 200)])
    return sv.Detections(
        xyxy=box_ltrb.reshape(-1, 4), confidence=np.broadcast_to(np.array(confidence), len(left)).astype(float)
    )


def ids(tracker, lefts: list[float], colours: list[np.ndarray] | None = None, **options) -> list[int]:
    embeddings = None if colours is None else np.array(colours, dtype=np.float32).reshape(len(lefts), 3)
    result = tracker.update(detections(*lefts, **options), embeddings)
    return result.tracker_id[result.data["detection"] >= 0].tolist()


def hide(tracker, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty(), np.zeros((0, 3), np.float32))


class Pan:
    """A camera that pans so that the picture moves by some px per frame."""

    def __init__(self, speed: float) -> None:
        self.speed, self.asked = speed, []

    def affine(self, frame_number, picture):
        self.asked.append((frame_number, picture))
        return np.array([[1.0, 0, self.speed], [0, 1, 0]])


def test_detections_of_a_low_score_are_not_looked_at():
    tracker = StrongSort()
    shown = [ids(tracker, [0, 300], [RED, GREEN], confidence=[0.6, 0.59]) for _ in range(5)]
    assert shown == [[], [], [1], [1], [1]]
    assert tracker.decisions.rows.tolist() == [0]


@pytest.mark.parametrize(("colours", "expected"), [([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])])
def test_appearance_identifies_people_after_an_occlusion(colours, expected):
    tracker = StrongSort()
    for step in range(20):
        ids(tracker, [4 * step, 200 - 4 * step], [RED, GREEN])
    hide(tracker, 10)
    assert ids(tracker, [90, 130], colours) == expected


def test_a_confident_detection_moves_its_track_more():
    def place_after(confidence: float, nsa: bool) -> float:
        tracker = StrongSort(StrongSortConstants(nsa=nsa))
        for left in (0, 0, 0, 10):
            ids(tracker, [left], confidence=confidence)
        return tracker._tracks.box_ltwh[0, 0]

    assert place_after(0.7, nsa=True) < place_after(0.9, nsa=True) < 10
    assert place_after(1.0, nsa=True) == pytest.approx(10)
    assert place_after(0.7, nsa=False) == place_after(0.9, nsa=False)


@pytest.mark.parametrize(("as_coded", "factor"), [(True, 0.2**2), (False, 0.2)])
def test_confidence_scales_the_noise_as_in_the_published_code_or_as_in_the_paper(as_coded, factor):
    """The gain of a new track's first correction, with the place's variance P and noise R, is P / (P + factor · R)."""
    tracker = StrongSort(StrongSortConstants(as_coded=as_coded))
    ids(tracker, [0], confidence=0.8)
    ids(tracker, [10], confidence=0.8)
    position = (2 * 100 / 20) ** 2 + (10 * 100 / 160) ** 2 + (100 / 20) ** 2
    assert tracker._tracks.box_ltwh[0, 0] == pytest.approx(
        10 * position / (position + factor * (100 / 20) ** 2), abs=0.01
    )


@pytest.mark.parametrize("as_coded", [True, False])
def test_the_published_code_moves_the_box_with_the_camera_and_leaves_its_speed(as_coded):
    class Turn:
        def affine(self, frame_number, picture):
            return np.array([[0.0, -1, 200], [1, 0, 0]]) if frame_number == 4 else np.array([[1.0, 0, 0], [0, 1, 0]])

    tracker = StrongSort(StrongSortConstants(as_coded=as_coded), camera=Turn())
    for left in (0, 10, 20):
        ids(tracker, [left])
    hide(tracker, 1)
    speed = tracker._tracks.state.means[0, 4:6]
    assert abs(speed[0 if as_coded else 1]) > 5 > abs(speed[1 if as_coded else 0])


@pytest.mark.parametrize(("gate_on", "expected"), [("cost", []), ("appearance", [1])])
def test_the_published_gate_bounds_appearance_and_motion_together(gate_on, expected):
    """The embedding is just within the gate; the person stands where the motion adds to the cost and the boxes do not
    overlap enough.
    """
    tracker = StrongSort(StrongSortConstants(gate_on=gate_on, iou_gate=0.1), gate=0.3)
    for _ in range(8):
        ids(tracker, [0], [RED])
    looks = 0.71 * RED + np.sqrt(1 - 0.71**2) * GREEN
    assert ids(tracker, [14], [looks]) == expected


def test_a_lost_track_has_no_less_right_than_one_just_seen():
    """DeepSORT's cascade gives the detection to the track seen last; StrongSORT to the one that looks like it."""
    green = (GREEN + 0.3 * RED) / np.linalg.norm(GREEN + 0.3 * RED)
    shown = {}
    for start in (DeepSort, StrongSort):
        tracker = start(gate=0.9)
        for _ in range(5):
            ids(tracker, [0, 20], [GREEN, (RED + GREEN) / np.sqrt(2)])
        for _ in range(4):
            ids(tracker, [20], [(RED + GREEN) / np.sqrt(2)])
        shown[start] = ids(tracker, [10], [green])
    assert shown == {DeepSort: [2], StrongSort: [1]}


def test_motion_has_its_share_of_the_cost():
    """Two tracks look alike: with λ = 0.98 the nearer one takes the detection, whichever was started first."""
    for near, expected in ((10, [1]), (50, [2])):
        tracker = StrongSort()
        for _ in range(6):
            ids(tracker, [0, 60], [RED, RED])
        assert ids(tracker, [near], [RED]) == expected


def test_reassociation_finds_a_person_again_where_motion_does_not_expect_them():
    for share, expected in ((0.0, []), (0.8, [1])):
        tracker = StrongSort(StrongSortConstants(reassociate=share))
        for _ in range(20):
            ids(tracker, [0], [RED])
        hide(tracker, 3)
        assert ids(tracker, [600], [RED]) == expected


def test_a_camera_that_pans_is_made_up_for():
    shown = {}
    for name, camera in (("still", None), ("known", Pan(60.0))):
        tracker = StrongSort(camera=camera)
        shown[name] = [ids(tracker, [60 * step]) for step in range(5)]
    assert shown["known"] == [[], [], [1], [1], [1]]
    assert shown["still"] == [[]] * 5
    assert camera.asked == [(number, None) for number in (1, 2, 3, 4, 5)]


def test_the_camera_gets_the_picture():
    camera, picture = Pan(0.0), np.zeros((4, 4, 3), np.uint8)
    StrongSort(camera=camera).update(detections(0), None, picture)
    assert camera.asked[0][1] is picture


def test_without_embeddings_and_its_own_means_it_is_deepsort_without_appearance():
    rng = np.random.default_rng(0)
    strong, deep = StrongSort(StrongSortConstants(**NO_APPEARANCE)), DeepSort(DeepSortConstants())
    place = rng.uniform(0, 800, 8)
    for _ in range(30):
        place = place + rng.normal(0, 4, 8)
        assert ids(strong, list(place)) == ids(deep, list(place))
    assert len(strong._tracks) >= 8
    assert APPEARANCE not in strong.decisions.terms


@pytest.mark.parametrize(("gate_on", "gated"), [("cost", "cost"), ("appearance", APPEARANCE)])
def test_the_decisions_have_terms_and_gates(gate_on, gated):
    tracker = StrongSort(StrongSortConstants(gate_on=gate_on), gate=0.3)
    for _ in range(4):
        ids(tracker, [0, 100], [RED, GREEN])
    decisions = tracker.decisions
    assert decisions.limits[gated] == 0.3 and set(decisions.limits) == {"overlap", MOTION, gated}
    assert decisions.limits[MOTION] == pytest.approx(9.4877)
    assert decisions.terms[APPEARANCE] == pytest.approx(np.array([[0, 1], [1, 0]]))
    assert {(row, column) for row, column, _ in decisions.pairs} == {(0, 0), (1, 1)}


def test_the_average_of_a_track_forgets_slowly():
    tracker = StrongSort(gate=0.9)
    for _ in range(10):
        ids(tracker, [0], [RED])
    ids(tracker, [0], [(RED + GREEN) / np.sqrt(2)])
    distances = tracker._tracks.memory.distances(np.stack([RED, GREEN]))[0]
    assert distances[0] < 0.01 < 0.9 < distances[1] < 0.95
