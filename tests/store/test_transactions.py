# SPDX-License-Identifier: Apache-2.0
"""The unit of work: lost races are run again, broken connections are mended, an absent database is a 503."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from redesignate.commands.hint import Hint, Kind
from redesignate.model.errors import Unavailable
from redesignate.model.paging import ListQuery
from redesignate.model.zone import Zone
from redesignate.store import migrate
from redesignate.store.engine import EngineOptions
from redesignate.store.unit import Retries, Store, Work
from redesignate.store.zones import Stale
from tests.store.databases import Database
from tests.store.makers import add, counted, held, new_id, queued, zone
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres


def in_thread(act: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run it; what it gave or raised comes into the list."""
    ends: list[object] = []

    def run() -> None:
        try:
            ends.append(act())
        except BaseException as error:  # noqa: BLE001  # handed to the test
            ends.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ends


def test_what_is_left_well_is_committed_and_what_is_left_by_an_exception_is_not(store: Store) -> None:
    one, two = zone(), zone()
    add(store, one)

    def fails(work: Work) -> None:
        work.zones.add(two, apex_version=1, rrsets=0)
        raise KeyError("no")

    with pytest.raises(KeyError):
        store.transact(fails)
    with store.read() as work:
        assert work.zones.many([one.id, two.id]).keys() == {one.id}


def test_then_runs_once_after_the_commit(store: Store) -> None:
    one, seen = zone(), []
    hint = Hint(Kind.OUTBOUND, one.id)

    def then(work: Work) -> None:
        with store.read() as reading:
            seen.append((work.hints, reading.zones.get(one.id)))

    def do(work: Work) -> None:
        work.zones.add(one, apex_version=1, rrsets=0)
        work.hints.append(hint)

    store.transact(do, then=then)
    assert seen == [([hint], one)]


def test_a_stale_row_is_read_again(store: Store) -> None:
    one = zone()
    add(store, one)
    tries = []

    def do(work: Work) -> None:
        tries.append(work.zones.get(one.id))
        if len(tries) < 4:
            raise Stale

    store.transact(do)
    assert tries == [one] * 4


@dataclass
class Moved:
    """A monotonic clock that waiting moves, and nothing else."""

    at: float = 100.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def moved() -> Moved:
    return Moved()


@pytest.fixture
def timed(shared_url: str, moved: Moved) -> Iterator[Store]:
    """A store whose clock is `moved`; three runs of a use-case, ten seconds for all."""
    retries = Retries(attempts=3, patience_s=10, ticks=moved.now, sleep=moved.sleep, uniform=lambda _low, high: high)
    made = Store(shared_url, retries=retries)
    yield made
    made.close()


def test_a_race_lost_for_ever_is_a_503(timed: Store, moved: Moved) -> None:
    tries = []

    def do(_work: Work) -> None:
        tries.append(moved.at)
        raise Stale

    with pytest.raises(Unavailable, match="too many requests at once"):
        timed.transact(do)
    assert tries == pytest.approx([100, 100.008, 100.024])


def test_no_run_begins_when_patience_is_over(timed: Store, moved: Moved) -> None:
    tries = []

    def slow(_work: Work) -> None:
        tries.append(moved.at)
        moved.sleep(6)
        raise Stale

    with pytest.raises(Unavailable):
        timed.transact(slow)
    assert len(tries) == 2


def test_a_long_change_without_a_deadline_is_committed(timed: Store, moved: Moved) -> None:
    one = zone()

    def long(work: Work) -> None:
        work.zones.add(one, apex_version=1, rrsets=0)
        moved.sleep(3600)

    timed.transact(long)
    with timed.read() as work:
        assert work.zones.get(one.id) == one


def test_what_comes_after_its_deadline_is_not_begun(timed: Store, moved: Moved) -> None:
    tries: list[int] = []
    with pytest.raises(Unavailable, match="not carried out in time"):
        timed.transact(lambda _work: tries.append(1), deadline=moved.at)
    assert tries == []


def test_what_slept_past_its_deadline_is_not_committed(timed: Store, moved: Moved) -> None:
    one, told = zone(), []

    def sleeper(work: Work) -> None:
        work.zones.add(one, apex_version=1, rrsets=0)
        moved.sleep(5)

    with pytest.raises(Unavailable, match="nothing was saved"):
        timed.transact(sleeper, then=lambda _work: told.append(1), deadline=moved.at + 5)
    assert told == []
    with timed.read() as work:
        assert work.zones.get(one.id) is None


def test_a_lost_race_is_not_run_again_after_the_deadline(timed: Store, moved: Moved) -> None:
    tries = []

    def do(_work: Work) -> None:
        tries.append(1)
        moved.sleep(1)
        raise Stale

    with pytest.raises(Unavailable):
        timed.transact(do, deadline=moved.at + 1)
    assert len(tries) == 1


def test_nothing_is_read_after_the_deadline(timed: Store, moved: Moved) -> None:
    reads = []
    timed.look(lambda _work: reads.append(1), deadline=moved.at + 1)
    with pytest.raises(Unavailable, match="did not answer in time"):
        timed.look(lambda _work: reads.append(2), deadline=moved.at)
    assert reads == [1]


@pytest.mark.parametrize(("wait_s", "within_s", "runs"), [(1, math.inf, 2), (1, 1, 1), (10, math.inf, 1)])
def test_a_read_whose_connection_was_lost_is_repeated_neither_after_the_deadline_nor_after_a_long_wait(
    timed: Store, moved: Moved, wait_s: float, within_s: float, runs: int
) -> None:
    reads = []

    def lose(_work: Work) -> None:
        reads.append(1)
        moved.sleep(wait_s)
        raise OperationalError("SELECT", {}, Exception("lost"), connection_invalidated=True)

    with pytest.raises(Unavailable, match="did not answer in time" if within_s == 1 else "was lost"):
        timed.look(lose, deadline=moved.at + within_s)
    assert len(reads) == runs


def test_writing_in_a_snapshot_is_thrown_away(store: Store) -> None:
    one = zone()
    with store.read() as work:
        if store.engine.dialect.name != "sqlite":  # whose readers may not write at all while another does
            work.zones.add(one, apex_version=1, rrsets=0)
    with store.read() as work:
        assert work.zones.get(one.id) is None


def test_a_snapshot_stays_as_it_was_while_a_writer_commits(store: Store) -> None:
    one = zone(project_id=new_id())
    add(store, one)
    query = ListQuery()
    with store.read() as work:
        before = work.zones.listed(query, project_id=one.project_id, catalogs=False)
        store.transact(lambda unit: unit.zones.advance(one, structs.replace(one, revision=2, serial=7)))
        store.transact(lambda unit: unit.rrsets.add([held(one)]))
        add(store, zone(project_id=one.project_id))
        assert work.zones.listed(query, project_id=one.project_id, catalogs=False) == before
        assert work.zones.get(one.id) == one
        found = work.rrsets.listed(query, zone_id=one.id, project_id=None)
        assert found is not None
        assert found.items == ()
    with store.read() as work:
        assert work.zones.get(one.id) == structs.replace(one, revision=2, serial=7)


def test_writers_of_one_zone_queue(store: Store) -> None:
    one = zone()
    add(store, one)

    def step(work: Work) -> None:
        held = work.zones.lock(one.id)
        assert held is not None
        before = held[0]
        work.zones.advance(before, structs.replace(before, revision=before.revision + 1, serial=before.serial))

    threads = [in_thread(lambda: [store.transact(step) for _ in range(10)]) for _ in range(6)]
    for thread, _ in threads:
        thread.join()
    assert not [end for _, ends in threads for end in ends if isinstance(end, BaseException)]
    with store.read() as work:
        found = work.zones.get(one.id)
    assert found is not None
    assert found.revision == 61


def test_of_many_threads_one_leases_a_row(store: Store) -> None:
    zones = [zone() for _ in range(5)]
    for one in zones:
        store.transact(lambda work, one=one: work.outbox.enqueue([one], 10))  # type: ignore[misc]
    ids = [one.id for one in zones]
    start = threading.Barrier(8)

    def lease(name: str) -> Callable[[], object]:
        def run() -> int:
            start.wait()
            return store.transact(lambda work: work.outbox.lease(name, ids, 100, 10**8))

        return run

    threads = [in_thread(lease(f"w{n}")) for n in range(8)]
    for thread, _ in threads:
        thread.join()
    got: list[Any] = [ends[0] for _, ends in threads]
    assert sum(got) == len(ids)
    owners = Counter(row.lease_owner for row in queued(store, *ids).values())
    assert sorted(owners.values()) == sorted(count for count in got if count)


def test_a_new_counter_is_counted_once_by_everybody(store: Store) -> None:
    project = new_id()
    start = threading.Barrier(6)

    def count() -> int:
        start.wait()
        return store.transact(lambda work: counted(work, project, 1))

    threads = [in_thread(count) for _ in range(6)]
    for thread, _ in threads:
        thread.join()
    assert sorted(ends[0] for _, ends in threads) == [1, 2, 3, 4, 5, 6]  # type: ignore[type-var]


# -- real deadlocks and serialisation failures


def cross(store: Store, one: Zone, other: Zone) -> list[int]:
    """Two threads lock two rows in opposite orders, so that one of them must lose; how often each ran."""
    tries, first_round = [0, 0], threading.Barrier(2)

    def taker(own: int, rows: tuple[Zone, Zone]) -> Callable[[], object]:
        def do(work: Work) -> None:
            tries[own] += 1
            assert work.zones.lock(rows[0].id)
            if tries[own] == 1:
                first_round.wait(10)
            held = work.zones.lock(rows[1].id)
            assert held is not None
            before = held[0]
            work.zones.advance(before, structs.replace(before, revision=before.revision + 1))

        return lambda: store.transact(do)

    threads = [in_thread(taker(0, (one, other))), in_thread(taker(1, (other, one)))]
    for thread, ends in threads:
        thread.join()
        assert ends == [None]
    return tries


@pytest.mark.external
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_deadlock_is_run_again(kind: str, request: pytest.FixtureRequest) -> None:
    server: Postgres | MariaDB = request.getfixturevalue(kind)
    url = server.database()
    migrate.upgrade(url)
    store = Store(url)
    one, other = zone(), zone()
    add(store, one, other)
    assert sorted(cross(store, one, other))[1] >= 2
    with store.read() as work:
        assert {found.revision for found in work.zones.many([one.id, other.id]).values()} == {2}
    store.close()
    server.drop(url)


@pytest.mark.external
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_serialisation_failure_or_lock_timeout_is_run_again(kind: str, request: pytest.FixtureRequest) -> None:
    """PostgreSQL says 40001 to a snapshot that was overtaken, MariaDB 1205 to who waited too long."""
    server: Postgres | MariaDB = request.getfixturevalue(kind)
    url = server.database()
    migrate.upgrade(url)
    store = Store(url)
    one = zone()
    add(store, one)
    tries: list[int] = []
    level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    impatient = "SET SESSION innodb_lock_wait_timeout = 1"

    holder = store.engine.connect()
    holding = holder.begin()

    def do(work: Work) -> None:
        tries.append(1)
        work.conn.execute(text(level if kind == "postgres" else impatient))
        before = work.zones.get(one.id)
        assert before is not None
        if len(tries) == 1:
            holder.execute(text("UPDATE zones SET ttl = 7 WHERE id = :i"), {"i": one.id})
            if kind == "postgres":
                holding.commit()
        elif holding.is_active:
            holding.commit()
        work.zones.advance(before, structs.replace(before, revision=before.revision + 1))

    store.transact(do)
    assert len(tries) == 2
    with store.read() as work:
        found = work.zones.get(one.id)
    assert found is not None
    assert (found.revision, found.ttl) == (2, 7)
    holder.close()
    store.close()
    server.drop(url)


# -- broken connections

KILL = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mysql": ("SELECT CONNECTION_ID()", "KILL {}"),
}


@pytest.fixture
def server_store(store: Store) -> Store:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("a file has no connection to break")
    return store


def kill(store: Store, work: Work) -> None:
    """Cut the connection of this transaction."""
    which, how = KILL[store.engine.dialect.name]
    ident = work.conn.execute(text(which)).scalar_one()
    other = Store(store.url)
    with other.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(how.format(ident)))
    other.close()


def test_a_connection_killed_before_the_commit_is_run_again(server_store: Store) -> None:
    one, tries = zone(), []

    def do(work: Work) -> None:
        tries.append(1)
        work.zones.add(one, apex_version=1, rrsets=0)
        if len(tries) == 1:
            kill(server_store, work)
        assert work.zones.get(one.id) == one

    server_store.transact(do)
    assert len(tries) == 2
    with server_store.read() as work:
        assert work.zones.get(one.id) == one


def test_a_connection_killed_at_the_commit_is_not_run_again(server_store: Store) -> None:
    one, tries = zone(), []

    def do(work: Work) -> None:
        tries.append(1)
        work.zones.add(one, apex_version=1, rrsets=0)
        kill(server_store, work)

    with pytest.raises(Unavailable, match="may have been saved"):
        server_store.transact(do)
    assert len(tries) == 1


def test_a_question_survives_a_dead_connection(server_store: Store) -> None:
    one = zone()
    add(server_store, one)
    tries = []

    def ask(work: Work) -> Zone | None:
        tries.append(1)
        if len(tries) == 1:
            kill(server_store, work)
        return work.zones.get(one.id)

    _, found = server_store.look(ask)
    assert (found, len(tries)) == (one, 2)


def test_a_fault_of_our_own_is_not_called_the_databases(store: Store) -> None:
    with pytest.raises(DBAPIError):
        store.transact(lambda work: work.conn.execute(text("SELECT nonsense FROM nowhere")))
    with pytest.raises(DBAPIError):
        store.look(lambda work: work.conn.execute(text("SELECT nonsense FROM nowhere")))


@pytest.fixture(params=[Postgres, MariaDB], ids=["postgres", "mariadb"])
def own_server(request: pytest.FixtureRequest) -> Iterator[Postgres | MariaDB]:
    """A server that the test may stop."""
    server: Postgres | MariaDB = request.param.create()
    yield server
    server.close()


@pytest.mark.external
def test_a_database_that_is_away_is_a_503_and_comes_back(own_server: Postgres | MariaDB) -> None:
    url = own_server.database()
    migrate.upgrade(url)
    store = Store(url)
    one, two = zone(), zone()
    add(store, one)
    own_server.kill()
    for _ in range(2):
        with pytest.raises(Unavailable):
            add(store, two)
        with pytest.raises(Unavailable):
            store.look(lambda work: work.zones.get(one.id))
        with pytest.raises(Unavailable), store.read() as work:
            work.zones.get(one.id)
    own_server.start()
    add(store, two)
    assert store.look(lambda work: work.zones.get(one.id))[1] == one
    with store.read() as work:
        assert work.zones.get(two.id) == two
    store.close()


def test_no_free_connection_is_a_503(database: Database) -> None:
    url = database.new()
    migrate.upgrade(url)
    store = Store(url, options=EngineOptions(pool_size=1, max_overflow=0, pool_timeout=0.05))
    with store.read(), pytest.raises(Unavailable), store.read():
        pass
    if store.engine.dialect.name != "sqlite":
        with store.engine.connect(), pytest.raises(Unavailable):
            store.transact(lambda work: None)
    store.close()
    database.drop(url)
