# SPDX-License-Identifier: Apache-2.0
"""Who may see what, and how a signature that does not hold is refused (RFC 8945); dnspython signs and verifies."""

from __future__ import annotations

import dataclasses
import struct
import time
from collections.abc import Callable

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest

from redesignate.mdns.answer import Answerer, Transfer
from redesignate.mdns.render import render, room_of
from redesignate.model.tsigkey import ALGORITHMS, Scope, TSIGKey
from redesignate.wire import message, tsig
from tests.mdns.conftest import Serve
from tests.mdns.test_transfer import MANY, raw
from tests.mdns.zones import POOL, SECRET, StoredZones

ZONE = "example.org."
NOW = 1_800_000_000
OTHER_SECRET = "b3RoZXJvdGhlcm90aGVyb3RoZXI="


def ring(name: str = "key1", secret: str = SECRET, algorithm: str = "hmac-sha256") -> dns.tsig.Key:
    full = "hmac-md5.sig-alg.reg.int" if algorithm == "hmac-md5" else algorithm
    return dns.tsig.Key(name, secret, full)


def signed(key: dns.tsig.Key, name: str = ZONE, rrtype: str = "SOA", at: int = NOW, **options: object) -> bytes:
    """A signed query, its time as given."""
    query = dns.message.make_query(name, rrtype, **options)  # type: ignore[arg-type]
    rdata = dns.tsig.sign(query.to_wire(), key, _blank(key, query.id), at, None)[0]  # type: ignore[no-untyped-call]  # dnspython's
    return _with_tsig(query.to_wire(), key, rdata)


def _blank(key: dns.tsig.Key, msg_id: int) -> dns.rdtypes.ANY.TSIG.TSIG:
    return dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, 0, 300, b"", msg_id, 0, b"")  # type: ignore[no-untyped-call]


def _with_tsig(packet: bytes, key: dns.tsig.Key, rdata: dns.rdata.Rdata) -> bytes:
    wire = rdata.to_wire()
    assert wire is not None
    owner = key.name.to_wire()
    assert owner is not None
    count = (int.from_bytes(packet[10:12], "big") + 1).to_bytes(2, "big")
    return packet[:10] + count + packet[12:] + owner + struct.pack("!HHLH", 250, 255, 0, len(wire)) + wire


@pytest.fixture
def ask(stored: StoredZones) -> Callable[[bytes], bytes | Transfer | None]:
    """Ask at a fixed time, without sockets; TCP, so that nothing is truncated."""
    from redesignate.config.settings import MdnsSettings

    answerer = Answerer(MdnsSettings(), clock=lambda: NOW * 1_000_000)

    def do(packet: bytes) -> bytes | Transfer | None:
        with stored.source.read() as view:
            return answerer.answer(view, packet, tcp=True, peer="192.0.2.99")

    return do


Ask = Callable[[bytes], bytes | Transfer | None]


def refusal(answer: bytes | Transfer | None) -> tuple[int, tsig.Signature]:
    """The rcode and TSIG of an answer that carries no data."""
    assert isinstance(answer, bytes)
    read = message.read(answer)
    assert read.answer == read.authority == ()
    found = tsig.signature(read)
    assert found is not None
    return read.rcode, found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_queries_and_transfers(stored: StoredZones, serve: Serve, algorithm: str) -> None:
    written = stored.add_zone(ZONE, MANY)
    stored.add_key("key1", Scope.POOL, POOL, algorithm)
    host, port = serve(max_message_size=4096).addresses[0]
    query = dns.message.make_query(ZONE, "SOA")
    query.use_tsig(ring(algorithm=algorithm))
    assert len(dns.query.udp(query, host, port=port, timeout=5).answer) == 1
    zone = dns.zone.Zone(ZONE, relativize=False)
    query, _ = dns.xfr.make_query(zone, keyring=ring(algorithm=algorithm))
    dns.query.inbound_xfr(host, zone, query, port=port, lifetime=30)
    assert zone == written.as_dnspython()


def test_every_message_of_a_stream_is_signed(stored: StoredZones, serve: Serve) -> None:
    stored.add_zone(ZONE, MANY)
    key = stored.add_key("key1", Scope.POOL, POOL)
    query = dns.message.make_query(ZONE, "AXFR")
    query.use_tsig(ring())
    packets = raw(serve(max_message_size=4096), query)
    assert len(packets) > 3
    request = message.read(query.to_wire())
    found = tsig.signature(request)
    assert found is not None
    stream = tsig.StreamVerifier(tsig.prepare(key), found.mac)
    for packet in packets:
        assert message.read(packet).tsig is not None
        stream.check(message.read(packet), int(time.time()))
    assert stream.done()
    swapped = tsig.StreamVerifier(tsig.prepare(key), found.mac)
    swapped.check(message.read(packets[0]), int(time.time()))
    with pytest.raises(tsig.Refused, match="BADSIG"):
        swapped.check(message.read(packets[2]), int(time.time()))


def test_a_pools_key_opens_its_pool_alone(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_zone("other.org.", pool_id="another")
    stored.add_key("key1", Scope.POOL, "another")
    for name, rcode in ((ZONE, dns.rcode.REFUSED), ("other.org.", dns.rcode.NOERROR)):
        answer = ask(signed(ring(), name))
        assert isinstance(answer, bytes)
        assert message.read(answer).rcode == rcode
        assert message.read(answer).tsig is not None
        assert isinstance(ask(signed(ring(), name, "AXFR")), bytes if rcode else Transfer)


def test_a_zones_key_opens_that_zone_alone(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    other = stored.add_zone("other.org.", pool_id="another")
    stored.add_key("key1", Scope.ZONE, other.zone.id)
    assert isinstance(ask(signed(ring(), "other.org.", "AXFR")), Transfer)
    answer = ask(signed(ring(), ZONE, "AXFR"))
    assert isinstance(answer, bytes)
    assert message.read(answer).rcode == dns.rcode.REFUSED


def test_an_unknown_key_is_told_so_unsigned(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    rcode, found = refusal(ask(signed(ring("nobody"), rrtype="AXFR")))
    assert (rcode, found.error, found.mac) == (9, tsig.TSIGError.BADKEY, b"")


def test_another_algorithm_than_the_keys_is_an_unknown_key(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL, "hmac-sha512")
    rcode, found = refusal(ask(signed(ring(), rrtype="AXFR")))
    assert (rcode, found.error, found.mac) == (9, tsig.TSIGError.BADKEY, b"")


def test_an_unusable_key_in_the_database_is_an_unknown_key(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL, secret="not base64!")
    assert refusal(ask(signed(ring())))[1].error == tsig.TSIGError.BADKEY


def test_an_unusable_key_is_logged_once_however_often_it_is_used(
    stored: StoredZones, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL, secret="sealed:with another secret.key")
    for _ in range(5):
        ask(signed(ring()))
    assert caplog.text.count("tsig key unusable") == 1


def test_a_wrong_mac_is_told_so_unsigned(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    for packet in (
        signed(ring(secret=OTHER_SECRET), rrtype="AXFR"),
        signed(ring()).replace(b"\x07example", b"\x07exemple"),
    ):
        rcode, found = refusal(ask(packet))
        assert (rcode, found.error, found.mac) == (9, tsig.TSIGError.BADSIG, b"")


@pytest.mark.parametrize("skew", [-360, 360])
def test_a_wrong_clock_is_told_ours_signed(stored: StoredZones, ask: Ask, skew: int) -> None:
    stored.add_zone(ZONE)
    key = stored.add_key("key1", Scope.POOL, POOL)
    packet = signed(ring(), rrtype="AXFR", at=NOW + skew)
    answer = ask(packet)
    rcode, found = refusal(answer)
    assert (rcode, found.error) == (9, tsig.TSIGError.BADTIME)
    assert int.from_bytes(found.other, "big") == NOW
    request = tsig.signature(message.read(packet))
    assert request is not None
    assert isinstance(answer, bytes)
    tsig.verify(message.read(answer), found, tsig.prepare(key), NOW + skew, request.mac)


@pytest.mark.parametrize("skew", [-300, -1, 1, 300])
def test_a_clock_within_the_fudge_is_accepted(stored: StoredZones, ask: Ask, skew: int) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    assert isinstance(ask(signed(ring(), rrtype="AXFR", at=NOW + skew)), Transfer)


def _truncated(packet: bytes, octets: int) -> bytes:
    """The same packet with a shortened MAC."""
    read = message.read(packet)
    found = tsig.signature(read)
    assert found is not None
    assert read.tsig is not None
    bare = packet[:10] + (int.from_bytes(packet[10:12], "big") - 1).to_bytes(2, "big") + packet[12 : read.tsig.start]
    return tsig._attach(bare, dataclasses.replace(found, mac=found.mac[:octets]))


def test_a_truncated_mac_is_refused(stored: StoredZones, ask: Ask) -> None:
    """RFC 8945 §5.2.2.1: half or more is BADTRUNC, signed; less than half, none, or too much is FORMERR."""
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    for octets in (16, 31):
        rcode, found = refusal(ask(_truncated(signed(ring(), rrtype="AXFR"), octets)))
        assert (rcode, found.error) == (9, tsig.TSIGError.BADTRUNC)
        assert len(found.mac) == 32
    for octets in (0, 10, 15):
        answer = ask(_truncated(signed(ring(), rrtype="AXFR"), octets))
        assert isinstance(answer, bytes)
        assert message.read(answer).rcode == dns.rcode.FORMERR
    wrong = _truncated(signed(ring(secret=OTHER_SECRET)), 16)
    assert refusal(ask(wrong))[1].error == tsig.TSIGError.BADSIG


def test_a_tsig_that_is_not_last_or_not_alone_is_malformed(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    packet = signed(ring())
    opt = message.opt()
    more = (int.from_bytes(packet[10:12], "big") + 1).to_bytes(2, "big")
    read = message.read(packet)
    assert read.tsig is not None
    for bad in (packet[:10] + more + packet[12:] + opt, packet[:10] + more + packet[12:] + packet[read.tsig.start :]):
        answer = ask(bad)
        assert isinstance(answer, bytes)
        assert message.read(answer).rcode == dns.rcode.FORMERR


def test_the_signed_answer_leaves_room_for_its_signature(stored: StoredZones, serve: Serve) -> None:
    """However large the RRset: an answer over UDP never exceeds what the client takes, signature included."""
    stored.add_key("key1", Scope.POOL, POOL, "hmac-sha512")
    records = {(f"n{n}.example.org.", "TXT"): (f'"{"x" * n}"', f'"{"y" * n}"') for n in range(40, 220, 3)}
    stored.add_zone(ZONE, records)
    host, port = serve().addresses[0]
    truncated = 0
    for (name, _), _ in records.items():
        query = dns.message.make_query(name, "TXT")
        query.use_tsig(ring(algorithm="hmac-sha512"))
        reply = dns.query.udp(query, host, port=port, timeout=5, ignore_trailing=False)
        assert len(reply.wire or b"") <= 512
        truncated += bool(reply.flags & dns.flags.TC)
    assert 0 < truncated < len(records)


def test_the_second_message_of_a_connection_is_judged_by_itself(stored: StoredZones, ask: Ask) -> None:
    """An unsigned query after a signed one gains nothing from it."""
    stored.add_zone("other.org.", pool_id="another")
    stored.add_key("key1", Scope.POOL, "another")
    assert isinstance(ask(signed(ring(), "other.org.", "AXFR")), Transfer)
    answer = ask(dns.message.make_query("other.org.", "AXFR").to_wire())
    assert isinstance(answer, bytes)
    assert message.read(answer).rcode == dns.rcode.REFUSED


def test_transfer_messages_are_what_rendering_gives(stored: StoredZones, ask: Ask) -> None:
    written = stored.add_zone(ZONE)
    stored.add_key("key1", Scope.POOL, POOL)
    transfer = ask(signed(ring(), rrtype="AXFR"))
    assert isinstance(transfer, Transfer)
    with stored.source.read() as view:
        served = view.zone(written.zone.id)
        assert served is not None
        (chunk,) = render(view, served, room_of(65535)).chunks
    packet = transfer.message(chunk, lambda: NOW * 1_000_000)
    assert [record.type for record in message.read(packet).answer] == [6, 2, 6]


def test_a_key_is_found_by_its_name_in_any_case(stored: StoredZones, ask: Ask) -> None:
    stored.add_zone(ZONE)
    stored.add_key("key1.example.org", Scope.POOL, POOL)
    assert isinstance(ask(signed(ring("KEY1.Example.org"), rrtype="AXFR")), Transfer)


def test_a_stored_key_says_what_is_wrong_with_it() -> None:
    bad = TSIGKey(id="1", name="k", algorithm="hmac-sha3", secret=SECRET, scope=Scope.POOL, resource_id="p")
    with pytest.raises(ValueError, match="TSIG key 'k' cannot be used: its algorithm 'hmac-sha3' is not supported"):
        tsig.prepare(bad)
