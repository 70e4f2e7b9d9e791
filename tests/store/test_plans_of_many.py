# SPDX-License-Identifier: Apache-2.0
"""What a new zone asks of its neighbours is found by the index of reversed names, among 20,000 zones of one pool, with
SQLite's statistics and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from redesignate.store import migrate
from redesignate.store.unit import Store, Work
from tests.store.makers import add, zone

MANY = 20_000


@pytest.fixture(scope="module", params=["fresh", "analysed"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path_factory.mktemp('many')}/many.sqlite")
    migrate.upgrade(made.url)
    add(made, *(zone(f"z{n}.example{n % 50}.org.", project_id="p1") for n in range(MANY)))
    if request.param == "analysed":
        made.transact(lambda work: work.conn.execute(text("ANALYZE")))
    yield made
    made.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda work: work.zones.foreign_below("example7.org.", "p1"),
        lambda work: work.zones.adopt(zone("example7.org.")),
    ],
    ids=["foreign below", "adopt"],
)
def test_the_zones_below_a_name_are_found_by_the_reversed_name(store: Store, ask: Callable[[Work], object]) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    def do(work: Work) -> list[str]:
        event.listen(store.engine, "before_cursor_execute", note)
        ask(work)
        event.remove(store.engine, "before_cursor_execute", note)
        rows = work.conn.exec_driver_sql("EXPLAIN QUERY PLAN " + seen[0][0], seen[0][1])
        return [row[3] for row in rows]

    plan = store.transact(do)
    assert ["ix_zones_reverse (reverse_key>? AND reverse_key<?)" in line for line in plan] == [True], plan


def test_only_the_zones_below_are_adopted(store: Store) -> None:
    parent = zone("example8.org.")
    assert store.transact(lambda work: work.zones.adopt(parent)) == MANY // 50
    with store.read() as work:
        assert not work.zones.foreign_below("example8.org.", "p1")
        assert work.zones.foreign_below("example8.org.", "p2")
        assert not work.zones.foreign_below("xample8.org.", "p2")
