# SPDX-License-Identifier: Apache-2.0
"""URI: a service's location as a URI (RFC 7553)."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, Reader, RecordType, integer, octets, quoted, tokens

_USAGE = 'priority weight "target"'


def _encode(text: str) -> Rdata:
    found = tokens(text)
    if len(found) != 3:
        raise ValueError(f"write {_USAGE}")
    priority, weight = integer(found[0], 65535, "priority"), integer(found[1], 65535, "weight")
    target = octets(found[2])
    if not target:
        raise ValueError("the target is empty; write a URI in double quotes")
    return Rdata(text, priority.to_bytes(2, "big") + weight.to_bytes(2, "big") + target)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    return f"{reader.number(2)} {reader.number(2)} {quoted(reader.rest())}"


URI = RecordType(
    name="URI",
    number=256,
    rfc="RFC 7553 §4",
    usage=_USAGE,
    examples=('10 1 "https://www.example.org/path"',),
    encode=_encode,
    decode=_decode,
)
