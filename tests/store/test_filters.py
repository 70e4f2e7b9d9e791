# SPDX-License-Identifier: Apache-2.0
"""Filtered lists, of few matches and of many: each in every order, with every match once and its total, on every
database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import event

from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store import few, listing
from redesignate.store.unit import Store, Work
from tests.store.makers import add, held, new_id, zone
from tests.store.test_listing import check_order, rrset_list, walk, zone_list

MOST = few.FEW + 200
OLD, NEW = 5, 6
"""The confirmed revision of the zones with changes on their way, and their revision."""


@dataclass(frozen=True)
class Filled:
    """One project: a zone of many RRsets, confirmed; a changed one, a failed one, and one deleted but not purged."""

    store: Store
    project: str
    zones: dict[str, Zone]
    rrsets: list[RRset]


def put(store: Store, one: Zone, count: int, **more: Any) -> None:
    def do(work: Work) -> None:
        work.zones.add(one, apex_version=more.get("apex_version", 1), rrsets=count)
        if one.confirmed < one.revision:
            work.outbox.enqueue([one], work.now)

    store.transact(do)


def rows_of(of: Zone, count: int, **common: Any) -> list[Any]:
    """RRsets of a zone: a seventh MX, some in the new revision, with NULLs and doubles in what they are sorted by."""
    return [
        held(
            of, name=f"n{at}", rrtype=("MX" if at % 7 == 0 else "A"), ttl=(None, 5, 60)[at % 3], created_at=at // 4,
            description=(None, f"word{at % 50}")[at % 2], updated_at=at % 5 or None,
            revision=NEW if at % 10 == 0 else 1,
            records=() if at % 40 == 0 else (f"data{at % 100}", "same" if at % 6 else "rare"), **common,
        )
        for at in range(count)
    ] + [held(of, name="@", rrtype="SOA", managed=True, records=(), created_at=0, revision=1, **common)]  # fmt: skip


@pytest.fixture(scope="module")
def filled(shared_url: str) -> Iterator[Filled]:
    store, project = Store(shared_url), new_id()
    of = {
        "large": zone(project_id=project, confirmed=NEW, revision=NEW, status=Status.ACTIVE, action=Action.NONE),
        "changed": zone(project_id=project, confirmed=OLD, revision=NEW, status=Status.PENDING),
        "failed": zone(project_id=project, confirmed=OLD, revision=NEW, status=Status.ERROR),
    }
    gone = zone(project_id=project, confirmed=NEW, revision=NEW, status=Status.ACTIVE)
    rows: dict[str, list[Any]] = {
        name: rows_of(one, MOST if name == "large" else 120, project_id=project) for name, one in of.items()
    }
    for name, one in of.items():
        put(store, one, len(rows[name]))
    put(store, gone, 9)
    for made in (*rows.values(), rows_of(gone, 8, project_id=project)):
        store.transact(lambda work, made=made: work.rrsets.add(made))  # type: ignore[misc]
        store.transact(lambda work, made=made: work.ending.texts(gone=(), come=made))  # type: ignore[misc]
    store.transact(lambda work: work.zones.settle(gone, structs.replace(gone, deleted_at=7, version=2)))
    with store.read() as work:
        seen = work.rrsets.listed(ListQuery(limit=5000), zone_id=None, project_id=project).items
    assert len(seen) == sum(map(len, rows.values()))
    yield Filled(store, project, of, list(seen))
    store.close()


Check = Callable[[RRset], bool]
FILTERS: dict[str, tuple[tuple[Condition, ...], Check]] = {
    "type of many": ((Condition("type", Op.EQ, "A"),), lambda one: one.type == "A"),
    "type of few": ((Condition("type", Op.EQ, "MX"),), lambda one: one.type == "MX"),
    "no such type": ((Condition("type", Op.EQ, "NS"),), lambda one: False),
    "ttl": ((Condition("ttl", Op.GT, "5"),), lambda one: (one.ttl or 0) > 5),
    "name": ((Condition("name", Op.LIKE, "n11*"),), lambda one: one.name.startswith("n11")),
    "part of a name": ((Condition("name", Op.LIKE, "*77*"),), lambda one: "77" in one.name),
    "description": ((Condition("description", Op.EQ, "word7"),), lambda one: one.description == "word7"),
    "data of many": ((Condition("data", Op.EQ, "same"),), lambda one: "same" in one.records),
    "data of few": ((Condition("data", Op.EQ, "data7"),), lambda one: "data7" in one.records),
    "part of data": ((Condition("data", Op.LIKE, "*are"),), lambda one: "rare" in one.records),
    "two": (
        (Condition("type", Op.EQ, "MX"), Condition("data", Op.EQ, "data7")),
        lambda one: one.type == "MX" and "data7" in one.records,
    ),
    "created": ((Condition("created_at", Op.GE, "250"),), lambda one: one.created_at >= 250),
    "active": ((Condition("status", Op.EQ, "ACTIVE"),), lambda one: one.status is Status.ACTIVE),
    "pending": ((Condition("status", Op.EQ, "PENDING"),), lambda one: one.status is Status.PENDING),
    "failed": ((Condition("status", Op.EQ, "ERROR"),), lambda one: one.status is Status.ERROR),
    "not active": ((Condition("status", Op.NE, "ACTIVE"),), lambda one: one.status is not Status.ACTIVE),
    "not failed": ((Condition("status", Op.NE, "ERROR"),), lambda one: one.status is not Status.ERROR),
    "no status": ((Condition("status", Op.EQ, "GONE"),), lambda one: False),
    "active MX": (
        (Condition("status", Op.EQ, "ACTIVE"), Condition("type", Op.EQ, "MX")),
        lambda one: one.status is Status.ACTIVE and one.type == "MX",
    ),
    "pending MX": (
        (Condition("status", Op.EQ, "PENDING"), Condition("type", Op.EQ, "MX")),
        lambda one: one.status is Status.PENDING and one.type == "MX",
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", ["created_at", "updated_at", "ttl", "description", "id"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_selects_each_of_its_rrsets_once(filled: Filled, name: str, key: str) -> None:
    conditions, meets = FILTERS[name]
    scopes = [(None, filled.project), *((one.id, None) for one in filled.zones.values())]
    for zone_id, project in scopes:
        ask = rrset_list(filled.store, project, zone_id)
        expected = {one.id for one in filled.rrsets if meets(one) and zone_id in (None, one.zone_id)}
        for descending in (False, True):
            found = walk(ask, 90, sort_key=key, descending=descending, conditions=conditions)
            assert {one.id for one in found} == expected
            assert len(found) == len(expected)
            check_order(found, key, descending, nulls_last=filled.store.engine.dialect.name == "postgresql")
        assert ask(ListQuery(limit=1, conditions=conditions)).total == len(expected)


@pytest.mark.parametrize("key", ["created_at", "updated_at"])
@pytest.mark.parametrize("name", FILTERS)
def test_matches_that_stand_together_far_on_in_the_order_are_listed_alike(
    filled: Filled, name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is walked for some rows only; then what matches is sorted."""
    monkeypatch.setattr(listing, "FAR", 40)
    monkeypatch.setattr(few, "FEW", 3)
    conditions, meets = FILTERS[name]
    for zone_id, project in ((None, filled.project), (filled.zones["large"].id, None)):
        ask = rrset_list(filled.store, project, zone_id)
        expected = {one.id for one in filled.rrsets if meets(one) and zone_id in (None, one.zone_id)}
        for descending in (False, True):
            found = walk(ask, 300, sort_key=key, descending=descending, conditions=conditions)
            assert len(found) == len(expected)
            assert {one.id for one in found} == expected
            check_order(found, key, descending, nulls_last=filled.store.engine.dialect.name == "postgresql")
        assert ask(ListQuery(limit=1, conditions=conditions)).total == len(expected)


@pytest.mark.parametrize("name", ["all", "active", "type of many", "data of many"])
def test_a_total_that_no_counter_has_is_counted_so_far_only(
    filled: Filled, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few, "FEW", 3)
    monkeypatch.setattr(few, "MANY", 100)
    conditions = FILTERS[name][0] if name != "all" else ()
    query = ListQuery(limit=2, conditions=conditions)
    assert rrset_list(filled.store, filled.project, None)(query).total == 100
    of_a_zone = rrset_list(filled.store, None, filled.zones["large"].id)(query).total
    assert of_a_zone == (MOST + 1 if name in ("all", "active") else 100), "its counter has it"


def test_a_total_says_many_only_of_what_are_many(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose status is another, which are counted and subtracted, do not make it so."""
    conditions = (Condition("status", Op.NE, "PENDING"), Condition("type", Op.EQ, "MX"))
    expected = sum(one.status is not Status.PENDING and one.type == "MX" for one in filled.rrsets)
    assert expected < sum(one.type == "MX" for one in filled.rrsets)
    monkeypatch.setattr(few, "FEW", 100)
    monkeypatch.setattr(few, "MANY", expected + 1)
    ask = rrset_list(filled.store, filled.project, None)
    assert ask(ListQuery(conditions=conditions)).total == expected
    monkeypatch.setattr(few, "MANY", expected)
    assert ask(ListQuery(conditions=conditions[1:])).total == expected


def test_a_page_is_filled_behind_the_rrsets_of_a_deleted_zone(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows stay until they are purged, and stand among those of the project's other zones."""
    ask = rrset_list(filled.store, filled.project, None)
    every = [one.id for one in walk(ask, 1000, sort_key="created_at")]
    for second in (1, 3, 1000):
        monkeypatch.setattr(few, "FEW", second)
        found: list[str] = []
        while len(found) < 40:
            page = ask(ListQuery(limit=2, sort_key="created_at", marker=found[-1] if found else None, count=False))
            found += [one.id for one in page.items]
        assert found == every[:40]


def test_what_stands_together_far_on_is_read_without_the_rest(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not walked to: its page is one question more, for all that matches, sorted."""
    monkeypatch.setattr(listing, "FAR", 100)
    monkeypatch.setattr(few, "FEW", 30)
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    last = (Condition("name", Op.BETWEEN, "n95", "n9~"),)  # 55 of 1,200, nearly all among the last that were created
    event.listen(filled.store.engines[1], "before_cursor_execute", note)
    ask = rrset_list(filled.store, None, filled.zones["large"].id)
    page = ask(ListQuery(limit=10, conditions=last, count=False))
    event.remove(filled.store.engines[1], "before_cursor_execute", note)
    assert [one.created_at for one in page.items] == [23] + [24] * 4 + [237] * 2 + [238] * 3
    sorts = [one for one in statements if "coalesce(rrsets.created_at, rrsets.created_at)" in one]
    assert len(sorts) == 1, statements


def test_a_page_that_nothing_filters_costs_few_statements(shared_url: str) -> None:
    """It is one, as each further AT_ONCE; a marker is one more, and so is a total, without a counter two."""
    store, project = Store(shared_url), new_id()
    of = zone(project_id=project, confirmed=NEW, revision=NEW, status=Status.ACTIVE, action=Action.NONE)
    rows = rows_of(of, 150, project_id=project)
    add(store, of)
    store.transact(lambda work: work.rrsets.add(rows))
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(store.engines[1], "before_cursor_execute", note)
    marker = rows[0].id
    for ask, query, most in (
        (rrset_list(store, project, None), ListQuery(limit=100, count=False), 1),
        (rrset_list(store, project, None), ListQuery(limit=1000, marker=marker, sort_key="name", count=False), 3),
        (rrset_list(store, project, None), ListQuery(limit=100), 5),  # two more, as other projects' zones have departed
        (rrset_list(store, None, of.id), ListQuery(limit=100), 2),
        (zone_list(store, project), ListQuery(limit=100), 2),
        (zone_list(store, project), ListQuery(limit=100, marker=of.id), 3),
    ):
        statements.clear()
        ask(query)
        assert len(statements) <= most, statements
    store.close()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filtered_page_costs_few_statements(filled: Filled, name: str) -> None:
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(filled.store.engines[1], "before_cursor_execute", note)
    try:
        rrset_list(filled.store, filled.project, None)(ListQuery(limit=100, conditions=FILTERS[name][0]))
    finally:
        event.remove(filled.store.engines[1], "before_cursor_execute", note)
    assert len([one for one in statements if one.startswith("SELECT")]) <= 9, statements


@pytest.mark.parametrize("matches", [few.FEW, few.FEW + 1])
def test_few_and_one_more_than_few_are_listed_alike(shared_url: str, matches: int) -> None:
    store, project = Store(shared_url), new_id()
    made = [zone(project_id=project, ttl=7, created_at=at // 3) for at in range(matches)]
    made += [zone(project_id=project, ttl=8), zone(project_id=None, ttl=7, type=ZoneType.CATALOG)]
    add(store, *made)
    ask, sevens = zone_list(store, project), (Condition("ttl", Op.EQ, "7"),)
    found = walk(ask, 300, sort_key="created_at", descending=True, conditions=sevens)
    assert {one.id for one in found} == {one.id for one in made[:matches]}
    check_order(found, "created_at", True, nulls_last=False)
    assert ask(ListQuery(limit=3, conditions=sevens)).total == matches
    assert ask(ListQuery(limit=3)).total == matches + 1
    store.close()
