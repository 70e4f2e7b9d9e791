# SPDX-License-Identifier: Apache-2.0
"""A channel between two processes of one nameserver: sockets and datagrams that the other is to answer.

Nothing here waits or grows: what the channel does not take at once is not handed over.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Self

import msgspec

from redesignate.wire.server import Sender

_AT_ONCE = 64
_LONGEST = 1 << 17
_SILENT = 5


class Kind(bytes, Enum):
    """What is handed over.

    LISTEN    a bound socket, to read datagrams from
    STREAM    a TCP connection
    DATAGRAM  one that was read here: `datagram_of`
    NOTIFIED  a zone's id and a primary's address: `notified_of`
    BEAT      nothing: the process that sends it runs
    """

    LISTEN = b"L"
    STREAM = b"S"
    DATAGRAM = b"D"
    NOTIFIED = b"N"
    BEAT = b"B"


Take = Callable[[Kind, bytes, socket.socket | None], None]
"""Called with what the other process handed over: its kind, its words, and the socket that came with it."""


class Handover:
    """One end. Hands over from any thread; takes on one event loop.

    kill   ends the other process, whatever it does
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._looks: int | None = None
        self.kill: Callable[[], None] = lambda: None

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """The two ends. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), cls(theirs)

    def give(self, kind: Kind, words: bytes = b"", given: socket.socket | None = None) -> bool:
        """Hand over words and a socket, which stays open here; False where the other process does not take them."""
        try:
            if given is None:
                self._socket.send(kind.value + words)
            else:
                socket.send_fds(self._socket, [kind.value + words], [given.fileno()])
        except OSError:  # it has more than it can take, or has ended: then `start` calls `ended`
            return False
        return True

    def start(self, take: Take, ended: Callable[[], None]) -> None:
        """Take what comes from now on, on the running loop; `ended` is called once when the other process has ended."""
        asyncio.get_running_loop().add_reader(self._socket, self._read, take, ended)

    def _read(self, take: Take, ended: Callable[[], None]) -> None:
        for _ in range(_AT_ONCE):
            try:
                said, handed, _, _ = socket.recv_fds(self._socket, _LONGEST, 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                said, handed = b"", []
            if not said:
                self.close()
                ended()
                return
            self._looks = 0
            take(Kind(said[:1]), said[1:], socket.socket(fileno=handed[0]) if handed else None)

    def hangs(self) -> bool:
        """Whether nothing has come for the last few looks of this kind, though something had before. They are counted,
        not timed: a process that was suspended itself has not looked meanwhile."""
        if self._looks is None:
            return False
        self._looks += 1
        return self._looks > _SILENT

    def close(self) -> None:
        """Close this end, which the other process sees."""
        if self._socket.fileno() < 0:
            return
        with suppress(RuntimeError):  # it may have taken nothing, on no loop
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


_datagram = msgspec.msgpack.Decoder(tuple[int, tuple[str | int, ...], bytes])
_notified = msgspec.msgpack.Decoder(tuple[str, str])


def datagram(at: int, sender: Sender, packet: bytes) -> bytes:
    """A datagram's words; `at` is the number of the socket that it came by, in the order of their LISTEN."""
    return msgspec.msgpack.encode((at, sender, packet))


def datagram_of(words: bytes) -> tuple[int, Sender, bytes]:
    """The number of the socket, the sender and the packet."""
    return _datagram.decode(words)


def notified(zone_id: str, peer: str) -> bytes:
    """The words for a NOTIFY that a zone's primary has sent."""
    return msgspec.msgpack.encode((zone_id, peer))


def notified_of(words: bytes) -> tuple[str, str]:
    """The zone's id and the primary's address."""
    return _notified.decode(words)
