"""stages/evaluate_tracking.py: the time of the tracker, ms per frame."""

from types import SimpleNamespace

from stages.evaluate_tracking import _times


def test_the_time_of_the_tracker_is_given_by_arm_and_frame():
    arms = [
        SimpleNamespace(arm="no_appearance", tracking_seconds=0.2),
        SimpleNamespace(arm="no_appearance", tracking_seconds=0.3),
        SimpleNamespace(arm="appearance", tracking_seconds=1.0),
    ]
    assert _times(arms, 100) == {"associate/no_appearance": 5.0, "associate/appearance": 10.0}
