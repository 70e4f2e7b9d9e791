# SPDX-License-Identifier: Apache-2.0
"""Sockets of a nameserver, and its datagrams in batches. TCP is `streams.py`'s, what is answered the owner's.

Nothing here grows without bound: datagrams queue up to a number.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redesignate.observe.log import events

log = events(__name__)

Sender = tuple[Any, ...]
"""A socket's address as Python has it: host, port, and of IPv6 two numbers more."""

Datagram = tuple[bytes, str]
"""A packet and its sender's address."""

AnswerBatch = Callable[[Sequence[Datagram], bool], Awaitable[Sequence[bytes | None]]]

_QUEUE = 4096
_READ = 64
_LONGEST = 65535
_BATCH, _LARGE_BATCH = 16, 64
_QUICK_S = 0.001
"""A batch that takes half of it is followed by one twice as large, and after one that takes more they are small: what
is answered from memory costs a third less in large ones, and what is looked up would hold the others up for long."""
_BATCHES_AT_ONCE = 2
_SLOW_S = 0.005
"""A batch that takes longer gets no more to wait behind it than there is another thread for."""
_RECEIVE_BUFFER = 1 << 20
MOST_APART = 64
"""For how many addresses there are sockets of their own."""


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


def _connected(sock: socket.socket, host: str) -> socket.socket:
    """A socket beside this one on the same port, for what comes from one address. Raises OSError."""
    family, address = sock.family, sock.getsockname()
    shared = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.connect((host, 0))
    except OSError:
        made.close()
        raise
    finally:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)
    return made


class Datagrams:
    """Answers datagrams in batches, so that one view of the database serves many; the newest are lost in a flood.

    sock     bound, and not blocking; closed with this
    answer   answers a batch; its second argument says whether these go first
    first    which packets of which peers do not wait behind others: they have a queue and places of their own
    admits   whether a peer's packet is looked at
    elsewhere   hands what does not go first to another process, which answers it; False where it does not take it

    The socket is read and written here: by way of asyncio's transport a datagram takes four times as long.
    """

    def __init__(
        self,
        sock: socket.socket,
        answer: AnswerBatch,
        *,
        first: Callable[[bytes, str], bool] = lambda _packet, _peer: False,
        admits: Callable[[str], bool] = lambda _: True,
        elsewhere: Callable[[bytes, Sender], bool] | None = None,
    ) -> None:
        self._socket = sock
        self._answer = answer
        self._first = first
        self._admits = admits
        self._elsewhere = elsewhere
        self._lanes = {True: _Lane(), False: _Lane()}
        self._apart: dict[str, socket.socket] = {}
        self.dropped = 0

    def start(self) -> None:
        """Read from now on, on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._read, self._socket)

    def keep_apart(self, hosts: Collection[str]) -> None:
        """Have the system queue what comes from these addresses, at most MOST_APART, apart from all else, from now on:
        a flood that is more than can be read takes none of their datagrams along.

        That is what a socket is for that is connected to an address and no port. The system gives their datagrams to no
        other process then that listens on the same port.
        """
        loop, family = asyncio.get_running_loop(), self._socket.family
        ours = [host for host in sorted(hosts) if (":" in host) == (family == socket.AF_INET6)]
        wanted = set(ours[:MOST_APART])
        for host in self._apart.keys() - wanted:
            gone = self._apart.pop(host)
            loop.remove_reader(gone)
            gone.close()
        for host in wanted - self._apart.keys():
            try:
                made = _connected(self._socket, host)
            except OSError as error:  # no way there: if its datagrams come all the same, they come as before
                log.debug("datagrams of a host are not kept apart", host=host, why=str(error))
                continue
            self._apart[host] = made
            loop.add_reader(made, self._read, made)

    def _read(self, sock: socket.socket) -> None:
        """Take what has come, some at a time."""
        come = []
        for _ in range(_READ):
            try:
                come.append(sock.recvfrom(_LONGEST))
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # an ICMP error about an answer: the peer is gone, and nothing is to be done
                continue
        self.take(come)

    def take(self, come: Iterable[tuple[bytes, Sender]]) -> None:
        """Queue datagrams of this socket, and start a worker where there is room for one more."""
        for data, address in come:
            host = address[0]
            if not (first := self._first(data, host)) and self._elsewhere and self._elsewhere(data, address):
                continue
            lane = self._lanes[first]
            if len(lane.queue) >= _QUEUE or not self._admits(host):
                self.dropped += 1
            else:
                lane.queue.append((data, address))
        for first, lane in self._lanes.items():
            if lane.queue and len(lane.working) < _BATCHES_AT_ONCE and (first or lane.behind()):
                task = asyncio.ensure_future(self._work(lane, first))
                lane.working.add(task)
                task.add_done_callback(lane.working.discard)

    async def _work(self, lane: _Lane, first: bool) -> None:
        try:
            while lane.queue:
                batch = [lane.queue.popleft() for _ in range(min(lane.size, len(lane.queue)))]
                lane.taken = began = time.monotonic()
                answers = await self._answer([(data, address[0]) for data, address in batch], first)
                for answer, (_, address) in zip(answers, batch, strict=True):
                    if answer:
                        with suppress(OSError):  # the network takes no more, or not to there: lost, as datagrams may be
                            self._socket.sendto(answer, address)
                took_s = time.monotonic() - began
                if took_s > _QUICK_S:
                    lane.size = _BATCH
                elif len(batch) == lane.size and took_s < _QUICK_S / 2:
                    lane.size = min(2 * lane.size, _LARGE_BATCH)
        finally:  # at once: what is read before the task's own end is noticed would wait for a worker that has ended
            if (ended := asyncio.current_task()) is not None:
                lane.working.discard(ended)

    def close(self) -> None:
        """Stop listening."""
        for task in self._lanes[True].working | self._lanes[False].working:
            task.cancel()
        self.keep_apart(())
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


@dataclass(slots=True)
class _Lane:
    """taken: when a worker took a batch the last time; size: how many datagrams one has at most."""

    queue: deque[tuple[bytes, Sender]] = field(default_factory=deque)
    working: set[asyncio.Task[Any]] = field(default_factory=set)
    taken: float = 0.0
    size: int = _BATCH

    def behind(self) -> bool:
        """Whether one worker more is worth its thread: there is none, they have enough to do, or they are slow."""
        return len(self.queue) > len(self.working) * self.size or time.monotonic() - self.taken > _SLOW_S
