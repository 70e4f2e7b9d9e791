# SPDX-License-Identifier: Apache-2.0
"""What each error of each database means: once more, 503, or a fault of ours; at the real databases where they can be
brought to say so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from redesignate.model.errors import Unavailable
from redesignate.store import migrate
from redesignate.store.engine import EngineOptions
from redesignate.store.errors import MYSQL, POSTGRES, SQLITE, Meaning, problem, said, unsure
from redesignate.store.unit import Retries, Store, Work
from tests.store.makers import zone
from tests.support.mariadb import PROVIDER, GaleraNode, MariaDB
from tests.support.postgres import Postgres

ONCE = Retries(attempts=1)


def wrapped(original: BaseException, *, statement: str | None = "SELECT 1", lost: bool = False) -> DBAPIError:
    """A driver's error as SQLAlchemy raises it."""
    found = DBAPIError.instance(statement, None, original, Exception, connection_invalidated=lost)
    assert isinstance(found, DBAPIError)
    return found


def mysql(number: int) -> DBAPIError:
    return wrapped(pymysql.err.OperationalError(number, "words"))


def postgres(state: str) -> DBAPIError:
    error = psycopg.OperationalError("words")
    error.sqlstate = state
    return wrapped(error)


def sqlite(code: int) -> DBAPIError:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    return wrapped(error)


AGAIN, BROKEN, NOT_NOW, OURS = Meaning.AGAIN, Meaning.BROKEN, Meaning.NOT_NOW, Meaning.OURS
MEANINGS: dict[Meaning, list[DBAPIError]] = {
    AGAIN: [
        *map(mysql, (1020, 1205, 1213, 1412, 1615, 3101)),
        *map(postgres, ("40001", "40P01", "55P03")),
        *map(sqlite, (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_LOCKED_SHAREDCACHE)),
    ],
    BROKEN: [
        *map(mysql, (1047, 1053, 1180, 1927, 2006, 2013, 4031)),
        *map(postgres, ("08006", "25P03", "25P04", "57P01", "57P02", "57P05")),
    ],
    NOT_NOW: [
        *map(mysql, (1021, 1040, 1041, 1045, 1049, 1114, 1135, 1203, 1206, 1226, 1290, 1317, 1637, 1792, 1836)),
        *map(mysql, (1969, 2002, 2003, 2005, 3024, 3100)),
        *map(postgres, ("25006", "28P01", "3D000", "53000", "53100", "53200", "53300", "53400", "57014", "57P03")),
        *map(postgres, ("58030",)),
        *map(sqlite, (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY_DBMOVED, sqlite3.SQLITE_IOERR_WRITE)),
        *map(sqlite, (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM)),
    ],
    OURS: [
        *map(mysql, (1054, 1062, 1064, 1146, 1267, 1406)),
        *map(postgres, ("22001", "23505", "42601", "42P01", "54001", "XX000")),
        *map(sqlite, (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE)),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "meaning"), [(error, meaning) for meaning, errors in MEANINGS.items() for error in errors], ids=str
)
def test_each_error_means_what_the_table_says(error: DBAPIError, meaning: Meaning) -> None:
    assert said(error)[0] is meaning
    found = problem(error)
    assert (found is None) is (meaning is OURS)
    if found is not None:
        assert (found.status, isinstance(found, Unavailable)) == (503, True)
        assert "words" not in found.message, "a server's own words may name hosts, users or rows"


def test_no_line_of_a_table_calls_a_fault_ours() -> None:
    lines = [*MYSQL.values(), *POSTGRES.values(), *SQLITE.values()]
    assert all(meaning is not OURS and why for meaning, why in lines)


def test_a_refused_connection_is_not_now_and_a_lost_one_is_run_again() -> None:
    unknown = psycopg.OperationalError("connection failed")
    assert said(wrapped(unknown, statement=None))[0] is NOT_NOW
    assert said(wrapped(unknown, lost=True))[0] is BROKEN
    assert said(wrapped(unknown))[0] is OURS
    tls = pymysql.err.OperationalError(2026, "TLS/SSL error: unexpected eof")  # mysqlclient says no more
    assert said(wrapped(tls, statement=None))[0] is NOT_NOW
    assert said(wrapped(tls, lost=True))[0] is BROKEN


def test_a_commit_is_run_again_only_where_it_is_certain_that_nothing_was_saved() -> None:
    certain = [mysql(1213), mysql(1290), postgres("40001"), postgres("25006")]
    unclear = [mysql(1047), mysql(1180), mysql(2013), postgres("57P01"), wrapped(psycopg.Error("gone"), lost=True)]
    assert [unsure(error) for error in certain] == [False] * 4
    assert [unsure(error) for error in unclear] == [True] * 5


# -- the real ones


@dataclass
class Bent:
    """A real database whose server can be brought to refuse, and ordinary users of it."""

    server: Postgres | MariaDB
    url: str
    user: str

    def tell(self, *statements: str) -> None:
        """As its administrator."""
        admin = Store(self.url)
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(text(statement))
        admin.close()

    def store(self, **options: Any) -> Store:
        """As the ordinary user."""
        return Store(self.url.replace(f"{self.user}@", "plain@"), retries=ONCE, options=EngineOptions(**options))


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[MariaDB]:
    server = MariaDB.create()
    yield server
    server.close()


@pytest.fixture
def mariadb_of_mine(own_mariadb: MariaDB) -> Bent:
    """On a server of this module's own: what it refuses, it refuses to everybody."""
    made = Bent(own_mariadb, own_mariadb.database(), "root")
    migrate.upgrade(made.url)
    made.tell("CREATE OR REPLACE USER plain@'%'", "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO plain@'%'")
    return made


@pytest.fixture
def postgres_of_mine(postgres: Postgres) -> Iterator[Bent]:
    made = Bent(postgres, postgres.database(), "redesignate")
    migrate.upgrade(made.url)
    made.tell(
        "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain",
    )  # fmt: skip
    yield made
    made.tell("DROP OWNED BY plain", "DROP ROLE plain")
    postgres.drop(made.url)


def add_zone(work: Work) -> None:
    work.zones.add(zone(), apex_version=1, rrsets=0)


def sql(statement: str) -> Callable[[Work], object]:
    return lambda work: work.conn.execute(text(statement))


def refused(store: Store, do: Callable[[Work], object], why: str) -> None:
    """It is a 503, and the store is of use when the cause is gone."""
    with pytest.raises(Unavailable, match=why):
        store.transact(do)


@pytest.mark.external
def test_a_mariadb_that_is_read_only_is_a_503(mariadb_of_mine: Bent) -> None:
    store = mariadb_of_mine.store()
    store.transact(add_zone)
    mariadb_of_mine.tell("SET GLOBAL read_only = 1")
    try:
        refused(store, add_zone, "read-only")
        store.look(lambda work: work.zones.get("x"))
    finally:
        mariadb_of_mine.tell("SET GLOBAL read_only = 0")
    store.transact(add_zone)
    store.close()


@pytest.mark.external
def test_a_read_only_transaction_of_mariadb_is_a_503(mariadb_of_mine: Bent) -> None:
    store = mariadb_of_mine.store()

    def do(work: Work) -> None:
        for statement in ("ROLLBACK", "SET SESSION TRANSACTION READ ONLY", "BEGIN"):
            work.conn.execute(text(statement))
        add_zone(work)

    refused(store, do, "read-only")
    store.transact(add_zone)
    store.close()


@pytest.mark.external
@pytest.mark.parametrize(
    ("limit", "back"),
    [
        ("SET GLOBAL max_connections = 10", "SET GLOBAL max_connections = 300"),
        ("ALTER USER plain@'%' WITH MAX_USER_CONNECTIONS 1", "ALTER USER plain@'%' WITH MAX_USER_CONNECTIONS 0"),
    ],
)
def test_a_mariadb_without_a_free_connection_is_a_503(mariadb_of_mine: Bent, limit: str, back: str) -> None:
    mariadb_of_mine.tell(limit)
    held = []
    store = mariadb_of_mine.store(pool_size=20)
    try:
        with suppress(DBAPIError):
            while True:
                held.append(store.engine.connect())
        refused(store, add_zone, "too many connections")
    finally:
        for connection in held:
            connection.close()
        store.engine.dispose()
        mariadb_of_mine.tell(back)
    store.transact(add_zone)
    store.close()


@pytest.mark.external
def test_a_full_table_of_mariadb_is_a_503(mariadb_of_mine: Bent) -> None:
    store = Store(mariadb_of_mine.url, retries=ONCE)

    def do(work: Work) -> None:
        work.conn.execute(text("SET SESSION max_heap_table_size = 16384"))
        work.conn.execute(text("CREATE TEMPORARY TABLE much (i INT, n CHAR(200)) ENGINE = MEMORY"))
        work.conn.execute(text("INSERT INTO much VALUES (:i, :n)"), [{"i": n, "n": "x" * 200} for n in range(1000)])

    refused(store, do, "disk is full")
    store.close()


LONG = {
    "mariadb": "SELECT COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b,"
    " information_schema.COLUMNS c WHERE a.COLUMN_NAME < b.COLUMN_NAME AND b.COLUMN_NAME < c.COLUMN_NAME",
    "postgres": "SELECT pg_sleep(60)",
}


@pytest.fixture(params=["mariadb", "postgres"])
def mine(request: pytest.FixtureRequest) -> Bent:
    """One of the two."""
    made: Bent = request.getfixturevalue(f"{request.param}_of_mine")
    return made


def kind(of: Bent) -> str:
    return of.server.kind


@pytest.mark.external
def test_a_statement_that_takes_too_long_is_a_503(mine: Bent) -> None:
    store = mine.store(statement_s=1)
    refused(store, sql(LONG[kind(mine)]), "took too long")
    with pytest.raises(Unavailable, match="took too long"):
        store.look(sql(LONG[kind(mine)]))
    store.transact(add_zone)
    store.close()


@pytest.mark.external
def test_a_row_that_is_held_for_long_is_a_503_within_the_lock_wait(mine: Bent) -> None:
    store, one = mine.store(lock_wait_s=1), zone()
    store.transact(lambda work: work.zones.add(one, apex_version=1, rrsets=0))
    with store.engine.connect() as holder, holder.begin():
        holder.execute(text("SELECT id FROM zones FOR UPDATE"))
        refused(store, lambda work: work.zones.lock(one.id), "too many requests at once")
    store.transact(lambda work: work.zones.lock(one.id))
    store.close()


@pytest.mark.external
def test_whoever_sleeps_in_a_transaction_loses_it_with_its_locks(mine: Bent) -> None:
    """A process that froze holds the zone's row for `idle_s`; when it wakes, its transaction is begun anew."""
    store, other, one = mine.store(idle_s=1), mine.store(), zone()
    store.transact(lambda work: work.zones.add(one, apex_version=1, rrsets=0))
    retried = Store(str(store.url), options=EngineOptions(idle_s=1))
    tries = []

    def sleeper(work: Work) -> None:
        tries.append(1)
        work.zones.lock(one.id)
        if len(tries) == 1:
            other.transact(lambda held: held.zones.lock(one.id))  # waits until the server has ended the sleeper's
        assert work.zones.get(one.id) == one

    retried.transact(sleeper)
    assert len(tries) == 2
    for made in (store, other, retried):
        made.close()


@pytest.fixture(scope="module")
def galera() -> Iterator[GaleraNode]:
    if not Path(PROVIDER).exists():
        pytest.skip("no Galera here")
    node = GaleraNode.create()
    yield node
    node.close()


@pytest.mark.external
def test_a_galera_node_without_quorum_is_a_503_and_its_connections_are_not_kept(galera: GaleraNode) -> None:
    url = galera.database()
    migrate.upgrade(url)
    store = Store(url, retries=Retries(attempts=2))
    store.transact(add_zone)
    pids = [store.transact(lambda work: work.conn.execute(text("SELECT CONNECTION_ID()")).scalar_one())]
    galera.ready(False)
    refused(store, add_zone, "no quorum")
    with pytest.raises(Unavailable, match="no quorum"):
        store.look(lambda work: work.zones.get("x"))
    galera.ready(True)
    store.transact(add_zone)
    pids.append(store.transact(lambda work: work.conn.execute(text("SELECT CONNECTION_ID()")).scalar_one()))
    assert pids[0] != pids[1]
    store.close()


@pytest.mark.external
def test_a_commit_on_a_galera_node_that_has_lost_its_quorum_is_not_run_again(galera: GaleraNode) -> None:
    url = galera.database()
    migrate.upgrade(url)
    store, tries = Store(url), []

    def do(work: Work) -> None:
        tries.append(1)
        add_zone(work)
        galera.ready(False)

    refused(store, do, "may have been saved")
    galera.ready(True)
    assert len(tries) == 1
    store.close()


@pytest.mark.external
def test_a_postgresql_that_is_read_only_is_a_503(postgres_of_mine: Bent) -> None:
    name = postgres_of_mine.url.rpartition("/")[2]
    postgres_of_mine.tell(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    store = postgres_of_mine.store()
    refused(store, add_zone, "read-only")
    postgres_of_mine.tell("SET default_transaction_read_only = off",
                          f'ALTER DATABASE "{name}" RESET default_transaction_read_only')  # fmt: skip
    store.transact(add_zone)
    store.close()


@pytest.mark.external
def test_a_postgresql_without_a_free_connection_is_a_503(postgres_of_mine: Bent) -> None:
    postgres_of_mine.tell("ALTER ROLE plain CONNECTION LIMIT 1")
    store = postgres_of_mine.store()
    with store.engine.connect():
        refused(store, add_zone, "unavailable")
    store.transact(add_zone)
    store.close()


@pytest.mark.external
def test_a_postgresql_out_of_a_resource_is_a_503(postgres_of_mine: Bent) -> None:
    postgres_of_mine.tell("ALTER ROLE plain SET temp_file_limit = '64kB'", "ALTER ROLE plain SET work_mem = '64kB'")
    store = postgres_of_mine.store()
    refused(store, sql("SELECT COUNT(*) FROM (SELECT g FROM generate_series(1, 200000) g ORDER BY -g) x"), "resources")
    store.transact(add_zone)
    store.close()


# -- files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "folder" / "db.sqlite"
    made.parent.mkdir()
    migrate.upgrade(f"sqlite:///{made}")
    return made


def test_a_sqlite_file_that_is_gone_with_its_folder_is_a_503(file: Path) -> None:
    store = Store(f"sqlite:///{file}", retries=ONCE)
    file.parent.rename(file.parent.with_name("elsewhere"))
    refused(store, add_zone, "cannot be opened")
    file.parent.with_name("elsewhere").rename(file.parent)
    store.transact(add_zone)
    store.close()


def test_a_sqlite_file_that_may_not_be_written_is_a_503(file: Path) -> None:
    store = Store(f"sqlite:///{file}", retries=ONCE)

    def do(work: Work) -> None:
        work.conn.exec_driver_sql("PRAGMA query_only = ON")
        try:
            add_zone(work)
        finally:
            work.conn.exec_driver_sql("PRAGMA query_only = OFF")

    refused(store, do, "read-only")
    store.transact(add_zone)
    store.close()
