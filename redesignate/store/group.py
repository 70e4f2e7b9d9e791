# SPDX-License-Identifier: Apache-2.0
"""Group commit for SQLite: writers that wait for the one write lock share one transaction.

SQLite has one writer at a time, and a commit costs as much as a use-case. So the writer whose turn it is also runs
those of all waiting ones, each in a savepoint of its own, and commits once. A use-case that fails is rolled back to its
savepoint and fails alone; each sees the changes of those before it, as if it had waited. No caller gets a success
before the commit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from redesignate.store.fast import as_sqlalchemy

MOST = 32
"""Use-cases in one transaction: the first of them waits for the last."""


@dataclass(slots=True, eq=False)
class _Job:
    do: Callable[[Connection], Any]
    result: Any = None
    error: BaseException | None = None
    done: bool = False


class GroupCommit:
    """The writers of one engine. Safe for use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._queue = threading.Lock()
        self._waiting: list[_Job] = []

    def run(self, do: Callable[[Connection], Any]) -> Any:
        """Run `do` in a transaction that is committed when this returns. Raises what `do` or the commit raises."""
        job = _Job(do)
        with self._queue:
            self._waiting.append(job)
        with self._turn:
            while not job.done:
                self._lead()
        if job.error is not None:
            raise job.error
        return job.result

    def _lead(self) -> None:
        """Run the first waiting jobs, which at some point include the caller's own."""
        with self._queue:
            jobs, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            with self._engine.connect() as connection, connection.begin():
                for job in jobs:
                    _attempt(job, connection)
        except BaseException as error:  # noqa: BLE001  # begin or commit: raised on each thread that asked
            for job in jobs:
                job.error = job.error or error
        finally:
            for job in jobs:
                job.done = True


def _attempt(job: _Job, connection: Connection) -> None:
    """Run one job in its savepoint. Raises what ended the transaction of all: a full disk, a broken file."""
    driver: Any = connection.connection.dbapi_connection
    _tell(driver, "SAVEPOINT job")
    try:
        job.result = job.do(connection)
    except BaseException as error:  # it is raised again on the thread that asked
        job.error = error
        if not driver.in_transaction:  # SQLite has rolled back everything by itself
            raise
        _tell(driver, "ROLLBACK TO job")
    _tell(driver, "RELEASE job")


def _tell(driver: Any, statement: str) -> None:
    try:
        driver.execute(statement)
    except sqlite3.Error as error:
        raise as_sqlalchemy(error) from error
