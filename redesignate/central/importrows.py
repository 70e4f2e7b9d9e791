# SPDX-License-Identifier: Apache-2.0
"""A zone file as the rows that the database takes, and what the rules have to be asked about them.

A `Reader` reads a file whole, says whose zone it is, and then gives its RRsets in blocks. It knows neither database nor
caller, so that it may be in a process of its own (`run/reading.py`); `Here` reads in this one. What the rules say of a
zone comes to it as values, in a `Frame`; what a value cannot say, it notes for who stores the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from redesignate.model.clock import new_id
from redesignate.model.names import ancestors
from redesignate.model.rdata import CHECKED, check_entry
from redesignate.model.rrset import place
from redesignate.model.zonefile import Content, Found, ZoneFileError, gather
from redesignate.wire.rrset import MAX_RR, pack

EACH = 1024
"""Octets of an RRset on average beyond which a block has fewer."""
SKIPPED = 256
"""Stored RRsets that are skipped between two blocks."""
HASTE_S = 0.1
"""After so long a block is given however few RRsets it has."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Whose zone a file is. `email`: None where RNAME is not the mailbox of a mail address; `ttl line`: of the SOA."""

    zone: str
    typed_name: str | None
    email: str | None
    serial: int
    retry: int
    expire: int
    ttl: int
    line: int


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What all rows of a zone have in common, and what they are held against.

    stored    RRsets at the beginning that are in the database: they are counted alone
    most      RRsets of a block
    children  names of zones below, which have their names to themselves
    records   that an RRset may have; negative: any number
    prefix    characters of a record's text that filters see
    """

    zone_id: str
    zone: str
    project_id: str | None
    revision: int
    at: int
    stored: int
    most: int
    longest_name: int
    children: frozenset[str]
    records: int
    alpn: tuple[str, ...]
    min_ttl: int
    prefix: int


class Note(msgspec.Struct, frozen=True, array_like=True):
    """An RRset of which a rule is to be asked: the first of its type, or one whose TTL is below the minimum."""

    rrtype: str
    name: str
    ttl: int
    line: int
    is_first: bool


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Some RRsets.

    rows     each as `Held` has it, its records as JSON; none while stored ones are skipped
    texts    for each row those of its records: id, position, zone, text
    records  of these RRsets, those that were skipped too
    """

    rows: list[tuple[Any, ...]]
    texts: list[list[tuple[str, int, str, str]]]
    records: int
    notes: list[Note]


class TooManyOfOne(Exception):
    """An RRset has more `records` than the project may have in one."""

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self.records = records


class Reader(Protocol):
    """Reads one file."""

    def head(self, chunks: Iterable[bytes], most: int) -> Head:
        """Read a whole file of at most so many records. Raises ZoneFileError (TooManyRecords beyond `most`), OSError,
        and what `chunks` raises."""

    def blocks(self, frame: Frame) -> Iterator[Block]:
        """Give its RRsets, in canonical order of names, and by type. Raises ZoneFileError, TooManyOfOne, OSError: all
        that stands before the fault was given then."""

    def close(self) -> None:
        """Forget the file."""


Readers = Callable[[Callable[[], object]], Reader]
"""Makes a reader. It calls its argument again and again while it works; what that raises ends the work."""


class Here:
    """Reads in this thread."""

    def __init__(self, alive: Callable[[], object]) -> None:
        self._alive = alive
        self._content: Content | None = None

    def head(self, chunks: Iterable[bytes], most: int) -> Head:
        """As `Reader`."""
        found = self._content = gather(chunks, most=most, alive=self._alive)
        soa = found.soa
        return Head(
            zone=found.zone,
            typed_name=found.typed_name,
            email=soa.email,
            serial=soa.serial,
            retry=soa.retry,
            expire=soa.expire,
            ttl=found.ttl,
            line=found.line,
        )

    def blocks(self, frame: Frame) -> Iterator[Block]:
        """As `Reader`."""
        assert self._content is not None
        for block in _Rows(frame).blocks(self._content.rrsets()):
            self._alive()
            yield block

    def close(self) -> None:
        """As `Reader`."""
        if self._content is not None:
            self._content.close()


@dataclass(slots=True)
class _Open:
    """A block that is not full."""

    rows: list[tuple[Any, ...]]
    texts: list[list[tuple[str, int, str, str]]]
    notes: list[Note]
    records: int = 0
    octets: int = 0
    seen: int = 0

    def closed(self) -> Block:
        return Block(self.rows, self.texts, self.records, self.notes)


class _Rows:
    """Makes rows of RRsets."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._types: set[str] = set()

    def blocks(self, rrsets: Iterator[Found]) -> Iterator[Block]:
        """All RRsets but the NS of the apex: the pool's stand there."""
        frame, seen = self._frame, 0
        some, until = _Open([], [], []), time.monotonic() + HASTE_S
        try:
            for found in rrsets:
                if found.rrtype == "NS" and found.name == frame.zone:
                    continue
                self._check(found, some)
                seen += 1
                some.seen += 1
                some.records += len(found.records)
                if seen > frame.stored:
                    self._add(found, some)
                    full = len(some.rows) >= frame.most or some.octets >= frame.most * EACH
                else:
                    full = some.seen >= SKIPPED or seen == frame.stored
                if full or time.monotonic() > until:
                    yield some.closed()
                    some, until = _Open([], [], []), time.monotonic() + HASTE_S
        except (ZoneFileError, TooManyOfOne):
            yield some.closed()  # what the rules say of those before the fault comes first
            raise
        if some.seen:
            yield some.closed()

    def _check(self, found: Found, some: _Open) -> None:
        """The rules on an RRset that the file alone does not show. Raises ZoneFileError, TooManyOfOne."""
        frame, name, rrtype = self._frame, found.name, found.rrtype
        if rrtype not in self._types or found.ttl < frame.min_ttl:
            some.notes.append(Note(rrtype, name, found.ttl, found.line, rrtype not in self._types))
            self._types.add(rrtype)
        if len(name) > frame.longest_name:
            raise _refused(found, "Name too long")
        if frame.children and not frame.children.isdisjoint((name, *ancestors(name))):
            raise _refused(found, "RecordSet belongs in a child zone")
        if len(found.records) > frame.records >= 0 and len(found.records) > 1:
            raise TooManyOfOne(len(found.records))
        for record in found.records:
            if len(record.wire) + len(name) + 12 > MAX_RR:
                raise _refused(found, f"a record of {len(record.wire)} octets cannot be transferred")
            if rrtype in CHECKED:
                try:
                    check_entry(name, rrtype, record, frame.alpn)
                except ValueError as error:
                    raise _refused(found, str(error)) from error

    def _add(self, found: Found, some: _Open) -> None:
        frame, ident = self._frame, new_id()
        records = [record.text for record in found.records]
        try:
            wire = pack(frame.zone, found.name, found.rrtype, found.ttl, [record.wire for record in found.records])
        except ValueError as error:
            raise _refused(found, str(error)) from error
        some.rows.append((
            ident, frame.zone_id, frame.project_id, found.name, found.rrtype, found.ttl, _json(records).decode(), wire,
            place(found.name, found.rrtype, frame.zone), None, False, frame.revision, frame.revision, 1, frame.at, None,
            found.typed_name,
        ))  # fmt: skip
        some.texts.append([(ident, at, frame.zone_id, text[: frame.prefix]) for at, text in enumerate(records)])
        some.octets += len(wire)


_json = msgspec.json.Encoder().encode


def _refused(found: Found, why: str) -> ZoneFileError:
    return ZoneFileError(found.line, f"{found.rrtype} at {found.name}: {why}")
