# SPDX-License-Identifier: Apache-2.0
"""Patience while central is unavailable."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.work import Overdue
from redesignate.config.settings import WorkerSettings
from redesignate.model.errors import Unavailable
from redesignate.worker.link import Link
from redesignate.worker.service import Worker
from tests.support.servers import until


class Unreachable:
    """Central that is unavailable for the first few questions."""

    def __init__(self, times: int, answer: tuple[str, ...] = ("zone",)) -> None:
        self.left = times
        self.answer = answer
        self.asked: list[str] = []

    def call(self, command: Command[Any]) -> Any:
        self.asked.append(type(command).__name__)
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("down")
        return self.answer


def test_a_question_is_asked_again_until_central_is_back() -> None:
    async def run() -> tuple[str, ...]:
        link = Link(Unreachable(2))
        try:
            return (await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 5))[0]
        finally:
            link.close()

    assert asyncio.run(run()) == ("zone",)


def test_patience_ends() -> None:
    async def run() -> None:
        link = Link(Unreachable(1000))
        try:
            await link.ask_patiently(Overdue(), asyncio.get_running_loop().time() + 0.3)
        finally:
            link.close()

    with pytest.raises(Unavailable):
        asyncio.run(run())


def test_a_worker_logs_an_outage_of_central_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its two halves, outgoing and incoming, have threads of their own to central."""
    caplog.set_level("INFO")
    central = Unreachable(sys.maxsize, answer=())
    worker = Worker(central=central, source=None, settings=WorkerSettings(find_interval=0.05))
    worker.start()
    try:
        until(lambda: {"Overdue", "DueInbound"} <= set(central.asked), deadline_s=10)
        central.left = 0
        until(lambda: "central is available again" in caplog.text, deadline_s=10)
        seen = len(central.asked)
        until(lambda: {"Overdue", "DueInbound"} <= set(central.asked[seen:]), deadline_s=10)
    finally:
        worker.stop()
    assert caplog.text.count("central is unavailable") == 1
    assert caplog.text.count("central is available again") == 1
