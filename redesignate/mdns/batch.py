# SPDX-License-Identifier: Apache-2.0
"""What datagrams of one batch share: one look whether what is remembered still holds, and statements for all of them.

A view remembers what it was asked. Here it is asked for what the answers will need; then `answer.py` makes each of them
as it would alone. What is not foreseen here costs a statement, and never changes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from redesignate.mdns import lookup
from redesignate.mdns.access import Access
from redesignate.mdns.answer import Answerer, zone_for
from redesignate.mdns.memory import Memory, Remembered
from redesignate.mdns.reply import Client
from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.clock import SECOND
from redesignate.store.served_zone import Reach, ServedZone
from redesignate.wire import message
from redesignate.wire.message import AXFR, IXFR, SOA, Malformed
from redesignate.wire.server import Datagram


class Batches:
    """Answers from memory, and what is read for the others."""

    def __init__(self, answerer: Answerer, access: Access, memory: Memory) -> None:
        self._answerer = answerer
        self._access = access
        self._memory = memory

    def prepare(self, view: View, batch: Sequence[Datagram]) -> list[bytes | Client | None]:
        """For each datagram its answer, its question once read, or None where it has to be looked at by itself.

        Cost  one query for each 64 names that are asked about, and all above them; for the questions without such an
              answer, one for each 64 names, and one for each 64 that do not exist, of each zone.
        """
        reach = self._answerer.reach
        if reach is None:
            return [None] * len(batch)
        get, found, asked = self._memory.get, list[bytes | Client | None](), list[str]()
        remembered: list[tuple[int, Remembered]] = []
        for at, (packet, peer) in enumerate(batch):
            held = get(packet)
            if held is None:
                found.append(client := self._question(packet, peer))
                asked += names.ancestors(_text(client)) if client else ()
            else:
                found.append(None)
                remembered.append((at, held))
                asked.append(held.zone.name)
                asked += held.names
        zones = view.zones_at(asked, reach)
        guarded = self._access.guarded(view)
        for at, held in remembered:
            if held.holds(zones) and not (guarded and (held.zone.pool_id, held.zone.name) in guarded):
                found[at] = held.to(batch[at][0])
        self._read_ahead(view, reach, [one for one in found if isinstance(one, Client)])
        return found

    def _question(self, packet: bytes, peer: str) -> Client | None:
        """The packet as a client's question about a zone's names that is not signed; None where it is anything else."""
        if len(packet) < 12 or packet[2] & 0xF8:  # an answer, or not a QUERY
            return None
        try:
            query = message.read(packet)
        except Malformed:
            return None
        if query.question is None or query.tsig is not None:
            return None
        return Client(query=query, peer=peer, tcp=False, clock_s=self._answerer.clock() // SECOND)

    def _read_ahead(self, view: View, reach: Reach, clients: Sequence[Client]) -> None:
        """Read the RRsets at the names that these ask about, and what stands around those without any."""
        of_zone: dict[str, tuple[ServedZone, list[str]]] = {}
        for client in clients:
            question = client.query.question
            if question is None or question.type in {AXFR, IXFR}:
                continue
            zone = zone_for(view, reach, question.text, question.type)
            if zone is not None and zone.loaded and (question.type != SOA or question.text != zone.name):
                of_zone.setdefault(zone.id, (zone, []))[1].append(question.text)
        for zone, wanted in of_zone.values():
            lookup.read_ahead(view, zone, wanted)


def _text(client: Client) -> str:
    return client.query.question.text if client.query.question else "."
