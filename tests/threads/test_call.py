# SPDX-License-Identifier: Apache-2.0
"""One call is made once, whenever it is begun, and is waited for in bounded time."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from redesignate.threads.call import OneCall

WAIT_S = 10


def test_it_is_made_when_it_is_begun_and_only_once() -> None:
    calls: list[str] = []
    call = OneCall("test", lambda: calls.append(threading.current_thread().name)).ready()
    assert call.wait(0)
    assert not calls
    call.go()
    assert call.wait(WAIT_S)
    call.go()
    assert call.wait(WAIT_S)
    assert calls == ["test"]


def test_a_wait_does_not_take_longer_than_it_may() -> None:
    go_on = threading.Event()
    call = OneCall("test", lambda: go_on.wait(WAIT_S)).go()
    began = time.monotonic()
    assert not call.wait(0.05)
    assert time.monotonic() - began < WAIT_S / 2
    go_on.set()
    assert call.wait(WAIT_S)


def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise KeyError("inner matters")

    with caplog.at_level(logging.ERROR):
        assert OneCall("test", fail).go().wait(WAIT_S)
    assert "inner matters" in caplog.text


def test_one_that_is_ready_is_made_while_the_interpreter_ends_and_any_other_does_no_harm() -> None:
    program = """
import atexit
from redesignate.threads.call import OneCall
ready = OneCall("ready", lambda: print("made", flush=True)).ready()
late = OneCall("late", lambda: None)
atexit.register(lambda: (ready.go().wait(10), late.go().wait(10)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "made\n", "")


def test_many_that_are_begun_by_many_at_once_are_each_made_once_and_leave_no_thread() -> None:
    before = threading.active_count()
    for _ in range(100):
        calls: list[int] = []
        call = OneCall("test", lambda calls=calls: calls.append(1))  # type: ignore[misc]  # bound for each round
        with ThreadPoolExecutor(4) as pool:
            for one in [pool.submit(call.go) for _ in range(4)]:
                one.result(WAIT_S)
        assert call.wait(WAIT_S)
        assert calls == [1]
    assert threading.active_count() <= before
