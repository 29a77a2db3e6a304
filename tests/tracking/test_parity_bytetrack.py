"""ByteTrack beside the `trackers` package's on the same detections, with the same constants; and BoT-SORT beside its
BoT-SORT.

The package's ByteTrack is not the authors' code:
- all tracks take part in both turns, also those on probation and lost ones (`all_tracks`, the paper's algorithm 1 to
  the letter);
- one least IoU holds for both turns, the score has no part in the cost, and no score is too low (`match`, `second`,
  `fuse_score`, `low`);
- a lost track and a new one on the same person are both kept (`duplicate`);
- nobody is shown at once in the first frame (which is given without detections here, to both);
- its filter is over a box's corners, with doubts of fixed pixels. No constant says so, and it is put into ours here;
  with its own filter ours scores otherwise wherever people are lost, on MOT17-09 by points, and that is not bounded.

The package's BoT-SORT without camera is the authors' ByteTrack with BoT-SORT's filter. Two things set ours apart: it
removes duplicates, and a track that is lost keeps its size. Without them the two score the same.

The package returns the detections' boxes. The two are compared with those and with the boxes of both filters.
"""

import numpy as np
import pandas as pd
import pytest
from package_parity import draw_street, score_points, update_of

from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.tracking.botsort import BotSort
from reidops.tracking.bytetrack import ByteTrack
from reidops.tracking.constants import BotSortConstants, ByteTrackConstants
from reidops.tracking.motion import BoxMotion
from reidops.tracking.motion_xywh import XywhMotion
from reidops.tracking.trackers import Tracker

pytestmark = pytest.mark.slow

trackers = pytest.importorskip("trackers", reason="the `trackers` package is in the extra `test`")

Tables = tuple[pd.DataFrame, pd.DataFrame]  # annotations, detections
SEEDS = [0, 1]


class CornerMotion(BoxMotion):
    """The package's filter: the box's corners, each with the same doubt [px²], whatever the size."""

    def measure(self, box_ltwh: np.ndarray) -> np.ndarray:
        return ltwh_to_ltrb(box_ltwh)

    def _unmeasure(self, measured: np.ndarray) -> np.ndarray:
        return ltrb_to_ltwh(measured)

    def _start_variances(self, measured: np.ndarray) -> np.ndarray:
        return np.ones((len(measured), 8))

    def _process_variances(self, means: np.ndarray) -> np.ndarray:
        return np.full((len(means), 8), 0.01)

    def _measured_variances(self, means: np.ndarray) -> np.ndarray:
        return np.full((len(means), 4), 0.1)


class CornerByteTrack(ByteTrack):
    motion = CornerMotion()


class GrowingMotion(XywhMotion):
    """BoT-SORT's filter, but a track that is lost goes on growing or shrinking."""

    _size_velocities = ()


class GrowingBotSort(BotSort):
    motion = GrowingMotion()


# as published, but duplicates stay
ONE_EACH = [BotSortConstants(duplicate=1.0, boxes=boxes) for boxes in ("filter", "detections")]
by_boxes = pytest.mark.parametrize("constants", ONE_EACH, ids=["filter", "detections"])


def in_common(iou: float, **others: float | str) -> ByteTrackConstants:
    limits = dict.fromkeys(("match", "second", "unconfirmed"), 1 - iou)
    return ByteTrackConstants(**limits, low=0.0, fuse_score=False, duplicate=1.0, all_tracks=True, **others)


COMMON = {
    "loose": in_common(0.1),
    "strict": in_common(0.3),
    "impatient": in_common(0.2, high=0.5, new=0.8, max_age=8),
    "detections": in_common(0.3, boxes="detections"),
}


def rival(constants: ByteTrackConstants) -> trackers.ByteTrackTracker:
    return trackers.ByteTrackTracker(
        lost_track_buffer=constants.max_age,
        track_activation_threshold=constants.new,
        high_conf_det_threshold=constants.high,
        minimum_iou_threshold=1 - constants.match,
        minimum_consecutive_frames=2,
    )


def rival_botsort(constants: ByteTrackConstants) -> trackers.BoTSORTTracker:
    return trackers.BoTSORTTracker(
        lost_track_buffer=constants.max_age,
        track_activation_threshold=constants.new,
        high_conf_det_threshold=constants.high,
        minimum_iou_threshold_first_assoc=1 - constants.match,
        minimum_iou_threshold_second_assoc=1 - constants.second,
        minimum_iou_threshold_unconfirmed_assoc=1 - constants.unconfirmed,
        enable_cmc=False,
    )


def unsure_street(seed: int) -> Tables:
    """Return a drawn street, nothing found in the first frame, a tenth of the rest with low scores."""
    truth, found = draw_street(seed)
    found = found[found["frame"] > 1]
    rng = np.random.default_rng(seed)
    low = rng.random(len(found)) < 0.1
    return truth, found.assign(confidence=np.where(low, rng.uniform(0.15, 0.6, len(found)), found["confidence"]))


@pytest.fixture(scope="module")
def mot17_09(real_data) -> Tables:
    sequence = read_sequence(real_data / "MOT17" / "train" / "MOT17-09-FRCNN")
    found = read_detections(sequence)
    return read_annotations(sequence), found[found["frame"] > 1]


def largest_difference(tables: Tables, ours: Tracker, theirs: Tracker, boxes: str) -> float:
    """Return how far the scores of the two lie apart, in points, in the score that differs most."""
    a, b = score_points(*tables, ours.update, first_id=1), score_points(*tables, update_of(theirs, boxes), first_id=0)
    assert min(a.values()) > 30
    return max(abs(a[name] - b[name]) for name in a)


@pytest.mark.parametrize("constants", COMMON.values(), ids=COMMON)
def test_bytetrack_scores_as_the_trackers_package_on_drawn_streets(constants):
    assert (
        max(
            largest_difference(unsure_street(seed), CornerByteTrack(constants), rival(constants), constants.boxes)
            for seed in SEEDS
        )
        < 0.3
    )


@pytest.mark.parametrize("constants", COMMON.values(), ids=COMMON)
def test_bytetrack_scores_as_the_trackers_package_on_mot17_09(mot17_09, constants):
    assert largest_difference(mot17_09, CornerByteTrack(constants), rival(constants), constants.boxes) < 0.3


@by_boxes
@pytest.mark.parametrize("seed", SEEDS)
def test_botsort_as_published_scores_exactly_as_the_trackers_package_on_drawn_streets(seed, constants):
    assert (
        largest_difference(unsure_street(seed), GrowingBotSort(constants), rival_botsort(constants), constants.boxes)
        < 1e-9
    )


@by_boxes
def test_botsort_as_published_scores_exactly_as_the_trackers_package_on_mot17_09(mot17_09, constants):
    assert largest_difference(mot17_09, GrowingBotSort(constants), rival_botsort(constants), constants.boxes) < 1e-9


@by_boxes
def test_bytetrack_as_published_scores_as_botsort_of_the_trackers_package_on_drawn_streets(constants):
    differences = [
        largest_difference(unsure_street(s), ByteTrack(constants), rival_botsort(constants), constants.boxes)
        for s in SEEDS
    ]
    assert max(differences) < 0.3
