# SPDX-License-Identifier: Apache-2.0
"""Many questions in one, and patience while central is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.work import Overdue
from redesignate.model.errors import Unavailable
from redesignate.worker.link import Batch, Link


def test_what_comes_while_a_batch_is_sent_goes_in_the_next() -> None:
    sent: list[list[int]] = []
    gate = asyncio.Event()

    async def send(items: list[int]) -> None:
        sent.append(items)
        await gate.wait()

    async def run() -> None:
        batch: Batch[int] = Batch(send, most=50, at_once=1)
        batch.add(1)
        batch.add(2)
        while not sent:
            await asyncio.sleep(0)
        for item in range(3, 103):
            batch.add(item)
        gate.set()
        while sum(map(len, sent)) < 102:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 5))
    assert [len(items) for items in sent] == [2, 50, 50]
    assert [item for items in sent for item in items] == list(range(1, 103))


def test_a_batch_that_fails_does_not_stop_the_next() -> None:
    sent: list[list[int]] = []

    async def send(items: list[int]) -> None:
        sent.append(items)
        if len(sent) == 1:
            raise Unavailable("away")

    async def run() -> None:
        batch: Batch[int] = Batch(send, most=1, at_once=1)
        batch.add(1)
        batch.add(2)
        while len(sent) < 2:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 5))
    assert sent == [[1], [2]]


def test_nothing_is_looked_at_while_every_send_is_stuck_and_the_first_to_end_takes_the_next_along() -> None:
    sent: list[list[int]] = []
    gate = asyncio.Event()

    async def send(items: list[int]) -> None:
        sent.append(items)
        await gate.wait()

    async def run() -> None:
        batch: Batch[int] = Batch(send, most=1, at_once=2, patience_s=0.0)
        for item in range(4):
            batch.add(item)
        while len(sent) < 2:
            await asyncio.sleep(0)
        assert batch._timer is None
        batch.add(4)
        assert batch._timer is None
        gate.set()
        while len(sent) < 5:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 5))
    assert sent == [[0], [1], [2], [3], [4]]


class Away:
    """Central that is away for the first few questions."""

    def __init__(self, times: int) -> None:
        self.left = times

    def call(self, command: Command[Any]) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("away")
        return ("zone",)


def test_a_question_is_put_again_until_central_is_back() -> None:
    async def run() -> tuple[str, ...]:
        link = Link(Away(2))
        try:
            return (await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 5))[0]
        finally:
            link.close()

    assert asyncio.run(run()) == ("zone",)


def test_patience_ends() -> None:
    async def run() -> None:
        link = Link(Away(1000))
        try:
            await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 0.3)
        finally:
            link.close()

    with pytest.raises(Unavailable):
        asyncio.run(run())
