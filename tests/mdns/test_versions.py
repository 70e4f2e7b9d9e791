# SPDX-License-Identifier: Apache-2.0
"""Zones go out while they are read; what is kept of them is bounded."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import dns.query
import dns.zone
import pytest

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.render import Rendered, Tell
from redesignate.mdns.service import DNSService
from redesignate.mdns.versions import Versions
from redesignate.model.errors import Unavailable
from redesignate.model.names import to_wire
from redesignate.store import serving
from redesignate.store.served_zone import Blobs, ServedZone
from redesignate.store.serving import Serving, Snapshot
from redesignate.wire import message
from redesignate.wire.message import AXFR, SOA, Rcode
from tests.mdns.zones import StoredZones

ZONE = "example.org."
MANY = {(f"h{n}.{ZONE}", "A"): ("192.0.2.1",) for n in range(300)}


class Slow:
    """A source whose zones are read ten RRsets at a time, and once that is much of one, the reader waits for `go_on`.

    fails       at which ten the database is unavailable
    read_whole  how many zones were read
    """

    def __init__(self, source: Serving, fails: int | None) -> None:
        self.waiting, self.go_on = threading.Event(), threading.Event()
        self.fails, self.read_whole = fails, 0
        self._source = source

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        with self._source.read() as view:
            view.whole_zone = partial(self._slowly, view.whole_zone)  # type: ignore[method-assign]  # it is real
            yield view

    def _slowly(self, whole_zone: Callable[[ServedZone], Iterator[Blobs]], zone: ServedZone) -> Iterator[Blobs]:
        self.read_whole += 1
        for at, batch in enumerate(whole_zone(zone)):
            if at == self.fails:
                raise Unavailable("The database is down.")
            yield batch
            if at == 20:
                self.waiting.set()
                assert self.go_on.wait(20)


@contextmanager
def serving_slowly(
    stored: StoredZones, monkeypatch: pytest.MonkeyPatch, fails: int | None = None
) -> Iterator[tuple[DNSService, Slow]]:
    monkeypatch.setattr(serving, "_BATCH", 10)
    source = Slow(stored.source, fails)
    service = DNSService(source, MdnsSettings(tcp_recv_timeout=5, max_message_size=1024))
    service.run_in_thread([("127.0.0.1", 0)])
    try:
        yield service, source
    finally:
        source.go_on.set()
        service.stop_thread()


def axfr(service: DNSService) -> dns.zone.Zone:
    zone = dns.zone.Zone(ZONE, relativize=False)
    host, port = service.addresses[0]
    dns.query.inbound_xfr(host, zone, port=port, lifetime=30)
    return zone


@contextmanager
def asked(service: DNSService) -> Iterator[socket.socket]:
    """A connection on which an AXFR was asked for."""
    query = message.build(7, 0, message.question(to_wire(ZONE), AXFR))
    with socket.create_connection(service.addresses[0], timeout=20) as connection:
        connection.sendall(len(query).to_bytes(2, "big") + query)
        yield connection


def heard(connection: socket.socket) -> bytes:
    """One message; empty where the connection ends before it is whole."""
    with connection.makefile("rb", buffering=0) as stream:
        size = int.from_bytes(stream.read(2) or b"", "big")
        found = b""
        while len(found) < size and (more := stream.read(size - len(found))):
            found += more
        return found if len(found) == size else b""


def test_a_zones_first_messages_are_sent_while_the_rest_is_read(
    stored: StoredZones, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To who asked first, and to who asks then."""
    written = stored.add_zone(ZONE, MANY)
    with serving_slowly(stored, monkeypatch) as (service, source), ThreadPoolExecutor(1) as pool:
        with asked(service) as first, asked(service) as second:
            for connection in (first, second):
                assert message.read(heard(connection)).answer[0].type == SOA
        assert source.waiting.wait(20)
        third = pool.submit(axfr, service)
        source.go_on.set()
        assert third.result(30) == written.as_dnspython()
        assert source.read_whole == 1


def test_a_transfer_that_cannot_be_ended_is_cut_and_the_next_is_made_anew(
    stored: StoredZones, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = stored.add_zone(ZONE, MANY)
    with serving_slowly(stored, monkeypatch, fails=25) as (service, source):
        source.go_on.set()
        with asked(service) as connection:
            messages = list(iter(lambda: heard(connection), b""))
        assert len(messages) > 1
        assert all(message.read(packet).rcode == Rcode.NOERROR for packet in messages)
        assert [record.type for packet in messages for record in message.read(packet).answer].count(SOA) == 1
        source.fails = None
        assert axfr(service) == written.as_dnspython()


def test_a_transfer_that_cannot_begin_is_a_server_failure(stored: StoredZones, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.add_zone(ZONE, MANY)
    with serving_slowly(stored, monkeypatch, fails=0) as (service, _), asked(service) as connection:
        assert message.read(heard(connection)).rcode == Rcode.SERVFAIL


Make = Callable[[Tell], Awaitable[tuple[int, Rendered]]]


def test_what_is_kept_is_bounded() -> None:
    async def scenario() -> None:
        versions = Versions(limit=250)

        def maker(octets: int) -> Make:
            async def make(_: Tell) -> tuple[int, Rendered]:
                return 1, Rendered(1, ((1, b"x" * octets),), octets, 1)

            return make

        for n in range(5):
            await versions.get(f"zone{n}", 1, maker(100)).whole()
            assert versions.octets <= 250
        assert versions.kept("zone4", 1) is not None
        assert versions.kept("zone0", 1) is None
        assert (await versions.get("big", 1, maker(1000)).whole()).octets == 1000
        assert versions.kept("big", 1) is None
        assert versions.kept("zone4", 1) is not None

    asyncio.run(scenario())


def test_a_failed_rendering_reaches_all_after_what_was_made_and_is_tried_again() -> None:
    async def scenario() -> None:
        versions, tries, chunk = Versions(limit=1000), [], (1, b"x")

        async def make(tell: Tell) -> tuple[int, Rendered]:
            tries.append(1)
            await asyncio.sleep(0)
            tell(chunk)
            await asyncio.sleep(0)
            if len(tries) == 1:
                raise ValueError("no")
            return 1, Rendered(1, (chunk,), 1, 1)

        found = [versions.get("z", 1, make) for _ in range(3)]
        assert [await one.chunk(0) for one in found] == [chunk] * 3
        for one in found:
            with pytest.raises(ValueError, match="no"):
                await one.chunk(1)
        again = versions.get("z", 1, make)
        assert [await again.chunk(at) for at in range(2)] == [chunk, None]
        assert (await versions.get("z", 1, make).whole()).serial == 1
        assert len(tries) == 2

    asyncio.run(scenario())
