# SPDX-License-Identifier: Apache-2.0
"""Zones (RFC 5936), and the changes between two versions of one (RFC 1995), as chunks that are sent unchanged.

A chunk is what stands between a message's question and its TSIG record. It is position independent, because the zone's
name stands at offset 12 of every message of a transfer, so that only id and signature are written per message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redesignate.mdns.source import View
from redesignate.model.names import MAX_NAME
from redesignate.model.serial import newer
from redesignate.observe.log import events
from redesignate.store.served_zone import Blobs, Change, Mark, ServedZone
from redesignate.wire import rrset
from redesignate.wire.message import FIXED, Malformed

log = events(__name__)

_HEADER = 12
_QUESTION = MAX_NAME + 4
_PAGE = 256
_FEW = 8
"""Fewer RRs that are alike are looked at one by one."""
_SOAS = 160
"""About how much the two SOAs of a change weigh."""
SMALL = 64 * 1024
"""Differences up to this many octets are sent without asking whether the whole zone would be less."""
MIDDLE = 128
"""How many small changes are read without looking at their marks first."""


Chunk = tuple[int, bytes]
"""The RRs of one message, and how many they are."""

Tell = Callable[[Chunk], None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """One version of a zone, or the way from one to another."""

    serial: int
    chunks: tuple[Chunk, ...]
    octets: int
    records: int


@dataclass(slots=True)
class Chunker:
    """Packs blobs into chunks of at most `room` octets; an RR longer than that has a chunk of its own.

    tell   called with each chunk at once
    """

    _room: int
    _tell: Tell = lambda _: None
    _parts: list[bytes | bytearray] = field(default_factory=list)
    _size: int = 0
    _count: int = 0
    _done: list[Chunk] = field(default_factory=list)

    def add(self, count: int, blob: bytes) -> None:
        """Append `count` RRs. Raises Malformed where they have to be split and cannot."""
        if self._size + len(blob) <= self._room:
            self._parts.append(blob)
            self._size += len(blob)
            self._count += count
        elif count == 1:
            self._flush()
            self._parts, self._size, self._count = [blob], len(blob), 1
        else:
            for rr in rrset.split(blob):
                self.add(1, rr)

    def add_plain(self, rrsets: Blobs, ttl: int) -> list[tuple[int | None, bytes]]:
        """Append each RRset that is one RR, at or right below the apex, and is like many others; return the rest of
        those that hold records, with the TTL that has to be written into each (None: it is).

        Most of a zone is such RRs. They are looked at together, in C: a third of the time of a loop over them.
        """
        alike: dict[int | None, defaultdict[int, list[bytes]]] = {ttl: defaultdict(list), None: defaultdict(list)}
        untimed, timed = alike[ttl], alike[None]
        for own_ttl, blob in rrsets:
            if blob:  # else the SOA, which stands in the zone's row, or an RRset without records
                (untimed if own_ttl is None else timed)[len(blob) << 8 | blob[0]].append(blob)
        others = []
        for written, groups in alike.items():
            for key, blobs in groups.items():
                if len(blobs) < _FEW or not self._add_alike(blobs, key >> 8, written):
                    others += [(written, blob) for blob in blobs]
        return others

    def _add_alike(self, blobs: Sequence[bytes], size: int, ttl: int | None) -> bool:
        """Append blobs of one size whose first octets are the same; False, and nothing, unless each is a plain RR."""
        first, number = blobs[0][0], len(blobs)
        at = first + 1 if 0 < first < 0x40 else 0
        length = size - at - FIXED.size - len(rrset.APEX)
        if length < 0 or size > self._room:
            return False
        rrs = bytearray().join(blobs)
        wanted = zip((at, at + 1, at + 10, at + 11), rrset.APEX + length.to_bytes(2, "big"), strict=True)
        if any(rrs[place::size].count(octet) != number for place, octet in wanted):
            return False
        for place, octet in enumerate(b"" if ttl is None else ttl.to_bytes(4, "big"), at + 6):
            rrs[place::size] = bytes((octet,)) * number
        done = 0
        while done < len(rrs):
            part = rrs[done : done + (self._room - self._size) // size * size]
            if not part:
                self._flush()
                continue
            self._parts.append(part)
            self._size += len(part)
            self._count += len(part) // size
            done += len(part)
        return True

    def _flush(self) -> None:
        if self._count:
            chunk = self._count, b"".join(self._parts)
            self._done.append(chunk)
            self._tell(chunk)
        self._parts, self._size, self._count = [], 0, 0

    def done(self, serial: int) -> Rendered:
        """Everything added so far."""
        self._flush()
        octets, records = sum(len(blob) for _, blob in self._done), sum(count for count, _ in self._done)
        return Rendered(serial, tuple(self._done), octets, records)


def room_of(max_message_size: int) -> int:
    """How many octets of RRs a message of at most this size takes beside header, any question and TSIG.

    Sizes below 1024 are taken as 1024: less would not hold the question and the signature.
    """
    return min(max(max_message_size, 1024), rrset.MAX_MESSAGE) - _HEADER - _QUESTION - rrset.TSIG_ROOM


def render(view: View, zone: ServedZone, room: int, tell: Tell = lambda _: None) -> Rendered:
    """A zone as AXFR sends it: the SOA, everything else, the SOA (RFC 5936 §2.2). The view is read once through.

    tell   called with each chunk at once, while the rest is read
    An RRset whose blob is broken, or holds an RR that fits in no message, is left out and logged: one bad row never
    stops a zone. Cost: one query; about 0.8 µs an RRset.
    """
    soa, chunker = rrset.soa(zone), Chunker(room, tell)
    chunker.add(1, soa)
    for batch in view.whole_zone(zone):
        for ttl, blob in chunker.add_plain(batch, zone.ttl):
            try:
                count, rrs = rrset.ready(blob, ttl)
                if len(rrs) > rrset.MAX_RR:
                    _check_each(rrs)
                chunker.add(count, rrs)
            except Malformed as error:
                log.error("rrset withheld", zone=zone.id, name=zone.name, why=str(error), octets=blob[:64].hex())
    chunker.add(1, soa)
    return chunker.done(zone.serial)


def _check_each(rrs: bytes) -> None:
    if not all(map(rrset.fits, rrset.split(rrs))):
        raise Malformed("an RR is too long for any message")


def differences(view: View, zone: ServedZone, since: int, room: int) -> Rendered | None:
    """The changes that lead from serial `since` to the zone's; None if the whole zone has to be sent.

    That is the case if the journal does not reach back, knows a revision only as "everything", has a gap, or is more
    than the zone itself. Cost: one query for a few small changes, two for a hundred; otherwise four, and one more that
    weighs the zone if the changes are over 64 KiB.
    """
    changes = view.latest(zone, since) or _middle_way(view, zone, since) or _long_way(view, zone, since)
    if not changes or not all(change.soa_from and change.soa_to for change in changes):
        return None
    chunker, soa = Chunker(room), rrset.soa(zone)
    try:  # RFC 1995 §4: our SOA, then for each change the old SOA, what goes, the new SOA, what comes; our SOA again
        chunker.add(1, soa)
        for change in changes:
            for blob in (change.soa_from, change.removed, change.soa_to, change.added):
                if blob:
                    chunker.add(*rrset.ready(blob, None))
        chunker.add(1, soa)
    except Malformed as error:
        log.error("journal unreadable; sending the whole zone", zone=zone.id, name=zone.name, why=str(error))
        return None
    return chunker.done(zone.serial)


def _middle_way(view: View, zone: ServedZone, since: int) -> Sequence[Change] | None:
    """The changes since a serial that is up to MIDDLE small ones back: a zone that is changed all the time is published
    with many changes at once. None if they are more, or together larger than what is sent without weighing the zone."""
    changes = view.latest(zone, since, MIDDLE)
    octets = sum([len(change.removed) + len(change.added) + _SOAS for change in changes or ()])
    return changes if octets <= SMALL else None


def _long_way(view: View, zone: ServedZone, since: int) -> Sequence[Change]:
    """Every change from `since` on; none if the whole zone has to be sent."""
    marks = _chain(view, zone, since)
    if marks is None:
        return ()
    changes = view.changes(zone.id, marks[-1].revision, marks[0].revision)
    return changes if len(changes) == len(marks) else ()


def _chain(view: View, zone: ServedZone, since: int) -> list[Mark] | None:
    """The journal's revisions from the newest back to the one that began at `since`, newest first."""
    found: list[Mark] = []
    wanted, before = zone.serial, zone.revision + 1
    octets, most = 0, 0
    while True:
        page = view.marks(zone.id, before=before, limit=_PAGE)
        for mark in page:
            if mark.full or mark.serial_to != wanted:
                return None
            found.append(mark)
            octets += mark.octets + _SOAS
            if octets > SMALL and octets > (most := most or view.octets(zone)):
                return None
            if mark.serial_from == since:
                return found
            if newer(since, mark.serial_from):
                return None
            wanted = mark.serial_from
        if len(page) < _PAGE:
            return None
        before = page[-1].revision
