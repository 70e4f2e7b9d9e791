# SPDX-License-Identifier: Apache-2.0
"""Group commit for SQLite: writers that wait for the one write lock share one transaction.

SQLite has one writer at a time, and a commit costs as much as a use-case. So the writer whose turn it is also runs
those of all waiting ones, and commits once. A use-case that fails is undone and fails alone; each sees the changes of
those before it, as if it had waited. No caller gets a success before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from redesignate.store.fast import as_sqlalchemy
from redesignate.threads.batch import Batches
from redesignate.threads.deadline import Deadline

MOST = 32
"""Use-cases in one transaction: the first of them waits for the last."""
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class _Job(Generic[W]):
    do: Callable[[W], Any]
    shares: bool


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class GroupCommit(Generic[W]):
    """The writers of one engine. Safe for use from many threads.

    begin  makes what a use-case works with
    share  makes the same for another use-case, which has the end in common with it
    end    writes what use-cases left to the end
    """

    def __init__(
        self,
        engine: Engine,
        *,
        begin: Callable[[Connection], W],
        share: Callable[[W], W],
        end: Callable[[W], None],
    ) -> None:
        self._engine, self._begin, self._share, self._end = engine, begin, share, end
        self._batches: Batches[_Job[W], Any] = Batches(self._together, most=MOST, leaves=False)

    def run(self, do: Callable[[W], Any], deadline: Deadline | None = None, *, shares: bool = False) -> Any:
        """Run a use-case in a transaction that is committed when this returns. Raises what it or the commit raises.

        shares   it reads nothing of what such use-cases leave to the end of their transaction, so that several may have
                 that end in common

        Raises Unavailable at the deadline if its turn has not come. Once it has, the caller waits for the commit, whose
        end it must know: at most for the other use-cases of the transaction, each of which checks its own deadline.
        """
        (end,) = self._batches.ask_all((_Job(do, shares),), deadline=deadline)
        if isinstance(end, _Failed):
            raise end.error
        return end

    def waiting(self) -> int:
        """Return how many writers wait for their turn."""
        return self._batches.waiting()

    def _together(self, jobs: Sequence[_Job[W]]) -> list[Any]:
        """The results of the jobs; `_Failed` for each that failed, and for all where the transaction failed."""
        ends: list[Any] = []
        try:
            with self._engine.connect() as connection, connection.begin():
                if len(jobs) == 1:  # a rollback is its own
                    work = self._begin(connection)
                    end = jobs[0].do(work)
                    self._end(work)
                    return [end]
                for shares, alike in groupby(jobs, key=attrgetter("shares")):
                    some = list(alike)
                    if shares and len(some) > 1:
                        ends += self._shared(some, connection)
                        continue
                    for job in some:
                        ends.append(self._attempt(job, connection))  # those before a failure are looked at
        except BaseException as error:  # noqa: BLE001  # begin or commit: raised on each thread that asked
            failed = _Failed(as_sqlalchemy(error) if isinstance(error, sqlite3.Error) else error)
            return [end if isinstance(end, _Failed) else failed for end in ends] + [failed] * (len(jobs) - len(ends))
        return ends

    def _shared(self, jobs: Sequence[_Job[W]], connection: Connection) -> list[Any]:
        """Run jobs that have their end in common; each by itself where one fails that has written something, or their
        end does."""
        driver: Any = connection.connection.dbapi_connection
        driver.execute("SAVEPOINT job")
        ends: list[Any] = []
        try:
            first = self._begin(connection)
            for job in jobs:
                before = driver.total_changes
                try:
                    ends.append(job.do(self._share(first)))
                except BaseException as error:
                    if not driver.in_transaction or driver.total_changes != before:
                        raise  # SQLite has rolled back everything by itself, or there is something to undo
                    ends.append(_Failed(error))
            self._end(first)
        except BaseException:
            if not driver.in_transaction:
                raise
            driver.execute("ROLLBACK TO job")
            driver.execute("RELEASE job")
            return [self._attempt(job, connection) for job in jobs]
        driver.execute("RELEASE job")
        return ends

    def _attempt(self, job: _Job[W], connection: Connection) -> Any:
        """Run one job in its savepoint. Raises what ended the transaction of all: a full disk, a broken file."""
        driver: Any = connection.connection.dbapi_connection
        driver.execute("SAVEPOINT job")
        try:
            work = self._begin(connection)
            end = job.do(work)
            self._end(work)
        except BaseException as error:  # it is raised again on the thread that asked
            if not driver.in_transaction:  # SQLite has rolled back everything by itself
                raise
            driver.execute("ROLLBACK TO job")
            end = _Failed(error)
        driver.execute("RELEASE job")
        return end
