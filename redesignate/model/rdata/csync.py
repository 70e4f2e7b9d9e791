# SPDX-License-Identifier: Apache-2.0
"""CSYNC: what the parent may copy from this zone (RFC 7477)."""

from __future__ import annotations

import re

import dns.exception
import dns.rdatatype

from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, integer, quote

_USAGE = "serial flags type…"
_TYPE = re.compile(r"[A-Z][A-Z0-9-]{0,15}")


def _encode(text: str) -> Rdata:
    first, second, *types = fields(text, 2, _USAGE, rest=True)
    serial, flags = integer(first, 2**32 - 1, "serial"), integer(second, 65535, "flags")
    wire = serial.to_bytes(4, "big") + flags.to_bytes(2, "big")
    return Rdata(text, wire + _bitmap({_number(name) for name in types}))


def _number(name: str) -> int:
    """Any type's number, whether or not it can be stored here; a parent may know more than we do."""
    try:
        if _TYPE.fullmatch(name) is None:
            raise ValueError
        number = int(dns.rdatatype.from_text(name))
    except (ValueError, dns.exception.DNSException):
        raise ValueError(f"{quote(name)} is not a record type") from None
    if _is_meta(number):
        raise ValueError(f"{name} is a query type, not a record type")
    return number


def _is_meta(number: int) -> bool:
    """RFC 6895 §3.1; OPT stands among the data types."""
    return number in (0, 41) or 128 <= number <= 255


def _bitmap(numbers: set[int]) -> bytes:
    """RFC 4034 §4.1.2."""
    windows: dict[int, bytearray] = {}
    for number in sorted(numbers):
        bits = windows.setdefault(number >> 8, bytearray())
        octet, bit = divmod(number & 255, 8)
        bits.extend(bytes(octet + 1 - len(bits)))
        bits[octet] |= 0x80 >> bit
    return b"".join(bytes((window, len(bits))) + bits for window, bits in windows.items())


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    found = [str(reader.number(4)), str(reader.number(2))]
    while reader.more():
        window, bits = reader.number(1), reader.string()
        found.extend(
            dns.rdatatype.to_text(dns.rdatatype.RdataType.make(window << 8 | at << 3 | bit))
            for at, octet in enumerate(bits)
            for bit in range(8)
            if octet & 0x80 >> bit
        )
    return " ".join(found)


CSYNC = RecordType(
    name="CSYNC",
    number=62,
    rfc="RFC 7477 §2",
    usage=_USAGE,
    examples=("66 3 A NS AAAA",),
    encode=_encode,
    decode=_decode,
)
