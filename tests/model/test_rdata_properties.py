# SPDX-License-Identifier: Apache-2.0
"""Text → value → wire → text for every type, by property."""

from __future__ import annotations

import ipaddress
from functools import partial

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.model import rdata
from tests.model.texts import LEGAL, NEARLY, attempt

EVERY_TYPE = pytest.mark.parametrize("rrtype", sorted(LEGAL))


def library_wire(rrtype: str, text: str) -> bytes | None:
    """What dnspython makes of a text; None where it refuses."""
    kind = dns.rdatatype.from_text(rrtype)
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, kind, text, relativize=False).to_wire()
    except (dns.exception.DNSException, ValueError):
        return None


@EVERY_TYPE
def test_a_legal_text_becomes_wire_and_text_and_the_same_wire_again(rrtype: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(LEGAL[rrtype])
    def check(text: str) -> None:
        value = rdata.parse(rrtype, text)
        assert value.text.isascii() or "\\" in text or rrtype not in ("CNAME", "NS", "PTR", "DNAME", "MX", "SRV")
        again = rdata.from_wire(rrtype, value.wire)
        assert again.wire == value.wire
        assert rdata.parse(rrtype, again.text) == again
        assert rdata.parse(rrtype, value.text) == value
        assert rdata.same(rrtype, value, again)

    check()


@EVERY_TYPE
def test_the_zone_file_text_means_the_same_to_another_reader(rrtype: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(LEGAL[rrtype])
    def check(text: str) -> None:
        again = rdata.from_wire(rrtype, rdata.parse(rrtype, text).wire)
        assert library_wire(rrtype, again.text) == again.wire

    check()


@EVERY_TYPE
def test_any_text_is_read_or_refused_with_a_line(rrtype: str) -> None:
    @settings(max_examples=80, deadline=None)
    @given(NEARLY[rrtype])
    def check(text: str) -> None:
        value = attempt(lambda: rdata.parse(rrtype, text))
        if isinstance(value, ValueError):
            assert str(value)
            assert str(value).isprintable()
            return
        assert not any(c in value.text for c in "\n\r\0\x0b\u2028")
        assert "\t" not in value.text or rrtype in ("TXT", "SPF")
        assert rdata.from_wire(rrtype, value.wire).wire == value.wire

    check()


@EVERY_TYPE
def test_any_wire_is_read_or_refused(rrtype: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(LEGAL[rrtype], st.binary(max_size=6), st.data())
    def check(text: str, patch: bytes, data: st.DataObject) -> None:
        wire = rdata.parse(rrtype, text).wire
        at = data.draw(st.integers(0, len(wire)))
        for mutated in (wire[:at] + patch + wire[at + len(patch) :], wire[:at], wire + patch):
            value = attempt(partial(rdata.from_wire, rrtype, mutated))
            if isinstance(value, ValueError):
                assert str(value)
            else:
                assert rdata.parse(rrtype, value.text).wire == value.wire == mutated

    check()


@settings(max_examples=300)
@given(st.one_of(NEARLY["A"], LEGAL["A"], st.text("0123456789.x \n", max_size=16)))
def test_an_address_is_one_exactly_if_ipaddress_says_so(text: str) -> None:
    try:
        wanted = ipaddress.IPv4Address(text).packed
    except ValueError:
        with pytest.raises(ValueError):
            rdata.parse("A", text)
    else:
        assert rdata.parse("A", text).wire == wanted


@settings(max_examples=300)
@given(st.one_of(NEARLY["AAAA"], LEGAL["AAAA"], st.text("0123456789abcdEF.:% ", max_size=40)))
def test_an_ipv6_address_is_one_exactly_if_ipaddress_says_so(text: str) -> None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        address = None
    if address is None or address.scope_id is not None:
        with pytest.raises(ValueError):
            rdata.parse("AAAA", text)
    else:
        assert rdata.parse("AAAA", text).wire == address.packed
