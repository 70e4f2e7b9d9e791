# SPDX-License-Identifier: Apache-2.0
"""Order keys that a process of an older release left out are filled in, and at rest that costs one question."""

from __future__ import annotations

from sqlalchemy import func, select, update

from redesignate.central.upkeep import OVERLAP
from redesignate.commands.upkeep import FindUnplaced, PlaceRRsets
from redesignate.model.clock import SECOND
from redesignate.model.names import order_key
from redesignate.store.schema import rrsets
from redesignate.store.unit import Work
from tests.central.driver import START, CentralDriver


def lacking(central: CentralDriver) -> int:
    """How many record sets with records have no key."""
    query = select(func.count()).where(rrsets.c.order_key.is_(None), func.length(rrsets.c.wire) > 0)
    with central.store.read() as work:
        return int(work.conn.execute(query).scalar_one())


def test_keys_are_filled_in_without_a_revision_and_at_rest_one_statement_is_all(central: CentralDriver) -> None:
    zones = [central.zone(f"z{n}.org.") for n in range(5)]
    for zone in zones:
        central.rrset(zone, "www")
        central.rrset(zone, "b.a")
    before = [central.get(zone.id) for zone in zones]

    def forget(work: Work) -> None:
        work.conn.execute(update(rrsets).where(rrsets.c.zone_id == zones[3].id).values(order_key=None))

    central.store.transact(forget)
    at, after = 0, ""
    wrong: list[str] = []
    for _ in range(3):
        found = central.call(FindUnplaced(at=at, after=after, limit=2))
        at, after, wrong = found.at, found.after, [*wrong, *found.zone_ids]
    assert wrong == [zones[3].id]
    assert (at, after, found.more) == (START - OVERLAP, "", False)
    steps = [central.call(PlaceRRsets(zone_id=zones[3].id, limit=2)) for _ in range(3)]
    assert sum(steps) >= 2
    assert steps[-1] == 0
    assert lacking(central) == 0
    with central.store.read() as work:
        query = select(rrsets.c.order_key).where(rrsets.c.name == f"b.a.{zones[3].name}")
        assert work.conn.execute(query).scalar_one() == order_key("b.a.z3.org.", "z3.org.")
    assert [central.get(zone.id) for zone in zones] == before
    central.pass_time(2 * OVERLAP / SECOND)
    with central.counted() as statements:
        found = central.call(FindUnplaced(at=at, after=after, limit=500))
    assert (found.zone_ids, found.at) == ((), START + OVERLAP)
    assert len([one for one in statements if one.lstrip().startswith("SELECT")]) == 1, statements
