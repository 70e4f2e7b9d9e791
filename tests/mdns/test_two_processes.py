# SPDX-License-Identifier: Apache-2.0
"""A nameserver of two processes: who follows zones is answered by one, everybody else, and all else, by the other.

Both run here, on a loop each, over databases of their own, so that the serial of an answer says which of them gave it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redesignate.config.settings import MdnsSettings
from redesignate.mdns.service import DNSService
from redesignate.model.names import to_wire
from redesignate.model.pool import Nameserver, Pool
from redesignate.model.zone import ZoneType
from redesignate.threads.loop import LoopThread
from redesignate.wire import message
from redesignate.wire.handover import Handover, Kind, notified
from redesignate.wire.message import NOTIFY, SOA, A
from tests.mdns.zones import POOL, StoredZones

ZONE = "example.org."
FOLLOWED, ASKED = 1000, 2000
"""The serials in the two databases."""
SERVER, STRANGER = "127.0.0.2", "192.0.2.1"
Address = tuple[str, int]


class Pair:
    """The two, and what the first forwards of NOTIFYs."""

    def __init__(self, folder: Path) -> None:
        self.stored = [StoredZones.in_folder(folder) for _ in range(2)]
        for stored, serial in zip(self.stored, (FOLLOWED, ASKED), strict=True):
            stored.add_zone(ZONE, {(f"www.{ZONE}", "A"): ("192.0.2.1",)}, serial=serial)
            stored.add_zone("secondary.example.", kind=ZoneType.SECONDARY, primaries=("127.0.0.9",))
        server = Nameserver(id="n1", host=SERVER, port=53)
        pool = Pool(id=POOL, name="default", version=1, created_at=1, nameservers=(server,))
        self.stored[0].store.transact(lambda work: work.pools.add(pool))
        self.forwarded: list[tuple[str, str]] = []
        ours, self.theirs = Handover.pair()
        settings = MdnsSettings(tcp_recv_timeout=5.0)
        first = self.stored[0].source
        self.first = DNSService(first, settings, beside=ours, forward=lambda *given: self.forwarded.append(given))
        second = DNSService(self.stored[1].source, settings, forward=self._forward)
        self._ends: list[Callable[[], object]] = [self.first.stop_thread]
        self.second = LoopThread("second", begin=lambda: second.begin_handed(self.theirs), end=second.close)

    def _forward(self, zone_id: str, peer: str) -> None:
        self.theirs.give(Kind.NOTIFIED, notified(zone_id, peer))

    def start(self) -> None:
        self.second.start()
        self.first.run_in_thread([("127.0.0.1", 0)])
        self.address = self.first.addresses[0]
        until(lambda: self.first._datagrams[0]._apart.keys() == {SERVER})

    def stop(self) -> None:
        self.first.stop_thread()
        self.second.stop()
        for stored in self.stored:
            stored.close()


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    made.start()
    yield made
    made.stop()


def ask(
    address: Address, host: str, name: str = ZONE, rrtype: int = SOA, *, flags: int = 0, tcp: bool = False
) -> bytes:
    """The answer to a question that is sent from this host."""
    packet = message.build(7, flags, message.question(to_wire(name), rrtype))
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(20)
        client.bind((host, 0))
        client.connect(address)
        if not tcp:
            client.send(packet)
            return client.recv(4096)
        client.sendall(len(packet).to_bytes(2, "big") + packet)
        with client.makefile("rb") as answers:
            return answers.read(int.from_bytes(answers.read(2), "big"))


def serial(answer: bytes) -> int:
    """Of the SOA that ends an answer: in it, or in the proof that a name does not exist."""
    return int.from_bytes(answer[-20:-16], "big")


def test_a_pools_server_that_follows_a_zone_is_answered_by_the_first_process(pair: Pair) -> None:
    assert serial(ask(pair.address, SERVER)) == FOLLOWED
    assert serial(ask(pair.address, SERVER, tcp=True)) == FOLLOWED


def test_everybody_else_is_answered_by_the_second_process(pair: Pair) -> None:
    assert serial(ask(pair.address, "127.0.0.7")) == ASKED
    assert serial(ask(pair.address, "127.0.0.7", f"nothing.{ZONE}", A)) == ASKED


def test_what_a_pools_server_asks_else_is_answered_by_the_second_process(pair: Pair) -> None:
    assert serial(ask(pair.address, SERVER, f"nothing.{ZONE}", A)) == ASKED


def test_a_strangers_connection_is_answered_by_the_second_process(pair: Pair) -> None:
    pair.first._streams[0]._trusts = lambda peer: peer == SERVER
    for _ in range(3):
        assert serial(ask(pair.address, "127.0.0.7", tcp=True)) == ASKED
    assert serial(ask(pair.address, SERVER, tcp=True)) == FOLLOWED


def test_a_notify_that_the_second_process_hears_is_forwarded_by_the_first(pair: Pair) -> None:
    answer = ask(pair.address, "127.0.0.9", "secondary.example.", flags=NOTIFY << 11)
    assert answer[3] & 15 == 0
    until(lambda: [peer for _, peer in pair.forwarded] == ["127.0.0.9"])


def test_all_is_answered_by_the_first_once_the_second_has_ended(pair: Pair) -> None:
    pair.first._streams[0]._trusts = lambda peer: peer == SERVER
    pair.second.stop()
    until(lambda: pair.first._beside is None)
    for tcp in (False, True):
        assert serial(ask(pair.address, "127.0.0.7", tcp=tcp)) == FOLLOWED
    assert serial(ask(pair.address, SERVER, f"nothing.{ZONE}", A)) == FOLLOWED
