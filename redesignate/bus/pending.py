# SPDX-License-Identifier: Apache-2.0
"""Zones whose hints wait: each once, in the order of the first hint, and never more than `bound`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import islice

from redesignate.observe.log import events

log = events(__name__)
BOUND = 50_000


class Pending:
    """A bounded queue of zone ids without duplicates. Safe from any thread; `add` never waits for a taker.

    Ids that do not fit are dropped: the work is still in the outbox, and the producer's sweep hints again.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._zones: dict[str, None] = {}
        self._changed = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._zones)

    def add(self, zone_ids: Iterable[str]) -> None:
        """Queue zones; one that waits already keeps its place."""
        with self._changed:
            before = self.dropped
            for zone_id in zone_ids:
                if len(self._zones) < self._bound or zone_id in self._zones:
                    self._zones[zone_id] = None
                else:
                    self.dropped += 1
            self._changed.notify()
        if before == 0 < self.dropped:
            log.warning("too many hints wait; the sweep finds the zones that were dropped", bound=self._bound)

    def take(self, most: int, stop: threading.Event) -> tuple[str, ...]:
        """Wait for zones and take up to `most` of them, oldest first; none once `stop` is set (then `nudge`)."""
        with self._changed:
            self._changed.wait_for(lambda: self._zones or stop.is_set())
            if stop.is_set():
                return ()
            taken = tuple(islice(self._zones, most))
            for zone_id in taken:
                del self._zones[zone_id]
            if self._zones:
                self._changed.notify()
            return taken

    def nudge(self) -> None:
        """Make every waiting taker check its `stop` again."""
        with self._changed:
            self._changed.notify_all()
