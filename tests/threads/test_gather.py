# SPDX-License-Identifier: Apache-2.0
"""Items on an event loop: gathered for a moment, each sent once, and never more sends at once than allowed."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.model.errors import Unavailable
from redesignate.threads.batch import Gather

WAIT_S = 10


class Sent:
    """What was sent; each send ends when `gate` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def send(self, items: list[int]) -> None:
        self.batches.append(items)
        await self.gate.wait()

    async def until(self, batches: int) -> None:
        """So many sends have begun."""
        while len(self.batches) < batches:
            await asyncio.sleep(0)


def test_what_comes_in_the_same_moment_is_sent_together() -> None:
    sent = Sent()

    async def run() -> None:
        gather: Gather[int] = Gather(sent.send)
        for item in range(3):
            gather.add(item)
        await sent.until(1)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert sent.batches == [[0, 1, 2]]


def test_what_comes_while_a_batch_is_sent_goes_in_the_next() -> None:
    sent = Sent()

    async def run() -> None:
        gather: Gather[int] = Gather(sent.send, most=50, at_once=1)
        gather.add(0)
        gather.add(1)
        await sent.until(1)
        for item in range(2, 102):
            gather.add(item)
        sent.gate.set()
        await sent.until(3)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert sent.batches == [[0, 1], [*range(2, 52)], [*range(52, 102)]]


@pytest.mark.parametrize("error", [Unavailable("down"), KeyError("inner matters")])
def test_a_batch_that_fails_is_logged_and_does_not_stop_the_next(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[list[int]] = []

    async def send(items: list[int]) -> None:
        sent.append(items)
        if len(sent) == 1:
            raise error

    async def run() -> None:
        gather: Gather[int] = Gather(send, most=1, at_once=1)
        gather.add(1)
        gather.add(2)
        while len(sent) < 2:
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert sent == [[1], [2]]
    assert "a batch could not be sent" in caplog.text


def test_nothing_runs_while_every_send_is_stuck_and_the_first_to_end_sends_what_waits() -> None:
    sent = Sent()

    async def run() -> None:
        gather: Gather[int] = Gather(sent.send, most=1, at_once=2, patience_s=0.0)
        for item in range(4):
            gather.add(item)
        await sent.until(2)
        stuck = asyncio.all_tasks()
        gather.add(4)
        assert asyncio.all_tasks() == stuck
        sent.gate.set()
        await sent.until(5)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert sent.batches == [[0], [1], [2], [3], [4]]


def test_another_send_begins_only_when_the_first_has_run_out_of_patience() -> None:
    sent = Sent()

    async def run() -> float:
        loop, gather = asyncio.get_running_loop(), Gather[int](sent.send, at_once=4, patience_s=0.05)
        gather.add(1)
        await sent.until(1)
        began = loop.time()
        gather.add(2)
        await sent.until(2)
        sent.gate.set()
        return loop.time() - began

    assert asyncio.run(asyncio.wait_for(run(), WAIT_S)) >= 0.045


def test_a_send_that_ends_takes_the_items_of_one_that_still_pauses() -> None:
    sent = Sent()

    async def run() -> None:
        gather: Gather[int] = Gather(sent.send, at_once=2, patience_s=3600)
        gather.add(1)
        await sent.until(1)
        gather.add(2)
        await asyncio.sleep(0)
        sent.gate.set()
        await sent.until(2)
        gather.add(3)
        await sent.until(3)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
    assert sent.batches == [[1], [2], [3]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 7), st.sampled_from([0.0, 0.001, 3600]))
def test_each_item_is_sent_once_however_sends_end(seed: int, at_once: int, most: int, patience_s: float) -> None:
    rng, sent, running, peak = random.Random(seed), list[int](), 0, 0

    async def send(items: list[int]) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        assert len(items) <= most
        sent.extend(items)
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        running -= 1
        if rng.random() < 0.2:
            raise Unavailable("down")

    async def run() -> None:
        gather: Gather[int] = Gather(send, most=most, moment_s=0.0, at_once=at_once, patience_s=patience_s)
        for item in range(300):
            gather.add(item)
            if rng.random() < 0.3:
                await asyncio.sleep(0)
        while len(sent) < 300 or running:
            await asyncio.sleep(0)

    logging.disable(logging.ERROR)
    try:
        asyncio.run(asyncio.wait_for(run(), WAIT_S))
    finally:
        logging.disable(logging.NOTSET)
    assert sorted(sent) == list(range(300))
    assert peak <= at_once
