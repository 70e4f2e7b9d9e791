# SPDX-License-Identifier: Apache-2.0
"""Answers as messages: sections joined, cut to what the client takes, and signed. What they say is `answer.py`'s."""

from __future__ import annotations

from dataclasses import dataclass

from redesignate.mdns.lookup import Found
from redesignate.mdns.proof import RR
from redesignate.model import names
from redesignate.store.served_zone import Reach, ServedZone
from redesignate.wire import message, rrset, tsig
from redesignate.wire.message import AA, CD, QR, RD, TC, Message, Rcode

OPCODE_BITS = 0x7800
_POINTER = 0xC000


@dataclass(slots=True, kw_only=True)
class Client:
    """A client and its query on its way: the packet as read, the address of its sender, and when (Unix seconds).

    `key` is set once the signature has been verified.
    """

    query: Message
    peer: str
    tcp: bool
    clock_s: int
    reach: Reach | None = None
    key: tsig.Key | None = None
    mac: bytes = b""


def respond(
    client: Client,
    rcode: Rcode = Rcode.NOERROR,
    *,
    flags: int = 0,
    found: Found | None = None,
    zone: ServedZone | None = None,
) -> bytes:
    """The finished answer: header, question, as much of `found` as the client takes, OPT, signature.

    Additional RRs go first when room is short; where others, or a referral's glue, are short too the answer is empty
    and marked as truncated (RFC 2181 §9, RFC 9471 §3.1).
    """
    query = client.query
    sections, fits = _sections(client, found, zone) if found and zone else ([(0, b""), (0, b""), (0, b"")], True)
    if found:
        rcode, flags = found.rcode, AA if found.aa else 0
    if not fits:
        flags |= TC
        sections = [(0, b""), (0, b""), (0, b"")]
    if query.edns is not None:
        count, blob = sections[2]
        sections[2] = count + 1, blob + message.opt(extended_rcode=rcode >> 4, do=query.edns.do)
    flags |= QR | query.flags & (OPCODE_BITS | RD | CD) | rcode & 15
    packet = message.build(query.id, flags, query.question.wire if query.question else b"", sections)
    return tsig.Signer(client.key, client.mac).sign(packet, client.clock_s) if client.key else packet


def _sections(client: Client, found: Found, zone: ServedZone) -> tuple[list[tuple[int, bytes]], bool]:
    """The three sections in wire form, and whether they fit."""
    query = client.query
    assert query.question is not None
    place = _Placing(query.question, zone)
    room = (message.udp_room(query.edns) if not client.tcp else rrset.MAX_MESSAGE) - 12 - len(query.question.wire)
    room -= (11 if query.edns else 0) + (client.key.room if client.key else 0)
    answer, authority, additional = map(place.section, (found.answer, found.authority, found.additional))
    core = len(answer[1]) + len(authority[1])
    if core + len(additional[1]) <= room:
        return [answer, authority, additional], True
    return [answer, authority, (0, b"")], core <= room and not (found.glue and found.additional)


class _Placing:
    """Owner names for one answer: a pointer to the question's name, or labels and a pointer to the zone's in it."""

    def __init__(self, question: message.Question, zone: ServedZone) -> None:
        self._apex = names.to_wire(zone.name)
        self._owners = {question.text: rrset.APEX}
        self._pointer = (_POINTER | 12 + len(question.name) - len(self._apex)).to_bytes(2, "big")

    def section(self, rrs: list[RR]) -> tuple[int, bytes]:
        return len(rrs), b"".join([self._owner(name) + body for name, body in rrs])

    def _owner(self, name: str) -> bytes:
        found = self._owners.get(name)
        if found is None:
            found = names.to_wire(name)[: -len(self._apex)] + self._pointer
            self._owners[name] = found
        return found


def error(packet: bytes, rcode: Rcode) -> bytes | None:
    """An answer to a packet of which nothing but the header is looked at; None to what deserves none."""
    if len(packet) < 12 or packet[2] & (QR >> 8):
        return None
    msg_id, flags = message.HEADER.unpack_from(packet)[:2]
    return message.build(msg_id, QR | flags & (OPCODE_BITS | RD) | rcode, b"")
