# SPDX-License-Identifier: Apache-2.0
"""A daemon takes its turns, bears failures and stops when it is asked to."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from redesignate.threads import service
from redesignate.threads.service import Daemon
from tests.support.servers import until

WAIT_S = 10


def test_it_takes_turns_until_it_is_stopped() -> None:
    turns = threading.Semaphore(0)

    def turn() -> float:
        turns.release()
        return 0.001

    daemon = Daemon("test", turn)
    daemon.start()
    for _ in range(3):
        assert turns.acquire(timeout=WAIT_S)
    assert daemon.stop(WAIT_S)
    assert daemon.stopping


def test_a_nudge_during_a_turn_brings_one_more() -> None:
    began, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def turn() -> None:
        began.release()
        assert go_on.acquire(timeout=WAIT_S)

    daemon = Daemon("test", turn)
    daemon.start()
    assert began.acquire(timeout=WAIT_S)
    daemon.nudge()
    go_on.release()
    assert began.acquire(timeout=WAIT_S)
    go_on.release()
    assert daemon.stop(WAIT_S)


def test_a_turn_that_raises_is_logged_and_the_next_comes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FAILED_S", 0.001)
    turns: list[int] = []

    def turn() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise KeyError("inner matters")

    daemon = Daemon("test", turn)
    with caplog.at_level(logging.ERROR):
        daemon.start()
        until(lambda: len(turns) == 2, deadline_s=WAIT_S)
    assert daemon.stop(WAIT_S)
    assert "inner matters" in caplog.text


def test_a_stop_does_not_wait_longer_than_it_may() -> None:
    go_on = threading.Event()

    def turn() -> None:
        go_on.wait(WAIT_S)

    daemon = Daemon("test", turn)
    daemon.start()
    began = time.monotonic()
    assert not daemon.stop(0.05)
    assert time.monotonic() - began < WAIT_S / 2
    go_on.set()
    assert daemon.stop(WAIT_S)


def test_one_that_never_started_stops_at_once() -> None:
    assert Daemon("test", lambda: None).stop()


def test_many_starts_and_stops_leave_no_thread() -> None:
    before = threading.active_count()
    for n in range(200):
        daemon = Daemon(f"test-{n}", lambda: None)
        daemon.start()
        daemon.nudge()
        assert daemon.stop(WAIT_S)
    assert threading.active_count() <= before
