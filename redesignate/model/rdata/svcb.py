# SPDX-License-Identifier: Apache-2.0
"""SVCB and HTTPS: how to reach a service (RFC 9460; for resolvers RFC 9461)."""

from __future__ import annotations

import re
from collections.abc import Collection

from redesignate.model import names
from redesignate.model.rdata import svcparams
from redesignate.model.rdata.base import Rdata, Reader, RecordType, integer, quote, target

_USAGE = "priority target. key=value…"
_PARAMETER = re.compile(r'([a-z0-9-]{1,63})(?:=("[^"\\]*(?:\\.[^"\\]*)*"|(?:[^"\\\s;()]|\\[^\s])*))?')
_FIRST, _SECOND = "priority", "target."


def _encode(text: str) -> Rdata:
    head = text.split(" ", 2)
    if len(head) < 2 or "" in head:
        raise ValueError(f"write {_USAGE}, separated by single spaces")
    priority = integer(head[0], 65535, "priority")
    name = target(head[1], root=True)
    pieces = _divide(head[2]) if len(head) == 3 else []
    if priority == 0 and pieces:
        raise ValueError("priority 0 makes an alias, which takes no parameters; write 1 or more")
    params: dict[int, bytes] = {}
    for key, value in pieces:
        number = svcparams.key_number(key)
        if number in params:
            raise ValueError(f"{key} is given twice")
        params[number] = svcparams.encode(number, key, value)
    svcparams.check_together(params)
    return Rdata(
        " ".join((head[0], name, *head[2:])), priority.to_bytes(2, "big") + names.to_wire(name) + _pack(params)
    )


def _divide(text: str) -> list[tuple[str, str | None]]:
    """The parameters of a text, each with its value as typed. Raises ValueError."""
    found: list[tuple[str, str | None]] = []
    at = 0
    while True:
        piece = _PARAMETER.match(text, at)
        if piece is None or text[piece.end() : piece.end() + 1] not in ("", " "):
            rest = text[at:].partition(" ")[0]
            raise ValueError(f'parameter {quote(rest)} is not in the form key, key=value or key="value"')
        found.append((piece[1], piece[2]))
        if piece.end() == len(text):
            return found
        at = piece.end() + 1


def _pack(params: dict[int, bytes]) -> bytes:
    """In rising order of the keys (RFC 9460 §2.2)."""
    return b"".join(
        key.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value for key, value in sorted(params.items())
    )


def _decode(wire: bytes) -> str:
    reader = Reader(wire)
    found = [str(reader.number(2)), reader.name()]
    last = -1
    while reader.more():
        key, value = reader.number(2), reader.take(reader.number(2))
        if key <= last:
            raise ValueError("the parameters are not in rising order")
        last = key
        found.append(svcparams.decode(key, value))
    return " ".join(found)


def check_resolver(name: str, wire: bytes) -> None:
    """What an SVCB record has to say at a name with the label `_dns`. Raises ValueError. RFC 9461 §4 and §5."""
    if "_dns" not in names.labels(name) or wire[:2] == b"\0\0":
        return
    svcparams.check_resolver(_params(wire))


def check_alpn(wire: bytes, more: Collection[str]) -> None:
    """Refuse ALPN ids that nobody has registered and that are not among `more`. Raises ValueError."""
    svcparams.check_alpn(_params(wire), more)


def _params(wire: bytes) -> dict[int, bytes]:
    """The parameters of a well-formed record."""
    reader = Reader(wire)
    reader.take(2)
    reader.name()
    params = {}
    while reader.more():
        key = reader.number(2)
        params[key] = reader.take(reader.number(2))
    return params


def _type(name: str, number: int, *examples: str) -> RecordType:
    return RecordType(
        name=name,
        number=number,
        rfc="RFC 9460",
        usage=_USAGE,
        examples=examples,
        encode=_encode,
        decode=_decode,
    )


HTTPS = _type(
    "HTTPS", 65, "1 . alpn=h3,h2 ipv4hint=192.0.2.1", "0 www.example.net.", '16 . key65000="any \\"octets\\""'
)
SVCB = _type("SVCB", 64, "1 dns.example.org. alpn=h2 dohpath=/dns-query{?dns}", "0 svc.example.net.")
