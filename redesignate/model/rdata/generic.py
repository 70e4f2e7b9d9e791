# SPDX-License-Identifier: Apache-2.0
r"""TYPEnnn: any other type, its data as octets: `\# 4 0a000001` (RFC 3597 §5).

A nameserver that knows the type checks the data when it loads the zone, and refuses the zone where they are wrong. So
an assigned type is taken only where its format can be checked here; unassigned and private ones are opaque to all.
"""

from __future__ import annotations

import re
from functools import lru_cache

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from redesignate.model.rdata.base import NEVER_IN_ZONES, Rdata, RecordType, hexadecimal, integer

_SHAPE = re.compile(r"\\# ([0-9]{1,5})((?: [0-9A-Fa-f]+)*)")
_DNSSEC = frozenset((24, 25, 30, 46, 47, 48, 50, 51, 59, 60, 63))
"""SIG KEY NXT RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM CDS CDNSKEY ZONEMD: made by whoever signs, from all of the zone."""
_UNCHECKED = frozenset(
    (11, 19, 22, 27, 31, 32, 34, 40, 45, 55, 57, 58, 100, 101, 102, 103, 259, 263, 264, 32768, 32769, 65533)
)
"""WKS X25 NSAP GPOS EID NIMLOC ATMA SINK IPSECKEY HIP RKEY TALINK UINFO UID GID UNSPEC DOA CLA IPN TA DLV and BIND's
KEYDATA: BIND refuses data that our library lets pass, or it checks them and the library does not know them."""


def check_number(number: int) -> None:
    """Raises ValueError for a number that no user's record may have."""
    if number in NEVER_IN_ZONES:
        raise ValueError(f"TYPE{number} is a type of questions and messages, not of records")
    if number in _DNSSEC:
        raise ValueError(f"TYPE{number} belongs to DNSSEC and is not set by hand")
    if number in _UNCHECKED or (number in _assigned() and not _is_checked(number)):
        raise ValueError(f"TYPE{number} is obsolete or experimental, and its data cannot be checked here")


def received(number: int, wire: bytes) -> str:
    """The RFC 3597 text of a record that a primary sent, also of a type that users may not write, such as RRSIG.

    Raises ValueError where the type's format is known here and the data are not in it.
    """
    rrtype = dns.rdatatype.RdataType.make(number)
    if number not in _UNCHECKED and _is_checked(number):
        try:
            dns.rdata.from_wire(dns.rdataclass.IN, rrtype, wire, 0, len(wire))
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"the octets are not data of {dns.rdatatype.to_text(rrtype)}: {error}") from error
    return f"\\# {len(wire)} {wire.hex()}".rstrip()


def _assigned() -> frozenset[int]:
    return frozenset(int(member) for member in dns.rdatatype.RdataType)


def _is_checked(number: int) -> bool:
    rrtype = dns.rdatatype.RdataType.make(number)
    kind = dns.rdata.get_rdata_class(dns.rdataclass.IN, rrtype)  # type: ignore[no-untyped-call]  # as the library is
    return kind is not dns.rdata.GenericRdata


@lru_cache(maxsize=256)
def describe(number: int) -> RecordType:
    """The description of TYPE`number`. Raises ValueError for a number that no user's record may have."""
    check_number(number)
    checked = _is_checked(number)

    def encode(text: str) -> Rdata:
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(r"write \# length and that many octets in hexadecimal, such as \# 4 0a000001")
        wire = hexadecimal(found[2].split(), "the data") if found[2] else b""
        if integer(found[1], 65535, "length") != len(wire):
            raise ValueError(f"the data has {len(wire)} octets, not {found[1]}")
        if checked:
            _check(number, wire)
        return Rdata(text, wire)

    return RecordType(
        name=f"TYPE{number}",
        number=number,
        rfc="RFC 3597",
        usage=r"\# length octets",
        examples=(r"\# 4 0a000001",),
        encode=encode,
        decode=lambda wire: f"\\# {len(wire)} {wire.hex()}".rstrip(),
    )


def _check(number: int, wire: bytes) -> None:
    """The data of a type that the library knows must be exactly what it would write."""
    rrtype = dns.rdatatype.RdataType.make(number)
    name = dns.rdatatype.to_text(rrtype)
    if not wire:
        raise ValueError(f"{name} needs data")
    try:
        again = dns.rdata.from_wire(dns.rdataclass.IN, rrtype, wire, 0, len(wire)).to_wire()
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"the octets are not data of {name}: {error}") from error
    if again != wire:
        raise ValueError(f"the octets are not data of {name} in uncompressed form")
