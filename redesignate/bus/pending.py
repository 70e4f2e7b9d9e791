# SPDX-License-Identifier: Apache-2.0
"""Hints that wait: each once, in the order in which they first came, and never more than `bound`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import islice

from redesignate.commands.hint import Hint
from redesignate.observe.log import events

log = events(__name__)
BOUND = 50_000


class Pending:
    """A bounded queue of hints without duplicates. Safe from any thread; `add` never waits for a taker.

    Hints that do not fit are dropped: the work is still in the outbox, and the producer's sweep hints again.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._hints: dict[Hint, None] = {}
        self._changed = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._hints)

    def add(self, hints: Iterable[Hint]) -> None:
        """Queue hints; one that waits already keeps its place."""
        with self._changed:
            before = self.dropped
            for hint in hints:
                if len(self._hints) < self._bound or hint in self._hints:
                    self._hints[hint] = None
                else:
                    self.dropped += 1
            self._changed.notify()
        if before == 0 < self.dropped:
            log.warning("too many hints wait; the sweep finds the zones that were dropped", bound=self._bound)

    def take(self, most: int, stop: threading.Event) -> tuple[Hint, ...]:
        """Wait for hints and take up to `most` of them, oldest first; none once `stop` is set (then `nudge`)."""
        with self._changed:
            self._changed.wait_for(lambda: self._hints or stop.is_set())
            if stop.is_set():
                return ()
            taken = tuple(islice(self._hints, most))
            for hint in taken:
                del self._hints[hint]
            if self._hints:
                self._changed.notify()
            return taken

    def nudge(self) -> None:
        """Make every waiting taker check its `stop` again."""
        with self._changed:
            self._changed.notify_all()
