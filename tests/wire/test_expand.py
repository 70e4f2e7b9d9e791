# SPDX-License-Identifier: Apache-2.0
"""Rdata out of messages: names decompressed where types hold them, octets kept everywhere else."""

from __future__ import annotations

import struct
from contextlib import suppress

import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.renderer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.wire import message
from redesignate.wire.expand import expand
from redesignate.wire.message import Malformed

ZONE = dns.name.from_text("example.org.")
TEXTS = {
    "NS": "ns1.example.org.", "CNAME": "www.example.org.", "PTR": "host.example.org.", "DNAME": "other.example.org.",
    "SOA": "ns1.example.org. hostmaster.example.org. 1 2 3 4 5", "MX": "10 mail.example.org.",
    "RP": "box.example.org. text.example.org.", "AFSDB": "1 db.example.org.", "RT": "1 relay.example.org.",
    "PX": "10 map822.example.org. mapx400.example.org.", "SRV": "1 2 53 srv.example.org.",
    "NAPTR": '1 2 "U" "E2U+sip" "" target.example.org.', "KX": "10 kx.example.org.",
}  # fmt: skip


def placed(rrtype: str, text: str) -> tuple[bytes, message.Record, bytes]:
    """A message with one record with names compressed as dnspython does it, the record, and its plain rdata."""
    rdata = dns.rdata.from_text("IN", rrtype, text, relativize=False)
    made = dns.message.make_response(dns.message.make_query(ZONE, rrtype))
    made.answer.append(dns.rrset.from_rdata(ZONE, 60, rdata))
    packet = made.to_wire()
    (record,) = message.read(packet).answer
    plain = rdata.to_wire()
    assert plain is not None
    return packet, record, plain


@pytest.mark.parametrize("rrtype", TEXTS)
def test_compressed_names_are_written_out(rrtype: str) -> None:
    packet, record, plain = placed(rrtype, TEXTS[rrtype])
    assert expand(packet, record.type, record.at, record.size) == plain


@pytest.mark.parametrize("rrtype", TEXTS)
def test_rdata_that_is_cut_or_too_long_is_malformed(rrtype: str) -> None:
    packet, record, _ = placed(rrtype, TEXTS[rrtype])
    for size in (*range(record.size), record.size + 1):
        with pytest.raises(Malformed):
            expand(packet + b"\0", record.type, record.at, size)


def test_names_come_in_lower_case_and_other_octets_as_they_are() -> None:
    packet, record, plain = placed("MX", "10 MAIL.Example.ORG.")
    assert expand(packet, record.type, record.at, record.size) == plain.lower()
    packet, record, plain = placed("TXT", '"Kept As It Is"')
    assert expand(packet, record.type, record.at, record.size) == plain


@given(st.sampled_from([1, 16, 28, 43, 46, 47, 257, 65280]), st.binary(max_size=100))
def test_types_without_names_are_octets(rrtype: int, rdata: bytes) -> None:
    assert expand(b"before" + rdata + b"after", rrtype, 6, len(rdata)) == rdata


@given(st.integers(0, 300), st.binary(max_size=120), st.integers(0, 130))
def test_any_octets_end_in_rdata_or_in_malformed(rrtype: int, packet: bytes, at: int) -> None:
    size = max(0, len(packet) - at)
    with suppress(Malformed):
        assert isinstance(expand(packet, rrtype, at, size), bytes)


def test_the_fields_after_a_signature_are_kept() -> None:
    """SIG (RFC 2535) holds a name in its midst."""
    head, tail = struct.pack("!HBBLLLH", 1, 5, 2, 60, 2, 1, 7), b"signature"
    packet = b"\7EXAMPLE\3org\0" + head + b"\xc0\0" + tail
    assert expand(packet, 24, 13, len(head) + 2 + len(tail)) == head + b"\7example\3org\0" + tail
