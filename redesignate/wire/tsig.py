# SPDX-License-Identifier: Apache-2.0
"""TSIG: signing and verifying messages and streams of them (RFC 8945). Which keys exist is the caller's to know."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum

from redesignate.model.names import to_wire
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire.message import ANY_CLASS, FIXED, HEADER, TSIG, Malformed, Message, read_name

FUDGE = 300
_TIMES = struct.Struct("!HLH")
_TAIL = struct.Struct("!HHH")
_OVERHEAD = 10 + 8 + 2 + 6 + 6
_DIGESTS = {
    "hmac-md5": (b"\x08hmac-md5\x07sig-alg\x03reg\x03int\0", "md5", 16),
    "hmac-sha1": (b"\x09hmac-sha1\0", "sha1", 20),
    "hmac-sha224": (b"\x0bhmac-sha224\0", "sha224", 28),
    "hmac-sha256": (b"\x0bhmac-sha256\0", "sha256", 32),
    "hmac-sha384": (b"\x0bhmac-sha384\0", "sha384", 48),
    "hmac-sha512": (b"\x0bhmac-sha512\0", "sha512", 64),
}


class TSIGError(IntEnum):
    """What a TSIG record's error field says (RFC 8945 §3)."""

    NONE = 0
    BADSIG = 16
    BADKEY = 17
    BADTIME = 18
    BADTRUNC = 22


class Refused(Exception):
    """A message whose signature is not valid: what is wrong, and the TSIG record that was refused."""

    def __init__(self, error: TSIGError, record: Signature) -> None:
        super().__init__(error.name)
        self.error = error
        self.record = record


@dataclass(frozen=True, slots=True)
class Key:
    """A key ready for use: `name` and `algorithm` in lower-case wire form, `digest` for hashlib, `size` of its MAC."""

    name: bytes
    algorithm: bytes
    digest: str
    size: int
    secret: bytes = field(repr=False)

    @property
    def room(self) -> int:
        """How many octets this key's TSIG record takes, time of a BADTIME included."""
        return len(self.name) + len(self.algorithm) + self.size + _OVERHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a TSIG record holds (§4.2). Names are lower-case wire form, `time` in Unix seconds."""

    key: bytes
    algorithm: bytes
    time: int
    fudge: int
    mac: bytes
    original_id: int
    error: int
    other: bytes


def prepare(key: TSIGKey) -> Key:
    """A stored key, decoded. Raises ValueError for an unknown algorithm or a secret that is not base64."""
    if key.algorithm not in _DIGESTS:
        raise ValueError(f"TSIG key {key.name!r} cannot be used: its algorithm {key.algorithm!r} is not supported")
    algorithm, digest, size = _DIGESTS[key.algorithm]
    try:
        secret = base64.b64decode(key.secret, validate=True)
    except binascii.Error:
        raise ValueError(
            f"TSIG key {key.name!r} cannot be used: its secret is not base64, or sealed with another secret.key"
        ) from None
    return Key(to_wire(key.name.rstrip(".") + ".").lower(), algorithm, digest, size, secret)


def signature(message: Message) -> Signature | None:
    """The message's TSIG record, read. Raises Malformed."""
    record = message.tsig
    if record is None:
        return None
    packet, end = message.packet, message.tsig.at + message.tsig.size if message.tsig else 0
    if record.cls != ANY_CLASS or record.ttl != 0:
        raise Malformed("a TSIG of wrong class or TTL")
    algorithm, at = read_name(packet, record.at)
    try:
        high, low, fudge = _TIMES.unpack_from(packet, at)
        (mac_size,) = struct.unpack_from("!H", packet, at + 8)
        at += 10
        mac = packet[at : at + mac_size]
        original_id, error, other_size = _TAIL.unpack_from(packet, at + mac_size)
    except struct.error as fault:
        raise Malformed("a TSIG cut short") from fault
    at += mac_size + 6
    if at + other_size != end:
        raise Malformed("a TSIG of wrong length")
    return Signature(
        key=message.owner(record),
        algorithm=algorithm.lower(),
        time=high << 32 | low,
        fudge=fudge,
        mac=mac,
        original_id=original_id,
        error=error,
        other=packet[at:end],
    )


def verify(message: Message, found: Signature, key: Key | None, now: int, request_mac: bytes = b"") -> None:
    """Check a message's signature in the order of §5.2: key, MAC, time, truncation.

    key          what the house knows under `found.key`; None: nothing
    now          Unix seconds
    request_mac  of the request, when `message` is the answer to it
    Raises Refused; Malformed for a MAC of impossible length (§5.2.2.1).
    """
    if key is None or found.key != key.name or found.algorithm != key.algorithm:
        raise Refused(TSIGError.BADKEY, found)
    if not max(10, key.size // 2) <= len(found.mac) <= key.size:
        raise Malformed("a MAC of impossible length")
    expected = _mac(key, _unsigned(message, found), _variables(found), request_mac)
    if not hmac.compare_digest(expected[: len(found.mac)], found.mac):
        raise Refused(TSIGError.BADSIG, found)
    if abs(now - found.time) > found.fudge:
        raise Refused(TSIGError.BADTIME, found)
    if len(found.mac) < key.size:
        raise Refused(TSIGError.BADTRUNC, found)


def _unsigned(message: Message, found: Signature) -> bytes:
    """The message as it was before its TSIG went on (§4.3.2)."""
    assert message.tsig is not None
    _, *counts = HEADER.unpack_from(message.packet)
    counts[-1] -= 1
    return HEADER.pack(found.original_id, *counts) + message.packet[12 : message.tsig.start]


def _variables(found: Signature) -> bytes:
    """TSIG variables (§4.3.3)."""
    return b"".join(
        (
            found.key,
            struct.pack("!HL", ANY_CLASS, 0),
            found.algorithm,
            _timers(found),
            struct.pack("!HH", found.error, len(found.other)),
            found.other,
        )
    )


def _timers(found: Signature) -> bytes:
    return _TIMES.pack(found.time >> 32, found.time & 0xFFFFFFFF, found.fudge)


def _mac(key: Key, message: bytes, variables: bytes, prior: bytes) -> bytes:
    lead = struct.pack("!H", len(prior)) + prior if prior else b""
    return hmac.digest(key.secret, b"".join((lead, message, variables)), key.digest)


def _attach(packet: bytes, record: Signature) -> bytes:
    """The message with a TSIG record as its last (§4.2)."""
    rdata = b"".join(
        (
            record.algorithm,
            _timers(record),
            struct.pack("!H", len(record.mac)),
            record.mac,
            _TAIL.pack(record.original_id, record.error, len(record.other)),
            record.other,
        )
    )
    additional = (int.from_bytes(packet[10:12], "big") + 1).to_bytes(2, "big")
    return b"".join(
        (packet[:10], additional, packet[12:], record.key, FIXED.pack(TSIG, ANY_CLASS, 0, len(rdata)), rdata)
    )


class Signer:
    """Signs one message, or one after another as a stream (§5.3.1): each MAC covers the one before."""

    def __init__(self, key: Key, request_mac: bytes = b"") -> None:
        self._key = key
        self._prior = request_mac
        self._first = True

    def sign(self, packet: bytes, now: int, error: TSIGError = TSIGError.NONE, other: bytes = b"") -> bytes:
        """The message signed at `now` (Unix seconds). Cost: one HMAC over it."""
        key = self._key
        blank = Signature(
            key=key.name,
            algorithm=key.algorithm,
            time=now,
            fudge=FUDGE,
            mac=b"",
            original_id=int.from_bytes(packet[:2], "big"),
            error=error,
            other=other,
        )
        variables = _variables(blank) if self._first else _timers(blank)
        mac = _mac(key, packet, variables, self._prior)
        self._first, self._prior = False, mac
        return _attach(packet, replace(blank, mac=mac))


class StreamVerifier:
    """Checks the messages of a transfer one after another; up to 99 in between may go unsigned (§5.3.1)."""

    def __init__(self, key: Key, request_mac: bytes) -> None:
        self._key = key
        self._prior = request_mac
        self._first = True
        self._pending: list[bytes] = []

    def check(self, message: Message, now: int) -> None:
        """Take the next message. Raises Refused, Malformed; the first message has to be signed."""
        found = signature(message)
        if found is None:
            self._pending.append(message.packet)
            if self._first or len(self._pending) > 99:
                raise Malformed("unsigned: the first message, or too many in a row")
            return
        if self._first:
            verify(message, found, self._key, now, self._prior)
        else:
            self._check_next(message, found, now)
        self._first, self._prior, self._pending = False, found.mac, []

    def _check_next(self, message: Message, found: Signature, now: int) -> None:
        if found.key != self._key.name or found.algorithm != self._key.algorithm:
            raise Refused(TSIGError.BADKEY, found)
        body = b"".join((*self._pending, _unsigned(message, found)))
        if not hmac.compare_digest(_mac(self._key, body, _timers(found), self._prior), found.mac):
            raise Refused(TSIGError.BADSIG, found)
        if abs(now - found.time) > found.fudge:
            raise Refused(TSIGError.BADTIME, found)

    def done(self) -> bool:
        """Whether the last message was signed, as the end of a stream has to be."""
        return not self._pending and not self._first


def refusal(packet: bytes, fault: Refused, key: Key | None, now: int) -> bytes:
    """An error answer with its TSIG record: BADKEY and BADSIG unsigned, BADTIME and BADTRUNC signed (§5.2, §5.3.2).

    packet  the answer built so far, rcode NOTAUTH
    """
    request = fault.record
    other = now.to_bytes(6, "big") if fault.error is TSIGError.BADTIME else b""
    if key is not None and fault.error in {TSIGError.BADTIME, TSIGError.BADTRUNC}:
        # BADTIME repeats the client's own time, so that it can verify the answer that tells it ours.
        at = request.time if fault.error is TSIGError.BADTIME else now
        return Signer(key, request.mac).sign(packet, at, fault.error, other)
    record = Signature(
        key=request.key,
        algorithm=request.algorithm,
        time=request.time,
        fudge=request.fudge,
        mac=b"",
        original_id=int.from_bytes(packet[:2], "big"),
        error=fault.error,
        other=other,
    )
    return _attach(packet, record)
