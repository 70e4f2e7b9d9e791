# SPDX-License-Identifier: Apache-2.0
"""RRsets as the text of a zone file: `$ORIGIN`, `$TTL`, an empty line, then a record a line.

Names are absolute, and every record names its owner and the class IN, so that a line says the same wherever it stands.
A record's text is kept as typed, which may mean something else in a zone file (`a;b(c`): what is not certain to be the
same is written from its octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from redesignate.model import rdata

_CHUNK = 1 << 16
_TOKEN = r'(?:[A-Za-z0-9._:/+=,*-]+|"[ !#-\[\]-~]*")'
_SAME = re.compile(rf"{_TOKEN}(?: {_TOKEN})*|\\# [0-9]+(?: [0-9A-Fa-f]+)*")
"""A text of which every reader makes the same record: plain words, strings in quotes without escapes, or RFC 3597."""
_REWRITTEN = frozenset({"CERT", "CSYNC", "DS", "HTTPS", "SVCB", "URI"})
"""Types whose text may hold mnemonics that a nameserver does not know, or a word that BIND wants in quotes."""


class Entry(NamedTuple):
    """An RRset to be written: absolute name, TTL in seconds (None takes the zone's), texts that `model/rdata` reads."""

    name: str
    rrtype: str
    ttl: int | None
    records: Sequence[str]


def write(zone: str, ttl: int, entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the file of a zone in pieces of about 64 KiB; the SOA has to be the first entry.

    zone   absolute; `ttl` of the zone in seconds
    Cost  1 µs for a record, 10 µs for one with escapes
    """
    return _pieces([f"$ORIGIN {zone}\n$TTL {ttl}\n\n"], entries)


def written(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the records of RRsets in pieces of about 64 KiB, for behind what `write` has yielded. Cost: as there."""
    return _pieces([], entries)


def _pieces(lines: list[str], entries: Iterable[Entry]) -> Iterator[str]:
    size = 0
    for name, rrtype, seconds, records in entries:
        head = f"{name} IN {rrtype} " if seconds is None else f"{name} {seconds} IN {rrtype} "
        exact = rrtype not in _REWRITTEN
        for text in records:
            line = f"{head}{text if exact and _SAME.fullmatch(text) else _written(rrtype, text)}\n"
            lines.append(line)
            size += len(line)
        if size >= _CHUNK:
            yield "".join(lines)
            lines, size = [], 0
    if lines:
        yield "".join(lines)


def _written(rrtype: str, text: str) -> str:
    r"""A record's text as its octets are written; `\# length octets` where the type's mnemonics are not for all."""
    if text.startswith("\\# ") and _SAME.fullmatch(text):
        return text
    wire = rdata.parse(rrtype, text).wire
    if rrtype == "CSYNC" or (rrtype in ("HTTPS", "SVCB") and "ohttp" in text):  # which BIND 9.18 does not know
        return f"\\# {len(wire)} {wire.hex()}"
    return rdata.TYPES[rrtype].decode(wire) if rrtype in rdata.TYPES else text
