# SPDX-License-Identifier: Apache-2.0
"""The worker's questions to central: off the loop, many zones in one, patient while central is away."""

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
    """Asks central from the event loop. Says once that central is away, and once that it is back."""

    def __init__(self, central: Central) -> None:
        self._central = central
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="central")
        self._away = False

    async def ask(self, command: Command[R]) -> R:
        """One question. Raises the Problem that central raised; Unavailable and TimedOut when it is away."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._central.call, command)
        except (Unavailable, TimedOut) as problem:
            if not self._away:
                log.warning("central is away; work waits for it", why=problem.message)
            self._away = True
            raise
        if self._away:
            self._away = False
            log.info("central is back")
        return answer

    async def ask_patiently(self, command: Command[R], until: float) -> tuple[R, float]:
        """As `ask`, and again with growing pauses while central is away, until the loop's time `until`.

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

    send     gets a list of at most `most`; what it raises is logged, for it must tell those who wait itself
    at_once  how many sends may be under way; another one begins only where those have been for `patience_s`, so that
             a busy central gets few big questions, and one that waits for a lock does not hold up all zones
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
        """Look again in a while; where no further send may begin, the next one that ends looks."""
        if self._timer is None and len(self._sending) < self._at_once:
            self._timer = asyncio.get_running_loop().call_later(self._pause(), self._flush)

    def _pause(self) -> float:
        """How long to gather: a moment; while others are under way, until these are done or patience ends."""
        if not self._sending:
            return self._moment_s
        now = asyncio.get_running_loop().time()
        return max(max(self._sending.values()) + self._patience_s - now, self._moment_s)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._items and len(self._sending) < self._at_once:
            batch, self._items = self._items[: self._most], self._items[self._most :]
            task = asyncio.create_task(self._one(batch))
            self._sending[task] = asyncio.get_running_loop().time()
            task.add_done_callback(self._sent)
        if self._items:
            self._arm()

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if self._items:
            self._flush()

    async def _one(self, batch: list[T]) -> None:
        try:
            await self._send(batch)
        except Problem as problem:
            log.error("a batch of questions to central failed", why=problem.message or problem.kind)
        except Exception:  # the loop of a service
            log.exception("a batch of questions to central failed")
