# SPDX-License-Identifier: Apache-2.0
"""One packet in, one answer out: the client, its question, and what it may have (RFC 1035, 1996, 5936, 6891, 8945).

Everything here is synchronous over one view of the database; a zone transfer is answered with a `Transfer`, which
`service.py` renders and streams.
"""

from __future__ import annotations

from dataclasses import dataclass

from redesignate.config.settings import MdnsSettings, transfer_list
from redesignate.mdns import notify
from redesignate.mdns.access import Access, Servers
from redesignate.mdns.lookup import Found, look_up
from redesignate.mdns.memory import Memory
from redesignate.mdns.render import SMALL, Chunk, Rendered, differences, room_of
from redesignate.mdns.reply import OPCODE_BITS, Client, error, respond
from redesignate.mdns.source import View
from redesignate.model import names
from redesignate.model.clock import SECOND, Clock, now
from redesignate.model.rdata import META
from redesignate.model.serial import newer
from redesignate.model.tsigkey import Scope
from redesignate.observe.log import Seldom, events
from redesignate.store.served_zone import Reach, ServedZone
from redesignate.wire import message, rrset, tsig
from redesignate.wire.message import (
    AA,
    ANY,
    AXFR,
    DS,
    IN,
    IXFR,
    NOTIFY,
    OPT,
    QR,
    QUERY,
    RD,
    SOA,
    Malformed,
    Message,
    Rcode,
)

log = events(__name__)

_MOST_WAYS = 64
"""How many small differences are kept, by the zone's row and the serial that they begin at: the servers of a pool ask
for the same ones at nearly the same time."""


@dataclass(slots=True, kw_only=True)
class Transfer:
    """A zone transfer that may begin.

    rendered   the differences, of an IXFR; None: the whole zone, which has to be rendered
    """

    client: Client
    zone: ServedZone
    rendered: Rendered | None = None
    _signer: tsig.Signer | None = None

    def message(self, chunk: Chunk, clock: Clock) -> bytes:
        """The message that holds the next chunk, signed as one of a stream where the query was signed (RFC 8945
        §5.3.1)."""
        client, query = self.client, self.client.query
        assert query.question is not None
        packet = message.build(query.id, QR | AA | query.flags & (OPCODE_BITS | RD), query.question.wire, (chunk,))
        if client.key is None:
            return packet
        self._signer = self._signer or tsig.Signer(client.key, client.mac)
        return self._signer.sign(packet, clock() // SECOND)


class Answerer:
    """Answers packets for one set of options."""

    def __init__(
        self,
        settings: MdnsSettings,
        clock: Clock = now,
        forward: notify.Forward = notify.drop,
        access: Access | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`forward` is called with zones whose primary has sent NOTIFY; `access` is made of the settings where None;
        `memory` is given the answers that may be given again."""
        self._memory = Memory(0) if memory is None else memory
        self.reach = None if settings.query_enforce_tsig else Reach(Scope.POOL, settings.default_pool_id)
        self._access = access or Access(transfer_list(settings.allow_transfer), Servers())
        self._refused = {"tsig": Seldom(), "key": Seldom(), "transfer": Seldom()}
        self.clock = clock
        self._forward = forward
        self._room = room_of(settings.max_message_size)
        self._ways: dict[tuple[ServedZone, int], Rendered] = {}

    def answer(
        self, view: View, packet: bytes, *, tcp: bool, peer: str, client: Client | None = None
    ) -> bytes | Transfer | None:
        """The answer to a packet; None for packets that get no answer (an answer itself, less than a header).

        client   the packet, where it has been read
        """
        if len(packet) < 12 or packet[2] & (QR >> 8):
            return None
        try:
            if client is None:
                client = Client(query=message.read(packet), peer=peer, tcp=tcp, clock_s=self.clock() // SECOND)
            refused = self._identify(view, client)
            return refused or self._dispatch(view, client)
        except Malformed:
            return error(packet, Rcode.FORMERR)

    def _identify(self, view: View, client: Client) -> bytes | None:
        """Verify the signature and settle what the client may see; the refusal where it does not hold."""
        found = tsig.signature(client.query) if client.query.tsig else None
        if found is None:
            client.reach = self.reach
            return None
        key, reach = self._known_key(view, found)
        try:
            tsig.verify(client.query, found, key, client.clock_s)
        except tsig.Refused as fault:
            if (others := self._refused["tsig"].turn()) is not None:
                key_name = names.from_wire(found.key)[0]
                log.warning("tsig refused", peer=client.peer, key=key_name, why=str(fault), **others)
            return tsig.refusal(respond(client, Rcode.NOTAUTH), fault, key, client.clock_s)
        client.key, client.mac, client.reach = key, found.mac, reach
        self._access.signed(client.peer)
        return None

    def _dispatch(self, view: View, client: Client) -> bytes | Transfer:
        query, question = client.query, client.query.question
        fault = _unfit(query)
        if question is None or fault is not None:
            return respond(client, fault or Rcode.FORMERR)
        if query.opcode == NOTIFY:
            return respond(client, notify.judge(view, question, client.peer, self._forward), flags=AA)
        if question.type in {AXFR, IXFR}:
            return self._transfer(view, client)
        return self._lookup(view, client)

    def _lookup(self, view: View, client: Client) -> bytes:
        question, reach = client.query.question, client.reach
        assert question is not None
        zone = zone_for(view, reach, question.text, question.type) if reach else None
        if zone is None or reach is None or self._access.refusal(view, client, zone, transfer=False):
            return respond(client, Rcode.REFUSED)
        if not zone.loaded:
            return respond(client, Rcode.SERVFAIL)
        do = client.query.edns is not None and client.query.edns.do
        found = look_up(view, zone, question.text, question.type, reach, do=do)
        answer = respond(client, found=found, zone=zone)
        if found.settled and client.key is None and not client.tcp:
            self._memory.keep(client.query.packet, answer, 12 + len(question.wire), zone, tuple(found.below))
        return answer

    def _transfer(self, view: View, client: Client) -> bytes | Transfer:
        question, reach = client.query.question, client.reach
        assert question is not None
        name = question.text
        if question.type == AXFR and not client.tcp:
            return respond(client, Rcode.FORMERR)  # AXFR exists over TCP alone: RFC 5936 §4.2
        zone = view.zones_at([name], reach)[name] if reach else None
        why = self._access.refusal(view, client, zone, transfer=True) if zone else "no such zone within reach"
        if zone is None or why is not None:
            if (others := self._refused["transfer"].turn()) is not None:
                log.info("transfer refused", peer=client.peer, name=name, why=why, **others)
            return respond(client, Rcode.REFUSED)
        if not zone.loaded:
            return respond(client, Rcode.SERVFAIL)
        if question.type == AXFR:
            return Transfer(client=client, zone=zone)
        return self._incremental(view, client, zone)

    def _known_key(self, view: View, found: tsig.Signature) -> tuple[tsig.Key | None, Reach | None]:
        name = names.from_wire(found.key)[0]
        known = self._access.key(view, name.removesuffix("."))
        if known is None:
            return None, None
        try:
            return tsig.prepare(known[0]), known[1]
        except ValueError as unusable:
            if (others := self._refused["key"].turn()) is not None:
                log.error("tsig key unusable", key=name, why=str(unusable), **others)
            return None, None

    def _incremental(self, view: View, client: Client, zone: ServedZone) -> bytes | Transfer:
        """RFC 1995 §2 and §4: the differences, the whole zone, or our SOA alone where the client has it already.

        Over UDP what does not fit in one packet is our SOA alone, which sends the client to TCP. Raises Malformed.
        """
        query = client.query
        held = [record for record in query.authority if record.type == SOA]
        if len(held) != 1 or held[0].size < 22:
            raise Malformed("an IXFR query without the client's SOA")  # RFC 1995 §3
        end = held[0].at + held[0].size
        since = int.from_bytes(query.packet[end - 20 : end - 16], "big")
        if since == zone.serial or newer(since, zone.serial):
            return _soa_alone(client, zone)
        found = self._ways.get((zone, since))
        if found is None:
            found = differences(view, zone, since, self._room)
            if found is not None and found.octets <= SMALL:
                if len(self._ways) >= _MOST_WAYS:
                    self._ways.clear()
                self._ways[zone, since] = found
        if client.tcp:
            return Transfer(client=client, zone=zone, rendered=found)
        if found is None or len(found.chunks) != 1:
            return _soa_alone(client, zone)
        packet = Transfer(client=client, zone=zone).message(found.chunks[0], self.clock)
        return packet if len(packet) <= message.udp_room(query.edns) else _soa_alone(client, zone)


def zone_for(view: View, reach: Reach, name: str, rrtype: int) -> ServedZone | None:
    """The zone that answers for a name: the nearest, but for a DS the one above it (RFC 4035 §3.1.4.1)."""
    candidates = names.ancestors(name)
    zone = view.nearest_zone(candidates, reach)
    if zone is not None and rrtype == DS and zone.name == name and len(candidates) > 1:
        return view.nearest_zone(candidates[1:], reach) or zone
    return zone


def _unfit(query: Message) -> Rcode | None:
    """What is wrong with a query, whatever zone it is about; None if nothing is."""
    question = query.question
    if query.edns is not None and query.edns.version != 0:
        return Rcode.BADVERS
    if query.opcode not in {QUERY, NOTIFY}:
        return Rcode.NOTIMP
    if question is None or question.type in {0, OPT}:
        return Rcode.FORMERR
    if question.cls != IN:
        return Rcode.REFUSED
    known = question.type in {ANY, AXFR, IXFR} or question.type not in META
    return None if known else Rcode.NOTIMP


def _soa_alone(client: Client, zone: ServedZone) -> bytes:
    body = rrset.bodies(rrset.soa(zone), None)[1][0]
    return respond(client, found=Found(answer=[(zone.name, body)]), zone=zone)
