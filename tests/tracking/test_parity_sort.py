"""SORT beside the `trackers` package's on the same detections, with the same constants.

The package is asked for SORT's own filter (centre, area, aspect); its default is another one, over corners. It shows
nobody at their first detection, even where one is said to be enough; with two and more the two trackers agree to the
last box.
"""

import pytest
from package_parity import draw_street, score_points, update_of

from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.tracking.constants import SortConstants
from reidops.tracking.sort import Sort

pytestmark = pytest.mark.slow

trackers = pytest.importorskip("trackers", reason="the `trackers` package is in the extra `test`")
representations = pytest.importorskip("trackers.utils.state_representations")

SETTINGS = [
    SortConstants(),
    SortConstants(max_age=30),
    SortConstants(iou=0.15, max_age=5, min_hits=2),
    SortConstants(boxes="detections"),
]


def differences(truth, found, constants: SortConstants) -> dict[str, float]:
    """Return our scores less the package's, in points."""
    rival = trackers.SORTTracker(
        lost_track_buffer=constants.max_age,
        minimum_consecutive_frames=constants.min_hits,
        minimum_iou_threshold=constants.iou,
        track_activation_threshold=0.0,
        state_estimator_class=representations.XCYCSRStateEstimator,
    )
    ours = score_points(truth, found, Sort(constants).update, first_id=1)
    theirs = score_points(truth, found, update_of(rival, constants.boxes), first_id=0)
    assert min(ours.values()) > 30
    return {name: ours[name] - theirs[name] for name in ours}


@pytest.mark.parametrize("constants", SETTINGS, ids=["published", "patient", "loose", "detections"])
@pytest.mark.parametrize("seed", [0, 1])
def test_sort_scores_as_the_trackers_package_on_a_drawn_street(seed, constants):
    assert max(map(abs, differences(*draw_street(seed), constants).values())) < 0.3


@pytest.mark.parametrize("constants", SETTINGS[:2], ids=["published", "patient"])
def test_sort_scores_as_the_trackers_package_on_mot17_09(real_data, constants):
    sequence = read_sequence(real_data / "MOT17" / "train" / "MOT17-09-FRCNN")
    truth, found = read_annotations(sequence), read_detections(sequence)
    assert max(map(abs, differences(truth, found, constants).values())) < 0.3
