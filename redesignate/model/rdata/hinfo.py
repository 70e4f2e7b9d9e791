# SPDX-License-Identifier: Apache-2.0
"""HINFO: a host's hardware and system (RFC 1035 §3.3.2)."""

from __future__ import annotations

from redesignate.model.rdata.base import Rdata, Reader, RecordType, quoted, string, tokens

_USAGE = '"cpu" "os"'


def _encode(text: str) -> Rdata:
    found = tokens(text)
    if len(found) != 2:
        raise ValueError(f"write two strings, {_USAGE}")
    return Rdata(text, string(found[0], "cpu") + string(found[1], "os"))


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    text = f"{quoted(reader.string())} {quoted(reader.string())}"
    reader.end()
    return text


HINFO = RecordType(
    name="HINFO",
    number=13,
    rfc="RFC 1035 §3.3.2, RFC 8482",
    usage=_USAGE,
    examples=('"INTEL-386" "UNIX"', "RFC8482 ANY"),
    encode=_encode,
    decode=_decode,
)
