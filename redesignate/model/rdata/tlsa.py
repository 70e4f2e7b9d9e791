# SPDX-License-Identifier: Apache-2.0
"""TLSA (RFC 6698 §2) and SMIMEA (RFC 8162 §2): which certificate to expect."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, Reader, RecordType, hexadecimal, integer

_USAGE = "usage selector matching-type data"
_LENGTH = {1: 32, 2: 64}


def _encode(text: str) -> Rdata:
    """More spaces than one, and a pair of parentheses around the data, are accepted: certificate tools print them."""
    head, paren, rest = text.partition("(")
    if paren:
        rest, closed, behind = rest.partition(")")
        if not closed or behind.strip(" ") or len(head.split()) != 3:
            raise ValueError(f"parentheses may stand only around the data; write {_USAGE}")
    found = f"{head} {rest}".split(" ")
    pieces = [piece for piece in found if piece]
    if len(pieces) < 4 or not found[0]:
        raise ValueError(f"write {_USAGE}")
    names = ("usage", "selector", "matching type")
    wire = bytes(integer(piece, 255, what) for piece, what in zip(pieces[:3], names, strict=True))
    data = hexadecimal(pieces[3:], "data")
    wanted = _LENGTH.get(wire[2])
    if wanted is not None and len(data) != wanted:
        raise ValueError(f"data of matching type {wire[2]} has {2 * wanted} hexadecimal digits, not {2 * len(data)}")
    return Rdata(text, wire + data)


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    return f"{reader.number(1)} {reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


_EXAMPLE = "3 1 1 0d6fce3fe07bd8fe2a8a3b1d1a4e3bb6bd1d3bb5b0f2f2e3f2dc8a3c0d94a1f7"

TLSA = RecordType(
    name="TLSA",
    number=52,
    rfc="RFC 6698 §2",
    usage=_USAGE,
    examples=(_EXAMPLE,),
    encode=_encode,
    decode=_decode,
    parentheses=True,
)
SMIMEA = RecordType(
    name="SMIMEA",
    number=53,
    rfc="RFC 8162 §2",
    usage=_USAGE,
    examples=(_EXAMPLE,),
    encode=_encode,
    decode=_decode,
    parentheses=True,
)
