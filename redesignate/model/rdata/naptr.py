# SPDX-License-Identifier: Apache-2.0
"""NAPTR: a rule that rewrites a name into another or into a URI (RFC 3403)."""

from __future__ import annotations

import re

from redesignate.model import names
from redesignate.model.rdata import ere, substitution
from redesignate.model.rdata.base import (
    Rdata,
    Reader,
    RecordType,
    integer,
    octets,
    quote,
    quoted,
    string,
    target,
    tokens,
)

_USAGE = 'order preference "flags" "service" "regexp" replacement.'
_FLAGS = re.compile(r"[APSUapsu]*")
_SERVICE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.:+-]*)?")


def _encode(text: str) -> Rdata:
    found = tokens(text)
    if len(found) != 6:
        raise ValueError(f"write {_USAGE}")
    order, preference = integer(found[0], 65535, "order"), integer(found[1], 65535, "preference")
    flags, service = (octets(token).decode("latin-1") for token in found[2:4])
    if _FLAGS.fullmatch(flags) is None:
        raise ValueError(f"flags {quote(flags)} are unknown; write A, P, S or U")
    if _SERVICE.fullmatch(service) is None:
        raise ValueError(f"service {quote(service)} is not a service; write one such as E2U+sip")
    regexp = octets(found[4])
    ere.check(regexp)
    substitution.check(regexp)
    name = target(found[5], root=True)
    wire = order.to_bytes(2, "big") + preference.to_bytes(2, "big")
    parts = zip(found[2:5], ("flags", "service", "regexp"), strict=True)
    wire += b"".join(string(token, what) for token, what in parts)
    return Rdata(" ".join((*found[:5], name)), wire + names.to_wire(name))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    head = f"{reader.number(2)} {reader.number(2)}"
    strings = " ".join(quoted(reader.string()) for _ in range(3))
    text = f"{head} {strings} {reader.name()}"
    reader.end()
    return text


def _fold(wire: bytes) -> bytes:
    reader = Reader(wire)
    reader.take(4)
    for _ in range(3):
        reader.string()
    return wire[: reader.at] + wire[reader.at :].lower()


NAPTR = RecordType(
    name="NAPTR",
    number=35,
    rfc="RFC 3403 §4",
    usage=_USAGE,
    examples=(
        '100 10 "U" "E2U+sip" "!^.*$!sip:info@example.org!" .',
        '0 0 "S" "SIP+D2U" "" _sip._udp.example.org.',
        '50 50 "s" "x-eduroam:radius.tls" "" _radsec._tcp.example.org.',
    ),
    encode=_encode,
    decode=_decode,
    fold=_fold,
)
