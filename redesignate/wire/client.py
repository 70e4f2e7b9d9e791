# SPDX-License-Identifier: Apache-2.0
"""Asks nameservers: NOTIFY (RFC 1996) and SOA queries, what their answers say, and exchanges by the thousand.

One UDP socket for each address family, TCP where asked for or truncated. Only exchanges of one packet for one: zones
are fetched by `wire/inbound.py`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from redesignate.model.clock import SECOND, Clock, now
from redesignate.model.names import to_wire
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire import tsig
from redesignate.wire.message import (
    AA,
    IN,
    NOTIFY,
    QR,
    SOA,
    TC,
    Malformed,
    Message,
    build,
    question,
    read,
    skip_name,
)
from redesignate.wire.rrset import APEX

_NOTIFIED_SOA = struct.Struct("!HHLHBBLLLLL")
_IDS = struct.Struct("256H")
_ASKS_SOA = question(b"", SOA)
"""What follows the name in a question for an SOA."""
Address = tuple[str, int]
_Slot = tuple[Address, int, bytes]
"""What an answer is known by: where it comes from, its id, its question."""

_NAME_KEPT = 60.0
_MOST_NAMES = 1000


class NoAnswer(Exception):
    """Nothing usable came back: time out, refused connection, unknown host. The text says which."""


class Exchanger:
    """Sends packets and finds their answers. For one event loop; safe for any number of tasks on it.

    An answer counts only from the address that was asked, with the id and question that were sent.
    """

    def __init__(self, *, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()
        self._waiting: dict[_Slot, asyncio.Future[bytes]] = {}
        self._transports: dict[int, asyncio.DatagramTransport] = {}
        self._opening = asyncio.Lock()
        self._ids: list[int] = []
        self._resolved: dict[str, tuple[float, str]] = {}

    def new_id(self) -> int:
        """A random message id. Drawn by the hundred: each drawing may cost the loop its turn among the threads."""
        if not self._ids:
            self._ids = list(_IDS.unpack(self._rng.randbytes(_IDS.size)))
        return self._ids.pop()

    async def exchange(self, host: str, port: int, packet: bytes, timeout: float, tcp: bool = False) -> bytes:
        """The answer to one packet. A truncated answer is asked for again over TCP.

        host     an address, or a name that the system resolves (kept for a minute)
        timeout  seconds, over everything
        Raises NoAnswer.
        """
        try:
            async with asyncio.timeout(timeout):
                until, found = self._resolved.get(host, (0.0, ""))
                if until <= asyncio.get_running_loop().time():
                    found = await self._resolve(host, port)
                address = (found, port)
                if tcp:
                    return await _over_tcp(address, packet)
                answer = await self._over_udp(address, packet)
                truncated = int.from_bytes(answer[2:4], "big") & TC
                return await _over_tcp(address, packet) if truncated else answer
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout:g} s") from error
        except (OSError, asyncio.IncompleteReadError, Malformed) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close the sockets; exchanges under way end with NoAnswer."""
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(OSError("closed"))

    async def _resolve(self, host: str, port: int) -> str:
        loop, until = asyncio.get_running_loop(), math.inf
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            address = str((await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0][4][0])
            until = loop.time() + _NAME_KEPT
        if len(self._resolved) >= _MOST_NAMES:
            self._resolved.clear()
        self._resolved[host] = (until, address)
        return address

    async def _over_udp(self, address: Address, packet: bytes) -> bytes:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        transport = self._transports.get(family)
        if transport is None or transport.is_closing():
            transport = await self._open(family)
        # The packet's own id where it is free for this question, else another; a signature survives that, because it
        # covers the original id that the TSIG record holds (RFC 8945 §4.2).
        msg_id, asked = int.from_bytes(packet[:2], "big"), _question(packet)
        while (slot := (address, msg_id, asked)) in self._waiting:
            msg_id = self.new_id()
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[slot] = waiting
        try:
            transport.sendto(msg_id.to_bytes(2, "big") + packet[2:], address)
            answer = await waiting
        finally:
            del self._waiting[slot]
        return packet[:2] + answer[2:]

    async def _open(self, family: int) -> asyncio.DatagramTransport:
        """The socket of this address family, opened once, however many wait for it."""
        async with self._opening:
            known = self._transports.get(family)
            if known is None or known.is_closing():
                local = "::" if family == socket.AF_INET6 else "0.0.0.0"
                known, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Answers(self._waiting), local_addr=(local, 0), family=family
                )
                self._transports[family] = known
            return known


def _question(packet: bytes) -> bytes:
    """What the packet asks, in lower case; empty where it asks nothing. Raises Malformed."""
    if packet[4:6] == b"\0\0":
        return b""
    end = skip_name(packet, 12) + 4
    return packet[12:end].lower()


async def _over_tcp(address: Address, packet: bytes) -> bytes:
    """One exchange over a connection of its own (RFC 7766). Raises OSError, IncompleteReadError, Malformed."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(len(packet).to_bytes(2, "big") + packet)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = await reader.readexactly(size)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if answer[:2] != packet[:2]:
        raise Malformed("an answer whose id is not the query's")
    return answer


class _Answers(asyncio.DatagramProtocol):
    """Hands each packet to the exchange that waits for it; others are dropped."""

    def __init__(self, waiting: Mapping[_Slot, asyncio.Future[bytes]]) -> None:
        self._waiting = waiting

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        if len(data) < 12 or not data[2] & (QR >> 8):
            return
        with suppress(Malformed):
            slot = (addr[0], addr[1]), int.from_bytes(data[:2], "big"), _question(data)
            waiting = self._waiting.get(slot) or self._unasked(slot, data)
            if waiting and not waiting.done():
                waiting.set_result(data)

    def _unasked(self, slot: _Slot, packet: bytes) -> asyncio.Future[bytes] | None:
        """The exchange that an error without a question section belongs to (from a server that could not read ours)."""
        if slot[2] or not packet[3] & 15:
            return None
        found = [waiting for (address, msg_id, _), waiting in self._waiting.items() if (address, msg_id) == slot[:2]]
        return found[0] if len(found) == 1 else None

    def error_received(self, exc: Exception) -> None:
        """An ICMP error does not say which exchange it is about; the time-out ends that."""


# -- what is asked, and what answers say


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
    packet = build(msg_id, NOTIFY << 11 | AA, to_wire(zone) + _ASKS_SOA, ((1, hint),))
    return packet if key is None else _signed(packet, key, clock)


def soa_query(zone: str, msg_id: int, key: TSIGKey | None = None, *, clock: Clock = now) -> bytes:
    """A query for a zone's SOA, without recursion and without EDNS, signed where a key is given. Raises ValueError."""
    packet = build(msg_id, 0, to_wire(zone) + _ASKS_SOA)
    return packet if key is None else _signed(packet, key, clock)


def _signed(packet: bytes, key: TSIGKey, clock: Clock) -> bytes:
    return tsig.Signer(tsig.prepare(key)).sign(packet, clock() // SECOND)


def read_answer(packet: bytes, query: bytes, key: TSIGKey | None = None, *, clock: Clock = now) -> Message:
    """The answer to `query`, its shape, id and question checked, and its signature where the query was signed.

    An answer without a question section passes where its rcode is an error, as some servers send on FORMERR.
    Raises Malformed for what is not an answer to the query, tsig.Refused for a signature that does not hold.
    """
    answer, asked = read(packet), read(query)
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
        at = skip_name(packet, skip_name(packet, record.at))
        if at + 20 != record.at + record.size:
            raise Malformed("a malformed SOA")
        if answer.owner(record) == zone and serial is None:
            serial = int.from_bytes(packet[at : at + 4], "big")
    return SOAAnswer(rcode=answer.rcode, aa=bool(answer.flags & AA), serial=serial)
