"""reidops/step_times.py: the wall time of the steps, per frame."""

import pytest

from reidops import step_times
from reidops.step_times import StepTimes, describe_times


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(step_times.time, "perf_counter", lambda: now[0])
    return now


def test_the_times_of_a_step_are_added_and_divided_by_the_frames(clock):
    times = StepTimes()
    for seconds in (1, 3):
        with times.measure("detect"):
            clock[0] += seconds
        clock[0] += 100
    with times.measure("embed"):
        clock[0] += 0.5
    assert times.ms_per_frame(4) == {"detect": 1000, "embed": 125}
    assert describe_times(times.ms_per_frame(4)) == "ms per frame: detect 1000.0, embed 125.0"
    assert times.ms_per_frame(0) == {}


def test_reading_includes_the_end_and_not_the_work_on_an_item(clock):
    def frames():
        for number in range(2):
            clock[0] += 1
            yield number
        clock[0] += 1

    times, seen = StepTimes(), []
    for number in times.over(frames(), "read"):
        seen.append(number)
        clock[0] += 50
    assert seen == [0, 1] and times.ms_per_frame(1) == {"read": 3000}


def test_the_time_of_a_step_that_fails_counts(clock):
    times = StepTimes()
    with pytest.raises(OSError), times.measure("read"):
        clock[0] += 2
        raise OSError
    assert times.ms_per_frame(1) == {"read": 2000}
