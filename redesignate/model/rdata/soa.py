# SPDX-License-Identifier: Apache-2.0
"""SOA: the start of a zone's authority (RFC 1035 §3.3.13); computed from the zone, never given by a user."""

from __future__ import annotations

from redesignate.model import names
from redesignate.model.limits import INT32_MAX
from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, integer, target

_USAGE = "primary. mailbox. serial refresh retry expire minimum"
_LIMITS = {"serial": 2**32 - 1, "refresh": INT32_MAX, "retry": INT32_MAX, "expire": INT32_MAX, "minimum": INT32_MAX}


def _encode(text: str) -> Rdata:
    first, second, *numbers = fields(text, 7, _USAGE)
    primary, mailbox = target(first, root=True), names.absolute(second)
    wire = b"".join(
        integer(number, most, what).to_bytes(4, "big")
        for number, (what, most) in zip(numbers, _LIMITS.items(), strict=True)
    )
    return Rdata(" ".join((primary, mailbox, *numbers)), names.to_wire(primary) + names.to_wire(mailbox) + wire)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    fields_ = [reader.name(), reader.name(), *(str(reader.number(4)) for _ in _LIMITS)]
    reader.end()
    return " ".join(fields_)


SOA = RecordType(
    name="SOA",
    number=6,
    rfc="RFC 1035 §3.3.13",
    usage=_USAGE,
    examples=("ns1.example.org. hostmaster.example.org. 1 3600 600 86400 300",),
    encode=_encode,
    decode=_decode,
    fold=lambda wire: wire[:-20].lower() + wire[-20:],
)
