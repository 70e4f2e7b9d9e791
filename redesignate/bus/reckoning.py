# SPDX-License-Identifier: Apache-2.0
"""Estimates the database's clock on the client side, which has no database, from the times in central's answers.

An answer names a moment that the database's clock had passed when it was sent. When it arrives, that clock shows the
same or more; and it runs as fast as ours. So a deadline of ours, converted from there, is never later than the same
moment by the database's clock, whatever either clock shows. Of the offsets of the last minutes the smallest counts:
nodes of a cluster may differ.
"""

from __future__ import annotations

import threading

from redesignate.model.clock import SECOND
from redesignate.threads.deadline import Monotonic, uptime

KEPT_S = 60.0


class Reckoning:
    """Converts moments of our clock to the database's clock, or to a little less. Safe from any thread."""

    def __init__(self, clock: Monotonic = uptime) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._new: int | None = None
        self._old: int | None = None
        self._latest = 0
        self._since = 0.0

    def learn(self, moment: int) -> None:
        """Record the moment of the database's clock (µs) that an answer names."""
        now = self._clock()
        ahead = moment - int(now * SECOND)
        with self._lock:
            if self._new is None or now - self._since > KEPT_S:
                self._old, self._new, self._since = self._new, ahead, now
            self._new = min(self._new, ahead)
            self._latest = ahead

    def restart(self) -> None:
        """Forget all but the newest answer: the database's clock was set, or another server has replaced it."""
        with self._lock:
            if self._new is not None:
                self._old, self._new, self._since = None, self._latest, self._clock()

    def of(self, at: float) -> int | None:
        """Return what the database's clock shows at this moment of ours, or less (µs). None: no answer has come yet."""
        with self._lock:
            if self._new is None:
                return None
            ahead = self._new if self._old is None else min(self._new, self._old)
        return ahead + int(at * SECOND)
