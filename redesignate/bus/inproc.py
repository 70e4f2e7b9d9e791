# SPDX-License-Identifier: Apache-2.0
"""The bus inside one process: central is called directly, hints wait in memory, and bulkheads stand before both ways to
central. It is part of the product, and most tests use it.

Questions and answers are handed over as they are. In the tests they pass through the same bytes as over a broker
(`encoded`), so that services which run together here can also run in separate processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

from redesignate.bus import codec
from redesignate.bus.port import Central, Handler
from redesignate.commands.base import CallerCommand, Command
from redesignate.commands.hint import Hint
from redesignate.commands.table import READS
from redesignate.model.errors import Problem, TimedOut, Unavailable
from redesignate.observe.log import events
from redesignate.threads.bulkhead import Bulkhead
from redesignate.threads.deadline import current
from redesignate.threads.service import Daemon

R = TypeVar("R")
log = events(__name__)
BOUND = 50_000


class Pending:
    """A bounded queue of hints without duplicates: the hints to the workers of this process. Safe from any thread;
    `wake` never waits for a taker.

    Hints that do not fit are dropped: the work is still in the outbox, and the producer's sweep hints again.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._hints: dict[Hint, None] = {}
        self._changed = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._hints)

    def wake(self, hints: Sequence[Hint]) -> None:
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
            log.warning(
                "too many hints are queued; the sweep will find the zones whose hints were dropped", bound=self._bound
            )

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


class InprocCentral:
    """Central in the same process.

    encoded   whether questions and answers pass through bytes: 5 µs for one RRset, 170 µs for a page of a hundred
    """

    def __init__(self, dispatch: codec.Dispatch, *, encoded: bool = False) -> None:
        self._dispatch = dispatch
        self._encoded = encoded

    def call(self, command: Command[R]) -> R:
        """Return the answer or raise its Problem. Nothing goes on to its commit after this thread's deadline."""
        if self._encoded:
            return codec.reply_to(command, codec.serve(self._dispatch, codec.question(command)))
        try:
            answer: R = self._dispatch(command)
        except Problem:
            raise
        except Exception as error:  # as over a broker: logged here, where it happened
            raise codec.failure(command, error) from error
        return answer


class InprocWorkSource:
    """Passes hints to a worker, up to `most` at once, on up to `threads` threads at a time.

    pause_s   how long a batch whose handler raised waits
    """

    def __init__(self, pending: Pending, *, threads: int = 4, most: int = 50, pause_s: float = 1.0) -> None:
        self._pending = pending
        self._most = most
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._count = threads
        self._daemons: list[Daemon] = []

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own."""
        self._daemons = [Daemon(f"hints-{number}", partial(self._deliver, handler)) for number in range(self._count)]
        for daemon in self._daemons:
            daemon.start()

    def stop(self) -> None:
        """Stop delivering; returns when no handler runs any longer."""
        self._stopping.set()
        self._pending.nudge()
        for daemon in self._daemons:
            daemon.stop()

    def _deliver(self, handler: Handler) -> float:
        hints = self._pending.take(self._most, self._stopping)
        try:
            if hints:
                handler(hints)
        except Exception:  # the loop of a service
            log.exception("the handler failed; its hints are retried", hints=len(hints))
            self._stopping.wait(self._pause_s)
            self._pending.wake(hints)
        return 0


# -- bulkheads


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The most threads that work on changes of one zone, on one project's questions, on changes, on all questions."""

    zone: int
    project: int
    changes: int
    all: int

    @classmethod
    def of(cls, threads: int, *, connections: int | None = None) -> Shares:
        """Divide so many threads; or so many connections to the database, where each question takes one.

        Over the bus a zone gets half, since its changes share messages: the more of them wait, the fewer are sent.
        """
        room = threads if connections is None else min(threads, connections)
        zone, project = (room // 2, room * 2 // 3) if connections is None else (room // 6, room // 2)
        most = max(1, room - max(1, room // 10))
        return cls(zone=max(1, zone), project=max(1, project), changes=most, all=most)

    @classmethod
    def of_one_writer(cls, threads: int) -> Shares:
        """Divide the threads of a process whose changes may all wait for one lock (SQLite's), for all its clients."""
        most = max(1, threads - 1)
        return cls(zone=max(1, threads // 3), project=max(1, threads * 2 // 3), changes=max(1, threads // 2), all=most)


class Bulkheads:
    """Central, called by a limited number of threads at a time, in a process that has few threads and many clients: the
    API, and central over a broker.

    Changes of one zone queue on its row, and all questions of one project share its part of central. A zone whose row
    is locked, a project that sends requests without end, or a central that hangs takes at most its share of the
    threads. The excess is refused with 503, and others are answered as usual.
    """

    def __init__(self, central: Central, shares: Shares) -> None:
        self._central = central
        self._zones = Bulkhead(shares.zone, "this zone")
        self._projects = Bulkhead(shares.project, "this project")
        self._changes = Bulkhead(shares.changes, "the database")
        self._all = Bulkhead(shares.all, "the service")

    def call(self, command: Command[R], by: Callable[[], R] | None = None) -> R:
        """Send the question; return the answer or raise its Problem, Unavailable where too many wait for the same.

        by   answers it in central's place

        Cost   two locks for each bulkhead, uncontended: a few microseconds.
        """
        moved = True
        changes = type(command) not in READS
        zone_id = getattr(command, "zone_id", None) if changes else None
        # the narrow before the wide, so that those who wait for one zone do not hold the places of others
        way: list[tuple[Bulkhead, Hashable]] = [] if zone_id is None else [(self._zones, zone_id)]
        if isinstance(command, CallerCommand):
            way.append((self._projects, command.caller.project_id))
        way += [(self._changes, None), (self._all, None)] if changes else [(self._all, None)]
        held: list[tuple[Bulkhead, Hashable]] = []
        try:
            for bulkhead, key in way:
                bulkhead.enter(key, current)
                held.append((bulkhead, key))
            return self._central.call(command) if by is None else by()
        except (Unavailable, TimedOut):
            moved = False
            raise
        finally:
            for bulkhead, key in reversed(held):
                bulkhead.leave(key, moved=moved)
