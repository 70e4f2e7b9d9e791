# SPDX-License-Identifier: Apache-2.0
"""The worker's questions to central: off the loop, many zones in one, patient while central is unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from redesignate.bus.port import Central
from redesignate.commands.base import Command
from redesignate.model.errors import Problem, TimedOut, Unavailable
from redesignate.observe.log import events

R = TypeVar("R")
T = TypeVar("T")
log = events(__name__)

THREADS = 2
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)


class Link:
    """Asks central from the event loop. Logs once that central is unavailable, and once that it is back."""

    def __init__(self, central: Central) -> None:
        self._central = central
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="central")
        self._down = False

    async def ask(self, command: Command[R]) -> R:
        """One question. Raises the Problem that central raised; Unavailable and TimedOut when it cannot be reached."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._central.call, command)
        except (Unavailable, TimedOut) as problem:
            if not self._down:
                log.warning("central is unavailable; work waits for it", why=problem.message)
            self._down = True
            raise
        if self._down:
            self._down = False
            log.info("central is back")
        return answer

    async def ask_patiently(self, command: Command[R], until: float) -> tuple[R, float]:
        """As `ask`, and again with growing pauses while central is unavailable, until the loop's time `until`.

        For idempotent questions. The answer, and when (loop seconds) it was asked for. Raises the last Problem.
        """
        loop = asyncio.get_running_loop()
        pauses = iter(PAUSES_S)
        while True:
            asked = loop.time()
            try:
                return await self.ask(command), asked
            except (Unavailable, TimedOut):
                pause = next(pauses, PAUSES_S[-1])
                if loop.time() + pause >= until:
                    raise
                await asyncio.sleep(pause)

    def close(self) -> None:
        """Wait for no question any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Batch(Generic[T]):
    """Items that come one by one and are sent together: after a moment, or as soon as the send before is done.

    send     gets a list of at most `most`; what it raises is logged, so it must itself release whoever waits
    at_once  how many sends may be under way; another one begins only where those have taken `patience_s`, so that
             a busy central gets few big questions, and one that waits for a lock does not delay all zones
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[None]],
        *,
        most: int = 200,
        moment_s: float = 0.001,
        at_once: int = 4,
        patience_s: float = 0.1,
    ) -> None:
        self._send = send
        self._most = most
        self._moment_s = moment_s
        self._at_once = at_once
        self._patience_s = patience_s
        self._items: list[T] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: dict[asyncio.Task[None], float] = {}

    def add(self, item: T) -> None:
        """Queue one item. On the event loop."""
        self._items.append(item)
        self._arm()

    def _arm(self) -> None:
        """Send in a moment, or when those under way end or run out of patience.

        Where no further send may begin, the next one that ends sends the rest.
        """
        if self._timer is not None or len(self._sending) >= self._at_once:
            return
        loop = asyncio.get_running_loop()
        pause = self._moment_s
        if self._sending:
            pause = max(max(self._sending.values()) + self._patience_s - loop.time(), pause)
        self._timer = loop.call_later(pause, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._items and len(self._sending) < self._at_once:
            batch, self._items = self._items[: self._most], self._items[self._most :]
            task = asyncio.create_task(self._run(batch))
            self._sending[task] = asyncio.get_running_loop().time()
        if self._items:
            self._arm()

    async def _run(self, batch: list[T]) -> None:
        try:
            await self._send(batch)
        except Problem as problem:
            log.error("a batch of questions to central failed", why=problem.message or problem.kind)
        except Exception:  # the loop of a service
            log.exception("a batch of questions to central failed")
        finally:
            task = asyncio.current_task()
            assert task is not None
            del self._sending[task]
            if self._items:
                self._flush()
