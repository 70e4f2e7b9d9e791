# SPDX-License-Identifier: Apache-2.0
"""The messages that a worker sends to nameservers, and what their answers say: NOTIFY (RFC 1996) and SOA queries."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from redesignate.model import names
from redesignate.model.clock import SECOND, Clock, now
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire import message, tsig
from redesignate.wire import names as wire_names
from redesignate.wire.message import AA, IN, NOTIFY, QR, SOA, Message
from redesignate.wire.names import Malformed
from redesignate.wire.rrset import APEX

_NOTIFIED_SOA = struct.Struct("!HHLHBBLLLLL")
_ASKS_SOA = message.question(b"", SOA)
"""What follows the name in a question for an SOA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SOAAnswer:
    """What a nameserver says of a zone. `serial` is None where the answer holds no SOA of it; `aa` its authority."""

    rcode: int
    aa: bool
    serial: int | None


def notify_message(zone: str, serial: int, msg_id: int, key: TSIGKey | None = None, *, clock: Clock = now) -> bytes:
    """A NOTIFY of one zone with the new serial in its answer section (RFC 1996 §3.7), signed where a key is given.

    The SOA's other fields are zero: secondaries look at the serial alone. Raises ValueError for a bad name or key.
    """
    hint = APEX + _NOTIFIED_SOA.pack(SOA, IN, 0, 22, 0, 0, serial, 0, 0, 0, 0)
    packet = message.build(msg_id, NOTIFY << 11 | AA, names.to_wire(zone) + _ASKS_SOA, ((1, hint),))
    return packet if key is None else _signed(packet, key, clock)


def soa_query(zone: str, msg_id: int, key: TSIGKey | None = None, *, clock: Clock = now) -> bytes:
    """A query for a zone's SOA, without recursion and without EDNS, signed where a key is given. Raises ValueError."""
    packet = message.build(msg_id, 0, names.to_wire(zone) + _ASKS_SOA)
    return packet if key is None else _signed(packet, key, clock)


def _signed(packet: bytes, key: TSIGKey, clock: Clock) -> bytes:
    return tsig.Signer(tsig.prepare(key)).sign(packet, clock() // SECOND)


def read_answer(packet: bytes, query: bytes, key: TSIGKey | None = None, *, clock: Clock = now) -> Message:
    """The answer to `query`, its shape, id and question checked, and its signature where the query was signed.

    An answer without a question section passes where its rcode is an error, as some servers send on FORMERR.
    Raises Malformed for what is not an answer to the query, tsig.Refused for a signature that does not hold.
    """
    answer, asked = message.read(packet), message.read(query)
    if not answer.flags & QR or answer.id != asked.id or answer.opcode != asked.opcode:
        raise Malformed("not an answer to this query")
    ours, theirs = asked.question, answer.question
    unasked = theirs is None and answer.rcode != 0 and packet[4:6] == b"\0\0"
    if ours is None or not (
        unasked or (theirs and (theirs.name, theirs.type, theirs.cls) == (ours.name, ours.type, ours.cls))
    ):
        raise Malformed("an answer to another question")
    if key is not None:
        _check_signature(answer, asked, tsig.prepare(key), clock() // SECOND)
    return answer


def _check_signature(answer: Message, asked: Message, key: tsig.Key, clock_s: int) -> None:
    request, found = tsig.signature(asked), tsig.signature(answer)
    if found is None:
        # A server that does not know the key may answer unsigned (RFC 8945 §5.3.2): an error, never an answer.
        if answer.rcode != 0:
            return
        raise Malformed("an unsigned answer to a signed query")
    if found.error in {tsig.TSIGError.BADKEY, tsig.TSIGError.BADSIG}:
        raise tsig.Refused(tsig.TSIGError(found.error), found)
    tsig.verify(answer, found, key, clock_s, request.mac if request else b"")
    if found.error == tsig.TSIGError.BADTIME:
        raise tsig.Refused(tsig.TSIGError.BADTIME, found)


def read_soa_answer(packet: bytes, query: bytes, key: TSIGKey | None = None, *, clock: Clock = now) -> SOAAnswer:
    """What the answer to a `soa_query` says. Raises as `read_answer`."""
    answer = read_answer(packet, query, key, clock=clock)
    zone = answer.question.name if answer.question else b""
    serial: int | None = None
    for record in answer.answer:
        if record.type != SOA or record.cls != IN:
            continue
        at = wire_names.skip(packet, wire_names.skip(packet, record.at))
        if at + 20 != record.at + record.size:
            raise Malformed("a malformed SOA")
        if answer.owner(record) == zone and serial is None:
            serial = int.from_bytes(packet[at : at + 4], "big")
    return SOAAnswer(rcode=answer.rcode, aa=bool(answer.flags & AA), serial=serial)
