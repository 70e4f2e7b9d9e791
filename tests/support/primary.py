# SPDX-License-Identifier: Apache-2.0
"""A primary for tests, with manners that can be changed while it runs: SOA over UDP, AXFR over TCP, on one port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from tests.support.bind import free_port

Send = Callable[[socket.socket, dns.message.Message, "Primary"], None]
"""What it does with a transfer's connection, once the question is there."""


def rrsets(zone: str, serial: int, hosts: int = 3) -> list[dns.rrset.RRset]:
    """A zone as AXFR sends it, the SOA first and last."""
    soa = dns.rrset.from_text(zone, 600, "IN", "SOA", f"ns1.{zone} admin.{zone} {serial} 1200 180 86400 60")
    body = [dns.rrset.from_text(zone, 300, "IN", "NS", f"ns1.{zone}")]
    body += [dns.rrset.from_text(f"h{n}.{zone}", 60, "IN", "A", f"192.0.2.{n % 250}") for n in range(hosts)]
    return [soa, *body, soa]


def answer(query: dns.message.Message, records: Sequence[dns.rrset.RRset]) -> bytes:
    """One message of a transfer."""
    made = dns.message.make_response(query)
    made.flags |= dns.flags.AA
    made.answer = list(records)
    wire: bytes = made.to_wire(max_size=65535)
    return len(wire).to_bytes(2, "big") + wire


def send_zone(connection: socket.socket, query: dns.message.Message, primary: Primary) -> None:
    """The zone, as it should be sent."""
    found = rrsets(str(query.question[0].name), primary.serial, primary.hosts)
    for at in range(0, len(found), 200):
        connection.sendall(answer(query, found[at : at + 200]))


@dataclass
class Primary:
    """What it does now: `serial` it answers with (None: silent over UDP), `send` it treats a transfer with."""

    serial: int = 1
    hosts: int = 3
    silent: bool = False
    send: Send = send_zone
    asked: Counter[str] = field(default_factory=Counter)
    """Questions so far, by type."""

    def __enter__(self) -> Self:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        for made in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
            made.close()
        for thread in self._threads:
            thread.join(5)

    def _serve_udp(self) -> None:
        while not self._stopping.is_set():
            try:
                packet, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if not packet:
                continue
            query = dns.message.from_wire(packet)
            self.asked["SOA"] += 1
            if not self.silent:
                self._udp.sendto(answer(query, rrsets(str(query.question[0].name), self.serial)[:1])[2:], peer)

    def _serve_tcp(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._transfer, args=(connection,), daemon=True)
            thread.start()

    def _transfer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            size = int.from_bytes(connection.recv(2), "big")
            query = dns.message.from_wire(connection.recv(size))
            self.asked["AXFR"] += 1
            self.send(connection, query, self)

    def until_stopped(self) -> Iterator[None]:
        """Turns, until the test ends."""
        while not self._stopping.is_set():
            yield

    def hold(self, seconds: float) -> bool:
        """Wait; whether the test has ended meanwhile."""
        return self._stopping.wait(seconds)
