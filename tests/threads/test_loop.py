# SPDX-License-Identifier: Apache-2.0
"""A loop in a thread: its start is reported, and it ends when it is told to."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from redesignate.threads.loop import LoopThread

WAIT_S = 10


async def nothing() -> None:
    """Begins or ends nothing."""


def test_it_has_begun_when_start_returns_and_ended_when_stop_does() -> None:
    said: list[str] = []

    async def begin() -> None:
        await asyncio.sleep(0.01)
        said.append("begun")

    async def end() -> None:
        await asyncio.sleep(0.01)
        said.append("ended")

    loop = LoopThread("test", begin=begin, end=end)
    loop.start()
    assert said == ["begun"]
    assert loop.running
    assert loop.stop(WAIT_S)
    assert said == ["begun", "ended"]
    assert not loop.running


def test_what_keeps_it_from_beginning_is_raised_where_it_was_started() -> None:
    async def begin() -> None:
        raise OSError("address in use")

    loop = LoopThread("test", begin=begin, end=nothing)
    with pytest.raises(OSError, match="address in use"):
        loop.start()
    assert not loop.running
    assert loop.stop()


def test_work_is_done_on_the_loop_while_it_runs_and_refused_afterwards() -> None:
    async def where() -> str:
        return threading.current_thread().name

    loop = LoopThread("the-loop", begin=nothing, end=nothing)
    with pytest.raises(RuntimeError, match="not running"):
        loop.submit(where())
    loop.start()
    assert loop.submit(where()).result(WAIT_S) == "the-loop"
    loop.stop()
    with pytest.raises(RuntimeError, match="not running"):
        loop.submit(where())


def test_a_stop_does_not_wait_longer_than_it_may() -> None:
    go_on = threading.Event()

    async def end() -> None:
        await asyncio.get_running_loop().run_in_executor(None, go_on.wait, WAIT_S)

    loop = LoopThread("test", begin=nothing, end=end)
    loop.start()
    assert not loop.stop(0.05)
    go_on.set()
    assert loop.stop(WAIT_S)


def test_it_can_be_started_and_stopped_often_and_leaves_no_thread() -> None:
    before = threading.active_count()
    loop = LoopThread("test", begin=nothing, end=nothing)
    for _ in range(100):
        loop.start()
        assert loop.stop(WAIT_S)
    assert threading.active_count() <= before


def test_work_that_is_handed_over_during_a_stop_ends_or_is_refused() -> None:
    async def quick() -> None:
        await asyncio.sleep(0)

    def submit(loop: LoopThread) -> None:
        while True:
            try:
                loop.submit(quick()).result(WAIT_S)  # TimeoutError: the work was accepted, and lost
            except (RuntimeError, CancelledError):
                return

    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            loop = LoopThread("test", begin=nothing, end=nothing)
            loop.start()
            submitting = [pool.submit(submit, loop) for _ in range(4)]
            loop.stop(WAIT_S)
            for one in submitting:
                one.result(WAIT_S)
