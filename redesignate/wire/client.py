# SPDX-License-Identifier: Apache-2.0
"""Asking nameservers by the thousand: one UDP socket for each address family, TCP where asked for or truncated.

Only exchanges of one packet for one; what the packets say is `wire/ask.py`'s.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import socket
from collections.abc import Mapping
from contextlib import suppress

from redesignate.wire import names
from redesignate.wire.message import QR, TC
from redesignate.wire.names import Malformed

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
        self._resolved: dict[str, tuple[float, str]] = {}

    def new_id(self) -> int:
        """A random message id."""
        return self._rng.getrandbits(16)

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
    end = names.skip(packet, 12) + 4
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
