# SPDX-License-Identifier: Apache-2.0
"""The worker's questions to central: off the loop, and repeated while central is unavailable."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from redesignate.bus.port import Central
from redesignate.commands.base import Command
from redesignate.model.errors import TimedOut, Unavailable
from redesignate.observe.log import events

R = TypeVar("R")
log = events(__name__)

THREADS = 2
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass
class _Outage:
    """Whether central is unavailable, as all links of a worker know; the loop's time at which it last answered."""

    down: bool = False
    answered: float = 0.0


class Link:
    """Asks central from the event loop. Logs once that central is unavailable, and once that it is back."""

    def __init__(self, central: Central, outage: _Outage | None = None) -> None:
        self._central = central
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="central")
        self._outage = outage or _Outage()

    def another(self) -> Link:
        """Make a link with threads of its own, which shares the log with this one."""
        return Link(self._central, self._outage)

    async def ask(self, command: Command[R]) -> R:
        """One question. Raises the Problem that central raised; Unavailable and TimedOut when it cannot be reached."""
        answer, _ = await self.ask_patiently(command, until=0.0)
        return answer

    async def ask_patiently(self, command: Command[R], until: float) -> tuple[R, float]:
        """As `ask`, and again with growing pauses while central is unavailable, until the loop's time `until`.

        For idempotent questions. The answer, and when (loop seconds) it was asked for. Raises the last Problem.
        """
        loop, outage = asyncio.get_running_loop(), self._outage
        pauses = iter(PAUSES_S)
        while True:
            asked = loop.time()
            try:
                answer = await loop.run_in_executor(self._threads, self._central.call, command)
            except (Unavailable, TimedOut) as problem:
                if not outage.down and asked >= outage.answered:  # else it was sent before the end of an outage
                    log.warning("central is unavailable; waiting for it", why=problem.message)
                    outage.down = True
                pause = next(pauses, PAUSES_S[-1])
                if loop.time() + pause >= until:
                    raise
                await asyncio.sleep(pause)
                continue
            outage.answered = loop.time()
            if outage.down:
                outage.down = False
                log.info("central is available again")
            return answer, asked

    def close(self) -> None:
        """Wait for no question any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
