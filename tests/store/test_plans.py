# SPDX-License-Identifier: Apache-2.0
"""No list and no rule reads a whole table: SQLite's own plan names an index for each filter, order and question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event

from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.share import Share
from redesignate.model.zone import Zone
from redesignate.store import migrate
from redesignate.store.schema import RRSET_ORDERS, ZONE_ORDERS
from redesignate.store.shares import Shares
from redesignate.store.unit import Store, Work
from tests.store.makers import POOL, add, held, new_id, zone

BIG = {"zones", "rrsets", "rrset_data", "journal", "outbox", "peer_states"}
Planned = Callable[[Callable[[Work], object]], list[str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Filled, and like every SQLite of ours never analysed: the plans are those that the shape of a question gives."""
    made = Store(f"sqlite:///{tmp_path_factory.mktemp('plans')}/plans.sqlite")
    migrate.upgrade(made.url)
    zones = [zone(project_id=f"p{n % 7}", description=str(n), email=f"{n}@b.org") for n in range(500)]
    add(made, *zones)
    made.transact(lambda work: share(work, zones[::9]))
    sets = [held(zones[n % 5], name=f"n{n}", project_id=f"p{n % 3}", description=str(n), ttl=n) for n in range(2000)]
    made.transact(lambda work: work.rrsets.add(sets))
    yield made
    made.close()


def share(work: Work, zones: Sequence[Zone]) -> None:
    """Share zones with the project `sharee`."""
    for one in zones:
        given = Share(id=new_id(), zone_id=one.id, project_id=None, target_project_id="sharee", created_at=1)
        Shares(work.conn).add(one, given)


@pytest.fixture
def planned(store: Store) -> Planned:
    """The plan's lines of every statement that a question runs."""

    def plan(ask: Callable[[Work], object]) -> list[str]:
        seen: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
            seen.append((statement, parameters))

        event.listen(store.engines[1], "before_cursor_execute", note)
        with store.read() as work:
            ask(work)
            event.remove(store.engines[1], "before_cursor_execute", note)
            found = []
            for statement, parameters in seen:
                if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                    rows = work.conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
                    found += [row[3] for row in rows]
        assert found
        return found

    return plan


def check(lines: list[str], *, sorts: bool = False) -> None:
    """No line reads a whole big table, and no page is sorted by hand."""
    for line in lines:
        words = line.split()
        assert not (words[0] == "SCAN" and words[1] in BIG), lines
        assert sorts or "USE TEMP B-TREE FOR ORDER BY" not in line, lines


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", ["id", *ZONE_ORDERS])
def test_shared_zones_are_read_from_their_shares_in_every_order(
    store: Store, planned: Planned, key: str, descending: bool
) -> None:
    with store.read() as work:
        page = work.zones.listed(ListQuery(limit=3), project_id="sharee", catalogs=False)
    query = ListQuery(sort_key=key, descending=descending, marker=page.items[-1].id)
    lines = planned(lambda work: work.zones.listed(query, project_id="sharee", catalogs=False))
    if key in ("created_at", "name", "id"):
        index = "ix_zone_shares_target" + (f"_{key} (" if key != "id" else " (")
        check(lines)
        assert sum("COVERING INDEX " + index in line for line in lines) >= 1, lines
        return
    check(lines, sorts=True)
    check_shared(lines)


@pytest.mark.parametrize("field", ["name", "type", "email", "status", "description", "ttl"])
@pytest.mark.parametrize("op", [Op.EQ, Op.LIKE])
def test_shared_zones_are_filtered_where_they_are_read(planned: Planned, field: str, op: Op) -> None:
    value = "7" if op is Op.EQ or field == "ttl" else "7*"
    query = ListQuery(conditions=(Condition(field, op if field != "ttl" else Op.EQ, value),))
    lines = planned(lambda work: work.zones.listed(query, project_id="sharee", catalogs=False))
    check(lines, sorts=True)
    if (field, op) != ("name", Op.EQ):  # few zones have a name
        check_shared(lines)


def check_shared(lines: list[str]) -> None:
    """A page and its count begin with the shares, and find each zone by its id."""
    found = [after for line, after in pairwise(lines) if "COVERING INDEX ix_zone_shares_target" in line]
    found = [line for line in found if line.startswith("SEARCH zones ")]
    assert len(found) == 2, lines
    assert all(line.startswith("SEARCH zones ") and "(id=?)" in line for line in found), lines


MARKER_FIELDS = ("name", "type", "email", "status", "description", "ttl")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", ["id", "project_id", *ZONE_ORDERS])
@pytest.mark.parametrize("project", ["p1", None])
def test_zones_are_listed_by_an_index_in_every_order(
    store: Store, planned: Planned, key: str, project: str | None, descending: bool
) -> None:
    with store.read() as work:
        page = work.zones.listed(ListQuery(limit=3), project_id="p1", catalogs=True)
    marker = page.items[-1].id
    query = ListQuery(sort_key=key, descending=descending, marker=marker, count=False)
    check(planned(lambda work: work.zones.listed(query, project_id=project, catalogs=True)))


@pytest.mark.parametrize("field", MARKER_FIELDS)
@pytest.mark.parametrize("op", [Op.EQ, Op.LIKE])
@pytest.mark.parametrize("project", ["p1", None])
def test_zones_are_filtered_by_an_index(planned: Planned, field: str, op: Op, project: str | None) -> None:
    value = "7" if op is Op.EQ or field == "ttl" else "7*"
    query = ListQuery(conditions=(Condition(field, op if field != "ttl" else Op.EQ, value),))
    check(planned(lambda work: work.zones.listed(query, project_id=project, catalogs=True)), sorts=True)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", ["id", *RRSET_ORDERS])
@pytest.mark.parametrize("scope", ["zone", "project", "all"])
def test_rrsets_are_listed_by_an_index_in_every_order(
    store: Store, planned: Planned, key: str, scope: str, descending: bool
) -> None:
    with store.read() as work:
        page = work.rrsets.listed(ListQuery(limit=3), zone_id=None, project_id="p1")
    last = page.items[-1]
    zone_id, project = last.zone_id if scope == "zone" else None, "p1" if scope == "project" else None
    query = ListQuery(sort_key=key, descending=descending, marker=last.id, count=False)
    lines = planned(lambda work: work.rrsets.listed(query, zone_id=zone_id, project_id=project))
    in_order = (
        "SCAN rrsets USING INDEX ",
        "SCAN rrsets USING COVERING INDEX ",
    )  # a whole list read in its index's order, up to the page's end
    check([line for line in lines if scope != "all" or not line.startswith(in_order)])


@pytest.mark.parametrize("field", ["name", "type", "ttl", "data", "status", "description"])
@pytest.mark.parametrize("scope", ["zone", "project"])
def test_rrsets_are_filtered_by_an_index(store: Store, planned: Planned, field: str, scope: str) -> None:
    with store.read() as work:
        page = work.rrsets.listed(ListQuery(limit=1), zone_id=None, project_id="p1")
    zone_id, project = page.items[0].zone_id if scope == "zone" else None, "p1" if scope == "project" else None
    value = {"ttl": "7", "status": "PENDING"}.get(field, "n7.")
    query = ListQuery(conditions=(Condition(field, Op.EQ, value),))
    check(planned(lambda work: work.rrsets.listed(query, zone_id=zone_id, project_id=project)), sorts=True)


IDENT = new_id()
QUESTIONS: dict[str, Callable[[Work], object]] = {
    "get": lambda work: work.zones.get(IDENT),
    "many": lambda work: work.zones.many([IDENT, new_id()]),
    "named": lambda work: work.zones.named(["a.org.", "org."]),
    "foreign below": lambda work: work.zones.foreign_below("example.org.", "p1"),
    "adopt": lambda work: work.zones.adopt(zone("adopter.org.")),
    "disown": lambda work: work.zones.disown(zone()),
    "children": lambda work: work.zones.has_children(IDENT),
    "departed": lambda work: work.zones.departed("a.org.", POOL),
    "old apexes": lambda work: work.zones.with_old_apex(POOL, 0, 10),
    "below": lambda work: work.zones.listed(
        ListQuery(conditions=(Condition("name", Op.LIKE, "*.a.org."),), count=False), project_id=None, catalogs=True
    ),
    "purgeable": lambda work: work.zones.purgeable(5, 0, 4095, 10),
    "rrset": lambda work: work.rrsets.get(IDENT),
    "around": lambda work: work.rrsets.around(zone(), "b.a.org.", ["b.a.org.", "a.org."]),
    "held": lambda work: work.rrsets.held(IDENT, IDENT),
    "held at": lambda work: work.rrsets.held_at(IDENT, "a.org.", "A"),
    "walk": lambda work: list(work.rrsets.walk(IDENT)),
    "untimed": lambda work: list(work.rrsets.untimed(IDENT)),
    "lease": lambda work: work.outbox.lease("w", [IDENT], 5, 9),
    "overdue": lambda work: work.outbox.overdue(5, 1, 0, 4095, 10),
    "enqueue": lambda work: work.outbox.enqueue([zone()], 5),
    "hurry": lambda work: work.outbox.hurry(POOL, IDENT, 5),
    "progress": lambda work: work.peers.progress([IDENT, new_id()], 5),
    "forget peers": lambda work: work.peers.forget_peers([IDENT]),
    "trim": lambda work: work.journal.trim(5, 0, 4095, 10),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_rules_and_workers_ask_by_an_index(store: Store, ask: Callable[[Work], object]) -> None:
    """Writing questions too, so within a writing transaction that is thrown away."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    class Enough(Exception):
        pass

    def do(work: Work) -> None:
        event.listen(store.engine, "before_cursor_execute", note)
        try:
            ask(work)
        finally:
            event.remove(store.engine, "before_cursor_execute", note)
        for statement, parameters in seen:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")) and not isinstance(parameters, list):
                rows = work.conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
                check([row[3] for row in rows], sorts=True)
        raise Enough

    with pytest.raises(Enough):
        store.transact(do)
    assert seen


def test_a_pools_catalog_is_found_without_its_other_zones(planned: Planned) -> None:
    """Each new zone of a pool with a catalog locks it, and MariaDB locks whatever the search reads."""
    (line,) = planned(lambda work: work.zones.catalog_of(["p"]))
    assert "ix_zones_apex (pool_id=? AND deleted=? AND apex_version>? AND apex_version<?)" in line


def test_a_zones_children_are_found_by_their_parent(planned: Planned) -> None:
    """Not among all live zones, which are what an equality with `deleted` finds; nor among all, which is what
    statistics advise where most zones have no parent."""
    (line,) = planned(lambda work: work.zones.has_children(IDENT))
    assert "ix_zones_parent (parent_id>? AND parent_id<?)" in line
