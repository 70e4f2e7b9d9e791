# SPDX-License-Identifier: Apache-2.0
"""What the model accepts, a real BIND accepts in a transfer: the vectors, and some hundred texts of each type."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from redesignate.model import names, rdata
from tests.model.octets import OCTETS
from tests.model.texts import LEGAL, NEARLY, RAW
from tests.model.vectors import accepted
from tests.support.bind import RealBind, free_port

pytestmark = pytest.mark.external

ZONE = "bind.example."
APEX = names.to_wire(ZONE)
HEADER = struct.Struct("!HHHHHH")
FIXED = struct.Struct("!HHLH")
SOA, IN, AXFR = 6, 1, 252
Record = tuple[str, bytes]
T = TypeVar("T")


def record(owner: bytes, rrtype: str, wire: bytes) -> bytes:
    """One RR, its owner's labels before the zone's name."""
    return owner + b"\xc0\x0c" + FIXED.pack(rdata.number(rrtype), IN, 60, len(wire)) + wire


def blobs(records: list[Record]) -> list[bytes]:
    """A zone of one RR a name, with the SOA at both ends as a transfer has it."""
    soa = record(b"", "SOA", rdata.parse("SOA", f"ns.{ZONE} h.{ZONE} 1 60 60 600 60").wire)
    ns = record(b"", "NS", rdata.parse("NS", f"ns.{ZONE}").wire)
    named = [
        record(names.to_wire(f"{n:032}." if rrtype == "TYPE50" else f"r{n}.")[:-1], rrtype, wire)  # NSEC3: at a hash
        for n, (rrtype, wire) in enumerate(records)
    ]
    return [soa, ns, record(b"\x02ns", "A", b"\x7f\0\0\1"), *named, soa]


class Primary:
    """Answers SOA by UDP and AXFR by TCP with the blobs it was given."""

    def __init__(self, blobs: list[bytes]) -> None:
        self.blobs = blobs
        self.port = free_port()
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._datagrams, self._streams)]
        self._open = True

    @contextmanager
    def running(self) -> Iterator[Primary]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._open = False
            for end in (self._udp, self._tcp):
                with contextlib.suppress(OSError):  # wakes the thread that waits there
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            for thread in self._threads:
                thread.join(10)

    def _datagrams(self) -> None:
        while self._open:
            try:
                query, peer = self._udp.recvfrom(4096)
                if not query:
                    return
                self._udp.sendto(self._answer(query, [self.blobs[0]]), peer)
            except OSError:
                return

    def _streams(self) -> None:
        while self._open:
            try:
                stream, _ = self._tcp.accept()
            except OSError:
                return
            with stream, contextlib.suppress(OSError):  # it may hang up on what it cannot read
                self._serve(stream)

    def _serve(self, stream: socket.socket) -> None:
        with stream.makefile("rb") as incoming:
            while head := incoming.read(2):
                query = incoming.read(int.from_bytes(head, "big"))
                question = query[12 + len(APEX) : 14 + len(APEX)]
                whole = self.blobs if int.from_bytes(question, "big") == AXFR else self.blobs[:1]
                for one in whole:
                    answer = self._answer(query, [one])
                    stream.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, query: bytes, answers: list[bytes]) -> bytes:
        head = HEADER.pack(int.from_bytes(query[:2], "big"), 0x8400, 1, len(answers), 0, 0)
        return head + query[12 : 12 + len(APEX) + 4] + b"".join(answers)


def generated(rrtype: str, count: int, *strategies: st.SearchStrategy[str]) -> list[Record]:
    """What the model makes of so many texts from each strategy; what it refuses is left out."""
    found: set[Record] = set()

    def take(text: str) -> None:
        try:
            found.add((rrtype, rdata.parse(rrtype, text).wire))
        except ValueError:
            return

    for strategy in strategies:
        drawn(strategy, count, take)
    return sorted(found)


def from_primaries(count: int) -> list[Record]:
    """Octets that `received` takes from a primary."""
    found: set[Record] = set()

    def take(one: Record) -> None:
        with contextlib.suppress(ValueError):
            rdata.received(*one)
            found.add(one)

    for number, octets in OCTETS.items():
        drawn(st.tuples(st.just(rdata.mnemonic(number)), octets), count, take)
    return sorted(found)


def drawn(strategy: st.SearchStrategy[T], count: int, take: Callable[[T], None]) -> None:
    """Hand so many examples of a strategy on."""
    settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(take))()


def served(folder: Path, records: list[Record]) -> int:
    """How many RRs BIND has after it transferred a zone with these; fails with its own words where it refuses."""
    with Primary(blobs(records)).running() as primary:
        zone = f'zone "{ZONE}" {{ type secondary; file "z.db"; primaries {{ 127.0.0.1 port {primary.port}; }}; }};'
        with RealBind(folder, config=zone) as bind:
            line = bind.wait_log(r"Transfer completed: |failed while receiving|zone bind\.example/IN: refresh: fail")
            done = re.search(r" (\d+) records", line)
            assert done is not None, bind.tail()
            bind.wait_serial(ZONE, 1)
            return int(done[1])


def test_bind_transfers_all_that_the_model_accepts(tmp_path: Path) -> None:
    records = [(rrtype, rdata.parse(rrtype, text).wire) for rrtype in rdata.TYPES for text in accepted(rrtype)]
    for rrtype in LEGAL:
        records += generated(rrtype, 50, LEGAL[rrtype], NEARLY[rrtype])
    for rrtype, octets in RAW.items():
        records += generated(rrtype, 20, octets)
    records = [one for one in records if one[0] != "SOA"]  # a zone has one, which it was asked for first
    assert served(tmp_path, records) == len(records) + 4


def test_bind_transfers_all_that_is_taken_from_a_primary(tmp_path: Path) -> None:
    records = from_primaries(60)
    assert served(tmp_path, records) == len(records) + 4


def test_bind_refuses_what_is_malformed(tmp_path: Path) -> None:
    """The test above would see it: one bad record, and the zone is not served."""
    with pytest.raises(AssertionError, match="failed while receiving responses"):
        served(tmp_path, [("SSHFP", bytes(2) + b"x" * 19), ("CAA", b"\0")])
