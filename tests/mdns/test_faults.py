# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken peers: whatever comes in, those who ask properly are answered."""

from __future__ import annotations

import random
import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import dns.message
import dns.query
import dns.rcode
import pytest

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.answer import Answerer
from redesignate.mdns.service import DNSService
from redesignate.mdns.source import View
from redesignate.model.errors import Unavailable
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import ZoneType
from redesignate.store.schema import inbound
from redesignate.wire import client, message
from redesignate.wire.message import Rcode
from tests.mdns.conftest import Serve
from tests.mdns.test_lookup import RECORDS
from tests.mdns.test_tsig import NOW, ring, signed
from tests.mdns.zones import POOL, StoredZones

ZONE = "example.org."


def corpus() -> list[bytes]:
    """Valid packets of every kind that we take."""
    ixfr = dns.message.make_query(ZONE, "IXFR")
    ixfr.authority.append(dns.rrset.from_text(ZONE, 0, "IN", "SOA", ". . 999 0 0 0 0"))
    plain = [(name, rrtype) for name, rrtype in RECORDS] + [("x.wild.example.org.", "A"), ("nx.example.org.", "A")]
    return [
        *(dns.message.make_query(*asked).to_wire() for asked in plain),
        *(dns.message.make_query(*asked, use_edns=0, payload=4096).to_wire() for asked in plain),
        dns.message.make_query(ZONE, "AXFR").to_wire(),
        ixfr.to_wire(),
        client.notify_message(ZONE, 5, 77),
        signed(ring()),
        signed(ring(), rrtype="AXFR"),
        signed(ring("nobody")),
    ]


def mutants(packets: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """The packets with octets altered, cut, doubled, inserted, and counts, lengths and pointers gone wrong."""
    rng = random.Random(seed)
    for _ in range(count):
        packet = bytearray(rng.choice(packets))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(packet)) if packet else 0
            match rng.randrange(8):
                case 0 | 1:
                    packet[at : at + 1] = bytes((rng.randrange(256),))
                case 2:
                    del packet[at:]
                case 3:
                    packet[at:at] = rng.randbytes(rng.randint(1, 30))
                case 4:
                    packet[at : at + 2] = struct.pack("!H", 0xC000 | rng.randrange(len(packet) + 2))
                case 5 if len(packet) >= 12:
                    packet[rng.choice((5, 7, 9, 11))] = rng.choice((0, 1, 2, 3, 255))
                case 6:
                    packet += packet[at:]
                case _:
                    packet[at : at + 2] = rng.choice((b"\0\0", b"\xff\xff", b"\xc0\x0c", b"\x3f\x3f"))
        yield bytes(packet[:4000])


@pytest.fixture
def answerer(stored: StoredZones) -> Iterator[tuple[Answerer, View]]:
    stored.add_zone(ZONE, RECORDS)
    stored.add_key("key1", Scope.POOL, POOL)
    with stored.source.read() as view:
        yield Answerer(MdnsSettings(), clock=lambda: NOW * 1_000_000), view


def test_a_mutated_packet_gets_an_answer_or_none_and_never_an_error_of_ours(
    answerer: tuple[Answerer, View],
) -> None:
    """Without sockets, so that an exception is seen where it comes from. What goes out is a sound message."""
    brain, view = answerer
    for at, packet in enumerate(mutants(corpus(), 6000, seed=1)):
        answer = brain.answer(view, packet, tcp=bool(at % 2), peer="192.0.2.1")
        if isinstance(answer, bytes):
            read = message.read(answer)
            assert read.id == int.from_bytes(packet[:2], "big")
            assert read.flags & message.QR
            assert at % 2 or len(answer) <= 1232


def test_every_cut_of_every_packet_is_survived(answerer: tuple[Answerer, View]) -> None:
    brain, view = answerer
    for packet in corpus():
        for end in range(len(packet)):
            answer = brain.answer(view, packet[:end], tcp=False, peer="192.0.2.1")
            assert answer is None if end < 12 else isinstance(answer, bytes)
            if isinstance(answer, bytes):
                assert message.read(answer).rcode in {Rcode.FORMERR, Rcode.NOTIMP}


def healthy(service: DNSService) -> None:
    """Proper questions are answered on both transports."""
    host, port = service.addresses[0]
    query = dns.message.make_query("www.example.org.", "A")
    assert len(dns.query.udp(query, host, port=port, timeout=5).answer) == 1
    assert len(dns.query.tcp(query, host, port=port, timeout=5).answer) == 1


def test_valid_queries_are_answered_throughout_a_flood_of_mutants(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, RECORDS)
    stored.add_key("key1", Scope.POOL, POOL)
    service = serve()
    address = service.addresses[0]
    packets = corpus()
    healthy(service)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for at, packet in enumerate(mutants(packets, 4000, seed=2)):
            flood.sendto(packet, address)
            if at % 400 == 0:
                healthy(service)
    for at, packet in enumerate(mutants(packets, 300, seed=3)):
        with socket.create_connection(address, timeout=5) as connection, suppress(ConnectionError):
            size = len(packet) if at % 3 else random.Random(at).randrange(65536)  # lengths that lie, too
            connection.sendall(size.to_bytes(2, "big") + packet)
        if at % 100 == 0:
            healthy(service)
    healthy(service)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30 * 1024, f"{grown} KiB"


def closed_within(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side ends the connection in time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def test_a_silent_connection_is_closed(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, RECORDS)
    service = serve(tcp_recv_timeout=0.2)
    with socket.create_connection(service.addresses[0]) as connection:
        assert closed_within(connection, 5)
    with socket.create_connection(service.addresses[0]) as connection:
        connection.sendall(b"\0\x1e")
        assert closed_within(connection, 5)


def test_one_octet_at_a_time_is_cut_off_like_silence(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, RECORDS)
    service = serve(tcp_recv_timeout=0.5)
    began = time.monotonic()
    with socket.create_connection(service.addresses[0]) as connection, suppress(ConnectionError):
        connection.sendall(b"\x10\0")
        while time.monotonic() - began < 10 and not closed_within(connection, 0.1):
            connection.sendall(b"x")
    assert time.monotonic() - began < 5
    healthy(service)


def test_idle_connections_make_room_for_new_ones(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, RECORDS)
    service = serve(tcp_recv_timeout=60.0, threads=20)
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(service.addresses[0])) for _ in range(60)]
        healthy(service)
        assert closed_within(idle[0], 5)


def test_a_connection_carries_several_queries_also_at_once(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, RECORDS)
    service = serve()
    queries = [dns.message.make_query(*asked) for asked in RECORDS]
    stream = b"".join(len(q.to_wire()).to_bytes(2, "big") + q.to_wire() for q in queries)
    with socket.create_connection(service.addresses[0], timeout=10) as connection:
        connection.sendall(stream)
        for query in queries:
            reply, _ = dns.query.receive_tcp(connection, expiration=time.time() + 10)
            assert reply.id == query.id


def test_who_does_not_read_a_transfer_holds_up_nobody(stored: StoredZones, serve: Serve) -> None:
    text = " ".join(f'"{"x" * 250}"' for _ in range(120))
    stored.add_zone(ZONE, {(f"t{n}.example.org.", "TXT"): (text,) for n in range(300)} | RECORDS)
    service = serve()
    query = dns.message.make_query(ZONE, "AXFR").to_wire()
    with ExitStack() as stack:
        for _ in range(5):
            lazy = stack.enter_context(socket.socket())
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.connect(service.addresses[0])
            lazy.sendall(len(query).to_bytes(2, "big") + query)
        healthy(service)


@pytest.mark.parametrize(
    ("name", "peer", "rcode"),
    [
        ("example.org.", "192.0.2.1", 9),
        ("unknown.org.", "192.0.2.1", 9),
        ("secondary.org.", "192.0.2.9", 5),
        ("secondary.org.", "192.0.2.1", 0),
        ("secondary.org.", "2001:db8:0::1", 0),
    ],
)
def test_a_notify_is_taken_from_a_primary_of_a_secondary_zone_alone(
    stored: StoredZones, name: str, peer: str, rcode: int
) -> None:
    stored.add_zone(ZONE)
    primaries = ("192.0.2.1:53", "[2001:db8::1]:5353")
    written = stored.add_zone("secondary.org.", kind=ZoneType.SECONDARY, pool_id="another", primaries=primaries)
    passed: list[tuple[str, str]] = []
    brain = Answerer(MdnsSettings(), forward=lambda zone_id, address: passed.append((zone_id, address)))
    with stored.source.read() as view:
        answer = brain.answer(view, client.notify_message(name, 7, 3), tcp=False, peer=peer)
    assert isinstance(answer, bytes)
    read = message.read(answer)
    assert (read.opcode, read.rcode) == (message.NOTIFY, rcode)
    assert passed == ([] if rcode else [(written.zone.id, peer)])


@pytest.mark.parametrize("rrtype", ["SOA", "A", "AXFR"])
def test_a_secondary_zone_without_a_valid_copy_is_a_server_failure(stored: StoredZones, rrtype: str) -> None:
    written = stored.add_zone("secondary.org.", kind=ZoneType.SECONDARY)
    query = dns.message.make_query("secondary.org.", rrtype).to_wire()

    def rcode() -> int:
        with stored.source.read() as view:
            answer = Answerer(MdnsSettings()).answer(view, query, tcp=True, peer="127.0.0.1")
        return message.read(answer).rcode if isinstance(answer, bytes) else 0

    assert rcode() == dns.rcode.SERVFAIL
    stored.store.transact(lambda work: work.inbound.add(written.zone.id, 0))
    assert rcode() == dns.rcode.SERVFAIL
    stored.store.transact(lambda work: work.conn.execute(inbound.update().values(loaded=True)))
    assert rcode() == dns.rcode.NOERROR


def test_other_opcodes_are_not_implemented(answerer: tuple[Answerer, View]) -> None:
    brain, view = answerer
    packet = bytearray(dns.message.make_query(ZONE, "SOA").to_wire())
    for opcode in (1, 2, 3, 5, 6, 15):
        packet[2] = opcode << 3
        answer = brain.answer(view, bytes(packet), tcp=False, peer="192.0.2.1")
        assert isinstance(answer, bytes)
        assert message.read(answer).rcode == dns.rcode.NOTIMP
        assert message.read(answer).opcode == opcode


def test_an_answer_is_never_answered(answerer: tuple[Answerer, View]) -> None:
    brain, view = answerer
    reply = dns.message.make_response(dns.message.make_query(ZONE, "SOA")).to_wire()
    assert brain.answer(view, reply, tcp=False, peer="192.0.2.1") is None


class Away:
    """A database that cannot be reached."""

    def read(self) -> View:
        raise Unavailable("The database is away.")


def test_a_database_away_is_a_server_failure(stored: StoredZones) -> None:
    service = DNSService(Away(), MdnsSettings(tcp_recv_timeout=5))  # type: ignore[arg-type]
    service.run_in_thread([("127.0.0.1", 0)])
    try:
        host, port = service.addresses[0]
        for do in (dns.query.udp, dns.query.tcp):
            reply = do(dns.message.make_query(ZONE, "SOA"), host, port=port, timeout=5)
            assert reply.rcode() == dns.rcode.SERVFAIL
    finally:
        service.stop_thread()


def test_a_port_taken_by_another_is_an_error(stored: StoredZones) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        service = DNSService(stored.source, MdnsSettings())
        with pytest.raises(OSError):
            service.run_in_thread([("127.0.0.1", taken.getsockname()[1])])


def test_two_services_share_a_port(stored: StoredZones) -> None:
    stored.add_zone(ZONE, RECORDS)
    port = _free_port()
    first, second = (DNSService(stored.source, MdnsSettings(tcp_recv_timeout=5)) for _ in range(2))
    first.run_in_thread([("127.0.0.1", port)])
    try:
        second.run_in_thread([("127.0.0.1", port)])
        healthy(second)
        second.stop_thread()
        healthy(first)
    finally:
        first.stop_thread()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
