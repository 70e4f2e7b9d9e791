# SPDX-License-Identifier: Apache-2.0
"""SRV: where a service is; target "." says that it is not available (RFC 2782)."""

from __future__ import annotations

from redesignate.model import names
from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, integer, target

_USAGE = "priority weight port target."


def _encode(text: str) -> Rdata:
    *numbers, host = fields(text, 4, _USAGE)
    wire = b"".join(
        integer(number, 65535, what).to_bytes(2, "big")
        for number, what in zip(numbers, ("priority", "weight", "port"), strict=True)
    )
    name = target(host, root=True)
    return Rdata(" ".join((*numbers, name)), wire + names.to_wire(name))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    text = f"{reader.number(2)} {reader.number(2)} {reader.number(2)} {reader.name()}"
    reader.end()
    return text


SRV = RecordType(
    name="SRV",
    number=33,
    rfc="RFC 2782",
    usage=_USAGE,
    examples=("10 60 5060 sip.example.org.", "0 0 0 ."),
    encode=_encode,
    decode=_decode,
    fold=lambda wire: wire[:6] + wire[6:].lower(),
)
