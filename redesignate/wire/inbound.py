# SPDX-License-Identifier: Apache-2.0
"""A zone transfer as its receiver sees it (RFC 5936): eats messages, says when the zone is whole. No sockets, no clock.

A primary may be broken or hostile, so everything that a zone cannot be is refused at the first octet that shows it, and
nothing grows without bound: messages, records and octets are counted while they come.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from redesignate.model import names as text_names
from redesignate.model.rdata import NEVER_IN_ZONES, mnemonic
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire import message, tsig
from redesignate.wire.expand import expand
from redesignate.wire.message import AA, AXFR, FIXED, IN, QR, SOA, TC, Malformed, Message, Record, read_name
from redesignate.wire.rrset import APEX, MAX_RR
from redesignate.wire.served import rcode_text

TTL_MAX = 2**31 - 1
LEVEL = 1


class TransferFault(Exception):
    """What the primary sends is not a transfer of the zone; the text is one line for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one zone may be: records, octets of records with their names written out, octets of these packed."""

    records: int
    octets: int
    packed: int


def axfr_query(zone: str, msg_id: int, key: TSIGKey | None, clock_s: int) -> tuple[bytes, tsig.StreamVerifier | None]:
    """The question for a whole zone; what checks the signatures of its answer, with a key. Raises ValueError."""
    packet = message.build(msg_id, 0, message.question(text_names.to_wire(zone), AXFR))
    if key is None:
        return packet, None
    prepared = tsig.prepare(key)
    signed = tsig.Signer(prepared).sign(packet, clock_s)
    found = tsig.signature(message.read(signed))
    assert found is not None
    return signed, tsig.StreamVerifier(prepared, found.mac)


class TransferReader:
    """One AXFR on its way in. `take` each message until `done`; then `content` is the zone.

    Records are packed as they come, so that a transfer takes little more memory than `limits.packed`.
    """

    def __init__(self, zone: str, msg_id: int, limits: Limits, verifier: tsig.StreamVerifier | None = None) -> None:
        self._apex = text_names.to_wire(zone).lower()
        self._id = msg_id
        self._limits = limits
        self._verifier = verifier
        self._parts: list[bytes] = []
        self._packer = zlib.compressobj(LEVEL)
        self._packed: list[bytes] = []
        self._size = 0
        self._soa = b""
        self._first = True
        self.octets = 0
        self.records = 0
        self.done = False

    @property
    def serial(self) -> int:
        """The zone's serial; there is one once a message is in."""
        return int.from_bytes(self._soa[-20:-16], "big")

    @property
    def content(self) -> bytes:
        """The zone: zlib over RRs in blob form (`wire/rrset.py`), names in lower case, the SOA first and once.

        Raises TransferFault while it is not whole.
        """
        if not self.done:
            raise TransferFault("the transfer ended before the second SOA")
        return b"".join(self._packed)

    def take(self, packet: bytes, clock_s: int) -> bool:
        """The next message; whether the zone is whole now. Raises TransferFault.

        clock_s  Unix seconds, for signatures
        Cost     about 5 µs a record
        """
        try:
            found = message.read(packet)
            self._check_head(found)
            if self._verifier is not None:
                self._verifier.check(found, clock_s)
            self._take_records(found)
        except Malformed as error:
            raise TransferFault(f"message {'1' if self._first else 'after the first'}: {error}") from error
        except tsig.Refused as error:
            raise TransferFault(f"the signature is not valid ({error})") from error
        self._first = False
        self._pack()
        if self.done and self._verifier is not None and not self._verifier.done():
            raise TransferFault("the last message is not signed")
        return self.done

    def _pack(self) -> None:
        packed = self._packer.compress(b"".join(self._parts)) + (self._packer.flush() if self.done else b"")
        self._parts.clear()
        self._packed.append(packed)
        self._size += len(packed)
        if self._size > self._limits.packed:
            raise TransferFault(
                f"the zone has more than {self._limits.packed} octets when compressed (xfr_max_compressed)"
            )

    def _check_head(self, found: Message) -> None:
        """RFC 5936 §2.2.1: what every message's header and question have to be."""
        if found.id != self._id:
            raise TransferFault("a message whose id is not the query's")
        if not found.flags & QR or found.opcode != 0:
            raise TransferFault("a message that is not an answer")
        if found.rcode != 0:
            raise TransferFault(f"the primary answers {rcode_text(found.rcode)}")
        if not found.flags & AA:
            raise TransferFault("the primary is not authoritative for the zone (AA is not set)")
        if found.flags & TC:
            raise TransferFault("a truncated message (TC is set)")
        asked = found.question
        if asked is None:
            if self._first or found.packet[4:6] != b"\0\0":
                raise TransferFault("a first message that does not repeat the question")
        elif (asked.name, asked.type, asked.cls) != (self._apex, AXFR, IN):
            raise TransferFault("an answer to another question")
        if not found.answer:
            raise TransferFault("a message without records")

    def _take_records(self, found: Message) -> None:
        owners: dict[bytes, bytes] = {}
        packet = found.packet
        for record in found.answer:
            if self.done:
                raise TransferFault("records after the second SOA")
            if record.cls != IN:
                raise TransferFault(f"a record of class {record.cls}")
            if record.type in NEVER_IN_ZONES:
                raise TransferFault(f"a record of type {record.type}, which cannot be in a zone")
            pointer = packet[record.start : record.start + 2] if packet[record.start] >= 0xC0 else b""
            owner = owners.get(pointer)
            if owner is None:
                owner = self._owner(packet, record.start)
                if pointer:
                    owners[pointer] = owner
            self._take_record(packet, record, owner)

    def _owner(self, packet: bytes, start: int) -> bytes:
        """An owner without the apex's labels."""
        name = read_name(packet, start)[0].lower()
        end = len(name) - len(self._apex)
        at = 0
        while at < end:
            at += name[at] + 1
        if at != end or name[at:] != self._apex:
            raise TransferFault(f"a record of {_shown(name)}, which is outside the zone")
        return name[:at]

    def _take_record(self, packet: bytes, record: Record, owner: bytes) -> None:
        try:
            rdata = expand(packet, record.type, record.at, record.size)
        except Malformed as error:
            name = _shown(owner + self._apex)
            raise TransferFault(f"{mnemonic(record.type)} at {name}: {error}") from error
        ttl = record.ttl if record.ttl <= TTL_MAX else 0  # RFC 2181 §8
        blob = owner + APEX + FIXED.pack(record.type, IN, ttl, len(rdata)) + rdata
        if len(blob) > MAX_RR:
            raise TransferFault(f"a record of {len(blob)} octets, too long for any message that is sent from here")
        if record.type == SOA:
            if owner:
                raise TransferFault("an SOA below the apex")
            if self._soa:
                self._close(rdata)
                return
            self._soa = rdata
        elif not self._soa:
            raise TransferFault("the first record is not an SOA")
        self.records += 1
        self.octets += len(blob)
        if self.records > self._limits.records:
            raise TransferFault(f"the zone has more than {self._limits.records} records (xfr_max_records)")
        if self.octets > self._limits.octets:
            raise TransferFault(f"the zone has more than {self._limits.octets} octets (xfr_max_bytes)")
        self._parts.append(blob)

    def _close(self, rdata: bytes) -> None:
        if rdata[-20:] != self._soa[-20:] or rdata[:-20].lower() != self._soa[:-20].lower():
            raise TransferFault("an SOA in the middle of the transfer, or a zone that changed during it")
        self.done = True


def _shown(name: bytes) -> str:
    return text_names.from_wire(name)[0][:100]
