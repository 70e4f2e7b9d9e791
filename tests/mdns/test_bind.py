# SPDX-License-Identifier: Apache-2.0
"""A real BIND as our secondary: the whole zone first, then each change as a difference."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from redesignate.mdns.service import DNSService
from redesignate.model.pool import Catalog, Pool
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import ZoneType
from redesignate.wire import client
from redesignate.wire.client import Exchanger
from tests.mdns.conftest import Serve
from tests.mdns.test_lookup import RECORDS
from tests.mdns.zones import POOL, SECRET, StoredZones
from tests.support.bind import RealBind

ZONE = "example.org."


def config(service: DNSService, *, signed: bool) -> str:
    """named's lines for our zone."""
    host, port = service.addresses[0]
    key = f'key "key1" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n' if signed else ""
    by = " key key1" if signed else ""
    return key + f'zone "{ZONE}" {{ type secondary; primaries {{ {host} port {port}{by}; }}; file "z.db"; }};\n'


@pytest.mark.external
def test_bind_reads_a_catalog_with_its_key_and_not_without(stored: StoredZones, serve: Serve, tmp_path: Path) -> None:
    """RFC 9432; the key is named like the zone."""
    name, secret = "catalog.example.", base64.b64encode(b"s" * 32).decode()
    catalog = Catalog(name=name, algorithm="hmac-sha512", secret=secret)
    pool = Pool(id=POOL, name="default", version=1, created_at=1, catalog=catalog)
    stored.store.transact(lambda work: work.pools.add(pool))
    content = {(f"version.{name}", "TXT"): ('"2"',), (f"1.zones.{name}", "PTR"): (ZONE,)}
    written = stored.add_zone(name, content, kind=ZoneType.CATALOG)
    stored.add_zone(ZONE, RECORDS)
    host, port = serve().addresses[0]
    key = f'key "{name}" {{ algorithm hmac-sha512; secret "{secret}"; }};\n'
    for by, served in ((f'key "{name}"', True), ("", False)):
        zone = f'zone "{name}" {{ type secondary; primaries {{ {host} port {port} {by}; }}; file "catalog.db"; }};\n'
        options = f'catalog-zones {{ zone "{name}" default-primaries {{ {host} port {port}; }} in-memory yes; }};\n'
        with RealBind(tmp_path / f"bind-{served}", config=key + zone, options=options) as bind:
            if served:
                bind.wait_serial(name, written.zone.serial)
                bind.wait_serial(ZONE, 1000)
            else:
                bind.wait_log(rf"refresh: unexpected rcode \(REFUSED\).*|zone {name[:-1]}/IN: .*REFUSED", timeout=20)


async def notify(bind: RealBind, serial: int) -> int:
    """Tell BIND of a new serial; the rcode that it answers with."""
    exchanger = Exchanger()
    try:
        packet = client.notify_message(ZONE, serial, exchanger.new_id())
        return client.read_answer(await exchanger.exchange("127.0.0.1", bind.port, packet, 5), packet).rcode
    finally:
        await exchanger.close()


@pytest.mark.external
@pytest.mark.parametrize("signed", [False, True])
def test_bind_follows_by_axfr_and_then_by_ixfr(stored: StoredZones, serve: Serve, tmp_path: Path, signed: bool) -> None:
    written = stored.add_zone(ZONE, RECORDS, pool_id="another" if signed else POOL)
    stored.add_key("key1", Scope.POOL, "another" if signed else POOL)
    service = serve()
    with RealBind(tmp_path / "bind", config=config(service, signed=signed)) as bind:
        bind.wait_serial(ZONE, written.zone.serial)
        assert sorted(bind.rdata("www.example.org.", "A")) == ["192.0.2.2", "192.0.2.3"]
        for n, records in ((1, 7), (2, 6)):  # SOA, SOA, what goes (two, one), SOA, what comes (one), SOA
            www, gone = (60, (f"192.0.2.{n}",)), (None, ())
            stored.edit(written, {("www.example.org.", "A"): www, (f"n{n}.{ZONE}", "A"): gone})
            assert asyncio.run(notify(bind, written.zone.serial)) == 0
            bind.wait_serial(ZONE, written.zone.serial)
            assert bind.rdata("www.example.org.", "A") == [f"192.0.2.{n}"]
            done = bind.wait_log(rf"Transfer completed: .*\(serial {written.zone.serial}\)")
            assert f" {records} records" in done
