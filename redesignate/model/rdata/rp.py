# SPDX-License-Identifier: Apache-2.0
"""RP: who is responsible (RFC 1183 §2.2)."""

from __future__ import annotations

from redesignate.model import names
from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, target

_USAGE = "mailbox. text."


def _encode(text: str) -> Rdata:
    first, second = fields(text, 2, _USAGE)
    mailbox, more = names.absolute(first), target(second, root=True)
    return Rdata(f"{mailbox} {more}", names.to_wire(mailbox) + names.to_wire(more))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    text = f"{reader.name()} {reader.name()}"
    reader.end()
    return text


RP = RecordType(
    name="RP",
    number=17,
    rfc="RFC 1183 §2.2",
    usage=_USAGE,
    examples=("jane\\.doe.example.org. people.example.org.", "admin.example.org. ."),
    encode=_encode,
    decode=_decode,
    fold=bytes.lower,
)
