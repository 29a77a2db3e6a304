import numpy as np
import pytest
from scipy.stats import chi2

from reidops.tracking.constants import CHI2_GATE
from reidops.tracking.motion import XyahMotion, ltwh_to_xyah, stack, xyah_to_ltwh

TRANSITION = np.block([[np.eye(4), np.eye(4)], [np.zeros((4, 4)), np.eye(4)]])
MEASUREMENT = np.hstack([np.eye(4), np.zeros((4, 4))])


class TextbookFilter:
    """One track, straight from the five equations, with DeepSORT's noise."""

    def __init__(self, box_xyah):
        h = box_xyah[3]
        self.x = np.concatenate([box_xyah, np.zeros(4)])
        self.p = np.diag([h / 10, h / 10, 1e-2, h / 10, h / 16, h / 16, 1e-5, h / 16]) ** 2

    def predict(self):
        h = self.x[3]
        noise = np.diag([h / 20, h / 20, 1e-2, h / 20, h / 160, h / 160, 1e-5, h / 160]) ** 2
        self.x = TRANSITION @ self.x
        self.p = TRANSITION @ self.p @ TRANSITION.T + noise

    def innovation(self, box_xyah):
        h = self.x[3]
        s = MEASUREMENT @ self.p @ MEASUREMENT.T + np.diag([h / 20, h / 20, 1e-1, h / 20]) ** 2
        return box_xyah - MEASUREMENT @ self.x, s

    def correct(self, box_xyah):
        y, s = self.innovation(box_xyah)
        gain = self.p @ MEASUREMENT.T @ np.linalg.inv(s)
        self.x = self.x + gain @ y
        self.p = (np.eye(8) - gain @ MEASUREMENT) @ self.p

    def squared_distance(self, box_xyah):
        y, s = self.innovation(box_xyah)
        return y @ np.linalg.inv(s) @ y


def random_boxes(rng, n):
    return np.column_stack([rng.uniform(0, 600, (n, 2)), rng.uniform(20, 60, n), rng.uniform(60, 160, n)])


def test_box_forms_convert_and_return():
    box_ltwh = np.array([[10.0, 20, 30, 60]])
    assert ltwh_to_xyah(box_ltwh).tolist() == [[25, 50, 0.5, 60]]
    assert xyah_to_ltwh(ltwh_to_xyah(box_ltwh)).tolist() == box_ltwh.tolist()


def test_all_tracks_at_once_equal_a_textbook_filter_for_each():
    rng, motion = np.random.default_rng(0), XyahMotion()
    boxes = random_boxes(rng, 5)
    state, plain = motion.start(boxes), [TextbookFilter(box) for box in ltwh_to_xyah(boxes)]
    for step in range(20):
        boxes = boxes + rng.normal(0, 3, boxes.shape)
        state = motion.predict(state)
        for one in plain:
            one.predict()
        expected = [[one.squared_distance(box) for box in ltwh_to_xyah(boxes)] for one in plain]
        assert motion.gate_distances(state, boxes) == pytest.approx(np.array(expected))
        if step % 3:  # now and then nobody is seen
            state = motion.correct(state, boxes)
            for one, box in zip(plain, ltwh_to_xyah(boxes), strict=True):
                one.correct(box)
        assert state.means == pytest.approx(np.stack([one.x for one in plain]))
        assert state.covariances == pytest.approx(np.stack([one.p for one in plain]), abs=1e-9)


def test_a_steady_walker_is_foreseen_through_a_gap():
    motion, speed = XyahMotion(), np.array([4.0, 1, 0, 0])
    box = np.array([[100.0, 100, 40, 100]])
    state = motion.start(box)
    for _ in range(40):
        box = box + speed
        state = motion.correct(motion.predict(state), box)
    for _ in range(10):
        state = motion.predict(state)
    assert motion.boxes(state) == pytest.approx(box + 10 * speed, abs=0.5)


def test_doubt_grows_while_nobody_is_seen():
    motion = XyahMotion()
    state = motion.start(np.array([[0.0, 0, 40, 100]]))
    later = motion.predict(motion.predict(state))
    assert (np.diagonal(later.covariances[0]) > np.diagonal(state.covariances[0])).all()


def test_no_tracks_stay_no_tracks():
    motion, nobody = XyahMotion(), stack([])
    assert len(motion.predict(nobody)) == len(motion.correct(nobody, np.zeros((0, 4)))) == 0
    assert motion.gate_distances(nobody, np.ones((3, 4))).shape == (0, 3)
    assert motion.gate_distances(motion.start(np.ones((2, 4))), np.zeros((0, 4))).shape == (2, 0)


def test_the_gate_is_the_95_percent_point_of_chi_squared():
    assert chi2.ppf(0.95, df=4) == pytest.approx(CHI2_GATE, abs=1e-4)
