# SPDX-License-Identifier: Apache-2.0
"""DNS over TCP (RFC 7766): many queries a connection, and limits that keep every address served.

Nothing here grows without bound: connections in all and for each address (of IPv6 for each network, since one host
has as many addresses as it likes), the time that a peer may be silent, and the rate at which it has to read. When all
places are taken, the address that holds most of them gives one up: the connection that is idle for longest, else the
one that reads slowest. A trusted address keeps its places as long as another holds any.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from redesignate.model.addresses import network
from redesignate.observe.log import Seldom, events
from redesignate.wire.handover import Handover, Kind
from redesignate.wire.rrset import MAX_MESSAGE

log = events(__name__)

AnswerStream = Callable[[bytes, str], AsyncIterator[bytes]]
"""The messages that answer one query of a peer."""

Holder = str | tuple[int, int]
"""With whom connections are counted: an IPv4 address, or an IPv6 /56."""

_HIGH_WATER = 256 * 1024
_BUFFER = 16 * 1024
_NOTICED_S = 1.0
"""How long a peer has to be waited for before it may be called slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Times in seconds, rates in octets a second.

    most       connections at once
    each       connections of one address, or IPv6 network, at once, unless it is trusted
    idle       how long a connection may be silent between messages and within one; 0: for ever between them
    slowest    the rate at which a peer has to read an answer, over any `period`
    """

    most: int = 1000
    each: int = 50
    idle: float = 0.5
    slowest: int = 4096
    period: float = 10.0
    keepidle: int | None = None


@dataclass(slots=True, eq=False)
class _Connection:
    """One open connection. Times are the loop's.

    waiting       since when for a message of the peer; None: it is being answered
    blocked       since when for the peer to read; `blocked_at` is what it had taken then
    sent          octets written in all
    """

    peer: str
    holder: Holder
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: asyncio.Task[None] | None
    began: float
    waiting: float | None = None
    blocked: float | None = None
    blocked_at: int = 0
    sent: int = 0

    def taken(self) -> int:
        """Octets that have gone to the network."""
        return self.sent - self.writer.transport.get_write_buffer_size()

    def rate(self, now: float) -> float:
        """Octets a second that the peer reads while it is waited for; infinite where it is not."""
        if self.blocked is None:
            return float("inf")
        return (self.taken() - self.blocked_at) / max(now - self.blocked, _NOTICED_S)

    def stalled(self, now: float, slowest: int) -> bool:
        """Whether the peer has read too slowly for long enough to be sure."""
        return self.blocked is not None and now - self.blocked >= _NOTICED_S and self.rate(now) < slowest


class _TooSlow(OSError):
    """The peer does not read at the least rate."""


class Streams:
    """Answers the queries of TCP connections, each connection's in order. For one event loop.

    trusts      whether an address may hold more connections than others
    beside      to another process, which answers the connections of addresses that are not trusted
    """

    def __init__(
        self,
        answer: AnswerStream,
        limits: StreamLimits,
        *,
        trusts: Callable[[str], bool] = lambda _: False,
        beside: Handover | None = None,
    ) -> None:
        self._answer = answer
        self._limits = limits
        self._trusts = trusts
        self._beside = beside
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._held: Counter[Holder] = Counter()
        self._turned_away = Seldom()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self, listening: socket.socket, backlog: int = 100) -> None:
        """Listen on a bound socket."""
        self._server = await asyncio.start_server(self.accept, sock=listening, backlog=backlog, limit=_BUFFER)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        tasks = [one.task for one in self._open if one.task is not None]
        for one in list(self._open):
            one.writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take(self, connection: socket.socket) -> None:
        """Answer a connection that another process has accepted until it ends."""
        await self.accept(*await asyncio.open_connection(sock=connection, limit=_BUFFER))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends, or hand it over before anything is read of it; `start` does it with each
        that comes."""
        address, connection = writer.get_extra_info("peername"), writer.get_extra_info("socket")
        began = asyncio.get_running_loop().time()
        peer = address[0] if address else ""
        away = self._beside if peer and not self._trusts(peer) else None
        if away is not None and away.give(Kind.STREAM, given=connection):  # this task's first step comes before a read
            writer.transport.abort()  # closes it here, and the other process has it still
            return
        holder = network(peer, v4=32, v6=56) if ":" in peer else peer
        one = _Connection(peer, holder, reader, writer, asyncio.current_task(), began)
        if not self._admits(one):
            writer.transport.abort()
            return
        self._open.add(one)
        self._held[one.holder] += 1
        try:
            writer.transport.set_write_buffer_limits(high=_HIGH_WATER)
            if self._limits.keepidle:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self._limits.keepidle)
            with suppress(asyncio.IncompleteReadError, TimeoutError):  # the peer has no more to ask, or is silent
                await self._converse(one)
            writer.close()
            if writer.transport.get_write_buffer_size():
                await self._while_it_reads(one, writer.wait_closed)
        except (OSError, asyncio.CancelledError):
            pass  # the peer left, reads too slowly, lost its place, or we are closing
        finally:
            self._forget(one)
            writer.transport.abort()  # what is left to be sent to a peer that does not read would stay for ever

    def _forget(self, one: _Connection) -> None:
        if one in self._open:
            self._open.remove(one)
            self._held[one.holder] -= 1
            if not self._held[one.holder]:
                del self._held[one.holder]

    def _admits(self, new: _Connection) -> bool:
        """Whether a new connection is taken; another may have to go for it."""
        limits = self._limits
        if self._held[new.holder] >= limits.each and not self._trusts(new.peer):
            return self._evict(self._strangers(new.holder), idle_or_stalled=True)
        if len(self._open) < limits.most:
            return True
        held = Counter(one.holder for one in self._strangers() or self._open)
        greediest = max(held, key=held.__getitem__)
        theirs = self._strangers(greediest)
        keep = not theirs and not self._trusts(new.peer)
        return self._evict(
            theirs or [one for one in self._open if one.holder == greediest],
            idle_or_stalled=keep or greediest == new.holder,
        )

    def _strangers(self, holder: Holder | None = None) -> list[_Connection]:
        """The connections that are not trusted, of one holder or of all."""
        mine = (one for one in self._open if holder is None or one.holder == holder)
        return [one for one in mine if not self._trusts(one.peer)]

    def _evict(self, theirs: list[_Connection], *, idle_or_stalled: bool) -> bool:
        """Cut one of these: the one idle for longest, else the slowest. False where none may go."""
        idle = [one for one in theirs if one.waiting is not None]
        now = asyncio.get_running_loop().time()
        busy = [one for one in theirs if not idle_or_stalled or one.stalled(now, self._limits.slowest)]
        victim: _Connection | None = None
        if idle:
            victim = min(idle, key=lambda one: one.waiting or 0.0)
        elif busy:
            victim = min(busy, key=lambda one: (one.rate(now), one.blocked or now, one.began))
        if (others := self._turned_away.turn()) is not None:
            log.warning(
                "tcp connections at their limit",
                peer=theirs[0].peer if theirs else None,
                open=len(self._open),
                of_peer=len(theirs),
                **others,
            )
        if victim is None:
            return False
        self._forget(victim)
        victim.writer.transport.abort()
        if victim.task is not None:
            victim.task.cancel()
        return True

    async def _converse(self, one: _Connection) -> None:
        while True:
            packet = await self._next(one)
            async with aclosing(self._answer(packet, one.peer)) as answers:  # type: ignore[type-var]  # a generator
                async for answer in answers:
                    if len(answer) > MAX_MESSAGE:
                        log.error("answer too long for a message", peer=one.peer, octets=len(answer))
                        return
                    one.writer.write(len(answer).to_bytes(2, "big") + answer)
                    one.sent += 2 + len(answer)
                    if one.writer.transport.get_write_buffer_size() > _HIGH_WATER:
                        await self._while_it_reads(one, one.writer.drain)

    async def _while_it_reads(self, one: _Connection, wait: Callable[[], Awaitable[None]]) -> None:
        """Wait for the peer to have read enough. Raises _TooSlow, OSError."""
        loop, limits = asyncio.get_running_loop(), self._limits
        while True:
            one.blocked, one.blocked_at = loop.time(), one.taken()
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.period):
                    await wait()
                    one.blocked = None
                    return
            if one.taken() - one.blocked_at < limits.slowest * limits.period:
                log.debug("tcp connection cut: its peer reads too slowly", peer=one.peer)
                raise _TooSlow

    async def _next(self, one: _Connection) -> bytes:
        """The next message. Raises TimeoutError, IncompleteReadError."""
        idle = self._limits.idle or None
        one.waiting = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(idle):
                size = (await one.reader.readexactly(1))[0]
        finally:
            one.waiting = None
        # Counted for the whole message, not for each octet: a peer that sends one a second is cut off all the same.
        async with asyncio.timeout(idle or 10.0):
            size = size << 8 | (await one.reader.readexactly(1))[0]
            return await one.reader.readexactly(size)
