# SPDX-License-Identifier: Apache-2.0
"""Nothing on the path of a change, a question or a page reads more beside many zones or in a large one, whether the
database's statistics are fresh, missing, or older than most of what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Engine

from redesignate.commands.base import Command
from redesignate.commands.rrsets import ListRRsets
from redesignate.commands.zones import ListZones
from redesignate.mdns.lookup import look_up
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.tsigkey import Scope
from redesignate.model.work import Task
from redesignate.model.zone import Zone
from redesignate.store import few, listing, migrate
from redesignate.store.served_zone import Reach
from redesignate.store.serving import Serving
from redesignate.wire.message import A
from tests.central.driver import CentralDriver, member
from tests.central.filling import OF_A_ZONE, add_zones, fill_zone
from tests.central.reading import Reading
from tests.store.databases import Database

ZONES, RRSETS = 8_000, 30_000
FEW = 200
"""Rows and index entries; of SQLite, fifties of instructions."""
A_PAGE = 800
WITH_DEPARTED = A_PAGE + few.FEW
"""A page of all zones, where one that was deleted and not yet purged has RRsets in it."""


@dataclass(frozen=True)
class Grown:
    """Central over a large database."""

    central: CentralDriver
    reading: Reading
    large: Zone
    statistics: str


DATABASES = {"sqlite": [], "postgres": [pytest.mark.external], "mariadb": [pytest.mark.external]}
STATES = ("old", "fresh", "missing")
"""Of the statistics, one after the other: of before the database grew, of now, and none."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Database, Grown]]]:
    """The large database of each kind, made by the first test that needs it."""
    known: dict[str, tuple[Database, Grown]] = {}
    yield known
    for database, grown in known.values():
        grown.central.close()
        database.drop(grown.central.store.url)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((kind, state), marks=marks, id=f"{kind}-{state}")
        for kind, marks in DATABASES.items()
        for state in STATES
        if (kind, state) != ("sqlite", "old")  # nobody but its operator gathers any
    ],
)
def grown(
    made: dict[str, tuple[Database, Grown]], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Grown:
    kind, state = request.param
    if kind not in made:
        server = None if kind == "sqlite" else request.getfixturevalue(kind)
        database = Database(kind, tmp_path_factory.mktemp("growth"), server)
        made[kind] = database, filled(database.new())
    database, large = made[kind]
    engine = large.central.store.engine
    if state != "old":
        {"fresh": gather_statistics, "missing": drop_statistics}[state](engine)
    for one in large.central.store.engines:
        one.dispose()  # SQLite reads them with the tables' names
    return replace(large, statistics=state)


def filled(url: str) -> Grown:
    """Its statistics are of before it grew."""
    migrate.upgrade(url)
    central = CentralDriver(url)
    reading = Reading(central.store)
    central.pool()
    add_zones(central, 300, name="s{}.example.com.")
    hold_statistics(central.store.engine)
    large = central.zone(name="large.example.org.")
    central.serve()
    add_zones(central, ZONES)
    fill_zone(central, large, RRSETS)
    return Grown(central, reading, large, "old")


def run(engine: Engine, *statements: str) -> None:
    with engine.connect() as conn:
        for statement in statements:
            conn.exec_driver_sql(statement)
        conn.commit()


def gather_statistics(engine: Engine) -> None:
    names = [table.name for table in OF_A_ZONE] + ["outbox"]
    run(engine, "ANALYZE TABLE " + ", ".join(names) if engine.dialect.name == "mysql" else "ANALYZE")


def hold_statistics(engine: Engine) -> None:
    """Gather them, and let the server not do it by itself again."""
    gather_statistics(engine)
    for table in OF_A_ZONE:
        if engine.dialect.name == "mysql":
            run(engine, f"ALTER TABLE {table.name} STATS_AUTO_RECALC = 0")
        elif engine.dialect.name == "postgresql":
            run(engine, f"ALTER TABLE {table.name} SET (autovacuum_enabled = off)")


def drop_statistics(engine: Engine) -> None:
    match engine.dialect.name:
        case "sqlite":
            run(engine, "DELETE FROM sqlite_stat1")
        case "postgresql":
            run(engine, "DELETE FROM pg_statistic")  # as in a backup that was restored: the tables' sizes are known
        case _:
            gone = [f"DELETE FROM mysql.innodb_{kind}_stats WHERE database_name = DATABASE()" for kind in STATISTICS]
            run(engine, *gone, *[f"FLUSH TABLE {table.name}" for table in OF_A_ZONE])
            for table in OF_A_ZONE:  # the server reads of a table that it opens; one row is enough
                run(engine, f"SELECT * FROM {table.name} LIMIT 1")


STATISTICS = ("table", "index")


def test_the_life_of_a_record_set_reads_little_of_a_large_zone(grown: Grown) -> None:
    central, zone = grown.central, grown.large
    made: list[Any] = []
    tasks: list[Task] = []
    steps: dict[str, Callable[[], object]] = {
        "create": lambda: made.append(central.rrset(zone, f"new-{grown.statistics}")),
        "begin": lambda: tasks.extend(central.begin(zone)),
        "report": lambda: central.said(tasks[0], said),
        "get": lambda: central.look(made[0]),
        "update": lambda: central.put(made[0], records=("192.0.2.7",), ttl=7),
        "zone": lambda: central.get(zone.id),
        "patch": lambda: central.patch(zone, description="x"),
        "delete": lambda: central.remove(made[0]),
    }
    spent = {}
    for name, act in steps.items():
        if name == "report":
            said = central.as_wanted(tasks[0])
        spent[name] = grown.reading.of(act)
    central.serve()
    assert max(spent.values()) <= FEW, spent


def test_the_life_of_a_zone_reads_little_beside_many(grown: Grown) -> None:
    central = grown.central
    made: list[Zone] = []
    tasks: list[Task] = []
    spent: dict[str, int] = {}

    def work() -> None:
        tasks[:] = central.begin(made[0])
        spent[f"report {len(spent)}"] = grown.reading.of(lambda: central.said(tasks[0], central.as_wanted(tasks[0])))

    name = f"{grown.statistics}.example.com."  # between others, below none
    spent["create"] = grown.reading.of(lambda: made.append(central.zone(name=name)))
    spent["work"] = grown.reading.of(work)
    spent["delete"] = grown.reading.of(lambda: central.delete(made[0]))
    spent["work on the deletion"] = grown.reading.of(work)
    assert max(spent.values()) <= FEW, spent


@pytest.mark.parametrize("label", ["h777", "nx", "a.b.nx", "nx.h777"])
def test_a_question_reads_little_of_a_large_zone(grown: Grown, label: str) -> None:
    name = f"{label}.{grown.large.name}"
    reach = Reach(Scope.POOL, grown.large.pool_id)

    def ask() -> None:
        with Serving(grown.central.store).read() as view:
            zone = view.nearest_zone([name, grown.large.name], reach)
            assert zone is not None
            found = look_up(view, zone, name, A, reach)
            assert bool(found.answer) == (label == "h777")
            view.latest(zone, zone.serial - 1)

    spent = grown.reading.of(ask)
    assert spent <= FEW


PAGES: dict[str, tuple[Condition, ...]] = {
    "all": (),
    "name": (Condition("name", Op.EQ, "h777.large.example.org."),),
    "no such name": (Condition("name", Op.EQ, "none.large.example.org."),),
    "type": (Condition("type", Op.EQ, "NS"),),
    "no such type": (Condition("type", Op.EQ, "TXT"),),
    "data": (Condition("data", Op.EQ, "10.0.3.9"),),
    "no such data": (Condition("data", Op.EQ, "10.255.3.9"),),
    "description": (Condition("description", Op.EQ, "host 775"),),
    "pending": (Condition("status", Op.EQ, "PENDING"),),
    "failed": (Condition("status", Op.EQ, "ERROR"),),
    "active": (Condition("status", Op.EQ, "ACTIVE"),),
}


@pytest.mark.parametrize("key", ["created_at", "updated_at", "zone_id", "name", "type", "ttl"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_few_reads_little_of_a_large_zone(grown: Grown, name: str, key: str) -> None:
    for descending in (False, True):
        query = ListQuery(limit=100, sort_key=key, descending=descending, conditions=PAGES[name])
        spent = read_of(grown, ListRRsets(caller=member(), zone_id=grown.large.id, query=query))
        assert spent <= A_PAGE


@pytest.mark.parametrize("key", ["created_at", "updated_at", "zone_id", "name", "type", "ttl"])
@pytest.mark.parametrize("name", [name for name in PAGES if name != "type"])
def test_a_page_of_few_reads_little_of_all_zones(grown: Grown, name: str, key: str) -> None:
    for descending in (False, True):
        query = ListQuery(
            limit=100, sort_key=key, descending=descending, conditions=PAGES[name], count=name not in ("all", "active")
        )
        spent = read_of(grown, ListRRsets(caller=member(), zone_id=None, query=query))
        assert spent <= WITH_DEPARTED


A_FEW_TIMES = 6 * (RRSETS + 2 * ZONES)
"""Of every RRset: what matches may all stand at the far end of the order, and is sorted then."""
OF_MANY: dict[str, Condition] = {
    "type": Condition("type", Op.EQ, "A"),
    "name x*": Condition("name", Op.LIKE, "h1*"),
    "ttl": Condition("ttl", Op.GE, "300"),
    "data x*": Condition("data", Op.LIKE, "10.0.*"),
    "description x*": Condition("description", Op.LIKE, "host 1*"),
    "created_at": Condition("created_at", Op.GT, "5"),
}


@pytest.mark.parametrize("key", ["created_at", "updated_at", "zone_id", "name", "type", "ttl"])
@pytest.mark.parametrize("name", OF_MANY)
def test_a_page_of_many_matches_reads_each_row_a_few_times_at_most(grown: Grown, name: str, key: str) -> None:
    for descending in (False, True):
        query = ListQuery(limit=100, sort_key=key, descending=descending, conditions=(OF_MANY[name],), count=False)
        for zone_id in (grown.large.id, None):
            spent = read_of(grown, ListRRsets(caller=member(), zone_id=zone_id, query=query))
            assert spent <= A_FEW_TIMES


PARTS: dict[str, tuple[Condition, str]] = {
    "type by creation": (Condition("type", Op.EQ, "NS"), "created_at"),
    "type by type": (Condition("type", Op.EQ, "NS"), "type"),
    "name": (Condition("name", Op.LIKE, "h1*"), "name"),
    "ttl": (Condition("ttl", Op.GE, "300"), "ttl"),
    "description": (Condition("description", Op.LIKE, "host 1*"), "description"),
    "created_at": (Condition("created_at", Op.GT, "5"), "created_at"),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_one_part_of_an_order_is_read_without_the_rest(grown: Grown, name: str) -> None:
    """However far on in the list it stands: the large zone's names were created after the NS of all others."""
    condition, key = PARTS[name]
    for descending in (False, True):
        query = ListQuery(limit=100, sort_key=key, descending=descending, conditions=(condition,), count=False)
        for zone_id in (grown.large.id, None):
            spent = read_of(grown, ListRRsets(caller=member(), zone_id=zone_id, query=query))
            assert spent <= WITH_DEPARTED, (zone_id, descending)


@pytest.mark.parametrize("sort_key", ["created_at", "name"])
def test_data_that_most_have_is_looked_for_only_until_many_are_found(grown: Grown, sort_key: str) -> None:
    """In all zones. The page itself walks at most `listing.FAR` rows of the order."""
    everywhere = (Condition("data", Op.LIKE, "*0*"),)
    query = ListQuery(limit=100, sort_key=sort_key, conditions=everywhere, count=False)
    spent = read_of(grown, ListRRsets(caller=member(), zone_id=None, query=query))
    assert spent <= (few.FEW if grown.central.store.engine.dialect.name == "sqlite" else 3 * listing.FAR)


@pytest.mark.parametrize("name", ["all", "active"])
def test_a_total_without_a_counter_is_counted_so_far_only(grown: Grown, name: str) -> None:
    needs_statistics(grown)
    query = ListQuery(limit=1, conditions=PAGES[name])
    command = ListRRsets(caller=member(), zone_id=None, query=query)
    assert grown.central.call(command).total == few.MANY
    assert read_of(grown, command) <= 2 * few.MANY + A_PAGE  # a database may count what it copied


def needs_statistics(grown: Grown) -> None:
    """PostgreSQL chooses blindly between the columns of a condition of which it knows nothing: a restored database is
    analysed (docs/production.md)."""
    if grown.statistics == "missing" and grown.central.store.engine.dialect.name == "postgresql":
        pytest.skip("needs statistics")


def read_of(grown: Grown, command: Command[Any]) -> int:
    """Rows that this question reads."""
    return grown.reading.of(lambda: grown.central.call(command))


ZONE_PAGES: dict[str, tuple[Condition, ...]] = {
    "all": (),
    "name": (Condition("name", Op.EQ, "z777.example.com."),),
    "below": (Condition("name", Op.LIKE, "*.s7.example.com."),),
    "type": (Condition("type", Op.EQ, "SECONDARY"),),
    "email": (Condition("email", Op.EQ, "nobody@example.org"),),
    "ttl": (Condition("ttl", Op.EQ, "77"),),
    "pending": (Condition("status", Op.EQ, "PENDING"),),
}


@pytest.mark.parametrize("key", ["created_at", "id", "updated_at", "name", "serial", "ttl", "status"])
@pytest.mark.parametrize("name", ZONE_PAGES)
def test_a_page_of_few_zones_reads_little(grown: Grown, name: str, key: str) -> None:
    if name in ("name", "email"):
        needs_statistics(grown)
    for descending in (False, True):
        query = ListQuery(
            limit=100, sort_key=key, descending=descending, conditions=ZONE_PAGES[name], count=bool(name != "all")
        )
        spent = read_of(grown, ListZones(caller=member(), query=query))
        assert spent <= A_PAGE
