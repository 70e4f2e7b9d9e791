# SPDX-License-Identifier: Apache-2.0
"""What mdns asks is found by an index on each database, also when its statistics know nothing of the one large zone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Executable, event

from redesignate.model.names import order_key
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Zone
from redesignate.store import serving_statements as statements
from redesignate.store.fast import Rows
from redesignate.store.served_zone import Reach
from redesignate.store.serving import Snapshot
from redesignate.store.unit import Store
from tests.store.makers import add, held, new_id, zone

LARGE = 20_000


class Explaining(Snapshot):
    """A view that asks for the plan of what it asks, and keeps it."""

    def __init__(self, store: Store, conn: Connection) -> None:
        super().__init__(store, conn)
        self.plans: list[str] = []

    def _run(self, statement: Executable, given: dict[str, Any]) -> Rows:
        ran: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
            ran.append((sql, parameters))

        conn = self._conn
        event.listen(conn.engine, "before_cursor_execute", note)
        found = super()._run(statement, given)
        event.remove(conn.engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if conn.dialect.name == "sqlite" else "EXPLAIN "
        for sql, parameters in ran:
            self.plans += [" ".join(map(str, row)) for row in conn.exec_driver_sql(explain + sql, parameters)]
        return found


class Stumbling(Snapshot):
    """A view whose statements fail while `fails`, by an error that nobody has foreseen."""

    fails = False

    def _run(self, statement: Executable, given: dict[str, Any]) -> Rows:
        if self.fails:
            raise RuntimeError("the page is damaged")
        return super()._run(statement, given)


@pytest.fixture
def large(url: str) -> tuple[str, Zone]:
    """A zone of LARGE names among many small ones. The statistics are of before it grew."""
    store, ours = Store(url), zone()
    small = [zone() for _ in range(300)]
    add(store, ours, *small)
    sets = [held(of, name=f"n{n}", id=new_id()) for of in small for n in range(4)]
    store.transact(lambda work: work.rrsets.add(sets))
    with store.engine.connect() as connection:
        statement = "ANALYZE TABLE rrsets" if store.engine.dialect.name == "mysql" else "ANALYZE rrsets"
        connection.exec_driver_sql(statement)
        connection.commit()
    sets = [held(ours, name=f"h{n}", id=new_id()) for n in range(LARGE)]
    for at in range(0, LARGE, 5000):
        some = sets[at : at + 5000]
        store.transact(lambda work, some=some: work.rrsets.add(some))  # type: ignore[misc]  # bound for each round
    store.close()
    return url, ours


def test_neighbours_and_names_are_probes_of_an_index(large: tuple[str, Zone]) -> None:
    url, ours = large
    store = Store(url)
    with store.view() as conn:
        served, view = Snapshot(store, conn).zone(ours.id), Explaining(store, conn)
        assert served is not None
        assert view.all_placed(served)
        view.plans.clear()  # what is asked once for a version of a zone: `test_unplaced.py`
        key = order_key(f"h1x.{ours.name}", ours.name)
        assert view.neighbours(served, [key, b""]) == [(b"h19999\0", b"h2\0"), (b"", b"h0\0")]
        probes, view.plans = view.plans, []
        assert len(view.at_names(served, [f"h{n}.{ours.name}" for n in range(12)])) == 12
        named = view.plans
    kind = store.engine.dialect.name
    store.close()
    check(kind, probes, "order_key", mariadb="range ix_rrsets_order ix_rrsets_order 661")
    check(kind, named, "name", mariadb="const,const")


def test_sqlite_and_mariadb_sort_no_zone_before_they_give_its_first_row(large: tuple[str, Zone]) -> None:
    """PostgreSQL sorts where it finds that quicker."""
    url, ours = large
    store = Store(url)
    with store.engine.connect() as connection:
        kind = connection.dialect.name
        if kind != "sqlite":
            connection.exec_driver_sql("ANALYZE TABLE rrsets" if kind == "mysql" else "ANALYZE rrsets")
            connection.commit()
    with store.view() as conn:
        view = Explaining(store, conn)
        view._run(statements.WHOLE_ZONE[kind][False], {"z": ours.id})
        plan = "\n".join(view.plans).lower()
    store.close()
    assert plan
    assert kind == "postgresql" or not ("sort" in plan or "b-tree" in plan)


def test_a_statement_that_fails_leaves_nothing_known(url: str) -> None:
    """A name that is there would be denied, and the denial remembered."""
    store, ours = Store(url), zone()
    add(store, ours)
    store.transact(lambda work: work.rrsets.add([held(ours, name="www", id=new_id())]))
    name, reach = f"www.{ours.name}", Reach(Scope.POOL, ours.pool_id)
    with store.view() as conn:
        view = Stumbling(store, conn)
        served = view.zone(ours.id)
        assert served is not None
        view.fails = True
        with pytest.raises(RuntimeError):
            view.at_names(served, [name])
        with pytest.raises(RuntimeError):
            view.zones_at([ours.name], reach)
        view.fails = False
        assert len(view.at_names(served, [name])) == 1
        assert view.zones_at([ours.name], reach)[ours.name] == served
    store.close()


def test_a_name_beyond_a_columns_length_is_no_stored_one_that_it_begins_with(url: str) -> None:
    """As text, a name may be four times as long as on the wire: \\000 is one octet."""
    store, label = Store(url), "\\000" * 61 + "xx"
    ours, below = zone("example."), zone(f"{label}.example.")
    assert len(below.name) == 255
    add(store, ours, below)
    store.transact(lambda work: work.rrsets.add([held(ours, name=label, id=new_id())]))
    longer = f"{below.name}more.example."
    with store.view() as conn:
        view = Snapshot(store, conn)
        served = view.zone(ours.id)
        assert served is not None
        assert view.at_names(served, [longer]) == []
        assert [name for name, _, _ in view.at_names(served, [longer, below.name])] == [below.name]
        assert view.zones_at([longer], Reach(Scope.POOL, ours.pool_id)) == {longer: None}
    store.close()


@pytest.mark.parametrize("count", [1, 5, 64])
def test_zones_are_found_by_the_index_of_their_names(url: str, count: int) -> None:
    store = Store(url)
    many = [zone() for _ in range(2000)]
    add(store, *many)
    with store.view() as conn:
        view = Explaining(store, conn)
        found = view.zones_at([one.name for one in many[:count]], Reach(Scope.POOL, many[0].pool_id))
        assert [found[one.name] is not None for one in many[:count]] == [True] * count
        plan = "\n".join(view.plans)
    kind = store.engine.dialect.name
    store.close()
    assert {
        "sqlite": "SEARCH zones USING INDEX sqlite_autoindex_zones_2 (name=? AND pool_id=? AND deleted=?)",
        "postgresql": "(name)::text = (listed.value)::text",
        "mysql": "zones const uq_zones_name" if count == 1 else "range uq_zones_name uq_zones_name",
    }[kind] in plan, plan
    conditions = [line for line in plan.splitlines() if "Index Cond" in line and "inbound" not in line]
    assert all("name" in line or "zone_id" in line for line in conditions), plan


def check(kind: str, plans: list[str], column: str, *, mariadb: str) -> None:
    """Each line of the plan that reads the table does so by an index, down to the column, and nothing is sorted.

    mariadb   what its plan says of an index that is used with both columns
    """
    whole = "\n".join(plans)
    match kind:
        case "sqlite":
            reads = [line for line in plans if "rrsets" in line]
            assert all("SEARCH rrsets" in line and column in line.split("(")[1] for line in reads), whole
            assert "TEMP B-TREE" not in whole, whole
        case "postgresql":
            assert "Seq Scan" not in whole, whole
            assert "Sort" not in whole, whole
            conditions = [line for line in plans if "Index Cond" in line]
            assert conditions, whole
            assert all(column in line for line in conditions), whole
        case _:
            reads = [line for line in plans if " rrsets " in line]
            assert reads, whole
            assert all(mariadb in line for line in reads), whole
            assert "filesort" not in whole, whole
