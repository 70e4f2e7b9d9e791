# SPDX-License-Identifier: Apache-2.0
"""CERT: a certificate or where it is (RFC 4398)."""

from __future__ import annotations

from redesignate.model.rdata.algorithms import algorithm
from redesignate.model.rdata.base import Rdata, Reader, RecordType, base64, fields, integer, to_base64

_USAGE = "type key-tag algorithm certificate"
_TYPES = {
    "PKIX": 1,
    "SPKI": 2,
    "PGP": 3,
    "IPKIX": 4,
    "ISPKI": 5,
    "IPGP": 6,
    "ACPKIX": 7,
    "IACPKIX": 8,
    "URI": 253,
    "OID": 254,
}


def _encode(text: str) -> Rdata:
    first, second, third, *certificate = fields(text, 4, _USAGE, rest=True)
    kind = _TYPES[first] if first in _TYPES else integer(first, 65535, "certificate type")
    tag = integer(second, 65535, "key tag")
    head = kind.to_bytes(2, "big") + tag.to_bytes(2, "big") + bytes((algorithm(third),))
    return Rdata(text, head + base64(certificate, "the certificate"))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    return f"{reader.number(2)} {reader.number(2)} {reader.number(1)} {to_base64(reader.rest())}"


CERT = RecordType(
    name="CERT",
    number=37,
    rfc="RFC 4398",
    usage=_USAGE,
    examples=("PKIX 1 RSASHA256 KR1L0GbocaIOOim1+qdHtOSrDcOsGiI2NCcxuX2/Tqc=",),
    encode=_encode,
    decode=_decode,
)
