# SPDX-License-Identifier: Apache-2.0
"""TLSA (RFC 6698 §2) and SMIMEA (RFC 8162 §2): which certificate to expect."""

from __future__ import annotations

import re

from redesignate.model.rdata.base import Rdata, Reader, RecordType, hexadecimal, integer

_USAGE = "usage selector matching-type data"
_LENGTH = {1: 32, 2: 64}
_SHAPE = re.compile(r"([^ ()]+) +([^ ()]+) +([^ ()]+) *( [0-9A-Fa-f ]+|\([0-9A-Fa-f ]+\)) *")


def _encode(text: str) -> Rdata:
    """Spaces and one pair of parentheses may stand around the data, as certificate tools print it."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"write {_USAGE}, the data as hexadecimal digits")
    head = bytes(integer(found[n + 1], 255, what) for n, what in enumerate(("usage", "selector", "matching type")))
    data = hexadecimal(found[4].strip("()").split(), "data")
    wanted = _LENGTH.get(head[2])
    if wanted is not None and len(data) != wanted:
        raise ValueError(f"data of matching type {head[2]} has {2 * wanted} hexadecimal digits, not {2 * len(data)}")
    return Rdata(text, head + data)


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
)
SMIMEA = RecordType(
    name="SMIMEA",
    number=53,
    rfc="RFC 8162 §2",
    usage=_USAGE,
    examples=(_EXAMPLE,),
    encode=_encode,
    decode=_decode,
)
