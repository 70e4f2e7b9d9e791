# SPDX-License-Identifier: Apache-2.0
"""Zones (RFC 5936), and the changes between two versions of one (RFC 1995), as chunks that are sent unchanged.

A zone is rendered once for each revision and kept while there is room. A chunk is what stands between a message's
question and its TSIG record. It is position independent, because the zone's name stands at offset 12 of every message
of a transfer, so that only id and signature are written per message.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from redesignate.mdns.source import View
from redesignate.model.names import MAX_NAME
from redesignate.model.serial import newer
from redesignate.observe.log import events
from redesignate.store.served_zone import Blobs, Change, Mark, ServedZone
from redesignate.wire import rrset
from redesignate.wire.message import Malformed

log = events(__name__)

_HEADER = 12
_QUESTION = MAX_NAME + 4
_PAGE = 256
_SOAS = 160
"""About how much the two SOAs of a change weigh."""
SMALL = 64 * 1024
"""Differences up to this many octets are sent without asking whether the whole zone would be less."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One version of a zone, or the way from one to another: (number of RRs, RRs) for each message."""

    serial: int
    chunks: tuple[tuple[int, bytes], ...]
    octets: int
    records: int


@dataclass(slots=True)
class Chunker:
    """Packs blobs into chunks of at most `room` octets; an RR longer than that has a chunk of its own."""

    _room: int
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0
    _count: int = 0
    _done: list[tuple[int, bytes]] = field(default_factory=list)

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

    def add_plain(self, rrsets: Blobs, ttl: bytes) -> list[tuple[int | None, bytes]]:
        """Append each RRset that is one RR, at or right below the apex, with `ttl` where it has none of its own; return
        the others that hold records. Most of a zone is such RRs, and this is all that rendering costs: 0.3 µs each."""
        parts, size, room, count = self._parts, self._size, self._room, self._count
        others = []
        for own_ttl, blob in rrsets:
            length = len(blob)
            if not length:  # the SOA, which stands in the zone's row, or an RRset without records
                continue
            first = blob[0]
            at = first + 1 if first < 0x40 else 0
            if (
                blob[at : at + 2] != rrset.APEX
                or length < at + 12
                or at + 12 + (blob[at + 10] << 8 | blob[at + 11]) != length
                or length > room
            ):
                others.append((own_ttl, blob))
                continue
            size += length
            if size > room:
                self._parts, self._count = parts, count
                self._flush()
                parts, size, count = self._parts, length, 0
            parts.append(blob if own_ttl is not None else blob[: at + 6] + ttl + blob[at + 10 :])
            count += 1
        self._parts, self._size, self._count = parts, size, count
        return others

    def _flush(self) -> None:
        if self._count:
            self._done.append((self._count, b"".join(self._parts)))
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


def render(view: View, zone: ServedZone, room: int) -> Rendered:
    """A zone as AXFR sends it: the SOA, everything else, the SOA (RFC 5936 §2.2). The view is read once through.

    An RRset whose blob is broken, or holds an RR that fits in no message, is left out and logged: one bad row never
    stops a zone. Cost: one query; about 1 µs an RRset.
    """
    soa, chunker = rrset.soa(zone), Chunker(room)
    chunker.add(1, soa)
    ttl = zone.ttl.to_bytes(4, "big")
    for batch in view.whole_zone(zone):
        for own_ttl, blob in chunker.add_plain(batch, ttl):
            try:
                count, rrs = rrset.ready(blob, zone.ttl if own_ttl is None else None)
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
    than the zone itself. Cost: one query for a few small changes; otherwise three, and one that weighs the zone if the
    changes are over 64 KiB.
    """
    changes = view.latest(zone, since) or _long_way(view, zone, since)
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


class Versions:
    """The rendered zones of one process, the least recently used dropped first. For one event loop.

    limit   octets; a zone larger than that is rendered for the clients of the moment and not kept
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[int, Rendered]] = OrderedDict()
        self._size = 0
        self._making: dict[tuple[str, int], asyncio.Task[tuple[int, Rendered]]] = {}

    @property
    def octets(self) -> int:
        """How much is kept."""
        return self._size

    def kept(self, zone_id: str, revision: int) -> Rendered | None:
        """This version, where it is kept."""
        found = self._kept.get(zone_id)
        if found is None or found[0] != revision:
            return None
        self._kept.move_to_end(zone_id)
        return found[1]

    async def get(self, zone_id: str, revision: int, make: Callable[[], Awaitable[tuple[int, Rendered]]]) -> Rendered:
        """This version or a newer one, made once however many ask for it at the same time.

        make   gives revision and rendering; its exceptions reach all that wait
        """
        found = self.kept(zone_id, revision)
        if found is not None:
            return found
        making = self._making.get((zone_id, revision))
        if making is None:
            making = asyncio.ensure_future(self._make(zone_id, revision, make))
            self._making[zone_id, revision] = making
        # A client that disconnects must not stop the work of the others.
        return (await asyncio.shield(making))[1]

    async def _make(
        self, zone_id: str, revision: int, make: Callable[[], Awaitable[tuple[int, Rendered]]]
    ) -> tuple[int, Rendered]:
        try:
            made, rendered = await make()
        finally:
            del self._making[zone_id, revision]
        self._keep(zone_id, made, rendered)
        return made, rendered

    def _keep(self, zone_id: str, revision: int, rendered: Rendered) -> None:
        old = self._kept.get(zone_id)
        if old is not None and old[0] > revision:
            return
        if old is not None:
            self._size -= self._kept.pop(zone_id)[1].octets
        if rendered.octets > self._limit:
            return
        self._kept[zone_id] = (revision, rendered)
        self._size += rendered.octets
        while self._size > self._limit:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size -= dropped.octets
