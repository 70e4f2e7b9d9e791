# SPDX-License-Identifier: Apache-2.0
"""Whether all agree: the ledger, the API, every nameserver by AXFR, mdns, and the rows of the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.query
import dns.rdatatype
import dns.zone
from sqlalchemy import Engine, func, select

from redesignate.model.serial import newer
from redesignate.store import schema, settings_schema
from tests.faults.ledger import Ledger
from tests.support.api import Api

PAGE = 1000
LOOK_S = 0.2


def listed(api: Api, path: str, key: str) -> list[Any]:
    """Everything of a collection, page by page."""
    found: list[Any] = []
    while True:
        marker = f"&marker={found[-1]['id']}" if found else ""
        page = api.get(f"{path}?limit={PAGE}{marker}")[key]
        found += page
        if len(page) < PAGE:
            return found


def settle(api: Api, engine: Engine, *, timeout: float) -> None:
    """Wait until nothing is left to do: every zone ACTIVE, the outbox empty."""
    deadline = time.monotonic() + timeout
    while left := list(_unsettled(api, engine)):
        assert time.monotonic() < deadline, f"not settled after {timeout:g} s: {left[:6]}"
        time.sleep(LOOK_S)


def _unsettled(api: Api, engine: Engine) -> Iterator[str]:
    status, said = api.ask("GET", "/v2/zones?limit=1")
    if status == 503:  # the clients may have been answered by the other API, which found the broker again sooner
        yield f"the API is unavailable: {said}"
        return
    for zone in listed(api, "/v2/zones", "zones"):
        if zone["status"] != "ACTIVE":
            status, peers = api.ask("GET", f"/v2/zones/{zone['id']}/peers")
            errors = [peer["error"] for peer in peers["peers"] if peer["error"]] if status == 200 else status
            yield f"{zone['name']} is {zone['status']} {zone['action']}: {errors}"
    with engine.connect() as conn:
        waiting = conn.execute(select(schema.outbox.c.zone_id, schema.outbox.c.revision)).all()
    yield from (f"outbox: {row}" for row in waiting)


def differences(api: Api, engine: Engine, ledger: Ledger, ports: dict[str, int]) -> list[str]:
    """Every disagreement in one line each. `ports`: the DNS servers to transfer from, by a name for each."""
    zones = {zone["name"]: zone for zone in listed(api, "/v2/zones", "zones")}
    found = [
        f"zone {name.name}: {held!r} is none of {name.allowed()}: {name.writes[-4:]}"
        for name in ledger.zones
        if (held := zones[name.name]["description"] if name.name in zones else None) not in name.allowed()
    ]
    for zone in zones.values():
        rrsets = listed(api, f"/v2/zones/{zone['id']}/recordsets", "recordsets")
        addresses = {rrset["name"]: rrset["records"][0] for rrset in rrsets if rrset["type"] == "A"}
        for name in ledger.names.get(zone["id"], ()):
            if addresses.get(name.name) not in name.allowed():
                found.append(f"{name.name}: {addresses.get(name.name)} is none of {name.allowed()}: {name.writes[-4:]}")
        kinds = {(rrset["name"], rrset["type"]) for rrset in rrsets}
        for server, port in ports.items():
            found += [f"{server}: {zone['name']}: {why}" for why in _served(port, zone, addresses, kinds)]
    found += [f"zone {zone_id} is gone" for zone_id in set(ledger.names) - {zone["id"] for zone in zones.values()}]
    return found + list(_rows(engine))


def _served(port: int, zone: Any, addresses: dict[str, str], kinds: set[tuple[str, str]]) -> Iterator[str]:
    """How a server's copy differs from the API's."""
    try:
        copy = dns.zone.from_xfr(
            dns.query.xfr("127.0.0.1", zone["name"], port=port, relativize=False), relativize=False
        )
    except (dns.exception.DNSException, OSError) as error:
        yield f"no transfer: {error!r}"
        return
    serial = int(next(str(rdata) for _, _, rdata in copy.iterate_rdatas("SOA")).split()[2])
    if serial != zone["serial"]:
        yield f"serial {serial}, the API says {zone['serial']}"
    there = {(str(name), dns.rdatatype.to_text(sets.rdtype)) for name, sets in copy.iterate_rdatasets()}
    if there != kinds:
        yield f"record sets differ: {sorted(there ^ kinds)[:5]}"
    held = {str(name): str(rdata) for name, _, rdata in copy.iterate_rdatas("A")}
    if held != addresses:
        yield f"addresses differ: {sorted(set(held.items()) ^ set(addresses.items()))[:5]}"


def _rows(engine: Engine) -> Iterator[str]:
    """What is wrong with the rows: journal chains, counters, a project's count of zones."""
    zones, rrsets, journal, usage = schema.zones, schema.rrsets, schema.journal, settings_schema.usage
    with engine.connect() as conn:
        counts = dict(conn.execute(select(rrsets.c.zone_id, func.count()).group_by(rrsets.c.zone_id)).tuples().all())
        living = conn.execute(select(zones).where(zones.c.deleted_at.is_(None))).all()
        chain = conn.execute(select(journal).order_by(journal.c.zone_id, journal.c.revision)).all()
        used = dict(conn.execute(select(usage.c.project_id, usage.c.zones)).tuples().all())
    last: dict[str, Any] = {}
    for row in chain:
        before = last.get(row.zone_id)
        if before is not None and (before.revision + 1, before.serial_to) != (row.revision, row.serial_from):
            yield f"journal of {row.zone_id}: after {before.revision} comes {row.revision} from {row.serial_from}"
        if before is not None and not newer(row.serial_to, row.serial_from):
            yield f"journal of {row.zone_id}: serial {row.serial_to} after {row.serial_from}"
        last[row.zone_id] = row
    owned: dict[str, int] = {}
    for zone in living:
        owned[zone.project_id] = owned.get(zone.project_id, 0) + 1
        end = last.get(zone.id)
        if end is None or (end.revision, end.serial_to) != (zone.revision, zone.serial):
            yield f"{zone.name} is at {zone.revision}, {zone.serial}; its journal ends at {end and end.revision}"
        if zone.rrset_count != counts.get(zone.id, 0):
            yield f"{zone.name} counts {zone.rrset_count} record sets and has {counts.get(zone.id, 0)}"
    for project, count in owned.items():
        if project is not None and used.get(project) != count:
            yield f"project {project} counts {used.get(project)} zones and has {count}"
