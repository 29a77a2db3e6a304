"""reidops/progress_bar.py: progress is logged without a terminal and shown as a bar on one."""

import io
import sys
import threading
import time

import pytest
from tqdm import tqdm

from reidops import progress_bar as module
from reidops.progress_bar import named_work, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def fast(monkeypatch, caplog):
    """Report every 50 ms; return the messages so far."""
    monkeypatch.setattr(module, "LOG_SECONDS", 0.05)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    caplog.set_level("INFO", logger="reidops")
    return lambda: [record.getMessage() for record in caplog.records]


def wait_for(messages, number: int = 1) -> list[str]:
    end = time.monotonic() + 60
    while len(messages()) < number and time.monotonic() < end:
        time.sleep(0.01)
    return messages()


def test_without_a_terminal_a_line_has_fraction_rate_and_time_left(fast):
    with progress_bar(total=2000, desc="train", unit="images") as bar:
        bar.update(500)
        line = wait_for(fast)[0]
    assert line.startswith("train: 25% of 2,000 images, ") and "images/s, " in line and line.endswith(" left")


def test_lines_come_while_a_single_step_lasts(fast):
    with progress_bar(total=3, desc="fit", unit="steps"):
        lines = wait_for(fast, 3)
    assert len(lines) >= 3 and all(line.startswith("fit: 0% of 3 steps, nothing finished for") for line in lines)


def test_units_done_before_do_not_count_in_the_rate(fast):
    with progress_bar(total=1000, initial=900, desc="train", unit="images"):
        assert "90% of 1,000 images, nothing finished for" in wait_for(fast)[0]


def test_many_short_bars_in_a_row_are_logged(fast):
    end = time.monotonic() + 60
    with named_work("embed"):
        while not fast() and time.monotonic() < end:
            for _ in progress_bar(range(2), desc="short", unit="frames"):
                time.sleep(0.005)
    assert fast()


def test_work_without_a_bar_logs_that_it_is_running(fast):
    with named_work("register"):
        assert wait_for(fast)[0].startswith("register: running for 00:0")


def test_a_closed_bar_is_silent_and_the_thread_ends(fast):
    for _ in progress_bar(range(3), desc="done", unit="items"):
        pass
    time.sleep(0.2)
    assert not fast() and module._reporter._open == []


def test_a_bar_whose_loop_fails_is_closed(fast):
    def fail() -> None:
        for number in progress_bar(range(3), desc="broken", unit="items"):
            raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        fail()
    assert module._reporter._open == []


def test_a_bar_that_is_not_shown_reports_nothing(fast):
    with progress_bar(total=5, desc="hidden", unit="items", shown=False):
        time.sleep(0.2)
    assert not fast()


def test_bytes_are_written_with_a_prefix(fast):
    with progress_bar(total=2_000_000, desc="fetch set.zip", unit="B", unit_scale=True) as bar:
        bar.update(1_000_000)
        assert "50% of 2.00M B" in wait_for(fast)[0]


def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch, caplog):
    monkeypatch.setattr(module, "LOG_SECONDS", 0.02)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with caplog.at_level("INFO"), progress_bar(total=4, desc="train", unit="images") as bar:
        bar.update(2)
        bar.refresh()
        time.sleep(0.1)
    assert type(bar) is tqdm and "train" in terminal.getvalue() and not caplog.records


def test_a_bar_that_the_garbage_collector_deletes_while_the_reporter_is_locked_does_not_wait(fast):
    bars = [progress_bar(total=3, desc="closed", unit="items"), progress_bar(total=3, desc="hidden", shown=False)]
    for bar in bars:
        bar.close()
    del bar

    def delete() -> None:
        with module._reporter._lock:
            bars.clear()

    thread = threading.Thread(target=delete, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
