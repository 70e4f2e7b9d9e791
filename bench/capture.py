# SPDX-License-Identifier: Apache-2.0
"""Records which process sent something to which other one, and when: every packet with data on the loopback interface.

It reads the headers that the kernel shows to root, with the kernel's own times, so nothing of the system is changed.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bench.beside import companion
from bench.meter import Roots, family

ETH_P_IP = 0x0800
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
TCP, UDP = 6, 17
Ports = Mapping[int, str]
"""The kind of process at a local port."""


class Packet(NamedTuple):
    """Data from one port to another. `at`: seconds since 1970."""

    at: float
    source: int
    target: int


class Hop(NamedTuple):
    """Data from one kind of process to another."""

    at: float
    source: str
    target: str


@dataclass(slots=True)
class Captured:
    """Every packet while the block ran; empty until it has ended."""

    packets: list[Packet] = field(default_factory=list)


def may_capture() -> bool:
    """Whether this process may read packets."""
    try:
        _socket().close()
    except PermissionError:
        return False
    return True


@contextmanager
def captured() -> Iterator[Captured]:
    """Record in another process until the block ends. Raises PermissionError."""
    _socket().close()
    with companion(_record) as other:
        other.hear()
        result = Captured()
        yield result
        result.packets = [Packet(*one) for one in other.ask("stop")]


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    made.bind(("lo", ETH_P_IP))
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    return made


def _record(pipe: Connection) -> None:
    found: list[tuple[float, int, int]] = []
    with _socket() as packets:
        pipe.send("begun")
        packets.setblocking(False)
        over = False
        while not over:
            ready, _, _ = select.select([packets.fileno(), pipe.fileno()], [], [])
            over = pipe.fileno() in ready
            found += _read(packets)  # also what came just before the end
    pipe.send(found)


def _read(packets: socket.socket) -> Iterator[tuple[float, int, int]]:
    while True:
        try:
            head, more, _, address = packets.recvmsg(128, 64)
        except BlockingIOError:
            return
        ports = _ports(head)
        # what leaves by the loopback interface also comes in by it
        if ports is not None and more and address[2] != PACKET_OUTGOING:
            seconds, nanoseconds = struct.unpack("qq", more[0][2][:16])
            yield seconds + nanoseconds / 1e9, *ports


def _ports(head: bytes) -> tuple[int, int] | None:
    """Source and target port of an IPv4 packet that carries data; None for one that does not."""
    size, length, protocol = (head[0] & 15) * 4, int.from_bytes(head[2:4], "big"), head[9]
    if protocol == TCP:
        empty = length == size + (head[size + 12] >> 4) * 4
    elif protocol == UDP:
        empty = length == size + 8
    else:
        return None
    return None if empty else struct.unpack_from("!HH", head, size)


def ports_of(roots: Roots) -> dict[int, str]:
    """The kind of process at each local TCP or UDP port that is in use now; this process is the client."""
    inodes = {link[8:-1]: "client" for link in _links(os.getpid()) if link.startswith("socket:[")}
    for kind, pids in roots.items():
        for pid in {one for root in pids for one in family(root)}:
            for link in _links(pid):
                if link.startswith("socket:["):
                    inodes[link[8:-1]] = kind
    found = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes:
                found[int(words[1].rpartition(":")[2], 16)] = inodes[words[9]]
    return found


def _links(pid: int) -> Iterable[str]:
    folder = Path(f"/proc/{pid}/fd")
    try:
        names = list(folder.iterdir())
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(name)
        except OSError:
            continue


def hops(packets: Sequence[Packet], ports: Ports, guesses: Mapping[str, str]) -> list[Hop]:
    """The packets by kind of process. `guesses`: who asks a kind of process from a port that was open only shortly."""
    found = []
    for at, source, target in sorted(packets):
        here, there = ports.get(source), ports.get(target)
        here = here or guesses.get(there or "")
        there = there or guesses.get(here or "")
        if here and there and here != there:
            found.append(Hop(at, here, there))
    return found
