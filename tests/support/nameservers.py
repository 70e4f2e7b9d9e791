# SPDX-License-Identifier: Apache-2.0
"""A small nameserver for tests, with manners that can be changed while it runs. UDP on a free port of loopback.

It holds serials only. A NOTIFY of a zone that it has makes it serve the NOTIFY's serial, as a transfer would, where
that is newer (RFC 1982).
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset

from redesignate.backends.port import BackendError, BackendZone
from redesignate.model.serial import newer


@dataclass
class SmallServer:
    """What it does now:

    silent      answers nothing (packets are read and thrown away)
    refuses     answers REFUSED to everything
    delay       seconds between a question and its answer
    lag         seconds between a NOTIFY and serving its serial
    frozen      answers NOTIFYs and serves what it served
    keeps       does not let go of deleted zones
    """

    silent: bool = False
    refuses: bool = False
    delay: float = 0.0
    lag: float = 0.0
    frozen: bool = False
    keeps: bool = False
    zones: dict[str, int | None] = field(default_factory=dict)
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    """(monotonic seconds, "NOTIFY" or "SOA", zone); what is signed is not read, and stands in `packets` alone"""
    packets: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._changed = threading.Condition()
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

    def questions(self, kind: str, zone: str | None = None) -> list[float]:
        """When it was asked."""
        with self._changed:
            return [at for at, what, name in self.asked if what == kind and zone in (None, name)]

    def wait_asked(self, kind: str, count: int, timeout: float = 10.0) -> None:
        """Wait until it was asked so often."""
        with self._changed:
            done = self._changed.wait_for(lambda: sum(what == kind for _, what, _ in self.asked) >= count, timeout)
        assert done, f"asked {len(self.questions(kind))} times, not {count}"

    def _serve(self) -> None:
        while True:
            packet, source = self._socket.recvfrom(65535)
            if self._stopping:
                return
            self.packets.append(packet)
            try:
                query = dns.message.from_wire(packet)
            except dns.exception.DNSException:
                continue
            kind = "NOTIFY" if query.opcode() == dns.opcode.NOTIFY else "SOA"
            with self._changed:
                self.asked.append((time.monotonic(), kind, str(query.question[0].name)))
                self._changed.notify_all()
            if self.silent:
                continue
            answer = self._answer(query)
            if self.delay:
                timer = threading.Timer(self.delay, self._send, (answer.to_wire(), source))
                timer.daemon = True
                timer.start()
            else:
                self._send(answer.to_wire(), source)

    def _send(self, packet: bytes, source: tuple[str, int]) -> None:
        if not self._stopping:
            self._socket.sendto(packet, source)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name = str(query.question[0].name)
        if self.refuses:
            answer.set_rcode(dns.rcode.REFUSED)
        elif query.opcode() == dns.opcode.NOTIFY:
            self._notified(query, answer, name)
        elif self.zones.get(name) is None:
            answer.set_rcode(dns.rcode.SERVFAIL if name in self.zones else dns.rcode.REFUSED)
        else:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", f"m. r. {self.zones[name]} 1 1 1 1"))
        return answer

    def _notified(self, query: dns.message.Message, answer: dns.message.Message, name: str) -> None:
        if name not in self.zones:
            answer.set_rcode(dns.rcode.NOTAUTH)
            return
        serials = [rd.serial for rrset in query.answer for rd in rrset if isinstance(rd, dns.rdtypes.ANY.SOA.SOA)]
        held = self.zones[name]
        if self.frozen or not serials or (held is not None and not newer(serials[0], held)):
            return
        if self.lag:
            timer = threading.Timer(self.lag, self.zones.__setitem__, (name, serials[0]))
            timer.daemon = True
            timer.start()
        else:
            self.zones[name] = serials[0]


@dataclass
class SmallBackend:
    """A backend that tells a SmallServer. `failing`: why each call fails; `hangs`: each call never returns; `takes`:
    seconds for each call; `began`: what its server says of its start; `fetching`: the serial that its server fetches
    by itself where a zone is created, 0: it says that it does, and fails; None: it waits for a NOTIFY."""

    server: SmallServer
    failing: str | None = None
    takes: float = 0.0
    began: str | None = None
    fetching: int | None = None
    hangs: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[str, str]] = field(default_factory=list)

    async def create(self, zone: BackendZone) -> bool:
        await self._note("create", zone.name)
        self.server.zones.setdefault(zone.name, self.fetching or None)
        return self.fetching is not None

    async def update(self, zone: BackendZone) -> None:
        await self._note("update", zone.name)

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        await self._note("delete hard" if hard else "delete", zone.name)
        if not self.server.keeps:
            self.server.zones.pop(zone.name, None)

    async def ping(self) -> str | None:
        await self._note("ping", "")
        return self.began

    async def close(self) -> None:
        pass

    async def _note(self, what: str, name: str) -> None:
        import asyncio

        self.calls.append((what, name))
        if self.hangs.is_set():
            await asyncio.Event().wait()
        if self.takes:
            await asyncio.sleep(self.takes)
        if self.failing is not None:
            raise BackendError(self.failing)
