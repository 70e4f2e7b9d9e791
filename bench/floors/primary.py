# SPDX-License-Identifier: Apache-2.0
"""A primary for nameservers that are measured alone: its answers are a few ready records, put together."""

from __future__ import annotations

import queue
import select
import socket
import struct
import threading

from redesignate.model import names
from redesignate.wire import message
from redesignate.wire.message import IXFR, SOA
from tests.support.bind import free_port

AUTHORITATIVE = 0x8400
_APEX = b"\xc0\x0c"
_NS, _A = 2, 1
_HEAD = struct.Struct("!HHLH")
_NUMBERS = struct.pack("!LLLL", 3600, 600, 86400, 300)


class Primary:
    """Answers on a port of loopback, on a thread of its own, for any zone.

    serials  of each zone that was changed
    fetched  every zone after each transfer of it
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.serials: dict[str, int] = {}
        self.fetched: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._work, daemon=True).start()

    def change(self, zone: str) -> int:
        """Raise a zone's serial by one, from 1 on; returns it."""
        self.serials[zone] = self.serials.get(zone, 0) + 1
        return self.serials[zone]

    def answer(self, packet: bytes) -> tuple[bytes, str, bool]:
        """The answer to a question, the zone that it is of, and whether it is a transfer."""
        end = message.skip_name(packet, 12)
        asked, (zone, _) = int.from_bytes(packet[end : end + 2], "big"), names.from_wire(packet, 12)
        now = soa(self.serials.get(zone, 1))
        if asked == SOA:
            found = [now]
        elif asked == IXFR:
            found = [now, soa(self.serials[zone] - 1), now, host(self.serials[zone]), now]
        else:
            found = [now, _rr(_NS, b"\x02ns\x07example\x03net\0"), now]
        ident = int.from_bytes(packet[:2], "big")
        made = message.build(ident, AUTHORITATIVE, packet[12 : end + 4], ((len(found), b"".join(found)),))
        return made, zone, asked != SOA

    def _work(self) -> None:
        clients: dict[int, tuple[socket.socket, bytearray]] = {}
        waiting = select.epoll()
        for one in (self._datagrams, self._listening):
            waiting.register(one, select.EPOLLIN)
        while True:
            for number, _ in waiting.poll():
                if number == self._datagrams.fileno():
                    packet, address = self._datagrams.recvfrom(4096)
                    self._datagrams.sendto(self.answer(packet)[0], address)
                elif number == self._listening.fileno():
                    made, _ = self._listening.accept()
                    clients[made.fileno()] = made, bytearray()
                    waiting.register(made, select.EPOLLIN)
                else:
                    client, buffer = clients[number]
                    if not self._serve(client, buffer):
                        clients.pop(number)[0].close()

    def _serve(self, client: socket.socket, buffer: bytearray) -> bool:
        """Answer what has arrived by TCP; whether the client is still there."""
        try:
            octets = client.recv(4096)
            buffer += octets
            for answer, zone, is_transfer in map(self.answer, message.frames(buffer)):
                client.sendall(len(answer).to_bytes(2, "big") + answer)
                if is_transfer:
                    self.fetched.put(zone)
        except ConnectionError:
            return False
        return bool(octets)


def soa(serial: int) -> bytes:
    """The SOA of any zone at this serial."""
    return _rr(SOA, b"\x02ns\x07example\x03net\0\x04mail" + _APEX + struct.pack("!L", serial) + _NUMBERS)


def host(serial: int) -> bytes:
    """The RRset that a zone's change to this serial adds: one address, at a name of its own."""
    label = f"host-{serial}".encode()
    return bytes([len(label)]) + label + _rr(_A, struct.pack("!L", 0x0A000000 + serial % 0xFFFFFF))


def _rr(rrtype: int, rdata: bytes) -> bytes:
    return _APEX + _HEAD.pack(rrtype, 1, 300, len(rdata)) + rdata
