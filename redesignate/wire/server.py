# SPDX-License-Identifier: Apache-2.0
"""Sockets of a nameserver, and its datagrams in batches. TCP is `streams.py`'s, what is answered the owner's.

Nothing here grows without bound: datagrams queue up to a number.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

Datagram = tuple[bytes, str]
"""A packet and its sender's address."""

AnswerBatch = Callable[[Sequence[Datagram], bool], Awaitable[Sequence[bytes | None]]]

_QUEUE = 4096
_BATCH = 16
_BATCHES_AT_ONCE = 4
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
    """Answers datagrams in batches, so that one view of the database serves many; the newest are lost in a flood.

    answer   answers a batch; its second argument says whether these go first
    first    which packets of which peers do not wait behind others: they have a queue and places of their own
    admits   whether a peer's packet is looked at
    """

    def __init__(
        self,
        answer: AnswerBatch,
        *,
        first: Callable[[bytes, str], bool] = lambda _packet, _peer: False,
        admits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._answer = answer
        self._first = first
        self._admits = admits
        self._lanes = {True: _Lane(), False: _Lane()}
        self._transport: asyncio.DatagramTransport | None = None
        self._paused = False
        self.dropped = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # not a subclass of it before Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Queue a packet, and start a worker where there is room for one more."""
        first = self._first(data, addr[0])
        lane = self._lanes[first]
        if len(lane.queue) >= _QUEUE or not self._admits(addr[0]):
            self.dropped += 1
            return
        lane.queue.append((data, addr))
        if len(lane.working) < _BATCHES_AT_ONCE:
            task = asyncio.ensure_future(self._work(lane, first))
            lane.working.add(task)
            task.add_done_callback(lane.working.discard)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error about an answer: the peer is gone, and nothing is to be done."""

    def pause_writing(self) -> None:
        """The network takes no more for now: answers are dropped, as datagrams may be."""
        self._paused = True

    def resume_writing(self) -> None:
        """The network takes answers again."""
        self._paused = False

    async def _work(self, lane: _Lane, first: bool) -> None:
        while lane.queue:
            batch = [lane.queue.popleft() for _ in range(min(_BATCH, len(lane.queue)))]
            answers = await self._answer([(data, addr[0]) for data, addr in batch], first)
            transport = self._transport
            if transport is None or transport.is_closing():
                return
            for answer, (_, addr) in zip(answers, batch, strict=True):
                if answer and not self._paused:
                    transport.sendto(answer, addr)

    def close(self) -> None:
        """Stop listening."""
        for task in self._lanes[True].working | self._lanes[False].working:
            task.cancel()
        if self._transport is not None:
            self._transport.close()


@dataclass(slots=True)
class _Lane:
    queue: deque[tuple[bytes, tuple[Any, ...]]] = field(default_factory=deque)
    working: set[asyncio.Task[None]] = field(default_factory=set)
