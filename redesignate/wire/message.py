# SPDX-License-Identifier: Apache-2.0
"""DNS messages: reading what came, building what goes (RFC 1035 §4, RFC 6891). No sockets, no zone data.

Reading checks the whole message's shape, so that later code may index without fear; record names and rdata are only
looked at when asked for. Building joins sections that are wire form already. Names (§3.1, §4.1.4) are compared in lower
case, ASCII alone (RFC 4343), which `bytes.lower` makes: length octets are below "A". Their text is model's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec

from redesignate.model.names import MAX_NAME, from_wire

HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
FIXED = struct.Struct("!HHLH")
"""What follows a record's owner name: type, class, TTL, length of the rdata."""

QR, AA, TC, RD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0010
QUERY, NOTIFY = 0, 4
IN, ANY_CLASS, NO_CLASS = 1, 255, 254
A, NS, CNAME, SOA, MX, AAAA, SRV, DNAME, OPT, DS, RRSIG, NSEC, TSIG = 1, 2, 5, 6, 15, 28, 33, 39, 41, 43, 46, 47, 250
NSEC3, NSEC3PARAM = 50, 51
IXFR, AXFR, ANY = 251, 252, 255

PLAIN_UDP = 512
BEST_UDP = 1232
"""What we take and send over UDP at most: passes every path unfragmented (DNS flag day 2020)."""


class Malformed(ValueError):
    """Octets that are not a DNS message, name or record."""


class Rcode(IntEnum):
    """Response codes (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    NOTAUTH = 9
    BADVERS = 16


class Question(msgspec.Struct, frozen=True, gc=False):
    """The one question. `name` is plain wire form in lower case, `text` its canonical text; `wire` the whole section as
    sent, case kept."""

    name: bytes
    text: str
    type: int
    cls: int
    wire: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """Where one RR stands: `start` its owner's offset, `at` its rdata's, `size` the rdata's length."""

    start: int
    type: int
    cls: int
    ttl: int
    at: int
    size: int


class Edns(msgspec.Struct, frozen=True, gc=False):
    """What the OPT record says (RFC 6891 §6.1.3)."""

    payload: int
    version: int
    do: bool


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose shape is sound.

    flags    the header's second field, of which `opcode` and `rcode` (without EDNS's upper bits) are parts
    tsig     the last record where it is a TSIG, not yet verified
    """

    packet: bytes
    id: int
    flags: int
    opcode: int
    rcode: int
    question: Question | None
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    edns: Edns | None = None
    tsig: Record | None = None

    def owner(self, record: Record) -> bytes:
        """A record's owner: plain wire form, lower case. Raises Malformed."""
        return read_name(self.packet, record.start)[0].lower()


def read(packet: bytes) -> Message:
    """Read a message. Cost: one pass, nothing decompressed. Raises Malformed, also for octets after the last record.

    No question, or more than one, leaves `question` None (RFC 9619 §4); the records are read all the same.
    """
    if len(packet) < 12:
        raise Malformed("shorter than a header")
    msg_id, flags, questions, *counts = HEADER.unpack_from(packet)
    at, found = 12, None
    for _ in range(questions):
        found, at = _question(packet, at)
    sections = []
    for count in counts:
        section, at = _section(packet, at, count)
        sections.append(section)
    if at != len(packet):
        raise Malformed("octets after the last record")
    answer, authority, additional = sections
    if any(record.type in {OPT, TSIG} for record in (*answer, *authority)):
        raise Malformed("a meta record outside the additional section")
    return Message(
        packet=packet,
        id=msg_id,
        flags=flags,
        opcode=flags >> 11 & 15,
        rcode=flags & 15,
        question=found if questions == 1 else None,
        answer=answer,
        authority=authority,
        additional=additional,
        edns=_edns(packet, additional) if additional else None,
        tsig=_tsig(additional) if additional else None,
    )


def _question(packet: bytes, at: int) -> tuple[Question, int]:
    start = at
    # A pointer here could only lead into the header; the section is echoed, so the name must stand on its own.
    while at < len(packet) and 0 < packet[at] < 0x40:
        at += packet[at] + 1
    if at >= len(packet) or packet[at] or at - start >= MAX_NAME or at + 5 > len(packet):
        raise Malformed("a malformed question")
    rrtype, cls = _QUESTION.unpack_from(packet, at + 1)
    name = packet[start : at + 1].lower()
    return Question(name, from_wire(name)[0], rrtype, cls, packet[start : at + 5]), at + 5


def _section(packet: bytes, at: int, count: int) -> tuple[tuple[Record, ...], int]:
    found = []
    for _ in range(count):
        start, at = at, skip_name(packet, at)
        if at + 10 > len(packet):
            raise Malformed("a record runs past the message")
        rrtype, cls, ttl, size = FIXED.unpack_from(packet, at)
        found.append(Record(start, rrtype, cls, ttl, at + 10, size))
        at += 10 + size
        if at > len(packet):
            raise Malformed("a record runs past the message")
    return tuple(found), at


def _edns(packet: bytes, additional: tuple[Record, ...]) -> Edns | None:
    found = [record for record in additional if record.type == OPT]
    if not found:
        return None
    if len(found) > 1 or packet[found[0].start] != 0:
        raise Malformed("more than one OPT record, or one with a name")
    (opt,) = found
    _check_options(packet, opt)
    return Edns(payload=opt.cls, version=opt.ttl >> 16 & 255, do=bool(opt.ttl & 0x8000))


def _check_options(packet: bytes, opt: Record) -> None:
    at, end = opt.at, opt.at + opt.size
    while at + 4 <= end:
        at += 4 + int.from_bytes(packet[at + 2 : at + 4], "big")
    if at != end:
        raise Malformed("a malformed EDNS option")


def _tsig(additional: tuple[Record, ...]) -> Record | None:
    found = [record for record in additional if record.type == TSIG]
    if not found:
        return None
    if len(found) > 1 or found[0] is not additional[-1]:
        raise Malformed("a TSIG that is not the last record")
    return found[0]


def build(
    msg_id: int,
    flags: int,
    question: bytes,
    sections: Sequence[tuple[int, bytes]] = (),
    *,
    questions: int | None = None,
) -> bytes:
    """A message of up to three sections, each the number of its RRs and their wire form."""
    counts = [count for count, _ in sections] + [0] * (3 - len(sections))
    asked = (1 if question else 0) if questions is None else questions
    head = HEADER.pack(msg_id, flags, asked, *counts)
    return b"".join((head, question, *(blob for _, blob in sections)))


def opt(*, payload: int = BEST_UDP, extended_rcode: int = 0, do: bool = False) -> bytes:
    """An OPT record of version 0 without options (RFC 6891 §6.1.2)."""
    return b"\0" + FIXED.pack(OPT, payload, extended_rcode << 24 | (0x8000 if do else 0), 0)


def question(name: bytes, rrtype: int, cls: int = IN) -> bytes:
    """A question section: `name` in plain wire form."""
    return name + _QUESTION.pack(rrtype, cls)


def asked_type(packet: bytes) -> int:
    """The type that a packet asks for, as far as can be told at a glance; 0 where it cannot."""
    at, size = 12, len(packet)
    while at < size and 0 < packet[at] < 0x40:
        at += packet[at] + 1
    return packet[at + 1] << 8 | packet[at + 2] if at + 2 < size and not packet[at] else 0


def udp_room(edns: Edns | None) -> int:
    """How many octets the client takes over UDP: 512 without EDNS, else what it says, within 512 and 1232."""
    return PLAIN_UDP if edns is None else max(PLAIN_UDP, min(edns.payload, BEST_UDP))


def frames(buffer: bytearray) -> Iterator[bytes]:
    """Take the complete messages off the front of a TCP stream's buffer (RFC 1035 §4.2.2)."""
    while len(buffer) >= 2:
        end = 2 + (buffer[0] << 8 | buffer[1])
        if len(buffer) < end:
            return
        packet = bytes(buffer[2:end])
        del buffer[:end]
        yield packet


# -- names


def read_name(packet: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at`, decompressed to plain wire form, and the offset after it. Case is kept.

    Pointers may only lead backwards, so that a loop cannot be written (RFC 1035 §4.1.4). Raises Malformed.
    """
    found: list[bytes] = []
    length, end, floor = 1, -1, at
    while True:
        if at >= len(packet):
            raise Malformed("a name runs past the message")
        size = packet[at]
        if size == 0:
            found.append(b"\0")
            return b"".join(found), (at + 1 if end < 0 else end)
        if size < 0x40:
            length += size + 1
            if length > MAX_NAME or at + 1 + size > len(packet):
                raise Malformed("a name is too long")
            found.append(packet[at : at + 1 + size])
            at += 1 + size
        elif size >= 0xC0:
            if at + 2 > len(packet):
                raise Malformed("a name runs past the message")
            target = (size & 0x3F) << 8 | packet[at + 1]
            if target >= floor:
                raise Malformed("a compression pointer does not lead backwards")
            end = at + 2 if end < 0 else end
            at = floor = target
        else:
            raise Malformed("a label of unknown kind")


def skip_name(packet: bytes, at: int) -> int:
    """The offset after the name at `at`, its pointers not followed. Raises Malformed."""
    size = len(packet)
    while at < size:
        octet = packet[at]
        if octet == 0:
            return at + 1
        if octet >= 0xC0:
            if at + 2 > size:
                break
            return at + 2
        if octet >= 0x40:
            raise Malformed("a label of unknown kind")
        at += octet + 1
    raise Malformed("a name runs past the message")


def suffixes(wire: bytes) -> list[bytes]:
    """An uncompressed wire name and every name above it, longest first, the root last."""
    found, at = [wire], 0
    while wire[at]:
        at += 1 + wire[at]
        found.append(wire[at:])
    return found
