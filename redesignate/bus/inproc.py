# SPDX-License-Identifier: Apache-2.0
"""The bus inside one process: central is called directly, hints wait in memory. It is part of the product, and most
tests use it.

Questions and answers are handed over as they are. In the tests they pass through the same bytes as over a broker
(`encoded`), so that services which run together here can also run in separate processes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from redesignate.bus import codec
from redesignate.bus.port import Handler
from redesignate.commands.base import Command
from redesignate.commands.hint import Hint
from redesignate.model.errors import Problem
from redesignate.observe.log import events
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
