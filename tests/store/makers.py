# SPDX-License-Identifier: Apache-2.0
"""Rows with every member set, and rows with as little as there can be."""

from __future__ import annotations

import uuid
from typing import Any

from msgspec import structs
from sqlalchemy import inspect, select

from redesignate.model.names import order_key
from redesignate.model.pool import Catalog, Endpoint, Nameserver, NSRecord, Pool, Target
from redesignate.model.rrset import Held, RRset
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.engine import engine
from redesignate.store.schema import outbox, zones
from redesignate.store.unit import Store, Work
from redesignate.store.zones import NOT_THE_POOLS

POOL = "794ccc2c-d751-44fe-b57f-8894c9f5c842"
EMAIL = "hostmaster@example.org"


def new_id() -> str:
    return str(uuid.uuid4())


def zone(name: str | None = None, **given: Any) -> Zone:
    ident = given.get("id") or new_id()
    values: dict[str, Any] = {
        "id": ident, "name": name or f"z{ident[:8]}.example.org.", "type": ZoneType.PRIMARY, "pool_id": POOL,
        "project_id": "p1", "email": EMAIL, "ttl": 3600, "serial": 2**32 - 1, "revision": 1, "confirmed": 0,
        "mname": "ns1.example.net.", "refresh": 3550, "retry": 600, "expire": 86400, "minimum": 3600,
        "action": Action.CREATE, "status": Status.PENDING, "version": 1, "created_at": 1_750_000_000_123_456,
    }  # fmt: skip
    return Zone(**(values | given))


def full_zone() -> Zone:
    """Every member set, at its longest or largest."""
    return zone(
        name="x" * 63 + "." + "y" * 63 + "." + "z" * 63 + "." + "a" * 49 + f".{uuid.uuid4().hex[:8]}.",
        type=ZoneType.SECONDARY, project_id="p" * 36, email="a" * 243 + "@example.org", description="ü" * 160,
        parent_id=new_id(), attributes={"k" * 50: "v😀" * 25, "": "\0"}, primaries=("192.0.2.1", "[2001:db8::1]:53"),
        serial=2**32 - 1, revision=2**62, confirmed=2**62 - 1, ttl=2**31 - 1, refresh=2**31 - 1, action=Action.UPDATE,
        status=Status.ERROR, updated_at=2**53, transferred_at=2**53 + 1, typed_name="X" * 255,
    )  # fmt: skip


def rrset(of: Zone, name: str = "www", rrtype: str = "A", **given: Any) -> RRset:
    values: dict[str, Any] = {
        "id": new_id(), "zone_id": of.id, "zone_name": of.name, "project_id": "p1", "name": f"{name}.{of.name}",
        "type": rrtype, "ttl": None, "records": ("192.0.2.1",), "description": None, "managed": False, "revision": 1,
        "born": 1, "version": 1, "created_at": 5, "updated_at": None, "status": Status.PENDING, "action": Action.CREATE,
    }  # fmt: skip
    return RRset(**(values | given))


def held(of: Zone, name: str = "www", rrtype: str = "A", *, wire: bytes = b"x", **given: Any) -> Held:
    """An RRset as it is stored."""
    values = structs.asdict(rrset(of, name, rrtype, **given))
    key = order_key(values["name"], of.name) if values["records"] else None
    return Held(wire=wire, order_key=key, **{name: value for name, value in values.items() if name in Held._fields})


def full_pool() -> Pool:
    return Pool(
        id=new_id(), name=f"pool-{uuid.uuid4().hex[:8]}", version=7, created_at=3, description="d" * 160,
        project_id="p", attributes={"a": "b"}, ns_records=(NSRecord("ns1.example.net.", 10000),),
        nameservers=(Nameserver(id=new_id(), host="2001:db8::1", port=53, tsigkey_id=new_id()),),
        targets=(
            Target(id=new_id(), type="bind9", options={"host": "192.0.2.1"}, primaries=(Endpoint("192.0.2.2", 5354),),
                   description="t", tsigkey_id=new_id()),
        ),
        also_notifies=(Endpoint("192.0.2.3", 53),),
        catalog=Catalog(name="catalog.invalid.", refresh=61, algorithm="hmac-sha256", secret="c2VjcmV0"),
        updated_at=9,
    )  # fmt: skip


def add_as_of(url: str, *old: Zone) -> None:
    """Insert zones into a database whose schema is an older one: without the columns that it does not have."""
    made = engine(url, writes=True)
    with made.begin() as connection:
        there = {column["name"] for column in inspect(connection).get_columns("zones")}
        for one in old:
            row = structs.asdict(one) | {"type": one.type.value, "action": one.action.value}
            row |= {"status": one.status.value, "attributes": "{}", "primaries": "[]", "shard": 0, "deleted": ""}
            row |= {
                "reverse_key": one.name,
                "apex_version": 1,
                "hard_delete": False,
                "rrset_count": 0,
                "record_count": 0,
            }
            connection.execute(zones.insert().values({name: row[name] for name in row if name in there}))
    made.dispose()


def queued(store: Store, *zone_ids: str) -> dict[str, Any]:
    """The outbox rows of these zones, by zone."""
    with store.read() as work:
        found = work.conn.execute(select(outbox).where(outbox.c.zone_id.in_(zone_ids)))
        return {row.zone_id: row for row in found}


def add(store: Store, *zones: Zone) -> None:
    """Insert zones, and count them in."""

    def do(work: Work) -> None:
        for one in zones:
            version = NOT_THE_POOLS if one.type is ZoneType.CATALOG else 1
            work.zones.add(one, apex_version=version, rrsets=0)
            if one.project_id is not None:
                work.quotas.take_zone(one.project_id)

    store.transact(do)


def counted(work: Work, project_id: str, by: int) -> int:
    """Count a zone in (1) or out (-1); the project's zones afterwards."""
    if by > 0:
        return work.quotas.take_zone(project_id)
    work.quotas.release_zone(project_id)
    return work.quotas.zones_of(project_id)
