# SPDX-License-Identifier: Apache-2.0
"""RRsets as position-independent wire blobs, the form in which store, journal and transfers hold them.

A blob is complete RRs one after another, as they stand in a message whose question holds the zone's name at offset
12: owner = labels below the apex + pointer C0 0C, type, class IN, TTL, RDLENGTH, rdata uncompressed. Such a blob may
stand anywhere in any message about its zone. Nothing here reads or writes presentation text of rdata.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from typing import Protocol

from redesignate.model import names
from redesignate.model.rdata import number
from redesignate.model.zone import SOAFields
from redesignate.wire.message import FIXED, IN, SOA, Malformed

APEX = b"\xc0\x0c"
TSIG_ROOM = 235
MAX_MESSAGE = 65535
MAX_RR = MAX_MESSAGE - TSIG_ROOM - 12 - (names.MAX_NAME + 4)
"""The longest RR that fits in a message with header, any question and a TSIG record."""

_TTL = struct.Struct("!L")
_TIMES = struct.Struct("!LLLLL")


def owner(zone: str, name: str) -> bytes:
    """An owner name in blob form: the labels below the apex and the pointer. Raises ValueError where not below it."""
    if name == zone:
        return APEX
    if not names.is_below(name, zone):
        raise ValueError(f"{name!r} is not in zone {zone!r}")
    return names.to_wire(name)[: -len(_apex(zone))] + APEX


@functools.lru_cache(maxsize=1024)
def _apex(zone: str) -> bytes:
    return names.to_wire(zone)


def pack(zone: str, name: str, rrtype: str, ttl: int | None, rdatas: Sequence[bytes]) -> bytes:
    """An RRset as a blob: one RR for each rdata (uncompressed wire), in the order given; TTL 0 where None.

    `zone` and `name` are absolute and lower case. Raises ValueError for a name outside the zone, an unknown type, or
    an rdata over 65535 octets.
    """
    head = owner(zone, name)
    rrtype_number, seconds = number(rrtype), ttl or 0
    if any(len(rdata) > MAX_MESSAGE for rdata in rdatas):
        raise ValueError(f"rdata longer than {MAX_MESSAGE} octets")
    fixed = FIXED.pack
    return b"".join([head + fixed(rrtype_number, IN, seconds, len(rdata)) + rdata for rdata in rdatas])


class SOARecord(SOAFields, Protocol):
    """What an SOA record is made of: its fields and its TTL. A `Zone` has it all. Times in seconds."""

    @property
    def ttl(self) -> int: ...


def soa(zone: SOARecord) -> bytes:
    """The zone's SOA as a blob, built from its row (RFC 1035 §3.3.13); its TTL is the zone's. Raises ValueError."""
    times = _TIMES.pack(zone.serial, zone.refresh, zone.retry, zone.expire, zone.minimum)
    rdata = _server_and_mailbox(zone.mname, zone.email) + times
    return APEX + FIXED.pack(SOA, IN, zone.ttl, len(rdata)) + rdata


@functools.lru_cache(maxsize=1024)  # a change packs the SOA before and after it, whose names are the same
def _server_and_mailbox(mname: str, email: str) -> bytes:
    """MNAME and RNAME (RFC 1035 §3.3.13). Raises ValueError."""
    local, _, domain = email.rpartition("@")
    mailbox = local.encode("utf-8")
    if not 0 < len(mailbox) <= names.MAX_LABEL:
        raise ValueError(f"the mail address {email!r} does not fit in an SOA")
    return b"".join((names.to_wire(mname), bytes((len(mailbox),)), mailbox, names.to_wire(domain.rstrip(".") + ".")))


def _marks(blob: bytes) -> Iterator[tuple[int, int, int]]:
    """Start of each RR, offset of its type, and its end. Raises Malformed."""
    at, size, unpack = 0, len(blob), FIXED.unpack_from
    try:
        while at < size:
            start = at
            while 0 < (octet := blob[at]) < 0x40:
                at += octet + 1
            if blob[at : at + 2] != APEX:
                raise Malformed("an owner name does not end at the apex")
            at += 2
            end = at + 10 + unpack(blob, at)[3]
            if end > size:
                raise Malformed("an RR runs past its blob")
            yield start, at, end
            at = end
    except (IndexError, struct.error) as error:
        raise Malformed("an RR runs past its blob") from error


def split(blob: bytes) -> list[bytes]:
    """The blob RR by RR. Raises Malformed (a ValueError)."""
    return [blob[start:end] for start, _, end in _marks(blob)]


def records(blob: bytes) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Each RR of a blob: owner as the labels below the apex in wire form, type, TTL, rdata. Raises Malformed.

    The labels of the apex itself are empty; no root ends them.
    """
    for start, at, end in _marks(blob):
        rrtype, _, ttl, _ = FIXED.unpack_from(blob, at)
        yield blob[start : at - len(APEX)], rrtype, ttl, blob[at + FIXED.size : end]


def retime(blob: bytes, ttl: int) -> bytes:
    """The blob with `ttl` in every RR. Raises Malformed (a ValueError)."""
    return ready(blob, ttl)[1] if blob else blob


def fits(rr: bytes) -> bool:
    """Whether one RR in blob form can be sent in any message about its zone."""
    return len(rr) <= MAX_RR


def ready(blob: bytes, ttl: int | None) -> tuple[int, bytes]:
    """How many RRs a blob holds, and the blob with `ttl` written in (None: as it is), its shape checked.

    Cost  0.5 µs for one RR below the apex, the common case of a transfer. Raises Malformed.
    """
    try:
        first = blob[0]
        at = first + 1 if 0 < first < 0x40 else 0
        if blob[at : at + 2] == APEX and at + 12 + (blob[at + 10] << 8 | blob[at + 11]) == len(blob):
            return 1, blob if ttl is None else blob[: at + 6] + _TTL.pack(ttl) + blob[at + 10 :]
    except IndexError as error:
        raise Malformed("an RR runs past its blob") from error
    marks = [at for _, at, _ in _marks(blob)]
    if ttl is None:
        return len(marks), blob
    written, changed = _TTL.pack(ttl), bytearray(blob)
    for at in marks:
        changed[at + 4 : at + 8] = written
    return len(marks), bytes(changed)


def bodies(blob: bytes, ttl: int | None) -> tuple[int, list[bytes]]:
    """An RRset's type and its RRs without their owners, `ttl` written in (None: as they are). Raises Malformed."""
    found = [blob[at:end] for _, at, end in _marks(blob)]
    if not found:
        raise Malformed("an RRset without records")
    if ttl is not None:
        written = _TTL.pack(ttl)
        found = [body[:4] + written + body[8:] for body in found]
    return int.from_bytes(found[0][:2], "big"), found
