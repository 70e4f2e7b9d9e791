# SPDX-License-Identifier: Apache-2.0
"""The unit of work: one transaction, the modules bound to it, and the only place that retries lost races.

`Store.transact` runs a use-case in a transaction of its own. A normal return commits, an exception
rolls back. A deadlock, a serialisation failure, a certification failure of Galera, a lock that was not granted or
a stale zone row (`Stale`) rolls the whole attempt back and runs the use-case again, with growing, jittered pauses;
that is safe because no part of the attempt was committed. A connection that breaks before the commit is retried
too; one that breaks *during* it is not, because the change may have been made: the caller gets `Unavailable`.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from redesignate.commands.hint import Hint
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Unavailable
from redesignate.model.pool import Pool
from redesignate.observe.log import events
from redesignate.store.ending import Ending
from redesignate.store.engine import EngineOptions, committed, engine, make_room
from redesignate.store.errors import AGAIN, CROWDED, is_full, refuse, said, unsure
from redesignate.store.group import GroupCommit
from redesignate.store.inbound import InboundRows
from redesignate.store.journal import Journal
from redesignate.store.members import Members
from redesignate.store.mysql_driver import why_not_mysqlclient
from redesignate.store.outbox import Outbox
from redesignate.store.peers import Peers
from redesignate.store.pools import Pools
from redesignate.store.quotas import Quotas
from redesignate.store.rrsets import RRsets
from redesignate.store.secrets import Secrets
from redesignate.store.services import Services
from redesignate.store.tsigkeys import TSIGKeys
from redesignate.store.zones import Stale, Zones
from redesignate.threads.bulkhead import aside
from redesignate.threads.deadline import Deadline, TooLate, uptime

T = TypeVar("T")
log = events(__name__)

_LATE = "The change was not carried out in time, and nothing was saved; retry."
_LATE_ANSWER = "The database did not answer in time; retry."
_UNSURE = (
    "The connection to the database was lost while the change was being saved."
    " It may have been saved: check before retrying."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The retries of a use-case that lost a race. Times in seconds.

    attempts    runs of one use-case before its caller gets a 503; their pauses add up to about two seconds
    patience_s  no run begins later than this after the first, however few there were: each run waits for locks
    ticks sleep uniform   the clock of deadlines, the wait and the random source; tests pass their own
    """

    attempts: int = 12
    patience_s: float = 10
    ticks: Callable[[], float] = uptime
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform

    def pause(self, attempt: int, until: float) -> None:
        """Wait before the next run: longer each time, and not beyond `until`."""
        wait = min(0.4, 0.004 * 2**attempt) * self.uniform(0.5, 1)
        until = min(until, self.ticks() + wait)
        with aside():  # others that share the thread may pause first
            self.sleep(max(0.0, until - self.ticks()))


class Work:
    """One transaction, with the store's modules bound to its connection.

    hints events   for workers, and lines for the log: sent and written once the transaction is committed
    files          imports whose file is whole: likewise, for what carries them out in this process
    """

    def __init__(self, connection: Connection, clock: Clock, secrets: Secrets, kept_pools: dict[str, Pool]) -> None:
        self.conn = connection
        self.secrets = secrets
        self.now = clock()
        self.zones = Zones(connection)
        self.rrsets = RRsets(connection)
        self.journal = Journal(connection)
        self.outbox = Outbox(connection)
        self.ending = Ending(connection, self.outbox, self.zones, self.rrsets)
        self.inbound = InboundRows(connection)
        self.secrets = secrets
        self.pools = Pools(connection, secrets, kept_pools)
        self.peers = Peers(connection, self.pools)
        self.quotas = Quotas(connection)
        self.services = Services(connection)
        self.tsigkeys = TSIGKeys(connection, secrets)
        self.members = Members(connection)
        self.hints: list[Hint] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.files: list[str] = []

    def shared(self, clock: Clock) -> Work:
        """The same transaction for another use-case, with its own time and events; the end of this one is its end."""
        other = Work.__new__(Work)
        other.__dict__ = self.__dict__ | {"now": clock(), "events": []}
        return other  # the hints too are one list: the first to be sent are sent for all


class Store:
    """A database. Safe for use from many threads; make it after forking."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = now,
        secrets: Secrets | None = None,
        options: EngineOptions = EngineOptions(),  # noqa: B008  # frozen
        read_urls: Sequence[str] = (),
        retries: Retries = Retries(),  # frozen
    ) -> None:
        """`read_urls`: further hosts to read from, in order, if the first cannot be reached."""
        self.url = url
        self.clock = clock
        self._secrets = secrets or Secrets(None)
        self._kept_pools: dict[str, Pool] = {}
        self._retries = retries
        self._writer = engine(url, writes=True, options=options)
        self._read_urls = (url, *read_urls)
        self._readers = [engine(one, writes=False, options=options) for one in self._read_urls]
        # SQLite has one writer at a time. Our own lock wakes at once (its busy handler sleeps) and lets them share.
        self._group: GroupCommit[Work] | None = None
        if self._writer.dialect.name == "sqlite":
            self._group = GroupCommit(
                self._writer,
                begin=lambda connection: Work(connection, self.clock, self._secrets, self._kept_pools),
                share=lambda work: work.shared(self.clock),
                end=lambda work: work.hints.extend(work.ending.write(work.now)),
            )

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations and tests."""
        return self._writer

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Every engine, the writing one first, for tests."""
        return (self._writer, *self._readers)

    @property
    def driver(self) -> dict[str, str]:
        """For the log: the drivers of MariaDB, MySQL or PostgreSQL, replicas' too, and why they are not mysqlclient.
        Empty for SQLite."""
        if self._group is not None:
            return {}
        used = {"used": ", ".join(sorted({reader.dialect.driver for reader in self._readers}))}
        pairs = zip(self._read_urls, self._readers, strict=True)
        why = {why_not_mysqlclient(make_url(url)): None for url, reader in pairs if reader.dialect.driver == "pymysql"}
        return used | {"not_mysqlclient": "; ".join(why)} if why else used

    def writers_waiting(self) -> int:
        """Return how many writers wait for their turn, on SQLite; elsewhere the database knows."""
        return 0 if self._group is None else self._group.waiting()

    def transact(
        self,
        do: Callable[[Work], T],
        *,
        then: Callable[[Work], None] | None = None,
        deadline: float = math.inf,
        shares: bool = False,
    ) -> T:
        """Run `do` in a transaction and commit it; retried as the module says. `then` runs after the commit, once.

        deadline   on the clock of `Retries.ticks`: after it no run begins, nor goes on to its commit. On SQLite the
                   commit itself waits for those that share it, and the caller with it: nobody else can write meanwhile
        shares     on SQLite: `do` reads nothing that others of its kind leave to the end of their transaction

        Raises the exceptions of `do`; Unavailable if the database is unavailable, the race was lost too often, or the
        deadline passes.
        """
        retries = self._retries
        last_start = min(deadline, retries.ticks() + retries.patience_s)
        lost: DBAPIError | None = None
        for attempt in range(1, retries.attempts + 1):
            try:
                work, result = self._once(do, deadline, shares)
            except Stale:
                lost = None
            except PoolTimeout as error:
                refuse(error)
            except DBAPIError as error:
                self._may_try_again(error)
                lost = error
                log.debug("transaction retried", attempt=attempt, error=str(error.orig))
            else:
                if then is not None:
                    then(work)
                return result
            if retries.ticks() >= last_start:
                break
            retries.pause(attempt, last_start)
        if lost is not None:
            refuse(lost)
        raise Unavailable(CROWDED)

    @contextmanager
    def read(self) -> Iterator[Work]:
        """A consistent snapshot for reading; writes in it are discarded. Raises Unavailable."""
        with self.view() as connection:
            yield self.over(connection)

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """As `read`, without the modules: a reader that asks statements of its own makes none of them."""
        try:
            with self._reading() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            refuse(error)

    def over(self, connection: Connection) -> Work:
        """The store's modules, bound to a connection of `view`."""
        return Work(connection, self.clock, self._secrets, self._kept_pools)

    def look(self, ask: Callable[[Work], T], *, deadline: float = math.inf) -> tuple[Work, T]:
        """Read in a snapshot; retried once if the connection was lost or a standby gave up, within `patience_s`.

        deadline   as of `transact`: nothing is read after it

        Raises Unavailable.
        """
        again, last_start = True, self._retries.ticks() + self._retries.patience_s
        while True:
            self._in_time(deadline, _LATE_ANSWER)
            try:
                with self._reading() as connection:
                    self._in_time(deadline, _LATE_ANSWER)  # it may have waited for a connection
                    work = Work(connection, self.clock, self._secrets, self._kept_pools)
                    return work, ask(work)
            except PoolTimeout as error:
                refuse(error)
            except DBAPIError as error:
                if not again or self._retries.ticks() >= last_start or said(error)[0] not in AGAIN:
                    refuse(error)
                again = False

    def lost_secrets(self) -> str | None:
        """Say which secrets the key does not open, and the fix; None: all are. Raises Misconfigured, Unavailable."""
        with self.view() as connection:
            return self._secrets.lost(connection)

    def close(self) -> None:
        """Close every connection to the database."""
        self._writer.dispose()
        for reader in self._readers:
            reader.dispose()

    def _reading(self) -> Connection:
        """A connection for reading, to the first host that can be reached."""
        for reader in self._readers[:-1]:
            try:
                return reader.connect()
            except (OperationalError, InterfaceError) as error:
                log.warning(
                    "database host unreachable, reading from the next", host=reader.url.host, why=str(error.orig)
                )
        return self._readers[-1].connect()

    def _once(self, do: Callable[[Work], T], deadline: float, shares: bool) -> tuple[Work, T]:
        def one(work: Work) -> tuple[Work, T]:
            self._in_time(deadline)
            result = do(work)
            self._in_time(deadline)  # a process that was suspended for minutes must not undo changes made meanwhile
            return work, result

        if self._group is not None:
            limit = None if deadline == math.inf else Deadline(deadline, self._retries.ticks)
            done: tuple[Work, T] = self._group.run(one, limit, shares=shares)
            return done
        with self._writer.connect() as connection:
            transaction = connection.begin()
            work, result = one(self.over(connection))  # what it raises closes the connection, and that rolls back
            work.hints += work.ending.write(work.now)
            self._in_time(deadline)
            try:
                transaction.commit()
            except DBAPIError as error:
                if unsure(error):
                    raise Unavailable(_UNSURE) from error
                raise
            committed(connection)
            return work, result

    def _may_try_again(self, error: DBAPIError) -> None:
        """Raise the caller's Problem for an error that another run would meet too."""
        if self._group is not None and is_full(error):
            make_room(self._writer)
        if said(error)[0] not in AGAIN:
            refuse(error)

    def _in_time(self, deadline: float, late: str = _LATE) -> None:
        """Raise Unavailable after the deadline."""
        if self._retries.ticks() >= deadline:
            raise TooLate(late)
