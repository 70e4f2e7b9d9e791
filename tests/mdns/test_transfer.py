# SPDX-License-Identifier: Apache-2.0
"""AXFR and IXFR, with dnspython as the secondary."""

from __future__ import annotations

import random
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.serial
import dns.xfr
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.config.settings import MdnsSettings
from redesignate.mdns import render
from redesignate.mdns.service import DNSService
from redesignate.model.zone import Action, ZoneType
from redesignate.store.serving import Serving, Snapshot
from redesignate.wire import rrset
from redesignate.wire.message import read
from tests.mdns.conftest import Serve
from tests.mdns.zones import Key, StoredZone, StoredZones, Value

ZONE = "example.org."
MANY: dict[Key, tuple[str, ...]] = {
    (f"host{i}.{ZONE}", "A"): tuple(f"192.0.2.{n}" for n in range(1 + i % 3)) for i in range(1000)
}


def axfr(service: DNSService, name: str = ZONE) -> dns.zone.Zone:
    """The zone as a secondary holds it afterwards."""
    zone = dns.zone.Zone(name, relativize=False)
    host, port = service.addresses[0]
    dns.query.inbound_xfr(host, zone, port=port, lifetime=30)
    return zone


def refresh(service: DNSService, zone: dns.zone.Zone, udp: dns.query.UDPMode = dns.query.UDPMode.NEVER) -> None:
    """Bring a secondary's zone up to date by IXFR."""
    host, port = service.addresses[0]
    dns.query.inbound_xfr(host, zone, port=port, lifetime=30, udp_mode=udp)


def raw(service: DNSService, query: dns.message.Message) -> list[bytes]:
    """Every message that the server sends for one query over TCP, until it has been silent for a moment."""
    wire = query.to_wire()
    with socket.create_connection(service.addresses[0], timeout=10) as connection:
        connection.sendall(len(wire).to_bytes(2, "big") + wire)
        connection.shutdown(socket.SHUT_WR)
        stream = b""
        while more := connection.recv(1 << 16):
            stream += more
    found = []
    while stream:
        end = 2 + int.from_bytes(stream[:2], "big")
        found.append(stream[2:end])
        stream = stream[end:]
    return found


def test_a_transfer_is_the_zone(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    stored.edit(written, {("own.example.org.", "TXT"): (60, ('"own ttl"',)), ("www.example.org.", "A"): (None, ())})
    del written.content["www.example.org.", "A"]
    service = serve()
    for _ in range(2):  # rendered for the first, kept for the second
        assert axfr(service) == written.as_dnspython()


def test_messages_are_full_and_the_soa_stands_at_both_ends(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, MANY)
    service = serve(max_message_size=4096)
    packets = raw(service, dns.message.make_query(ZONE, "AXFR"))
    sizes = [len(packet) for packet in packets]
    assert max(sizes) <= 4096 - rrset.TSIG_ROOM
    assert min(sizes[:-1]) > 3000
    types = [record.type for packet in packets for record in read(packet).answer]
    assert [at for at, rrtype in enumerate(types) if rrtype == 6] == [0, len(types) - 1]


def test_a_transfer_needs_tcp(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE)
    host, port = serve().addresses[0]
    reply = dns.query.udp(dns.message.make_query(ZONE, "AXFR"), host, port=port, timeout=5)
    assert reply.rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("name", ["www.example.org.", "other.org.", "deleting.org.", "."])
def test_a_zone_that_is_not_ours_is_not_given(stored: StoredZones, serve: Serve, name: str) -> None:
    stored.add_zone(ZONE)
    stored.add_zone("other.org.", pool_id="another")
    stored.add_zone("deleting.org.", action=Action.DELETE)
    (packet,) = raw(serve(), dns.message.make_query(name, "AXFR"))
    assert dns.message.from_wire(packet).rcode() == dns.rcode.REFUSED


def test_a_catalog_zone_is_a_zone(stored: StoredZones, serve: Serve) -> None:
    """RFC 9432: central writes the members as ordinary rows."""
    written = stored.add_zone(
        "catalog.example.",
        {
            ("version.catalog.example.", "TXT"): ('"2"',),
            ("a1b2.zones.catalog.example.", "PTR"): ("member.example.org.",),
        },
        kind=ZoneType.CATALOG,
    )
    assert axfr(serve(), "catalog.example.") == written.as_dnspython()


def test_one_bad_row_never_stops_a_transfer(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    for n, wire in enumerate(
        (b"\x03bad\xc0\x0c\x00\x01", b"\xff" * 30, b"\x00" * 12, b"\x05", b"\xc0\x0c" + b"\0" * 9)
    ):
        stored.poison(written, f"bad{n}.example.org.", wire)
    huge = rrset.pack(ZONE, "huge.example.org.", "TXT", None, [b"\xff" + b"x" * 255] * 1)
    oversize = huge[:-258] + (65535).to_bytes(2, "big") + b"y" * 65535
    stored.poison(written, "huge.example.org.", oversize)
    assert axfr(serve()) == written.as_dnspython()


def test_an_rr_longer_than_the_message_size_has_a_message_of_its_own(stored: StoredZones, serve: Serve) -> None:
    text = " ".join(f'"{"x" * 255}"' for _ in range(200))
    written = stored.add_zone(ZONE, {("long.example.org.", "TXT"): (text,), ("a.example.org.", "A"): ("192.0.2.1",)})
    assert axfr(serve(max_message_size=4096)) == written.as_dnspython()


def test_an_rrset_larger_than_a_message_is_spread(stored: StoredZones, serve: Serve) -> None:
    texts = tuple(f'"{i:03d}{"x" * 250}"' for i in range(600))
    written = stored.add_zone(ZONE, {("many.example.org.", "TXT"): texts})
    assert axfr(serve()) == written.as_dnspython()


def test_a_change_is_sent_as_a_difference(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    service = serve()
    zone = axfr(service)
    stored.edit(written, {("new.example.org.", "A"): (None, ("192.0.2.9",)), ("host1.example.org.", "A"): None})
    query, _ = dns.xfr.make_query(zone)
    (packet,) = raw(service, query)
    assert [record.type for record in read(packet).answer] == [6, 6, 1, 1, 6, 1, 6]
    refresh(service, zone)
    assert zone == written.as_dnspython()


def test_who_has_it_already_gets_the_soa_alone(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    service = serve()
    for serial in (written.zone.serial, written.zone.serial + 5):
        query = dns.message.make_query(ZONE, "IXFR")
        query.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
        (packet,) = raw(service, query)
        assert [record.type for record in read(packet).answer] == [6]


def test_ixfr_falls_back_to_the_whole_zone(stored: StoredZones, serve: Serve) -> None:
    """The journal does not reach back; or it says "everything"; or it weighs more than the zone."""
    written = stored.add_zone(ZONE, {("www.example.org.", "A"): ("192.0.2.1",)})
    service = serve()
    for since in (written.zone.serial - 7, 0):
        query = dns.message.make_query(ZONE, "IXFR")
        query.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", f". . {since} 0 0 0 0"))
        (packet,) = raw(service, query)
        assert [record.type for record in read(packet).answer] == [6, 2, 1, 6]
    zone = axfr(service)
    bulk = tuple(f'"{i:03d}{"x" * 250}"' for i in range(300))
    stored.edit(written, {("bulk.example.org.", "TXT"): (None, bulk)})
    stored.edit(written, {("bulk.example.org.", "TXT"): None})
    query, _ = dns.xfr.make_query(zone)
    (packet,) = raw(service, query)
    assert [record.type for record in read(packet).answer] == [6, 2, 1, 6]
    refresh(service, zone)
    assert zone == written.as_dnspython()


def test_a_revision_that_the_journal_does_not_hold_is_not_skipped(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    service = serve()
    zone = axfr(service)
    stored.edit(written, {("one.example.org.", "A"): (None, ("192.0.2.1",))})
    stored.edit(written, {("two.example.org.", "A"): (None, ("192.0.2.2",))}, full=True)
    stored.edit(written, {("three.example.org.", "A"): (None, ("192.0.2.3",))})
    refresh(service, zone, dns.query.UDPMode.TRY_FIRST)
    assert zone == written.as_dnspython()


def test_ixfr_over_udp_is_the_difference_or_the_soa(stored: StoredZones, serve: Serve) -> None:
    written = stored.add_zone(ZONE, MANY)
    service = serve()
    zone = axfr(service)
    stored.edit(written, {("new.example.org.", "A"): (None, ("192.0.2.9",))})
    refresh(service, zone, dns.query.UDPMode.ONLY)
    assert zone == written.as_dnspython()
    stored.edit(written, {("new.example.org.", "TXT"): (None, tuple(f'"{"x" * n}"' for n in range(90, 200)))})
    refresh(service, zone, dns.query.UDPMode.TRY_FIRST)
    assert zone == written.as_dnspython()


def test_equal_ixfrs_of_several_servers_are_read_once(
    stored: StoredZones, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the zone changes: then there is another way to it."""
    read: list[int] = []
    latest = Snapshot.latest

    def counted(view: Snapshot, zone: Any, since: int, *given: int) -> Any:
        read.append(since)
        return latest(view, zone, since, *given)

    monkeypatch.setattr(Snapshot, "latest", counted)
    written = stored.add_zone(ZONE, MANY)
    service = serve()
    servers = [axfr(service) for _ in range(3)]
    for texts in ("192.0.2.9",), ("192.0.2.10",):
        stored.edit(written, {("new.example.org.", "A"): (None, texts)})
        for zone in servers:
            refresh(service, zone)
            assert zone == written.as_dnspython()
    assert read == [1000, 1001]


def test_an_ixfr_without_a_soa_is_malformed(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE)
    (packet,) = raw(serve(), dns.message.make_query(ZONE, "IXFR"))
    assert dns.message.from_wire(packet).rcode() == dns.rcode.FORMERR


def test_a_long_chain_of_changes_is_followed(stored: StoredZones) -> None:
    written = stored.add_zone(ZONE, MANY)
    for i in range(300):
        stored.edit(written, {("counter.example.org.", "A"): (None, (f"192.0.2.{i % 250}",))})
    with stored.source.read() as view:
        served = view.zone(written.zone.id)
        assert served is not None
        assert render.differences(view, served, 1000, 60000) is not None
        assert render.differences(view, served, 999, 60000) is None


@pytest.mark.parametrize(("count", "statements"), [(1, 1), (100, 2), (200, 4)])
def test_a_hundred_changes_that_a_server_lacks_are_read_at_once(
    stored: StoredZones, monkeypatch: pytest.MonkeyPatch, count: int, statements: int
) -> None:
    run: list[object] = []
    one = Snapshot._run

    def counted(view: Snapshot, *given: Any) -> Any:
        run.append(given)
        return one(view, *given)

    monkeypatch.setattr(Snapshot, "_run", counted)
    written = stored.add_zone(ZONE, MANY)
    for i in range(count):
        stored.edit(written, {("counter.example.org.", "A"): (None, (f"192.0.2.{i % 250}",))})
    with stored.source.read() as view:
        served = view.zone(written.zone.id)
        assert served is not None
        run.clear()
        found = render.differences(view, served, 1000, 60000)
        assert found is not None
        assert found.records == 4 * count + 1
        assert len(run) == statements


NAMES = st.sampled_from([f"{label}.example.org." for label in "abcdef"])
VALUES = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from([None, 60, 7200]),
        st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True).map(
            lambda found: tuple(f"192.0.2.{n}" for n in found)
        ),
    ),
)
EDITS = st.lists(st.dictionaries(NAMES.map(lambda name: (name, "A")), VALUES, max_size=4), min_size=1, max_size=8)


def _apply(stored: StoredZones, written: StoredZone, edits: list[dict[Key, Value | None]]) -> None:
    for changes in edits:
        stored.edit(written, changes)


@settings(max_examples=40, deadline=None)
@given(before=EDITS, after=EDITS, room=st.sampled_from([1024, 65535]))
def test_the_old_zone_and_the_differences_are_the_new_zone(
    before: list[dict[Key, Value | None]],
    after: list[dict[Key, Value | None]],
    room: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stored = StoredZones.in_folder(Path(folder))
        try:
            written = stored.add_zone(ZONE, {("keep.example.org.", "A"): ("192.0.2.1",)})
            _apply(stored, written, before)
            secondary, since = written.as_dnspython(), written.zone.serial
            _apply(stored, written, after)
            with stored.source.read() as view:
                served = view.zone(written.zone.id)
                assert served is not None
                found = render.differences(view, served, since, render.room_of(room))
            assert found is not None
            _consume(secondary, found, since)
            assert secondary == written.as_dnspython()
        finally:
            stored.close()


def _consume(secondary: dns.zone.Zone, found: render.Rendered, since: int) -> None:
    """Let dnspython's state machine apply the chunks to a zone."""
    question = b"\x07example\x03org\0\x00\xfb\x00\x01"
    with dns.xfr.Inbound(secondary, dns.rdatatype.IXFR, serial=since) as inbound:
        for count, rrs in found.chunks:
            header = b"\0\0\x84\0\0\1" + count.to_bytes(2, "big") + b"\0\0\0\0"
            inbound.process_message(dns.message.from_wire(header + question + rrs, xfr=True, one_rr_per_rrset=True))


class Counting:
    """A source that counts how often it is opened for a rendering (the one kind of reading off the query threads)."""

    def __init__(self, source: Serving) -> None:
        self._source = source
        self.renders = 0

    def read(self) -> AbstractContextManager[Snapshot]:
        if threading.current_thread().name.startswith("mdns-render"):
            self.renders += 1
        return self._source.read()


def test_a_version_is_rendered_once_however_many_ask(stored: StoredZones) -> None:
    written = stored.add_zone(ZONE, MANY)
    source = Counting(stored.source)
    service = DNSService(source, MdnsSettings(tcp_recv_timeout=5))
    service.run_in_thread([("127.0.0.1", 0)])
    try:
        with ThreadPoolExecutor(8) as pool:
            for zone in pool.map(lambda _: axfr(service), range(8)):
                assert zone == written.as_dnspython()
        assert source.renders == 1
        stored.edit(written, {("new.example.org.", "A"): (None, ("192.0.2.9",))})
        assert axfr(service) == written.as_dnspython()
        assert source.renders == 2
    finally:
        service.stop_thread()


def test_a_transfer_is_one_version_while_the_zone_changes(stored: StoredZones, serve: Serve) -> None:
    """Every edit moves one marker from name to name: a mixture of two versions would show none or two of them."""
    written = stored.add_zone(ZONE, MANY)
    stored.edit(written, {("marker0.example.org.", "A"): (None, ("192.0.2.1",))})
    service = serve(cache_bytes=0)
    rng = random.Random(5)
    with ThreadPoolExecutor(1) as pool:
        transfers = [pool.submit(axfr, service) for _ in range(6)]
        at = 0
        while not all(transfer.done() for transfer in transfers):
            to = rng.randrange(1000)
            if to != at:
                change: dict[Key, Value | None] = {(f"marker{at}.{ZONE}", "A"): None}
                change[f"marker{to}.{ZONE}", "A"] = (None, ("192.0.2.1",))
                stored.edit(written, change)
                at = to
        for transfer in transfers:
            markers = [name for name in transfer.result().nodes if name.to_text().startswith("marker")]
            assert len(markers) == 1
