# SPDX-License-Identifier: Apache-2.0
"""Progress: a line on a terminal, an event now and then elsewhere, nothing for short work."""

from __future__ import annotations

import io
import logging

import pytest

from redesignate.observe.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Time:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def _run(stream: io.StringIO, total: int | None, seconds: float, steps: int = 10) -> Progress:
    clock = Time()
    with Progress("importing pool", total, stream=stream, clock=clock) as step:
        for _ in range(steps):
            clock.now += seconds / steps
            step(100)
    return step


def test_a_terminal_sees_count_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    _run(out, 2000, 10.0)
    last = out.getvalue().rstrip("\n").split("\r")[-1].removeprefix("\x1b[K")
    assert last == "importing pool: ████████████░░░░░░░░░░░░ 1,000/2,000 (100/s, 10 s left)"
    assert out.getvalue().endswith("\n")


def test_without_a_total_there_is_count_and_rate() -> None:
    out = Terminal()
    _run(out, None, 10.0)
    assert out.getvalue().rstrip("\n").endswith("importing pool: 1,000 (100/s)")


def test_elsewhere_an_event_tells_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    out = io.StringIO()
    with caplog.at_level(logging.INFO):
        _run(out, 2000, 20.0)
    told = [record.__dict__["fields"] for record in caplog.records if record.message == "in progress"]
    assert out.getvalue() == ""
    assert [one["done"] for one in told] == [300, 600, 900]
    assert told[0]["total"] == 2000
    assert told[0]["seconds_left"] == 34


def test_short_work_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    quiet, terminal = io.StringIO(), Terminal()
    with caplog.at_level(logging.INFO):
        _run(quiet, 1000, 1.0)
        _run(terminal, 1000, 0.05)
    assert quiet.getvalue() == terminal.getvalue() == ""
    assert not caplog.records


def test_items_are_counted_as_they_pass() -> None:
    with Progress("reading", 3, stream=io.StringIO()) as step:
        assert list(step.each("abc")) == ["a", "b", "c"]
    assert step.count == 3
