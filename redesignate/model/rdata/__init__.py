# SPDX-License-Identifier: Apache-2.0
"""Resource record data: one value, two forms."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.rdata
import dns.rdatatype


@dataclass(frozen=True, slots=True)
class Rdata:
    """The data of one record.

    text   presentation form, as the user typed it (RFC 1035 §5.1)
    wire   uncompressed wire form, at most 65535 octets
    """

    text: str
    wire: bytes


def parse(rrtype: str, text: str) -> Rdata:
    """Read one record's text. Raises ValueError saying what is wrong."""
    if not text.isprintable():
        raise ValueError("a control character cannot stand in record data")
    try:
        data = dns.rdata.from_text("IN", number(rrtype), text, relativize=False)
        return Rdata(text, data.to_wire())
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error)) from error


def from_wire(rrtype: str, wire: bytes) -> Rdata:
    """Read one record's wire form; the text is the canonical one. Raises ValueError."""
    try:
        return parse(rrtype, dns.rdata.from_wire("IN", number(rrtype), wire, 0, len(wire)).to_text())
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from error


def number(rrtype: str) -> int:
    """The type's number: "A" is 1, "TYPE65280" is 65280. Raises ValueError for an unknown mnemonic."""
    try:
        return int(dns.rdatatype.from_text(rrtype))
    except dns.exception.DNSException as error:
        raise ValueError(f"{rrtype} is no record type") from error


def mnemonic(rrtype: int) -> str:
    """The type's name: 1 is "A", an unassigned 65280 is "TYPE65280" (RFC 3597 §5)."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rrtype))
