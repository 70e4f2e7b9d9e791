# SPDX-License-Identifier: Apache-2.0
"""Order keys that a process of an older release left out: how they are found and written, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from redesignate.model.names import order_key
from redesignate.model.rrset import place
from redesignate.model.zone import Zone, ZoneType
from redesignate.store.schema import rrsets
from redesignate.store.serving import Snapshot
from redesignate.store.unit import Store, Work
from redesignate.store.unplaced import UnplacedRRsets
from tests.store.makers import add, held, new_id, zone
from tests.store.test_serving_plans import Explaining, check

LARGE = 20_000
APART = ("TYPE46", "TYPE50")


def spoil(store: Store, of: Zone, *, plain: bool = False) -> None:
    """Leave the keys out, or write the plain ones that NSEC3 and RRSIG record sets had at first."""

    def do(work: Work) -> None:
        for row in work.conn.execute(select(rrsets).where(rrsets.c.zone_id == of.id)).all():
            key = order_key(row.name, of.name) if plain else None
            work.conn.execute(update(rrsets).where(rrsets.c.id == row.id).values(order_key=key))

    store.transact(do)


def keys(store: Store, of: Zone) -> dict[tuple[str, str], bytes | None]:
    with store.read() as work:
        rows = work.conn.execute(select(rrsets).where(rrsets.c.zone_id == of.id)).all()
        return {(row.name, row.type): row.order_key for row in rows}


@pytest.mark.parametrize("plain", [False, True])
def test_missing_and_misplaced_keys_are_found_and_written_in_batches(store: Store, plain: bool) -> None:
    signed, other = zone(type=ZoneType.SECONDARY, updated_at=70), zone(updated_at=71)
    add(store, signed, other)
    sets = [held(signed, name, kind) for name in ("a", "b.a", "*") for kind in ("A", *APART)]
    sets += [held(signed, "empty", wire=b"", records=())]
    store.transact(lambda work: work.rrsets.add([*sets, held(other, "www")]))
    spoil(store, signed, plain=plain)

    def wrong(work: Work) -> dict[str, bool]:
        found = {row.id: bool(row.wrong) for row in UnplacedRRsets(work.conn).looked_at(70, "", 10_000)}
        return {one: found[one] for one in (signed.id, other.id)}

    assert store.transact(wrong) == {signed.id: True, other.id: False}
    batches: list[int] = []
    while not batches or batches[-1]:
        batches.append(store.transact(lambda work: UnplacedRRsets(work.conn).place(signed.id, 4)))
    assert batches == ([4, 2, 0] if plain else [4, 4, 1, 0])
    assert store.transact(wrong) == {signed.id: False, other.id: False}
    written = keys(store, signed)
    empty = written.pop((f"empty.{signed.name}", "A"))
    assert empty == (order_key(f"empty.{signed.name}", signed.name) if plain else None)
    assert written == {(name, kind): place(name, kind, signed.name) for name, kind in written}


def test_zones_are_walked_by_their_last_change_each_once(store: Store) -> None:
    same = [zone(updated_at=80) for _ in range(5)]
    later, never = zone(updated_at=81), zone()
    add(store, *same, later, never)
    seen, at, after = [], 80, ""
    with store.read() as work:
        while rows := UnplacedRRsets(work.conn).looked_at(at, after, 2):
            seen += [row.id for row in rows]
            at, after = rows[-1].updated_at, rows[-1].id
    ours = [one for one in seen if one in {found.id for found in (*same, later, never)}]
    assert ours == [*sorted(one.id for one in same), later.id]


def test_names_without_keys_are_neighbours_all_the_same(store: Store) -> None:
    of = zone(type=ZoneType.SECONDARY)
    add(store, of)
    names = ["a", "m.deep", "x", "*.wild"]
    hashed = held(of, "2vp", "TYPE50")._replace(order_key=b"\x002vp\0")
    store.transact(lambda work: work.rrsets.add([*(held(of, name) for name in names), hashed]))
    asked = [order_key(f"{name}.{of.name}", of.name) for name in ("0", "deep", "m.deep", "n", "*.wild", "zz")]
    asked.append(b"\0" + order_key(f"3.{of.name}", of.name))

    def around(view: Snapshot) -> list[tuple[bytes, bytes]]:
        found = view.zone(of.id)
        assert found is not None
        assert view.all_placed(found)
        return view.neighbours(found, asked)

    with store.view() as conn:
        right = around(Snapshot(store, conn))
    assert right[1] == (b"a\0", b"deep\0m\0")
    some = update(rrsets).where(rrsets.c.zone_id == of.id, rrsets.c.name.in_([f"m.deep.{of.name}", f"2vp.{of.name}"]))
    store.transact(lambda work: work.conn.execute(some.values(order_key=None)) and None)
    with store.view() as conn:
        assert around(Snapshot(store, conn)) == right
    spoil(store, of)
    with store.view() as conn:
        assert around(Snapshot(store, conn)) == right


@pytest.fixture
def large(url: str) -> Iterator[tuple[Store, Zone]]:
    """A signed zone of LARGE names among many small ones. The statistics are of before it grew."""
    store, ours = Store(url), zone(type=ZoneType.SECONDARY, updated_at=5)
    small = [zone(updated_at=n) for n in range(300)]
    add(store, ours, *small)
    sets = [
        held(of, f"n{n}", kind)._replace(order_key=place(f"n{n}.{of.name}", kind, of.name))
        for of in small
        for n in range(4)
        for kind in ("A", *APART)
    ]
    store.transact(lambda work: work.rrsets.add(sets))
    with store.engine.connect() as connection:
        for table in ("rrsets", "zones"):
            statement = f"ANALYZE TABLE {table}" if store.engine.dialect.name == "mysql" else f"ANALYZE {table}"
            connection.exec_driver_sql(statement)
        connection.commit()
    sets = [held(ours, name=f"h{n}", id=new_id()) for n in range(LARGE)]
    for at in range(0, LARGE, 5000):
        some = sets[at : at + 5000]
        store.transact(lambda work, some=some: work.rrsets.add(some))  # type: ignore[misc]  # bound for each round
    yield store, ours
    store.close()


def test_what_the_fallback_asks_is_a_probe_of_an_index(large: tuple[Store, Zone]) -> None:
    store, ours = large
    with store.view() as conn:
        served, view = Snapshot(store, conn).zone(ours.id), Explaining(store, conn)
        assert served is not None
        assert view.all_placed(served)
        missing, view.plans = view.plans, []
        assert view.hashed_before(served, f"h5.{ours.name}") == []
        named = view.plans
    kind = store.engine.dialect.name
    check(kind, missing, "order_key", mariadb="ix_rrsets_order")
    if kind != "postgresql":  # which sorts the few that are left
        named = [line for line in named if "derived" not in line and "SCAN" not in line and "TEMP" not in line]
        check(kind, named, "name", mariadb="uq_rrsets_name_type")
    else:
        assert "Seq Scan" not in "\n".join(named)


def test_the_walk_reads_no_zone_whole(large: tuple[Store, Zone]) -> None:
    store, _ = large
    kind = store.engine.dialect.name
    plans: list[str] = []

    def explain(conn: Connection, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            word = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
            plans.extend(" ".join(map(str, row)) for row in conn.exec_driver_sql(word + statement, values))

    with store.read() as work:
        event.listen(work.conn.engine, "before_cursor_execute", explain)
        try:
            assert not any(row.wrong for row in UnplacedRRsets(work.conn).looked_at(0, "", 500))
        finally:
            event.remove(work.conn.engine, "before_cursor_execute", explain)
    whole = "\n".join(plans)
    assert "Seq Scan on rrsets" not in whole, whole
    assert "SCAN rrsets" not in whole, whole
    assert " ALL " not in whole, whole
    assert "ix_rrsets_order" in whole, "PLANS\n" + whole
    assert "ix_rrsets_zone_type" in whole or "uq_rrsets_name_type" in whole, whole
