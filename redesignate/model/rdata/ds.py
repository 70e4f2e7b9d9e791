# SPDX-License-Identifier: Apache-2.0
"""DS: the key of a signed delegation (RFC 4034 §5, RFC 4509, RFC 6605)."""

from __future__ import annotations

from redesignate.model.rdata.algorithms import algorithm
from redesignate.model.rdata.base import Rdata, Reader, RecordType, fields, hexadecimal, integer

_USAGE = "key-tag algorithm digest-type digest"
_LENGTH = {1: 20, 2: 32, 3: 32, 4: 48}


def _encode(text: str) -> Rdata:
    first, second, third, *digits = fields(text, 4, _USAGE, rest=True)
    tag = integer(first, 65535, "key tag").to_bytes(2, "big")
    kind = integer(third, 255, "digest type")
    if kind == 0:
        raise ValueError("digest type 0 is reserved; write 2 (SHA-256) or 4 (SHA-384)")
    digest = hexadecimal(digits, "digest")
    wanted = _LENGTH.get(kind)
    if wanted is not None and len(digest) != wanted:
        raise ValueError(f"a digest of type {kind} has {2 * wanted} hexadecimal digits, not {2 * len(digest)}")
    return Rdata(text, tag + bytes((algorithm(second), kind)) + digest)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    return f"{reader.number(2)} {reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


DS = RecordType(
    name="DS",
    number=43,
    rfc="RFC 4034 §5",
    usage=_USAGE,
    examples=("60485 13 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a",),
    encode=_encode,
    decode=_decode,
)
