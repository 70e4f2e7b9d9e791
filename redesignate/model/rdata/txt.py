# SPDX-License-Identifier: Apache-2.0
"""TXT and SPF: one or more strings of at most 255 octets (RFC 1035 §3.3.14, RFC 7208 §3.1)."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, Reader, RecordType, quoted, string, tokens

_USAGE = 'one word, or strings in double quotes separated by one space: "first" "second"'


def _encode(text: str) -> Rdata:
    found = tokens(text) if text else ['""']  # clients may send nothing, and get it back
    if len(found) > 1 and not all(token[0] == '"' for token in found):
        raise ValueError("several strings, or one with a space, need double quotes")
    if text.endswith("\\"):  # left to itself it would escape whatever a reader puts behind it
        raise ValueError('a word that ends in a backslash needs double quotes: "\\\\"')
    return Rdata(text, b"".join([string(token) for token in found]))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    found = [quoted(reader.string())]
    while reader.more():
        found.append(quoted(reader.string()))
    return " ".join(found)


TXT = RecordType(
    name="TXT",
    number=16,
    rfc="RFC 1035 §3.3.14",
    usage=_USAGE,
    examples=('"v=spf1 mx -all"', '"first" "second"', "word"),
    encode=_encode,
    decode=_decode,
    tabs=True,
)
SPF = RecordType(
    name="SPF",
    number=99,
    rfc="RFC 7208 §3.1",
    usage=_USAGE,
    examples=('"v=spf1 mx -all"',),
    encode=_encode,
    decode=_decode,
    tabs=True,
)
