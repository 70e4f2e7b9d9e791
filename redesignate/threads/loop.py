# SPDX-License-Identifier: Apache-2.0
"""An asyncio loop on a thread of its own, which reports its start and stops in a bounded time; and which of the threads
that work for one goes first."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from redesignate.observe.log import events

R = TypeVar("R")
log = events(__name__)
PAUSE_S = 0.01
"""The longest that a batch of other work waits for what goes first: what is slow must not stop it for good."""
_STEP_S = 0.0003


class LoopThread:
    """Runs `begin`, then waits for `stop`, then runs `end`, all on one loop.

    begin   returns when the service is ready; what it raises, `start` raises
    end     releases all resources; not called where `begin` raised
    """

    def __init__(self, name: str, *, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._begin, self._end = begin, end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread; returns when `begin` has. Raises what `begin` raised. May be called again after `stop`."""
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=self._name, daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise

    @property
    def running(self) -> bool:
        """Whether the loop accepts work: it is started, and not being stopped."""
        return self._stopping is not None and not self._stopping.is_set()

    def submit(self, work: Coroutine[Any, Any, R]) -> concurrent.futures.Future[R]:
        """Run a coroutine on the loop, from any thread. Raises RuntimeError where the loop does not run."""
        with self._lock:  # the loop does not end between the check and the submission, which would be lost
            if self._loop is not None and self._stopping is not None and not self._stopping.is_set():
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise RuntimeError(f"{self._name} is not running")

    def tell_to_stop(self) -> None:
        """Make the loop run `end`; returns at once. `stop` waits for it."""
        loop, stopping = self._loop, self._stopping
        if loop is None or stopping is None:
            return
        try:
            loop.call_soon_threadsafe(stopping.set)
        except RuntimeError:  # the loop has ended by itself
            log.debug("event loop had ended already", loop=self._name)

    def stop(self, timeout_s: float | None = None) -> bool:
        """Make the loop run `end` and wait for the thread, at most `timeout_s`; return whether it has ended."""
        if self._thread is None:
            return True
        self.tell_to_stop()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.warning("an event loop did not stop in time", loop=self._name, waited_s=timeout_s)
            return False
        self._thread = None
        return True

    def _run(self, ready: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._main(ready))
        except BaseException as error:  # belongs to the caller of `start`
            if not ready.done():
                ready.set_exception(error)
                return
            log.exception("an event loop failed", loop=self._name)
        finally:
            self._loop = self._stopping = None

    async def _main(self, ready: concurrent.futures.Future[None]) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self._begin()
        ready.set_result(None)
        await self._stopping.wait()
        with self._lock:
            self._loop = None
        await self._end()


class Precedence:
    """Threads with other work pause between its steps while anything that goes first is under way: Python runs one
    thread at a time, and does not know which of them is urgent.

    under_way   how much goes first at the moment; counted on one event loop
    """

    def __init__(self) -> None:
        self.under_way = 0

    def give_way(self, ends: float) -> None:
        """Pause, from any thread, while something that goes first is under way, until `ends` (monotonic) at most."""
        while self.under_way and time.monotonic() < ends:
            time.sleep(_STEP_S)
