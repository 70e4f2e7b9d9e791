# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a secondary nameserver: a NOTIFY makes it fetch the zone from its primary, an SOA question is answered
with the serial that it has. UDP on a free port of loopback; it transfers by IXFR over TCP as real servers do."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rrset
import dns.versioned
import dns.zone


class Secondary:
    """One secondary. `zones` holds what it fetched."""

    def __init__(self, primary_port: int) -> None:
        self._primary_port = primary_port
        self.zones: dict[str, dns.versioned.Zone] = {}
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopping = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping = True
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            packet, source = self._socket.recvfrom(65535)
            if self._stopping:
                return
            query = dns.message.from_wire(packet)
            name = str(query.question[0].name)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            if query.opcode() == dns.opcode.NOTIFY:
                self._socket.sendto(answer.to_wire(), source)
                self._fetch(name)
                continue
            if name in self.zones:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", f"m. r. {self._serial(name)} 1 1 1 1"))
            else:
                answer.set_rcode(dns.rcode.REFUSED)
            self._socket.sendto(answer.to_wire(), source)

    def _serial(self, name: str) -> int:
        with self.zones[name].reader() as reader:
            soa = reader.get("@", "SOA")
            assert soa is not None
            return int(soa[0].serial)

    def _fetch(self, name: str) -> None:
        zone = self.zones.get(name) or dns.versioned.Zone(name)
        try:
            query, _ = dns.xfr.make_query(zone)
            dns.query.inbound_xfr("127.0.0.1", zone, query, port=self._primary_port, timeout=5)
        except (OSError, EOFError, dns.exception.DNSException):
            return  # as a real one: the next NOTIFY or poll brings it back
        self.zones[name] = zone
