# SPDX-License-Identifier: Apache-2.0
"""Group commit for SQLite: writers that wait for the one write lock share one transaction.

SQLite has one writer at a time, and a commit costs as much as a use-case. So the writer whose turn it is also runs
those of all waiting ones, each in a savepoint of its own, and commits once. A use-case that fails is rolled back to its
savepoint and fails alone; each sees the changes of those before it, as if it had waited. No caller gets a success
before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from redesignate.store.fast import as_sqlalchemy
from redesignate.threads.batch import Batches
from redesignate.threads.deadline import Deadline

MOST = 32
"""Use-cases in one transaction: the first of them waits for the last."""
Job = Callable[[Connection], Any]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class GroupCommit:
    """The writers of one engine. Safe for use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batches: Batches[Job, Any] = Batches(self._together, most=MOST, leaves=False)

    def run(self, do: Job, deadline: Deadline | None = None) -> Any:
        """Run `do` in a transaction that is committed when this returns. Raises what `do` or the commit raises.

        Raises Unavailable at the deadline if its turn has not come. Once it has, the caller waits for the commit, whose
        end it must know: at most for the other use-cases of the transaction, each of which checks its own deadline.
        """
        end = self._batches.ask(do, deadline=deadline)
        if isinstance(end, _Failed):
            raise end.error
        return end

    def waiting(self) -> int:
        """Return how many writers wait for their turn."""
        return self._batches.waiting()

    def _together(self, jobs: Sequence[Job]) -> list[Any]:
        """The results of the jobs; `_Failed` for each that failed, and for all where the transaction failed."""
        ends: list[Any] = []
        try:
            with self._engine.connect() as connection, connection.begin():
                for do in jobs:
                    ends.append(_attempt(do, connection))  # those before a failure are looked at
        except BaseException as error:  # noqa: BLE001  # begin or commit: raised on each thread that asked
            failed = _Failed(as_sqlalchemy(error) if isinstance(error, sqlite3.Error) else error)
            return [end if isinstance(end, _Failed) else failed for end in ends] + [failed] * (len(jobs) - len(ends))
        return ends


def _attempt(do: Job, connection: Connection) -> Any:
    """Run one job in its savepoint. Raises what ended the transaction of all: a full disk, a broken file."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("SAVEPOINT job")
    try:
        end = do(connection)
    except BaseException as error:  # it is raised again on the thread that asked
        if not driver.in_transaction:  # SQLite has rolled back everything by itself
            raise
        driver.execute("ROLLBACK TO job")
        end = _Failed(error)
    driver.execute("RELEASE job")
    return end
