# SPDX-License-Identifier: Apache-2.0
"""SSHFP: the fingerprint of an SSH host key (RFC 4255, RFC 6594, RFC 7479, RFC 8709)."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, hexadecimal, integer

_USAGE = "algorithm fingerprint-type fingerprint"
_LENGTH = {1: 20, 2: 32}
_ALGORITHMS = (0, 1, 2, 3, 4, 6)


def _encode(text: str) -> Rdata:
    first, second, *digits = fields(text, 3, _USAGE, rest=True)
    algorithm = integer(first, 6, "algorithm")
    if algorithm not in _ALGORITHMS:
        raise ValueError("algorithm 5 is not assigned; write 1 (RSA), 2 (DSA), 3 (ECDSA), 4 (Ed25519) or 6 (Ed448)")
    kind = integer(second, 2, "fingerprint type")
    fingerprint = hexadecimal(digits, "fingerprint")
    wanted = _LENGTH.get(kind)
    if wanted is not None and len(fingerprint) != wanted:
        raise ValueError(
            f"a fingerprint of type {kind} has {2 * wanted} hexadecimal digits, not {2 * len(fingerprint)}"
        )
    if not 5 <= len(fingerprint) <= 32:
        raise ValueError(f"a fingerprint has 10 to 64 hexadecimal digits, not {2 * len(fingerprint)}")
    return Rdata(text, bytes((algorithm, kind)) + fingerprint)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    return f"{reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


SSHFP = RecordType(
    name="SSHFP",
    number=44,
    rfc="RFC 4255, RFC 6594, RFC 7479, RFC 8709",
    usage=_USAGE,
    examples=(
        "1 1 123456789abcdef67890123456789abcdef67890",
        "6 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789",
    ),
    encode=_encode,
    decode=_decode,
)
