"""Show the progress of long work: as a bar on a terminal, else as a line in the log every 30 seconds.

All work that can take more than a few seconds uses `progress_bar`, or `named_work` if it has no countable steps.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)

LOG_SECONDS = 30.0
"""Time between two lines in the log."""


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    desc: str,
    total: int | None = None,
    initial: int = 0,
    unit: str = "steps",
    unit_scale: bool = False,
    shown: bool = True,
    leave: bool = False,
) -> tqdm:
    """Return a tqdm bar over `items`, or one that the caller updates.

    Args:
        total: number of units; None = the length of `items`, if it has one.
        initial: units that are already done.
        unit: name of the units, in the plural.
        unit_scale: write large numbers as 12.3M.
        shown: False = report nothing.
        leave: keep a finished bar on the terminal.
    """
    kind = tqdm if sys.stderr.isatty() else _LogBar
    return kind(
        items,
        desc=desc,
        total=total,
        initial=initial,
        unit=unit if unit_scale else f" {unit}",
        unit_scale=unit_scale,
        disable=not shown,
        leave=leave,
    )


@contextmanager
def named_work(name: str) -> Iterator[None]:
    """Log every LOG_SECONDS that `name` is running, unless a bar is open; log nothing on a terminal."""
    if sys.stderr.isatty():
        yield
        return
    work = _NamedWork(name)
    _reporter.add(work)
    try:
        yield
    finally:
        _reporter.remove(work)


class _LogBar(tqdm):
    """A tqdm bar that writes to the log instead of the terminal."""

    def __init__(self, items: Iterable[Any] | None, **kwargs: Any) -> None:
        super().__init__(items, file=io.StringIO(), **kwargs)
        if not self.disable:
            _reporter.add(self)

    def display(self, *_: Any, **__: Any) -> None:
        """Draw nothing."""

    def close(self) -> None:
        """End the reports."""
        _reporter.remove(self)
        super().close()

    def __del__(self) -> None:
        """Do nothing: the reporter refers to open bars, so only closed ones are deleted.

        The garbage collector deletes a bar in any thread at any time, also in a thread that holds the lock of the
        reporter. tqdm would close the bar again, which waits for this lock forever.
        """

    def describe(self) -> str:
        """Return the fraction or number of completed units, units per second since the start, and the time left."""
        facts = self.format_dict
        done, total, unit = facts["n"], facts["total"], facts["unit"].strip()
        number = tqdm.format_sizeof if facts["unit_scale"] else "{:,}".format
        share = f"{done / total:.0%} of {number(total)} {unit}" if total else f"{number(done)} {unit}"
        rate = (done - facts["initial"]) / facts["elapsed"]
        if rate <= 0:
            return f"{facts['prefix']}: {share}, nothing finished for {tqdm.format_interval(facts['elapsed'])}"
        left = f", {tqdm.format_interval((total - done) / rate)} left" if total else ""
        return f"{facts['prefix']}: {share}, {_rate(rate, facts['unit_scale'])} {unit}/s{left}"


def _rate(rate: float, scaled: bool) -> str:
    if scaled:
        return tqdm.format_sizeof(rate)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


class _NamedWork:
    def __init__(self, name: str) -> None:
        self._name, self._started = name, time.monotonic()

    def describe(self) -> str:
        """Return the name and the time since the start."""
        return f"{self._name}: running for {tqdm.format_interval(time.monotonic() - self._started)}"


class _Reporter:
    """Log the state of the work that was opened last, every LOG_SECONDS, from a thread that ends with the last work."""

    def __init__(self) -> None:
        self._open: list[_LogBar | _NamedWork] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._all_closed = threading.Event()

    def add(self, work: _LogBar | _NamedWork) -> None:
        """Report `work` from now on; start the thread if there is none."""
        with self._lock:
            self._open.append(work)
            if self._thread is None or not self._thread.is_alive() or self._all_closed.is_set():
                self._all_closed = threading.Event()
                self._thread = threading.Thread(
                    target=self._log, args=(self._all_closed,), name="progress", daemon=True
                )
                self._thread.start()

    def remove(self, work: _LogBar | _NamedWork) -> None:
        """Stop reporting `work`; with the last one the thread ends."""
        with self._lock:
            self._open = [other for other in self._open if other is not work]
            if not self._open:
                self._all_closed.set()

    def _log(self, all_closed: threading.Event) -> None:
        while not all_closed.wait(LOG_SECONDS):
            with self._lock:
                work = self._open[-1] if self._open else None
            if work is not None:
                log.info(work.describe())


_reporter = _Reporter()
