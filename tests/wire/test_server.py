# SPDX-License-Identifier: Apache-2.0
"""Datagrams: answered in batches, some before others, and lost rather than queued without end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

import pytest

from redesignate.wire import server
from redesignate.wire.server import Datagram, Datagrams, bind

Address = tuple[str, int]


class Desk:
    """Answers a packet with itself, with nothing, or with more than a datagram holds; while the gate is closed, packets
    of the second lane wait."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.batches: list[tuple[list[bytes], bool]] = []

    async def answer(self, batch: Sequence[Datagram], first: bool) -> Sequence[bytes | None]:
        self.batches.append(([packet for packet, _ in batch], first))
        if not first:
            await self.gate.wait()
        answers = {b"silent one": None, b"endless": bytes(70_000)}
        return [answers.get(packet, packet) for packet, _ in batch]


def serving(
    do: Callable[[Datagrams, Desk, socket.socket], Awaitable[None]], admits: Callable[[str], bool] = lambda _: True
) -> None:
    """Run a test with a peer's socket beside a server."""

    async def run() -> None:
        desk = Desk()
        udp, tcp = bind("127.0.0.1", 0)
        tcp.close()
        datagrams = Datagrams(udp, desk.answer, first=lambda packet, _: packet.startswith(b"soa"), admits=admits)
        datagrams.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.connect(udp.getsockname())
            peer.setblocking(False)
            try:
                await asyncio.wait_for(do(datagrams, desk, peer), 20)
            finally:
                datagrams.close()

    asyncio.run(run())


async def received(peer: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 4096), 5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("packet", [b"soa", b"what"])
def test_a_question_that_comes_as_the_last_worker_ends_is_answered(packet: bytes) -> None:
    """The loop reads it in the turn in which that worker ends, before it is noticed that it has."""

    async def run() -> None:
        loop, asked = asyncio.get_running_loop(), 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:

            async def answer(batch: Sequence[Datagram], _first: bool) -> Sequence[bytes | None]:
                nonlocal asked
                asked += 1
                if asked == 1:
                    done = loop.create_future()

                    def end() -> None:
                        done.set_result(None)
                        peer.send(packet)

                    loop.call_later(0.01, end)
                    await done
                return [data for data, _ in batch]

            udp, tcp = bind("127.0.0.1", 0)
            tcp.close()
            datagrams = Datagrams(udp, answer, first=lambda data, _: data == b"soa")
            datagrams.start()
            peer.connect(udp.getsockname())
            peer.setblocking(False)
            peer.send(packet)
            assert [await received(peer) for _ in range(2)] == [packet] * 2
            datagrams.close()

    asyncio.run(run())


def test_a_question_is_answered() -> None:
    async def do(_datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        desk.gate.set()
        peer.send(b"silent one")
        peer.send(b"what")
        assert await received(peer) == b"what"

    serving(do)


def test_what_goes_first_waits_for_nothing_else() -> None:
    """SOA and IXFR questions of secondaries, while every place for other questions is taken."""

    async def do(_datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        for n in range(500):
            peer.send(b"what%d" % n)
        await until(lambda: len(desk.batches) >= 2)
        peer.send(b"soa")
        assert await received(peer) == b"soa"
        assert not desk.gate.is_set()
        desk.gate.set()
        assert (await received(peer)).startswith(b"what")

    serving(do)


def test_the_newest_are_lost_when_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_QUEUE", 20)

    async def do(datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        for n in range(300):
            peer.send(b"what%d" % n)
        await until(lambda: datagrams.dropped > 0 and sum(len(batch) for batch, _ in desk.batches) > 0)
        peer.send(b"soa")
        assert await received(peer) == b"soa"
        desk.gate.set()

    serving(do)


def test_a_peer_that_is_not_admitted_is_not_read() -> None:
    async def do(datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        peer.send(b"what")
        await until(lambda: datagrams.dropped == 1)
        assert desk.batches == []

    serving(do, admits=lambda _: False)


def test_an_answer_that_cannot_be_sent_takes_no_other_with_it() -> None:
    async def do(_datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        for packet in (b"endless", b"what"):
            peer.send(packet)
        desk.gate.set()
        assert await received(peer) == b"what"

    serving(do)


def test_udp_and_tcp_are_bound_to_one_port_and_to_a_given_one() -> None:
    udp, tcp = bind("127.0.0.1", 0)
    assert udp.getsockname() == tcp.getsockname()
    with udp, tcp, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", udp.getsockname()[1], shared=False)


def from_host(host: str, port: int) -> socket.socket:
    """A peer's socket on an address of loopback."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


def test_a_flood_takes_no_datagram_of_a_host_along_that_is_kept_apart() -> None:
    """More comes at once than the system queues for the port."""

    async def do(datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        desk.gate.set()
        datagrams.keep_apart({"127.0.0.2", "192.0.2.1", "::1"})
        with from_host("127.0.0.2", peer.getpeername()[1]) as server:
            for _ in range(5000):
                peer.send(bytes(500))
            server.send(b"soa")
            assert await received(server) == b"soa"

    serving(do)


def test_hosts_are_answered_whether_they_are_kept_apart_or_not() -> None:
    async def do(datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        desk.gate.set()
        with from_host("127.0.0.2", peer.getpeername()[1]) as server:
            for hosts in ((), ("127.0.0.2",), ("127.0.0.3", "127.0.0.2"), ("127.0.0.3",), ()):
                datagrams.keep_apart(hosts)
                for host in (server, peer):
                    host.send(b"what")
                    assert await received(host) == b"what"

    serving(do)


def test_a_port_that_is_not_shared_stays_so_when_hosts_are_kept_apart() -> None:
    async def run() -> None:
        udp, tcp = bind("127.0.0.1", 0, shared=False)
        tcp.close()
        port = udp.getsockname()[1]
        desk = Desk()
        datagrams = Datagrams(udp, desk.answer, first=lambda packet, _: packet.startswith(b"soa"))
        datagrams.start()
        try:
            datagrams.keep_apart({"127.0.0.2"})
            with from_host("127.0.0.2", port) as server:
                server.send(b"soa")
                assert await received(server) == b"soa"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError, match="in use"):
                    other.bind(("127.0.0.1", port))
        finally:
            datagrams.close()

    asyncio.run(run())


def test_so_many_hosts_are_kept_apart_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_APART", 3)

    async def do(datagrams: Datagrams, _desk: Desk, _peer: socket.socket) -> None:
        datagrams.keep_apart({f"127.0.1.{n}" for n in range(1, 9)})
        assert len(datagrams._apart) == 3

    serving(do)


@pytest.mark.parametrize(("quick_s", "largest"), [(60.0, 64), (-1.0, 16)])
def test_batches_grow_while_they_are_quick(monkeypatch: pytest.MonkeyPatch, quick_s: float, largest: int) -> None:
    monkeypatch.setattr(server, "_QUICK_S", quick_s)

    async def do(_datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        for n in range(500):
            peer.send(b"what%d" % n)
        desk.gate.set()
        await until(lambda: sum(len(batch) for batch, _ in desk.batches) == 500)
        sizes = [len(batch) for batch, _ in desk.batches]
        assert (sizes[0], max(sizes)) == (16, largest)

    serving(do)


def test_batches_are_small_again_after_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_QUICK_S", 60.0)

    async def do(_datagrams: Datagrams, desk: Desk, peer: socket.socket) -> None:
        desk.gate.set()
        for quick_s, sent in ((60.0, 500), (-1.0, 800)):
            monkeypatch.setattr(server, "_QUICK_S", quick_s)
            for n in range(300 if quick_s < 0 else 500):
                peer.send(b"what%d" % n)
            await until(lambda: sum(len(batch) for batch, _ in desk.batches) == sent)  # noqa: B023  # before the next
        sizes = [len(batch) for batch, _ in desk.batches]
        assert 64 in sizes
        assert set(sizes[-5:]) <= set(range(17))

    serving(do)
