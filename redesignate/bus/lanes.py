# SPDX-License-Identifier: Apache-2.0
"""Joins messages into few calls: those that arrive while every lane is busy are handled together by the next free one.

A quiet system handles each message at once; a busy one sends central one question about many zones. The thread of each
message waits until its hints are handled, because only then may it acknowledge.
"""

from __future__ import annotations

import threading
from collections import deque

from redesignate.bus.port import Handler
from redesignate.commands.hint import Hint


class _Entry:
    __slots__ = ("done", "failed", "hints")

    def __init__(self, hints: tuple[Hint, ...]) -> None:
        self.hints = hints
        self.done = False
        self.failed = False


class Lanes:
    """At most `lanes` calls of `handler` at a time, each with the hints of as many waiting messages as make `most`."""

    def __init__(self, handler: Handler, *, lanes: int, most: int) -> None:
        self._handler = handler
        self._free = lanes
        self._most = most
        self._waiting: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def run(self, hints: tuple[Hint, ...]) -> bool:
        """Handle the hints, on this thread or together with others'. False: the handler raised, or `close` was called.

        Raises whatever the handler raised, but only in the thread that called it.
        """
        mine = _Entry(hints)
        with self._changed:
            self._waiting.append(mine)
            while not mine.done:
                if self._closed and mine in self._waiting:
                    self._waiting.remove(mine)
                    return False
                if self._free and self._waiting and not self._closed:
                    self._lead()
                else:
                    self._changed.wait()
        return not mine.failed

    def close(self) -> None:
        """Start no further calls; callers that wait for a lane return."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _lead(self) -> None:
        """Handle one batch; called, and returns, with the lock held."""
        batch = self._take()
        hints = tuple(dict.fromkeys(hint for entry in batch for hint in entry.hints))
        self._free -= 1
        self._changed.release()
        failed = True
        try:
            self._handler(hints)
            failed = False
        finally:
            self._changed.acquire()
            self._free += 1
            for entry in batch:
                entry.done, entry.failed = True, failed
            self._changed.notify_all()

    def _take(self) -> list[_Entry]:
        batch = [self._waiting.popleft()]
        hints = len(batch[0].hints)
        while self._waiting and hints + len(self._waiting[0].hints) <= self._most:
            batch.append(self._waiting.popleft())
            hints += len(batch[-1].hints)
        return batch
