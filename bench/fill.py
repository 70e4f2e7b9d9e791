# SPDX-License-Identifier: Apache-2.0
"""Fills a database in seconds with what its users would take hours to make.

Zones and record sets are written by central's own edits, so that every row and count is as central leaves it; they are
ACTIVE, and no nameserver is told of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace
from sqlalchemy import select, update

from bench.requests import address
from redesignate.central import change
from redesignate.central.edit import Change, Edit
from redesignate.model.clock import new_id
from redesignate.model.rrset import Held
from redesignate.model.zone import Zone
from redesignate.store.schema import peer_states
from redesignate.store.settings_schema import usage
from redesignate.store.unit import Store, Work
from redesignate.wire.rrset import pack

AT_ONCE = 2000
SPREAD_TYPES = 10
"""One record set of so many is an MX, one a TXT."""


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """A database."""
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def fill_rrsets(store: Store, zone_id: str, count: int) -> None:
    """Give a zone so many record sets named h0, h1, …: most are A, each with an address of its own."""
    for first in range(0, count, AT_ONCE):
        store.transact(partial(_add, zone_id, range(first, min(count, first + AT_ONCE))))


def _add(zone_id: str, numbers: range, work: Work) -> None:
    zone = work.zones.get(zone_id)
    assert zone is not None
    model = next(held for held in work.rrsets.walk(zone_id) if held.type == "NS")
    # stamped as if the zone were new: with the revision that its servers serve
    stamp = Edit(zone, work.now, is_new=True)
    new = [stamp.stamped(_rrset(zone, model, number), None) for number in numbers]
    change.apply(work, None, Edit(zone, work.now, ahead=True, more=[Change(None, held) for held in new]))


def _rrset(zone: Zone, model: Held, number: int) -> Held:
    name = f"h{number}.{zone.name}"
    match number % SPREAD_TYPES:
        case 3:
            rrtype, text, rdata = "MX", f"10 mail{number % 50}.example.net.", b"\0\x0a\x04mail\x07example\x03net\0"
        case 7:
            text = f'"text {number}"'
            rrtype, rdata = "TXT", bytes([len(text) - 2]) + text[1:-1].encode()
        case _:
            rrtype, text = "A", address(number)
            rdata = struct.pack("!L", (10 << 24) + number)
    ttl = 300 + number % 100 if number % 2 else None
    return model._replace(
        id=new_id(),
        name=name,
        type=rrtype,
        ttl=ttl,
        records=(text,),
        wire=pack(zone.name, name, rrtype, ttl, [rdata]),
        description=f"host {number}" if number % SPREAD_TYPES == 5 else None,
        managed=False,
        project_id=zone.project_id,
    )


@dataclass(frozen=True, slots=True)
class _Model:
    """A zone that is there, whose copies are written."""

    zone: Zone
    rrsets: list[Held]


def fill_zones(store: Store, zone_id: str, count: int) -> None:
    """Make so many zones like this one, named z0 to z…, below its parent, a hundredth of them below each other."""
    with store.read() as work:
        model = _model(work, zone_id)
    for first in range(0, count, AT_ONCE):
        store.transact(partial(_copy, model, range(first, min(count, first + AT_ONCE))))


def _model(work: Work, zone_id: str) -> _Model:
    zone = work.zones.get(zone_id)
    assert zone is not None
    return _Model(zone, list(work.rrsets.walk(zone_id)))


def _copy(model: _Model, numbers: range, work: Work) -> None:
    edits = []
    found = work.conn.execute(select(peer_states).where(peer_states.c.zone_id == model.zone.id))
    peers = [dict(row._mapping) for row in found]
    parent = model.zone.name.partition(".")[2]
    for number in numbers:
        zone = replace(
            model.zone,
            id=new_id(),
            name=f"z{number}.{parent}",
            email=f"hostmaster{number % 100}@example.org",
            description=f"zone {number}" if number % 10 == 5 else None,
            created_at=work.now + number,
        )
        edit = Edit(zone, work.now, is_new=True, apex_version=1)
        for held in model.rrsets:
            edit.put(held._replace(id=new_id(), zone_id=zone.id, name=zone.name))
        edits.append(edit)
    change.apply(work, None, *edits)
    work.ending.queued.clear()  # their servers are not told
    if peers:
        rows = [row | {"zone_id": edit.zone.id} for edit in edits for row in peers]
        work.conn.execute(peer_states.insert(), rows)
    mine = usage.c.project_id == model.zone.project_id
    work.conn.execute(update(usage).where(mine).values(zones=usage.c.zones + len(edits)))
