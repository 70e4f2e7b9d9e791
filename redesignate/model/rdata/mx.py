# SPDX-License-Identifier: Apache-2.0
"""MX: a mail exchanger, or "0 ." for none (RFC 7505)."""

from __future__ import annotations

from redesignate.model import names
from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, integer, target

_USAGE = "preference exchanger."


def _encode(text: str) -> Rdata:
    preference, host = fields(text, 2, _USAGE)
    wire = integer(preference, 65535, "preference").to_bytes(2, "big")
    name = target(host, root=True)
    return Rdata(f"{preference} {name}", wire + names.to_wire(name))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    text = f"{reader.number(2)} {reader.name()}"
    reader.end()
    return text


MX = RecordType(
    name="MX",
    number=15,
    rfc="RFC 1035 §3.3.9, RFC 7505",
    usage=_USAGE,
    examples=("10 mail.example.org.", "0 ."),
    encode=_encode,
    decode=_decode,
    fold=lambda wire: wire[:2] + wire[2:].lower(),
)
