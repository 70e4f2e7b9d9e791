# SPDX-License-Identifier: Apache-2.0
"""CNAME, NS, PTR (RFC 1035 §3.3) and DNAME (RFC 6672): one target."""

from __future__ import annotations

from redesignate.model import names
from redesignate.model.rdata.base import Rdata, Reader, RecordType, target


def _encode(text: str) -> Rdata:
    name = target(text)
    return Rdata(name, names.to_wire(name))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    name = reader.name()
    reader.end()
    return name


def _one_target(name: str, number: int, rfc: str, *examples: str) -> RecordType:
    # Lowering all octets touches no length: those of labels are below 64, and "A" is 65.
    return RecordType(
        name=name,
        number=number,
        rfc=rfc,
        usage="target.",
        examples=examples,
        encode=_encode,
        decode=_decode,
        fold=bytes.lower,
    )


CNAME = _one_target("CNAME", 5, "RFC 1035 §3.3.1", "www.example.org.")
NS = _one_target("NS", 2, "RFC 1035 §3.3.11", "ns1.example.org.")
PTR = _one_target("PTR", 12, "RFC 1035 §3.3.12", "host.example.org.")
DNAME = _one_target("DNAME", 39, "RFC 6672", "example.net.")
