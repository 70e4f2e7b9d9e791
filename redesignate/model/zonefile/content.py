# SPDX-License-Identifier: Apache-2.0
"""One zone out of a master file: its SOA, its RRsets, and what their records must be to each other (RFC 1035 §5.2).

The zone's name is the owner of the first record where that is the SOA, as in every file that a nameserver writes (BIND
begins one with `$ORIGIN .`), else the first $ORIGIN. Names outside of it are refused: dropping them would lose records
without a word. NS records at the apex are not asked for, since the pool's stand there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from types import TracebackType
from typing import IO, NamedTuple, Self

from redesignate.model import names, rdata
from redesignate.model.rdata import BESIDE_CNAME, Rdata, mnemonic
from redesignate.model.rrset import SINGLETONS
from redesignate.model.soa import SOAData, read_soa
from redesignate.model.zonefile.lines import ZoneFileError
from redesignate.model.zonefile.reader import NO_ORIGIN, Reader
from redesignate.model.zonefile.runs import Row, Runs

NO_SOA = "An SOA record is required."
MAX_RRSET = 65_535 - 12 - (names.MAX_NAME + 4)
"""Octets of an RRset in an answer, its owner's name compressed: what a message has beside header and question."""
ROOM = 32 * 2**20
MAX_RECORDS = 10_000_000
MAX_OCTETS = 2**28
"""Octets of all records' names and rdata: a file of 32 MiB without $GENERATE has fewer, save below long origins."""
_RR = 12
_BESIDE_CNAME = frozenset(map(mnemonic, BESIDE_CNAME))


class TooManyRecords(ZoneFileError):
    """A file with more records than its reader may take."""


class Found(NamedTuple):
    """An RRset of the file.

    name        canonical; `typed_name` as it stands in the file, where that differs
    ttl         the lowest of its records: they are one RRset's, and share one (RFC 2181 §5.2)
    records     in the order of the file, equal ones once
    line        of its first record; `other_ttl` of the first with another TTL than that, where there is one
    """

    name: str
    typed_name: str | None
    rrtype: str
    ttl: int
    records: tuple[Rdata, ...]
    line: int
    other_ttl: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A zone from a file. To be closed, or used as a context manager: it may hold a temporary file.

    zone      canonical; `typed_name` as the SOA's owner stands in the file, where that differs
    soa       `email` is None where RNAME is not the mailbox of a mail address
    ttl       of the SOA record; `line` where that stands
    records   how many the file has, without the SOA; equal ones count each time
    """

    zone: str
    typed_name: str | None
    soa: SOAData
    ttl: int
    line: int
    records: int
    rows: Runs

    def rrsets(self) -> Iterator[Found]:
        """All RRsets but the SOA, in canonical order of names (RFC 4034 §6.1), and by type.

        Raises ZoneFileError at the first that cannot be in the zone: nothing of the zone may be kept then.
        Cost  7 µs for an RRset of one record; memory for `ROOM`, and one RRset
        """
        name: str | None = None
        alias: int | None = None
        other: tuple[str, int] | None = None
        for (key, rrtype), rows in groupby(self.rows, key=itemgetter(0, 1)):
            found = _found(names.from_order_key(key, self.zone), rrtype, rows)
            if found.name != name:
                name, alias, other = found.name, None, ("SOA", self.line) if found.name == self.zone else None
            if rrtype == "CNAME":
                alias = found.line
            elif rrtype not in _BESIDE_CNAME:
                other = other or (rrtype, found.line)
            if alias and other:
                _refuse_beside(found.name, alias, *other)
            yield found

    def close(self) -> None:
        """Forget the rows."""
        self.rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def gather(
    chunks: Iterable[bytes | str],
    *,
    most: int = MAX_RECORDS,
    octets: int = MAX_OCTETS,
    alive: Callable[[], object] = bool,
    room: int = ROOM,
    spool: Callable[[], IO[bytes]] = tempfile.TemporaryFile,
) -> Content:
    """Read a whole zone file, in pieces of any size; the result is to be closed.

    most    records that the file may have beside the SOA, those of $GENERATE too, of which a short file makes many
    octets  that the names and rdata of these may take: a short file makes a thousand long ones in a line
    alive   called for each part of `room` that is read, and for each block of 128 KiB that is read again; it may raise
    room    octets of memory for records, about; further ones wait in the file that `spool` opens, 50 octets each
    Raises ZoneFileError (TooManyRecords beyond `most`), and OSError where the temporary file cannot be written; then
    nothing is left.
    Cost    9 µs for a record; records are parsed once
    """
    runs = Runs(room, spool, alive)
    try:
        return _gathered(chunks, runs, most, octets)
    except BaseException:
        runs.close()
        raise


def _gathered(chunks: Iterable[bytes | str], runs: Runs, most: int, octets: int) -> Content:
    reader = Reader()
    apex: _Apex | None = None
    owner, key, typed, count, size = "", b"", None, 0, 0
    for line, name, ttl, rrtype, value in reader.records(chunks):
        if apex is None:
            apex = _Apex(line, name if rrtype == "SOA" else reader.first_origin or name)
        if name != owner:
            owner, canonical = name, name.lower()
            key = apex.key(line, canonical)
            typed = None if canonical == name else name
        if rrtype == "SOA":
            apex.take(line, key, ttl, value)
        else:
            count += 1
            if count > most:
                raise TooManyRecords(line, f"the file has more than {most} records")
            size += len(key) + len(value.wire) + (0 if typed is None else len(typed))
            if size > octets:
                raise ZoneFileError(line, f"the names and records of the file take more than {octets} octets")
            runs.add((key, rrtype, count, line, ttl, value.text, value.wire, typed))
    if apex is None or apex.soa is None:
        raise ZoneFileError(None, NO_SOA if apex is not None or reader.first_origin else NO_ORIGIN)
    return Content(
        zone=apex.zone,
        typed_name=apex.typed_name,
        soa=read_soa(apex.soa.wire),
        ttl=apex.ttl,
        line=apex.line,
        records=count,
        rows=runs,
    )


class _Apex:
    """The zone's name, and its SOA once that was read."""

    def __init__(self, line: int, typed: str) -> None:
        try:
            self.zone = names.check_zone_name(typed)
        except ValueError as error:
            raise ZoneFileError(line, f"the zone's name: {error}") from error
        self.typed_name = None if typed == self.zone else typed
        self.soa: Rdata | None = None
        self.line = self.ttl = self._stands = 0

    def key(self, line: int, name: str) -> bytes:
        """The order key of a canonical name, which has to be in the zone."""
        if not names.is_below(name, self.zone):
            raise ZoneFileError(line, f"{name} is not in the zone {self.zone}; remove its records")
        return names.order_key(name, self.zone)

    def take(self, line: int, key: bytes, ttl: int, value: Rdata) -> None:
        """Take the SOA. An equal one may stand again, as after a transfer (RFC 5936 §2.2). Raises ZoneFileError."""
        if key:
            raise ZoneFileError(line, f"an SOA record stands below the apex of the zone {self.zone}; remove it")
        self._stands += 1
        if self._stands > 2:  # $GENERATE would make any number
            raise ZoneFileError(line, "the SOA record stands more than twice; leave one")
        if self.soa is None:
            self.soa, self.line, self.ttl = value, line, ttl
        elif not rdata.same("SOA", self.soa, value):
            raise ZoneFileError(line, f"a zone has one SOA record, and another one is in line {self.line}")


# -- RRsets


def _found(name: str, rrtype: str, rows: Iterator[Row]) -> Found:
    """The RRset that these rows, all of one name and type, are. Raises ZoneFileError."""
    _, _, _, line, ttl, text, wire, typed = next(rows)
    records: tuple[Rdata, ...] = (Rdata(text, wire),)
    other = None
    try:
        names.check_rrset_name(name, rrtype)
    except ValueError as error:
        raise ZoneFileError(line, str(error)) from error
    if (second := next(rows, None)) is not None:
        records, ttl, other = _several(name, rrtype, records[0], ttl, chain((second,), rows))
    if rrtype in SINGLETONS and len(records) > 1:
        raise ZoneFileError(line, f"{rrtype} at {name} has {len(records)} records, where one is allowed")
    return Found(name, typed, rrtype, ttl, records, line, other)


def _several(
    name: str, rrtype: str, first: Rdata, ttl: int, rows: Iterator[Row]
) -> tuple[tuple[Rdata, ...], int, int | None]:
    """The records, equal ones once, their TTL, and the line of the first that has another than the first record."""
    records, other, size = {rdata.key(rrtype, first.wire): first}, None, _RR + len(first.wire)
    for _, _, _, line, seconds, text, wire, _ in rows:
        if seconds != ttl:
            other, ttl = other or line, min(seconds, ttl)
        value = Rdata(text, wire)
        if records.setdefault(rdata.key(rrtype, wire), value) is value:
            size += _RR + len(wire)
        if size > MAX_RRSET:
            raise ZoneFileError(line, f"{rrtype} at {name} has too many records for an answer of {MAX_RRSET} octets")
    return tuple(records.values()), ttl, other


def _refuse_beside(name: str, alias: int, rrtype: str, line: int) -> None:
    """RFC 2181 §10.1."""
    raise ZoneFileError(
        max(alias, line), f"{name} has a CNAME in line {alias} and {rrtype} in line {line}; a CNAME stands alone"
    )
