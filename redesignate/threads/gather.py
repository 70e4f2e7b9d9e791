# SPDX-License-Identifier: Apache-2.0
"""Items that arrive one by one on an event loop and are sent together (`batch`: the same for threads that wait)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from redesignate.model.errors import Problem
from redesignate.observe.log import events

T = TypeVar("T")
log = events(__name__)


class Gather(Generic[T]):
    """Sends items after a moment, or as soon as an earlier send has ended. For one event loop.

    send        gets a list of at most `most`; what it raises is logged, so it must itself release whoever waits
    moment_s    how long the first item waits for others
    at_once     the most sends under way
    patience_s  another send begins only where those under way have taken so long: a busy receiver gets few large
                batches, and a send that hangs does not delay all items
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
        self._pausing: asyncio.Task[None] | None = None
        self._sending: dict[asyncio.Task[None], float] = {}

    def add(self, item: T) -> None:
        """Queue one item. On the event loop."""
        self._items.append(item)
        if self._pausing is None and len(self._sending) < self._at_once:
            self._pausing = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Pause, then send batches until no item is left. Where `most` leaves items over, another task follows."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        patience_ends = max(self._sending.values(), default=0.0) + self._patience_s
        await asyncio.sleep(max(self._moment_s, patience_ends - loop.time() if self._sending else 0.0))
        self._pausing = None
        while self._items:
            batch, self._items = self._items[: self._most], self._items[self._most :]
            self._sending[task] = loop.time()
            if self._items and self._pausing is None and len(self._sending) < self._at_once:
                self._pausing = asyncio.create_task(self._send_all())
            try:
                await self._send(batch)
            except Problem as problem:
                log.error("a batch could not be sent", why=problem.message or problem.kind)
            except Exception:  # the loop of a service
                log.exception("a batch could not be sent")
            finally:
                del self._sending[task]
            if self._items and self._pausing is not None:  # this task sends them now
                self._pausing.cancel()
                self._pausing = None
