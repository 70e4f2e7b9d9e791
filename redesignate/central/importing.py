# SPDX-License-Identifier: Apache-2.0
"""Makes zones of files that were received: read whole, stored in steps, published in one transaction.

    the file is read and sorted       nothing is written; a fault of the file ends the import with its line
    the zone is made and undone       every rule of a new zone is asked before anything is stored
    its RRsets are stored             STEP in a transaction, under an id that no zone has: nobody sees them
    the zone is made                  one transaction, with every rule again
    what is left is removed           the file; after a failure the RRsets too

Who works on an import holds its lease. A process that dies leaves a lease that runs out: the next one reads the file
again, and goes on behind what is stored.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, TypeVar

from redesignate.central.importrows import Here, Readers
from redesignate.central.importrun import Run, Stopped
from redesignate.central.rules import Rules
from redesignate.model.clock import SECOND
from redesignate.model.errors import Problem, Unavailable
from redesignate.model.zonetask import ImportTask, TaskStatus
from redesignate.observe.log import events
from redesignate.store.imports import Imports, Lost
from redesignate.store.unit import Store, Work

LEASE_S = 30
OTHERS_S = 1.0
"""How long after a writer was seen to wait others are taken to write."""
ABANDONED_S = 900
"""How long after its first part a file that is not whole is forgotten."""
FOUND_AT_ONCE = 20
TRIALS = 3
"""How often a file is read where the temporary file cannot be written."""
AGAIN_S = 5.0
MOST_ATTEMPTS = 10
"""Leases after which an import is given up, if nothing was stored and nobody stopped meanwhile."""
GIVEN_UP = (
    f"It was given up after {MOST_ATTEMPTS} attempts that ended unexpectedly; the server's log says why. "
    "Import it again once that is mended."
)
_FREE = {"lease_owner": None, "lease_until": 0, "attempts": 0}
T = TypeVar("T")
log = events(__name__)


class Importer:
    """Works on imports, one at a time.

    owner     of its leases; `sent` is called with what was committed
    short     it takes files of one part alone, which do not wait behind large ones then
    readers   of files that are not short
    """

    def __init__(self, rules: Rules, store: Store, sent: Callable[[Work], None], owner: str) -> None:
        self._rules, self._store, self._sent, self._owner = rules, store, sent, owner
        self.stopping: Callable[[], bool] = bool
        self.rest: Callable[[float], object] = time.sleep
        self.readers: Readers = Here
        self.short = False
        self._others_until = 0.0

    def turn(self) -> bool:
        """Carry out one import, if there is one to be taken; whether there was."""
        old = self._store.clock() - ABANDONED_S * SECOND
        _, due = self._store.look(lambda work: Imports(work.conn).due(work.now, old, FOUND_AT_ONCE, short=self.short))
        for import_id in sorted({project: ident for ident, project in reversed(due)}.values()):  # one of each project
            task = self._store.transact(
                lambda work, which=import_id: Imports(work.conn).lease(  # type: ignore[misc]  # bound
                    which, self._owner, work.now, LEASE_S * SECOND
                )
            )
            if task is not None:
                self._carry_out(task)
                return True
        return False

    def _carry_out(self, task: ImportTask) -> None:
        try:
            status = task.status
            if status is TaskStatus.PENDING and task.parts is not None:
                given_up = task.attempts > MOST_ATTEMPTS
                status = Run(self, task).failed(GIVEN_UP) if given_up else self._ended(task)
            self._clean(task, keeps=status is TaskStatus.COMPLETE)
        except Lost:
            log.info("import is worked on by another process", task=task.id)
        except Stopped:
            self._leave(task, **_FREE)
        except Unavailable:  # the database's fault, which passes: no attempt
            with contextlib.suppress(Problem):
                self._leave(task, attempts=max(0, task.attempts - 1))
            raise

    def _leave(self, task: ImportTask, **values: object) -> None:
        self._store.transact(lambda work: Imports(work.conn).leave(task.id, self._owner, **values))

    def _ended(self, task: ImportTask, trials: int = TRIALS) -> TaskStatus:
        """Make the zone, or say why not; the import's status. Raises Lost, Stopped, Unavailable."""
        run = Run(self, task)
        try:
            return run.end()
        except OSError as failure:
            why = failure.strerror or type(failure).__name__
            log.warning("the temporary file of an import failed", task=task.id, why=why)
            if trials == 1:
                return run.failed(f"The server's temporary file failed ({why}); import it again later.")
        self.rest(AGAIN_S)
        return self._ended(self._as_it_is(task), trials - 1)

    def _as_it_is(self, task: ImportTask) -> ImportTask:
        now = self.step(task, lambda work: Imports(work.conn).task(task.id))
        if now is None:
            raise Lost
        return now

    def paced(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """As `step`; where others wait for SQLite's turn it is left to them for as long as the step took."""
        began, waiting = 0.0, 0

        def one(work: Work) -> T:
            nonlocal began, waiting
            began = time.monotonic()
            done = do(work)
            waiting = self._store.writers_waiting()
            return done

        done = self.step(task, one, **written)
        now = time.monotonic()
        if waiting:
            self._others_until = now + OTHERS_S
        if now < self._others_until:
            self.rest(now - began)
        return done

    @property
    def others(self) -> bool:
        """Whether others write just now."""
        return time.monotonic() < self._others_until

    def step(self, task: ImportTask, do: Callable[[Work], T], **written: Any) -> T:
        """One transaction of the work on an import, which renews its lease and writes these members. Raises Lost,
        Stopped, and what `do` raises."""
        if self.stopping():
            raise Stopped

        def one(work: Work) -> T:
            Imports(work.conn).hold(task.id, self._owner, work.now, LEASE_S * SECOND)
            if written:
                Imports(work.conn).change(task.id, updated_at=work.now, **written)
            return do(work)

        return self._store.transact(one, then=self._sent)

    def _clean(self, task: ImportTask, *, keeps: bool) -> None:
        """Remove the file, and what was stored of a zone that was not made; then nothing is left to be done."""
        while not keeps and self.paced(task, lambda work: Imports(work.conn).drop_stored(task.target_id)):
            pass
        while self.paced(task, lambda work: Imports(work.conn).drop_parts(task.id)):
            pass

        def end(work: Work) -> None:
            imports = Imports(work.conn)
            imports.change(task.id, todo=False, **_FREE)
            now = imports.task(task.id)
            if now is not None and (now.hidden or now.parts is None):
                imports.remove(task.id)

        self.step(task, end)

    @property
    def rules(self) -> Rules:
        """The operator's rules."""
        return self._rules

    @property
    def store(self) -> Store:
        """The database."""
        return self._store
