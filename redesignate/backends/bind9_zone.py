# SPDX-License-Identifier: Apache-2.0
"""Writes and reads a zone in BIND's syntax: a command's operand, the clause that adds it, `showzone`'s answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from redesignate.backends.named_conf import Statement, setting, statements
from redesignate.backends.port import BackendError, BackendZone
from redesignate.model.pool import Endpoint

LONGEST_FILE_NAME = 240
PLAIN = re.compile(r"[A-Za-z0-9_.*/-]+")
ESCAPED = re.compile(r"\\(\d{3})|\\(.)|(.)", re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UUID_LENGTH = 36
SECONDARY_TYPES = frozenset({"slave", "secondary"})


@dataclass(frozen=True, slots=True)
class ShownZone:
    """A zone as named has it. `type` is named's word ("primary", "slave", …); empty if it does not say."""

    type: str = ""
    file: str = ""
    primaries: frozenset[Endpoint] = frozenset()


def quoted(name: str) -> str:
    """A zone's name as an operand: quoted, without the final dot, everything unusual as \\DDD. Raises BackendError.

    named reads the operands as configuration text; no character of it can end the quotes.
    """
    bare = name.removesuffix(".")
    if not bare or len(name) > 1024:
        raise BackendError(f"rndc: {name[:80]!r} is not the name of a zone")
    if PLAIN.fullmatch(bare):
        return f'"{bare}"'
    return '"' + "".join(map(_escaped, ESCAPED.finditer(bare))) + '"'


def clause(zone: BackendZone, primaries: Iterable[Endpoint]) -> str:
    """The zone's configuration, for `addzone` and `modzone`."""
    listed = "".join(f" {primary.host} port {primary.port};" for primary in primaries)
    # `slave` and `masters`: every BIND since 9.9 knows them, the newer words only those since 9.16
    return f'{{ type slave; masters {{{listed} }}; file "{file_name(zone)}"; }};'


def file_name(zone: BackendZone) -> str:
    """Where named keeps its copy: "slave.example.org.<id>"; unsafe characters and excess length are left out."""
    return f"slave.{_in_file(zone.name, len(zone.id))}{re.sub(r'[^A-Za-z0-9_-]', '_', zone.id)}"


def read_shown(shown: str) -> ShownZone:
    """Parses the output of `showzone`; an empty ShownZone if it cannot be read."""
    try:
        found = statements(shown)
    except ValueError:
        return ShownZone()
    if len(found) != 1 or found[0][0][:1] != ("zone",):
        return ShownZone()
    block = found[0][1]
    return ShownZone(setting(block, "type") or "", setting(block, "file") or "", _primaries(block))


def ours(shown: ShownZone, zone: BackendZone) -> bool:
    """Whether we created a zone on the server: a secondary whose file has the name that we give.

    That is "slave.", the zone's name and a UUID: the id of this zone, or of an earlier one of the same name. Designate
    names its files so too, with the full, unchanged name.
    """
    if shown.type not in SECONDARY_TYPES or not UUID.fullmatch(shown.file[-UUID_LENGTH:]):
        return False
    stem = shown.file[:-UUID_LENGTH].lower()
    return stem in {f"slave.{_in_file(zone.name, UUID_LENGTH)}".lower(), f"slave.{zone.name}".lower()}


def _in_file(name: str, id_length: int) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[: LONGEST_FILE_NAME - id_length]


def _primaries(block: list[Statement]) -> frozenset[Endpoint]:
    """The addresses of `primaries { … }`, also in its older spelling, with a port of the list or of each."""
    for words, servers in block:
        if words[:1] in {("masters",), ("primaries",)}:
            common = _port(words, 53)
            return frozenset(Endpoint(server[0], _port(server, common)) for server, _ in servers)
    return frozenset()


def _port(words: tuple[str, ...], default: int) -> int:
    for word, value in pairwise(words):
        if word == "port" and value.isdecimal():
            return int(value)
    return default


def _escaped(found: re.Match[str]) -> str:
    code, after, plain = found.groups()
    number = int(code) if code is not None else ord(after if after is not None else plain)
    if number > 255:
        raise BackendError("rndc: the zone's name has a character that is not an octet")
    if code is None and after is None and PLAIN.fullmatch(plain):
        return plain
    return f"\\{number:03d}"
