# SPDX-License-Identifier: Apache-2.0
"""Joins messages into few calls: those that arrive while every lane is busy are handled together by the next free one.

A quiet system handles each message at once; a busy one sends central one question about many zones. The thread of each
message waits until its zones are handled, because only then may it acknowledge.
"""

from __future__ import annotations

import threading
from collections import deque

from redesignate.bus.port import Handler


class _Entry:
    __slots__ = ("done", "failed", "zone_ids")

    def __init__(self, zone_ids: tuple[str, ...]) -> None:
        self.zone_ids = zone_ids
        self.done = False
        self.failed = False


class Lanes:
    """At most `lanes` calls of `handler` at a time, each with the zones of as many waiting messages as make `most`."""

    def __init__(self, handler: Handler, *, lanes: int, most: int) -> None:
        self._handler = handler
        self._free = lanes
        self._most = most
        self._waiting: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def run(self, zone_ids: tuple[str, ...]) -> bool:
        """Handle the zones, on this thread or together with others'. False: the handler raised, or `close` was called.

        Raises whatever the handler raised, but only in the thread that called it.
        """
        mine = _Entry(zone_ids)
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
        zone_ids = tuple(dict.fromkeys(zone_id for entry in batch for zone_id in entry.zone_ids))
        self._free -= 1
        self._changed.release()
        failed = True
        try:
            self._handler(zone_ids)
            failed = False
        finally:
            self._changed.acquire()
            self._free += 1
            for entry in batch:
                entry.done, entry.failed = True, failed
            self._changed.notify_all()

    def _take(self) -> list[_Entry]:
        batch = [self._waiting.popleft()]
        zones = len(batch[0].zone_ids)
        while self._waiting and zones + len(self._waiting[0].zone_ids) <= self._most:
            batch.append(self._waiting.popleft())
            zones += len(batch[-1].zone_ids)
        return batch
