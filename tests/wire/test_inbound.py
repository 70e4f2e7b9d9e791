# SPDX-License-Identifier: Apache-2.0
"""A zone transfer on its way in: what dnspython sends is taken whole, what no primary should send is refused."""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Sequence
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.renderer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.wire import message, rrset, tsig
from redesignate.wire.inbound import Limits, TransferFault, TransferReader, axfr_query
from redesignate.wire.message import AA, AXFR, QR

ZONE = "Example.org."
SOA = ("example.org.", 600, "SOA", "ns1.example.org. admin.example.org. 7 3600 600 86400 300")
BODY = (
    ("example.org.", 60, "NS", "ns1.example.org."),
    ("WWW.example.org.", 60, "A", "192.0.2.1"),
    ("mail.example.org.", 60, "MX", "10 mx.example.org."),
    ("_s._tcp.example.org.", 60, "SRV", "0 1 2 srv.example.org."),
    ("n.example.org.", 60, "NAPTR", '1 2 "u" "x" "y" repl.example.org.'),
    ("t.example.org.", 60, "TYPE65280", "\\# 3 010203"),
    ("s.example.org.", 60, "TYPE46", "\\# 4 00010203"),
)
PLENTY = Limits(records=1000, octets=10**6, packed=10**6)
RR = tuple[str, int, str, str]
KEY = TSIGKey(
    id="k", name="k.example", algorithm="hmac-sha256", secret=base64.b64encode(b"s" * 32).decode(), scope=Scope.ZONE,
    resource_id="z",
)  # fmt: skip


def packet(records: Sequence[RR], *, msg_id: int = 5, flags: int = QR | AA, cls: int = 1, ask: bool = True) -> bytes:
    """A message of a transfer, names compressed as dnspython does."""
    made: Any = dns.renderer.Renderer(id=msg_id, flags=flags, max_size=65535)  # type: ignore[no-untyped-call]
    if ask:
        made.add_question(dns.name.from_text(ZONE), dns.rdatatype.AXFR)
    for name, ttl, rrtype, text in records:
        rdata = dns.rdata.from_text("IN", rrtype if rrtype != "TYPE46" else "TYPE65281", text)
        found = dns.rdataset.from_rdata(ttl, rdata)
        found.rdclass = dns.rdataclass.RdataClass.make(cls)
        made.add_rdataset(dns.renderer.ANSWER, dns.name.from_text(name), found)
    made.write_header()
    wire: bytes = made.get_wire()
    return wire


def receive(*packets: bytes, limits: Limits = PLENTY) -> TransferReader:
    transfer = TransferReader(ZONE, 5, limits)
    for one in packets:
        transfer.take(one, 0)
    return transfer


def plain(transfer: TransferReader) -> list[bytes]:
    return rrset.split(zlib.decompress(transfer.content))


def test_a_zone_in_one_message_is_taken_with_its_names_written_out() -> None:
    transfer = receive(packet([SOA, *BODY, SOA]))
    found = plain(transfer)
    assert transfer.done
    assert transfer.serial == 7
    assert len(found) == transfer.records == 1 + len(BODY)
    assert found[0][:4] == rrset.APEX + b"\0\x06"
    assert found[2].startswith(b"\x03www" + rrset.APEX)
    assert found[3].endswith(b"\x00\x0a\x02mx\x07example\x03org\x00")
    assert found[5].endswith(b"\x04repl\x07example\x03org\x00")


@given(st.lists(st.integers(0, len(BODY) + 2), max_size=4), st.booleans())
def test_it_does_not_matter_where_messages_end(cuts: list[int], ask: bool) -> None:
    whole = [SOA, *BODY, SOA]
    edges = sorted({0, len(whole), *cuts})
    parts = [whole[a:b] for a, b in itertools.pairwise(edges)]
    packets = [packet(part, ask=ask or not n) for n, part in enumerate(parts)]
    assert plain(receive(*packets)) == plain(receive(packet(whole)))


CHANGED = ("example.org.", 600, "SOA", "ns1.example.org. admin.example.org. 8 3600 600 86400 300")
HOSTILE: dict[str, tuple[bytes, ...]] = {
    "no octets": (b"",),
    "less than a header": (b"\0\5\x84",),
    "another id": (packet([SOA, SOA], msg_id=6),),
    "a question": (packet([SOA, SOA], flags=AA),),
    "another opcode": (packet([SOA, SOA], flags=QR | AA | 4 << 11),),
    "refused": (packet([], flags=QR | 5),),
    "an rcode with a zone": (packet([SOA, *BODY, SOA], flags=QR | AA | 2),),
    "no authority": (packet([SOA, *BODY, SOA], flags=QR),),
    "truncated": (packet([SOA, *BODY, SOA], flags=QR | AA | 0x200),),
    "another question": (message.build(5, QR | AA, message.question(b"\x03org\0", AXFR), ((1, b""),)),),
    "no question at first": (packet([SOA, *BODY, SOA], ask=False),),
    "no records": (packet([]),),
    "no records in the middle": (packet([SOA]), packet([])),
    "no SOA at first": (packet([*BODY, SOA]),),
    "an SOA in the middle": (packet([SOA, BODY[0], CHANGED, BODY[1], SOA]),),
    "a zone that changed": (packet([SOA, *BODY]), packet([CHANGED])),
    "records after the end": (packet([SOA, *BODY, SOA, BODY[0]]),),
    "an SOA below the apex": (packet([SOA, ("www.example.org.", 1, "SOA", SOA[3]), SOA]),),
    "another class": (packet([SOA, *BODY, SOA], cls=3),),
    "out of the zone": (packet([SOA, ("www.example.com.", 1, "A", "192.0.2.1"), SOA]),),
    "nearly in the zone": (packet([SOA, ("badexample.org.", 1, "A", "192.0.2.1"), SOA]),),
    "in the zone by its octets alone": (packet([SOA, ("x\\007example.org.", 1, "A", "192.0.2.1"), SOA]),),
    "above the zone": (packet([SOA, ("org.", 1, "A", "192.0.2.1"), SOA]),),
    "a question's type": (packet([SOA, ("www.example.org.", 1, "TYPE252", "\\# 1 00"), SOA]),),
    "octets behind": (packet([SOA, *BODY, SOA]) + b"x",),
    "cut short": (packet([SOA, *BODY, SOA])[:-3],),
    "an IXFR's start": (packet([SOA, CHANGED, BODY[0]]),),
    "an oversize record": (packet([SOA, ("x.example.org.", 1, "TYPE65280", "\\# 65100 " + "00" * 65100)]),),
}


@pytest.mark.parametrize("packets", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_transfer_is_refused(packets: tuple[bytes, ...]) -> None:
    with pytest.raises(TransferFault) as caught:
        receive(*packets)
    assert str(caught.value).isprintable()


def test_a_record_whose_fields_do_not_fit_its_length_is_named() -> None:
    broken = packet([SOA, ("mail.example.org.", 1, "MX", "10 mx."), SOA]).replace(b"\2mx\0", b"\1m\0\0")
    with pytest.raises(TransferFault, match=r"MX at mail\.example\.org\.: rdata whose length does not fit its fields"):
        receive(broken)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(records=5, octets=10**6, packed=10**6), "xfr_max_records"),
        (Limits(records=100, octets=100, packed=10**6), "xfr_max_bytes"),
        (Limits(records=100, octets=10**6, packed=20), "xfr_max_compressed"),
    ],
)
def test_a_zone_over_a_limit_is_refused_and_the_limit_named(limits: Limits, word: str) -> None:
    with pytest.raises(TransferFault, match=word):
        receive(packet([SOA, *BODY, SOA]), limits=limits)


def test_an_endless_transfer_ends_at_the_limit() -> None:
    transfer = receive(packet([SOA]), *(packet([(f"n{n}.example.org.", 1, "A", "192.0.2.1")]) for n in range(999)))
    with pytest.raises(TransferFault, match="xfr_max_records"):
        transfer.take(packet([BODY[0]]), 0)


def test_an_unfinished_zone_is_no_zone() -> None:
    transfer = receive(packet([SOA, *BODY]))
    assert not transfer.done
    with pytest.raises(TransferFault):
        transfer.content  # noqa: B018  # reading it is the point


def test_a_ttl_beyond_31_bits_is_none() -> None:
    (_, record) = plain(receive(packet([SOA, ("w.example.org.", 2**31 + 5, "A", "192.0.2.1"), SOA])))
    assert record == b"\x01w" + rrset.APEX + b"\0\1\0\1" + b"\0\0\0\0" + b"\0\4" + b"\xc0\0\2\1"


@given(st.data())
def test_whatever_comes_is_taken_or_refused(data: st.DataObject) -> None:
    sent = bytearray(packet([SOA, *BODY, SOA]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sent) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                sent[at] = data.draw(st.integers(0, 255))
            case "cut":
                del sent[at : at + data.draw(st.integers(1, 8))]
                sent = sent or bytearray(b"\0")
            case _:
                sent[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    try:
        transfer = receive(bytes(sent))
    except TransferFault:
        return
    if transfer.done:
        assert all(rrset.fits(rr) for rr in plain(transfer))


@given(st.lists(st.binary(max_size=400), max_size=5))
def test_noise_is_refused(packets: list[bytes]) -> None:
    transfer = TransferReader(ZONE, 5, PLENTY)
    for one in packets:
        with pytest.raises(TransferFault):
            transfer.take(one, 0)
    assert not transfer.done


# -- signatures


def signed(parts: Sequence[Sequence[RR]], query: bytes, *, unsigned_last: bool = False) -> list[bytes]:
    """Messages signed as a stream; that our signatures are everybody's is `tests/mdns/test_tsig.py`'s to show."""
    asked = tsig.signature(message.read(query))
    assert asked is not None
    signer = tsig.Signer(tsig.prepare(KEY), asked.mac)
    made = [signer.sign(packet(part), 1000) for part in parts]
    return [*made[:-1], packet(parts[-1])] if unsigned_last else made


def take_all(transfer: TransferReader, packets: Sequence[bytes], clock_s: int) -> None:
    for one in packets:
        transfer.take(one, clock_s)


def test_a_signed_stream_is_taken() -> None:
    query, verifier = axfr_query(ZONE, 5, KEY, 1000)
    transfer = TransferReader(ZONE, 5, PLENTY, verifier)
    take_all(transfer, signed([[SOA, *BODY[:3]], BODY[3:], [SOA]], query), 1000)
    assert len(plain(transfer)) == 1 + len(BODY)


@pytest.mark.parametrize("fault", ["last unsigned", "first unsigned", "changed", "late"])
def test_a_stream_whose_signatures_do_not_hold_is_refused(fault: str) -> None:
    query, verifier = axfr_query(ZONE, 5, KEY, 1000)
    transfer = TransferReader(ZONE, 5, PLENTY, verifier)
    packets = signed([[SOA, *BODY], [SOA]], query, unsigned_last=fault == "last unsigned")
    if fault == "first unsigned":
        packets = [packet([SOA, *BODY, SOA])]
    if fault == "changed":
        packets[0] = packets[0].replace(b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02")
    with pytest.raises(TransferFault):
        take_all(transfer, packets, 5000 if fault == "late" else 1000)
