# SPDX-License-Identifier: Apache-2.0
"""Answers that are remembered, so that what is asked again is not looked up again.

The answer to a question that is not signed follows from the packet, from which zones there are at the names that it is
about, and from the row and the content of the zone that answers; the row's revision names the content. So an answer is
remembered with that row and those names, and given again only where a view shows the same row, and no other zone at the
names: it is the answer that would be made from this view, and a change that is committed is in the next one. Of the
packet, the id, the case of the question, RD and CD are copied; two packets that differ in nothing else get one answer.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import msgspec

from redesignate.store.served_zone import ServedZone
from redesignate.wire.message import CD, RD

_ROW = 700
"""About how much a zone's row takes."""
_MOST_ASKED = 1 << 14
"""Of how many questions is remembered that they were asked once."""


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """One answer without what is each packet's own.

    zone    the row that it was made of
    names   at which zones have to be looked for, as far as they are below the zone that answers: none may be there
    end     where the question ends
    flags   the header's second field without RD and CD; `counts`: its last four; `rest`: what follows the question
    """

    zone: ServedZone
    names: tuple[str, ...]
    end: int
    flags: int
    counts: bytes
    rest: bytes

    def holds(self, zones: Mapping[str, ServedZone | None]) -> bool:
        """Whether it is the answer still, where these are the zones at its names."""
        for name in self.names:
            if zones[name] is not None:
                return False
        return zones[self.zone.name] == self.zone

    def to(self, packet: bytes) -> bytes:
        """The answer to a packet that has its key."""
        flags = self.flags | (packet[2] << 8 | packet[3]) & (RD | CD)
        return b"".join((packet[:2], flags.to_bytes(2, "big"), self.counts, packet[12 : self.end], self.rest))


def key(packet: bytes) -> bytes | None:
    """What packets have in common that get the same answer: all but id, flags, and the case of the question's name.

    None for what is not a plain query. Only what stands before the first zero octet, which is at or before the end of
    the name, is compared without case; of the flags QR, the opcode, AA and TC are zero, and the others ask nothing.
    """
    at = packet.find(b"\0", 12)
    return None if at < 0 or packet[2] & 0xFE else packet[4:12] + packet[12:at].lower() + packet[at:]


class Memory:
    """The answers of one process, of at most so many octets. Safe for use from many threads.

    They are in two generations: what the older is asked for goes to the younger, and when that is full the older is
    forgotten. A question's answer is kept when it is asked for the second time, so that names at random, which a flood
    asks for once each, push out nothing.
    """

    def __init__(self, octets: int) -> None:
        self._room = octets // 2
        self._lock = threading.Lock()
        self._young: dict[bytes, Remembered] = {}
        self._old: dict[bytes, Remembered] = {}
        self._octets = self._octets_old = 0
        self._asked: set[int] = set()
        self._rows: dict[str, ServedZone] = {}

    @property
    def octets(self) -> int:
        """About how much memory they take."""
        return self._octets + self._octets_old

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self._young) + len(self._old)

    def get(self, packet: bytes) -> Remembered | None:
        """What may be the answer to a packet: its reader makes sure by `Remembered.holds`."""
        asked = key(packet) if self._room else None
        if asked is None:
            return None
        found = self._young.get(asked)
        if found is None and (found := self._old.pop(asked, None)) is not None:
            self._put(asked, found)
        return found

    def keep(self, packet: bytes, answer: bytes, end: int, zone: ServedZone, names: tuple[str, ...]) -> None:
        """Keep the answer to a packet whose question ends at `end`, where it was asked before."""
        asked = key(packet) if self._room else None
        if asked is None:
            return
        if asked not in self._young and (mark := hash(asked)) not in self._asked:
            if len(self._asked) >= _MOST_ASKED:
                self._asked.clear()
            self._asked.add(mark)
            return
        row = self._rows.get(zone.id)  # each view makes rows of its own
        if row != zone:
            row = self._rows[zone.id] = zone
            with self._lock:
                self._octets += _ROW
        flags = int.from_bytes(answer[2:4], "big") & ~(RD | CD)
        self._put(asked, Remembered(row, names, end, flags, answer[4:12], answer[end:]))

    def _put(self, asked: bytes, answer: Remembered) -> None:
        with self._lock:
            before = self._young.get(asked)
            self._octets += _octets(asked, answer) - (_octets(asked, before) if before else 0)
            self._young[asked] = answer
            if self._octets > self._room:
                self._old, self._octets_old = self._young, self._octets
                self._young, self._octets, self._rows = {}, 0, {}


def _octets(asked: bytes, answer: Remembered) -> int:
    """About how much memory an answer takes, its key and its place in a table with it."""
    return 400 + len(asked) + len(answer.rest) + sum([60 + len(name) for name in answer.names])
