# SPDX-License-Identifier: Apache-2.0
"""Asks nameservers for the serials of very many zones, at a pace and at little cost.

`client` is for one exchange at a time, each with a future and a timeout of its own. Here one call asks a whole list:
plain sockets, no task and no timer for each question. UDP only; what an answer says is read by `ask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from redesignate.model.clock import Clock, now
from redesignate.model.tsigkey import TSIGKey
from redesignate.wire import tsig
from redesignate.wire.client import SOAAnswer, read_soa_answer, soa_query
from redesignate.wire.message import QR, Malformed

BURST, TICK_S = 20, 0.01
"""Questions are sent in bursts: one each tick, or of BURST where that is slower, because waking up costs more than a
question does."""
RECEIVE_BUFFER = 2**20
RESOLVED_S = 60.0

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """Which serial of `zone` the server at `host` (an address, or a name that the system resolves) serves."""

    zone: str
    host: str
    port: int
    key: TSIGKey | None = None


@dataclass(slots=True)
class _Round:
    """One call: its questions, the answers so far, and the indexes of those still open."""

    questions: Sequence[Question]
    answers: list[SOAAnswer | None]
    open: set[int]
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Survey:
    """Asks for serials. For one event loop; several calls may run side by side."""

    def __init__(self, *, clock: Clock = now, rng: random.Random | None = None) -> None:
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._sockets: dict[int, socket.socket] = {}
        self._sent: dict[tuple[Address, int], tuple[_Round, int, bytes]] = {}
        self._resolved: dict[str, tuple[float, str | None]] = {}

    async def ask(
        self, questions: Sequence[Question], *, per_second: float, patience_s: float = 1.0, tries: int = 3
    ) -> list[SOAAnswer | None]:
        """The answer to each question, in order; None where nothing usable came.

        per_second   questions, over all servers
        patience_s   how long to wait for the last answers before the open questions are sent once more
        Cost         some 0.1 ms of CPU a question; memory in proportion to the questions
        """
        asked = _Round(questions, [None] * len(questions), set(range(len(questions))))
        sent: list[tuple[Address, int]] = []
        burst = max(BURST, int(per_second * TICK_S))
        try:
            for _ in range(tries):
                left = sorted(asked.open)
                for start in range(0, len(left), burst):
                    chunk = left[start : start + burst]
                    for index in chunk:
                        sent += await self._send(asked, index)
                    await asyncio.sleep(len(chunk) / per_second)
                if asked.open:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(patience_s):
                            await asked.over.wait()
                if not asked.open:
                    break
        finally:
            for slot in sent:
                self._sent.pop(slot, None)
        return asked.answers

    def close(self) -> None:
        """Close the sockets."""
        loop = asyncio.get_running_loop()
        for opened in self._sockets.values():
            loop.remove_reader(opened)
            opened.close()
        self._sockets.clear()

    async def _send(self, asked: _Round, index: int) -> list[tuple[Address, int]]:
        """Send one question; where its answer will be looked for. A server that cannot be asked answers nothing."""
        question = asked.questions[index]
        host = await self._address(question.host, question.port)
        if host is None:
            return []
        address = (host, question.port)
        msg_id = self._rng.getrandbits(16)
        while (address, msg_id) in self._sent:
            msg_id = self._rng.getrandbits(16)
        packet = soa_query(question.zone, msg_id, question.key, clock=self._clock)
        self._sent[address, msg_id] = (asked, index, packet)
        with contextlib.suppress(OSError):  # no route, or a full buffer: the same as no answer
            self._socket(socket.AF_INET6 if ":" in host else socket.AF_INET).sendto(packet, address)
        return [(address, msg_id)]

    async def _address(self, host: str, port: int) -> str | None:
        loop = asyncio.get_running_loop()
        known = self._resolved.get(host)
        if known is not None and known[0] > loop.time():
            return known[1]
        found: str | None
        try:
            found = str(ipaddress.ip_address(host))
        except ValueError:
            try:
                found = str((await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0][4][0])
            except OSError:
                found = None
        self._resolved[host] = (loop.time() + RESOLVED_S, found)
        return found

    def _socket(self, family: int) -> socket.socket:
        opened = self._sockets.get(family)
        if opened is None:
            opened = self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            asyncio.get_running_loop().add_reader(opened, self._readable, opened)
        return opened

    def _readable(self, opened: socket.socket) -> None:
        """Take what has come, a bounded number at a time, so that a flood does not keep the loop from other work."""
        for _ in range(64):
            try:
                packet, address = opened.recvfrom(65535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of some earlier question
                continue
            self._take(packet, (address[0], address[1]))

    def _take(self, packet: bytes, address: Address) -> None:
        """An answer counts only from the address that was asked, with the id and question that were sent."""
        if len(packet) < 12 or not packet[2] & (QR >> 8):
            return
        found = self._sent.get((address, int.from_bytes(packet[:2], "big")))
        if found is None:
            return
        asked, index, query = found
        try:
            answer = read_soa_answer(packet, query, asked.questions[index].key, clock=self._clock)
        except (Malformed, tsig.Refused):
            return
        asked.answers[index] = answer
        asked.open.discard(index)
        if not asked.open:
            asked.over.set()
