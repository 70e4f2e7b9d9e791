# SPDX-License-Identifier: Apache-2.0
"""Databases alone: the very statements of record set creates, sent again by a bare loop over the driver.

Central creates the record sets in one database while its statements are recorded with their binds; a copy that was
taken before hears them again, so that every row is found and written as it was, by nobody but the driver.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench.beside import companion
from bench.figures import Figure
from bench.floors.rounds import rated, serve_rounds
from bench.requests import address
from bench.work import RUNS, in_words
from redesignate.commands.rrsets import CreateRRset
from redesignate.model.rrset import NewRRset
from redesignate.model.zone import Zone
from redesignate.store import migrate
from redesignate.store.engine import engine
from tests.central.driver import CentralDriver, member
from tests.support.mariadb import MariaDB

Statement = tuple[str, Any, bool]
"""Its text, its binds, and whether there are several sets of them."""
Transaction = list[Statement]
EACH = 400
"""Record sets of one round for each second that a round is to take, about."""
SHARED = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to create them.

    connections  one thread and one zone each
    together     record sets in a transaction
    """

    connections: int
    together: int

    def words(self, database: str) -> str:
        """The figure's name."""
        many = f"{self.together} in a transaction" if self.together > 1 else "one a transaction"
        zones = ", a zone each" if self.connections > 1 else ""
        return f"record set creates in {database} alone, {many}, {in_words(self.connections)}{zones}"


def figures(folder: Path, seconds: float) -> Iterator[Figure]:
    """MariaDB and SQLite."""
    each = max(SHARED, round(EACH * seconds) // SHARED * SHARED)
    for kind in (Kind(1, 1), Kind(1, SHARED)):
        place = folder / f"floor-{kind.together}"
        place.mkdir()
        yield _sqlite(place, kind, each)
    server = MariaDB.create()
    try:
        for kind in (Kind(1, 1), Kind(8, 1), Kind(1, SHARED)):
            yield _mariadb(server, kind, each)
    finally:
        server.close()


def _sqlite(folder: Path, kind: Kind, each: int) -> Figure:
    file, copy = folder / "recorded.db", folder / "copy.db"

    def keep() -> str:
        shutil.copy(file, copy)
        return f"sqlite:///{copy}"

    url, rounds = recorded(f"sqlite:///{file}", keep, kind, each)
    with companion(replay, url, rounds) as loop:
        return rated(kind.words("SQLite"), loop, {"driver": [loop.pid]})


def _mariadb(server: MariaDB, kind: Kind, each: int) -> Figure:
    source, copy = server.database(), server.database()

    def keep() -> str:
        server.restore(copy, server.back_up(source))
        return copy

    url, rounds = recorded(source, keep, kind, each)
    with companion(replay, url, rounds) as loop:
        return rated(kind.words("MariaDB"), loop, {"driver": [loop.pid], "database": [server.pid]})


def recorded(url: str, keep: Callable[[], str], kind: Kind, each: int) -> tuple[str, list[list[list[Transaction]]]]:
    """Record the creates of every round. Returns a database that has not seen them, and their transactions by round and
    connection.

    url   of an empty database
    keep  makes a copy of it, once it is filled and closed, and returns its URL
    each  record sets of a round
    """
    migrate.upgrade(url)
    central = CentralDriver(url)
    central.pool()
    zones = [central.zone(f"floor{n}.example.") for n in range(kind.connections)]
    central.close()
    copy = keep()
    central = CentralDriver(url)
    rounds: list[list[list[Transaction]]] = []
    share = each // kind.connections // kind.together
    for number in range(RUNS + 1):
        rounds.append([[_recorded(central, zone, f"r{number}t{at}", kind) for at in range(share)] for zone in zones])
    central.close()
    return copy, rounds


def _recorded(central: CentralDriver, zone: Zone, label: str, kind: Kind) -> Transaction:
    """The statements of one transaction of creates. SQLite's writers share one without seeing each other; elsewhere a
    convoy writes once what they have in common."""
    commands = [
        CreateRRset(
            caller=member(),
            zone_id=zone.id,
            new=NewRRset(name=f"{label}n{at}.{zone.name}", type="A", records=(address(at),)),
        )
        for at in range(kind.together)
    ]
    with heard(central) as statements:
        if central.store.engine.dialect.name == "sqlite":
            for command in commands:
                central.call(command)
        else:
            central.service.together(commands)
    return statements


@contextmanager
def heard(central: CentralDriver) -> Iterator[Transaction]:
    """The statements that run inside with their binds, without BEGIN and COMMIT."""
    seen: Transaction = []

    def note(_c: Any, _cursor: Any, statement: str, binds: Any, _context: Any, many: bool) -> None:
        if not statement.startswith("BEGIN"):
            seen.append((statement, binds, many))

    for one in central.store.engines:
        event.listen(one, "before_cursor_execute", note)
    yield seen
    for one in central.store.engines:
        event.remove(one, "before_cursor_execute", note)


def replay(pipe: Connection, url: str, rounds: Sequence[Sequence[Sequence[Transaction]]]) -> None:
    """Send the statements of a round again, over as many connections as they came by."""
    made = engine(url, writes=True)
    taken = [made.raw_connection() for _ in rounds[0]]
    drivers: list[Any] = [one.driver_connection for one in taken]
    is_sqlite = made.dialect.name == "sqlite"
    sizes = [sum(_creates(one) for some in each for one in some) for each in rounds]
    with ThreadPoolExecutor(len(drivers)) as threads:

        def do(number: int) -> int:
            list(threads.map(lambda pair: again(*pair, is_sqlite=is_sqlite), zip(drivers, rounds[number], strict=True)))
            return sizes[number]

        serve_rounds(pipe, do)


def _creates(statements: Transaction) -> int:
    """How many record sets a transaction makes."""
    return sum(len(binds) if many else 1 for text, binds, many in statements if text.startswith("INSERT INTO rrsets "))


def again(driver: Any, transactions: Sequence[Transaction], *, is_sqlite: bool) -> None:
    """Send transactions over one connection, and commit each."""
    for statements in transactions:
        cursor = driver.cursor()
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        for text, binds, many in statements:
            (cursor.executemany if many else cursor.execute)(text, binds)
            if cursor.description:
                cursor.fetchall()
        cursor.close()
        driver.commit()
