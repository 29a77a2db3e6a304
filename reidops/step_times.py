"""The wall time of the steps of a program that goes through a video, per frame."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class StepTimes:
    """The wall time of each step, summed over the frames, in the order in which the steps were first measured."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the time of the block to a step."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[step] = self._seconds.get(step, 0.0) + time.perf_counter() - begin

    def over(self, items: Iterable[Item], step: str) -> Iterator[Item]:
        """Yield the items; the time until each of them is there is added to a step."""
        iterator = iter(items)
        while True:
            with self.measure(step):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
            del item  # a frame is not kept while the next one is read

    def ms_per_frame(self, num_frames: int) -> dict[str, float]:
        """Return the time of each step, ms per frame; empty without frames."""
        return {step: 1000 * seconds / num_frames for step, seconds in self._seconds.items()} if num_frames else {}


def describe_times(times: dict[str, float]) -> str:
    """Return times as a line: `ms per frame: read 2.1, detect 30.5`."""
    return f"ms per frame: {', '.join(f'{step} {ms:.1f}' for step, ms in times.items())}"
