# SPDX-License-Identifier: Apache-2.0
"""The incoming half of a worker, by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import now
from redesignate.wire.client import Exchanger
from redesignate.worker.inbound import Refresher
from redesignate.worker.link import Link
from redesignate.worker.pace import Pace


class NothingDue:
    """Central without a zone to fetch."""

    def __init__(self) -> None:
        self.asked = 0

    def call(self, command: Command[Any]) -> Any:
        self.asked += 1
        return ()


@pytest.mark.parametrize("steps", range(6))
def test_a_hint_just_before_the_stop_does_not_keep_it_running(steps: int) -> None:
    async def run() -> None:
        central, exchanger = NothingDue(), Exchanger()
        settings = WorkerSettings(find_interval=60.0)
        pace = Pace(60.0, asyncio.get_running_loop().time(), hinted=True)
        refresher = Refresher(
            name="w", link=Link(central), settings=settings, exchanger=exchanger, clock=now, pace=pace
        )
        refresher.start()
        async with asyncio.timeout(5):
            while not central.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            refresher.hint("z")
            for _ in range(steps):
                await asyncio.sleep(0)
            await refresher.stop(1)
        await exchanger.close()

    asyncio.run(run())
