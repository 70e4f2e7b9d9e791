# SPDX-License-Identifier: Apache-2.0
"""Sockets of a nameserver: datagrams in batches, streams with limits (RFC 7766). What is answered is the owner's.

Nothing here grows without bound: datagrams queue up to a number, connections too, a silent or slow peer is cut off.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, cast

from redesignate.observe.log import events
from redesignate.wire.rrset import MAX_MESSAGE

log = events(__name__)

Datagram = tuple[bytes, str]
"""A packet and its sender's address."""

AnswerBatch = Callable[[Sequence[Datagram]], Awaitable[Sequence[bytes | None]]]
AnswerStream = Callable[[bytes, str], AsyncIterator[bytes]]

_QUEUE = 4096
_BATCH = 16
_BATCHES_AT_ONCE = 4
_HIGH_WATER = 256 * 1024
_RECEIVE_BUFFER = 1 << 20


def bind(host: str, port: int, *, shared: bool = True) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one address. Port 0 finds one free for both.

    shared   other processes may listen there too, and the system spreads the questions
    Raises OSError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    attempts = 1 if port else 20
    while True:
        attempts -= 1
        udp = _bound(family, socket.SOCK_DGRAM, host, port, shared=shared)
        try:
            return udp, _bound(family, socket.SOCK_STREAM, host, udp.getsockname()[1], shared=shared)
        except OSError:
            udp.close()
            if not attempts:
                raise


def _bound(family: int, kind: int, host: str, port: int, *, shared: bool) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        if shared or kind == socket.SOCK_STREAM:  # on UDP even this one lets two processes share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port and shared:  # a port that the system chose must not be one that another process shares already
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_DGRAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        made.setblocking(False)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


class Datagrams(asyncio.DatagramProtocol):
    """Answers datagrams in batches, so that one view of the database serves many; the newest are lost in a flood."""

    def __init__(self, answer: AnswerBatch) -> None:
        self._answer = answer
        self._queue: deque[tuple[bytes, tuple[Any, ...]]] = deque()
        self._working: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._paused = False
        self.dropped = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # not a subclass of it before Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Queue a packet, and see to it that somebody works."""
        if len(self._queue) >= _QUEUE:
            self.dropped += 1
            return
        self._queue.append((data, addr))
        if len(self._working) < _BATCHES_AT_ONCE:
            task = asyncio.ensure_future(self._work())
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error about an answer: the asker is gone, and that is all."""

    def pause_writing(self) -> None:
        """The network takes no more for now: answers are dropped, as datagrams may be."""
        self._paused = True

    def resume_writing(self) -> None:
        """The network takes answers again."""
        self._paused = False

    async def _work(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            answers = await self._answer([(data, addr[0]) for data, addr in batch])
            transport = self._transport
            if transport is None or transport.is_closing():
                return
            for answer, (_, addr) in zip(answers, batch, strict=True):
                if answer and not self._paused:
                    transport.sendto(answer, addr)

    def close(self) -> None:
        """Stop listening."""
        for task in self._working:
            task.cancel()
        if self._transport is not None:
            self._transport.close()


class Streams:
    """Answers the queries of TCP connections, each connection's in order.

    most      connections at once; one more takes the place of the one that is idle for longest, or is refused
    idle      seconds that a connection may be silent between messages and within one; 0: for ever between them
    stalled   seconds that a peer may take to read a buffer's worth of an answer
    """

    def __init__(
        self,
        answer: AnswerStream,
        *,
        most: int = 1000,
        idle: float = 0.5,
        stalled: float = 30,
        keepidle: int | None = None,
    ) -> None:
        self._answer = answer
        self._most = max(1, most)
        self._idle = idle or None
        self._within = idle or 10.0
        self._stalled = stalled
        self._keepidle = keepidle
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}
        self._waiting: OrderedDict[asyncio.StreamWriter, None] = OrderedDict()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self, listening: socket.socket, backlog: int = 100) -> None:
        """Listen on a bound socket."""
        self._server = await asyncio.start_server(self._connected, sock=listening, backlog=backlog, limit=16 * 1024)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        tasks = [task for task in self._open.values() if task is not None]
        for writer in list(self._open):
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._most and not self._make_room():
            writer.transport.abort()
            return
        self._open[writer] = asyncio.current_task()
        try:
            self._prepare(writer)
            await self._converse(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer left, fell silent, or we are closing: nobody is left to be told
        finally:
            del self._open[writer]
            self._waiting.pop(writer, None)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _make_room(self) -> bool:
        if not self._waiting:
            return False
        victim, _ = self._waiting.popitem(last=False)
        victim.transport.abort()
        return True

    def _prepare(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=_HIGH_WATER)
        connection = writer.get_extra_info("socket")
        if self._keepidle:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self._keepidle)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        while True:
            packet = await self._next(reader, writer)
            async with aclosing(self._answer(packet, peer)) as answers:  # type: ignore[type-var]
                async for answer in answers:
                    if len(answer) > MAX_MESSAGE:
                        log.error("answer too long for a message", peer=peer, octets=len(answer))
                        return
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    async with asyncio.timeout(self._stalled):
                        await writer.drain()

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next message. Raises TimeoutError, IncompleteReadError."""
        self._waiting[writer] = None
        try:
            async with asyncio.timeout(self._idle):
                size = (await reader.readexactly(1))[0]
        finally:
            self._waiting.pop(writer, None)
        # Counted for the whole message, not for each octet: who sends one a second is cut off all the same.
        async with asyncio.timeout(self._within):
            size = size << 8 | (await reader.readexactly(1))[0]
            return await reader.readexactly(size)
