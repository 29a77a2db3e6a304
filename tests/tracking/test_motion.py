from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2

from reidops.tracking.constants import CHI2_GATE
from reidops.tracking.motion import BoxMotion, State, XyahMotion, ltwh_to_xyah, stack, xyah_to_ltwh
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.motion_xywh import XywhMotion

MOTIONS = [XyahMotion(), XywhMotion(), XysrMotion()]
by_motion = pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: type(motion).__name__)


class TextbookFilter:
    """One track, straight from the five equations; a form says what is measured and with what noise."""

    def __init__(self, form, box_ltwh):
        self.form = form
        self.num_velocities = form.num_velocities
        self.dim = 4 + self.num_velocities
        self.x = np.concatenate([form.measure(box_ltwh), np.zeros(self.num_velocities)])
        self.p = np.diag(form.start(self.x))
        self.transition = np.eye(self.dim)
        for i in range(self.num_velocities):
            self.transition[i, 4 + i] = 1
        self.measurement = np.eye(4, self.dim)

    def predict(self):
        noise = np.diag(self.form.process(self.x))
        self.x = self.transition @ self.x
        self.p = self.transition @ self.p @ self.transition.T + noise

    def innovation(self, box_ltwh, share=1.0):
        s = self.measurement @ self.p @ self.measurement.T + share * np.diag(self.form.noise(self.x))
        return self.form.measure(box_ltwh) - self.measurement @ self.x, s

    def correct(self, box_ltwh, confidence=0.0):
        y, s = self.innovation(box_ltwh, 1 - confidence)
        gain = self.p @ self.measurement.T @ np.linalg.inv(s)
        self.x = self.x + gain @ y
        self.p = (np.eye(self.dim) - gain @ self.measurement) @ self.p

    def squared_distance(self, box_ltwh):
        y, s = self.innovation(box_ltwh)
        return y @ np.linalg.inv(s) @ y


def squares(*stds):
    return np.array(stds) ** 2


XYAH = SimpleNamespace(
    num_velocities=4,
    measure=lambda b: np.array([b[0] + b[2] / 2, b[1] + b[3] / 2, b[2] / b[3], b[3]]),
    start=lambda x: squares(x[3] / 10, x[3] / 10, 1e-2, x[3] / 10, x[3] / 16, x[3] / 16, 1e-5, x[3] / 16),
    process=lambda x: squares(x[3] / 20, x[3] / 20, 1e-2, x[3] / 20, x[3] / 160, x[3] / 160, 1e-5, x[3] / 160),
    noise=lambda x: squares(x[3] / 20, x[3] / 20, 1e-1, x[3] / 20),
)
XYWH = SimpleNamespace(
    num_velocities=4,
    measure=lambda b: np.array([b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]]),
    start=lambda x: squares(x[2] / 10, x[3] / 10, x[2] / 10, x[3] / 10, x[2] / 16, x[3] / 16, x[2] / 16, x[3] / 16),
    process=lambda x: squares(
        x[2] / 20, x[3] / 20, x[2] / 20, x[3] / 20, x[2] / 160, x[3] / 160, x[2] / 160, x[3] / 160
    ),
    noise=lambda x: squares(x[2] / 20, x[3] / 20, x[2] / 20, x[3] / 20),
)
XYSR = SimpleNamespace(
    num_velocities=3,
    measure=lambda b: np.array([b[0] + b[2] / 2, b[1] + b[3] / 2, b[2] * b[3], b[2] / b[3]]),
    start=lambda x: np.array([10, 10, 10, 10, 1e4, 1e4, 1e4]),
    process=lambda x: np.array([1, 1, 1, 1, 0.01, 0.01, 0.0001]),
    noise=lambda x: np.array([1.0, 1, 10, 10]),
)


def random_boxes(rng, n):
    return np.column_stack([rng.uniform(0, 600, (n, 2)), rng.uniform(20, 60, n), rng.uniform(60, 160, n)])


def nobody(motion: BoxMotion):
    return motion.start(np.zeros((0, 4)))


def test_box_forms_convert_and_return():
    box_ltwh = np.array([[10.0, 20, 30, 60]])
    assert ltwh_to_xyah(box_ltwh).tolist() == [[25, 50, 0.5, 60]]
    assert xyah_to_ltwh(ltwh_to_xyah(box_ltwh)).tolist() == box_ltwh.tolist()


@by_motion
def test_a_track_that_starts_is_where_its_box_is(motion):
    boxes = random_boxes(np.random.default_rng(1), 4)
    assert motion.boxes(motion.start(boxes)) == pytest.approx(boxes)


@pytest.mark.parametrize(
    ("motion", "form"), list(zip(MOTIONS, [XYAH, XYWH, XYSR], strict=True)), ids=["xyah", "xywh", "xysr"]
)
@pytest.mark.parametrize("confident", [False, True])
def test_all_tracks_at_once_equal_a_textbook_filter_for_each(motion, form, confident):
    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, 5)
    state, plain = motion.start(boxes), [TextbookFilter(form, box) for box in boxes]
    for step in range(20):
        boxes = boxes + rng.normal(0, 3, boxes.shape)
        state = motion.predict(state)
        for one in plain:
            one.predict()
        expected = [[one.squared_distance(box) for box in boxes] for one in plain]
        assert motion.gate_distances(state, boxes) == pytest.approx(np.array(expected))
        if step % 3:  # now and then nobody is seen
            confidence = rng.uniform(0, 0.99, 5)
            state = motion.correct(state, boxes, confidence if confident else None)
            for one, box, c in zip(plain, boxes, confidence if confident else np.zeros(5), strict=True):
                one.correct(box, c)
        assert state.means == pytest.approx(np.stack([one.x for one in plain]))
        assert state.covariances == pytest.approx(np.stack([one.p for one in plain]), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    ("motion", "form"), list(zip(MOTIONS, [XYAH, XYWH, XYSR], strict=True)), ids=["xyah", "xywh", "xysr"]
)
def test_tracks_whose_numbers_are_correlated_equal_a_textbook_filter_for_each(motion, form):
    """As after a rotation of the camera; the other tests have covariances without correlation of two coordinates."""
    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, 5)
    plain, start = [TextbookFilter(form, box) for box in boxes], motion.start(boxes)
    mixing = np.eye(plain[0].dim) + rng.uniform(-0.2, 0.2, (plain[0].dim, plain[0].dim))
    state = State(start.means, mixing @ start.covariances @ mixing.T)
    for one in plain:
        one.p = mixing @ one.p @ mixing.T
    boxes = boxes + rng.normal(0, 3, boxes.shape)
    expected = [[one.squared_distance(box) for box in boxes] for one in plain]
    assert motion.gate_distances(state, boxes) == pytest.approx(np.array(expected))
    state = motion.correct(state, boxes)
    for one, box in zip(plain, boxes, strict=True):
        one.correct(box)
    assert state.means == pytest.approx(np.stack([one.x for one in plain]))
    assert state.covariances == pytest.approx(np.stack([one.p for one in plain]), rel=1e-6, abs=1e-6)


@by_motion
def test_a_steady_walker_is_foreseen_through_a_gap(motion):
    speed = np.array([4.0, 1, 0, 0])
    box = np.array([[100.0, 100, 40, 100]])
    state = motion.start(box)
    for _ in range(40):
        box = box + speed
        state = motion.correct(motion.predict(state), box)
    for _ in range(10):
        state = motion.predict(state)
    assert motion.boxes(state) == pytest.approx(box + 10 * speed, abs=0.5)


@by_motion
def test_uncertainty_grows_without_detections(motion):
    state = motion.start(np.array([[0.0, 0, 40, 100]]))
    later = motion.predict(motion.predict(state))
    assert (np.diagonal(later.covariances[0]) > np.diagonal(state.covariances[0])).all()


@by_motion
def test_a_detection_that_is_certain_is_believed_wholly_whatever_is_above_one(motion):
    state = motion.predict(motion.start(np.array([[0.0, 0, 40, 100]] * 3)))
    seen = np.array([[5.0, 3, 44, 104]] * 3)
    boxes = motion.boxes(motion.correct(state, seen, np.array([1.0, 7.0, -2.0])))
    assert boxes[0] == pytest.approx(seen[0])
    assert boxes[1].tolist() == boxes[0].tolist()
    assert boxes[2] == pytest.approx(motion.boxes(motion.correct(state, seen))[2])


@by_motion
def test_no_tracks_stay_no_tracks(motion):
    assert len(motion.predict(nobody(motion))) == len(motion.correct(nobody(motion), np.zeros((0, 4)))) == 0
    assert motion.gate_distances(nobody(motion), np.ones((3, 4))).shape == (0, 3)
    assert motion.gate_distances(motion.start(np.ones((2, 4))), np.zeros((0, 4))).shape == (2, 0)
    assert len(motion.warp(nobody(motion), np.eye(2, 3))) == 0


@by_motion
def test_tracks_can_be_picked_joined_and_replaced(motion):
    boxes = random_boxes(np.random.default_rng(2), 4)
    state = motion.start(boxes)
    assert motion.boxes(stack([nobody(motion), state[[2, 0]], state[1:2]])) == pytest.approx(boxes[[2, 0, 1]])
    later = state.replaced(np.array([1, 3]), motion.start(boxes[[0, 0]]))
    assert motion.boxes(later) == pytest.approx(boxes[[0, 0, 2, 0]])
    assert motion.boxes(state) == pytest.approx(boxes)


def moving(motion: BoxMotion):
    """Return a track that walks 4 px to the right and 2 px down per frame, its box growing, and its last box."""
    box = np.array([[100.0, 100, 40, 100]])
    state = motion.start(box)
    for _ in range(30):
        box = box + [4, 2, 0.4, 1]
        state = motion.correct(motion.predict(state), box)
    return state


@by_motion
def test_a_static_camera_changes_nothing(motion):
    state = moving(motion)
    warped = motion.warp(state, np.eye(2, 3))
    assert warped.means == pytest.approx(state.means)
    assert warped.covariances == pytest.approx(state.covariances)


@by_motion
def test_a_camera_that_pans_shifts_the_box_and_not_its_speed(motion):
    state = moving(motion)
    warped = motion.warp(state, np.array([[1.0, 0, 30], [0, 1, -7]]))
    assert motion.boxes(warped) == pytest.approx(motion.boxes(state) + [30, -7, 0, 0])
    assert warped.means[:, 4:] == pytest.approx(state.means[:, 4:])
    assert warped.covariances == pytest.approx(state.covariances)


@by_motion
def test_a_camera_that_zooms_scales_the_box_now_and_in_the_next_frame(motion):
    state, zoom = moving(motion), np.array([[2.0, 0, 0], [0, 2, 0]])
    warped = motion.warp(state, zoom)
    assert motion.boxes(warped) == pytest.approx(2 * motion.boxes(state))
    assert motion.boxes(motion.predict(warped)) == pytest.approx(2 * motion.boxes(motion.predict(state)))


@by_motion
def test_a_camera_that_turns_turns_the_speed_too(motion):
    state, angle = moving(motion), 0.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warped = motion.warp(state, np.column_stack([turn, [0, 0]]))
    assert warped.means[0, :2] == pytest.approx(turn @ state.means[0, :2])
    assert warped.means[0, 4:6] == pytest.approx(turn @ state.means[0, 4:6])
    assert warped.covariances[0, :2, :2] == pytest.approx(turn @ state.covariances[0, :2, :2] @ turn.T)


def test_a_track_whose_size_stays_still_walks_on():
    for motion, sizes in ((XyahMotion(), [7]), (XywhMotion(), [6, 7]), (XysrMotion(), [6])):
        state = stack([moving(motion), moving(motion)])
        later = motion.predict(state, keeps_size=np.array([True, False]))
        assert (later.means[0, sizes] == 0).all()
        assert (later.means[1, sizes] != 0).all()
        assert later.means[0, :2] == pytest.approx(later.means[1, :2])
        assert (motion.boxes(later)[0, 2:] < motion.boxes(later)[1, 2:]).all()


def test_an_area_never_shrinks_to_nothing():
    motion = XysrMotion()
    state = motion.start(np.array([[0.0, 0, 40, 100]]))
    for size in (30, 20, 10, 2):
        state = motion.correct(motion.predict(state), np.array([[0.0, 0, size, 2.5 * size]]))
    for _ in range(100):
        state = motion.predict(state)
        assert (motion.boxes(state)[:, 2:] > 0).all()


def test_the_gate_is_the_95_percent_point_of_chi_squared():
    assert chi2.ppf(0.95, df=4) == pytest.approx(CHI2_GATE, abs=1e-4)
