# SPDX-License-Identifier: Apache-2.0
"""TCP connections: what each address may hold, who goes when all places are taken, and how slowly a peer may read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from redesignate.wire.streams import StreamLimits, Streams

QUERY = b"\0\x04ask!"
SMALL, LARGE = b"yes", b"x" * 60_000
HERE, THERE = "127.0.0.1", "127.0.0.2"


async def one(_packet: bytes, _peer: str) -> AsyncIterator[bytes]:
    """A short answer."""
    yield SMALL


async def many(_packet: bytes, _peer: str) -> AsyncIterator[bytes]:
    """An answer that fills every buffer on the way to a peer that does not read."""
    for _ in range(500):
        yield LARGE


Address = tuple[str, int]


def serving(
    do: Callable[[Streams, Address], Awaitable[None]],
    answer: Callable[[bytes, str], AsyncIterator[bytes]] = one,
    *,
    trusted: bool | str = False,
    **limits: float,
) -> None:
    """Run a test beside a server with these limits. `trusted`: whether every address is, or the one that is."""

    async def run() -> None:
        streams = Streams(answer, StreamLimits(**{"idle": 30.0, **limits}), trusts=lambda peer: trusted in (True, peer))  # type: ignore[arg-type]
        listening = socket.create_server(("127.0.0.1", 0))
        await streams.start(listening)
        try:
            await asyncio.wait_for(do(streams, listening.getsockname()), 30)
        finally:
            await streams.close()

    asyncio.run(run())


async def connected(address: Address, source: str = HERE) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*address, local_addr=(source, 0))


async def lazy(address: Address, source: str = HERE) -> socket.socket:
    """A peer that asks and reads nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.bind((source, 0))
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, address)
    await asyncio.get_running_loop().sock_sendall(made, QUERY)
    return made


async def answered(address: Address, source: str = HERE) -> bytes:
    """What a peer gets that asks once; empty where it is cut off."""
    reader, writer = await connected(address, source)
    try:
        writer.write(QUERY)
        async with asyncio.timeout(5):
            size = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(size)
    except (OSError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other side ends the connection within 5 s."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            return await reader.read() == b""
    return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_an_address_gives_up_its_longest_idle_connection_for_one_more() -> None:
    async def do(streams: Streams, address: Address) -> None:
        held = [await connected(address) for _ in range(3)]
        await until(lambda: streams.connections == 3)
        assert await answered(address) == SMALL
        assert await ended(held[0][0])
        assert await answered(address, THERE) == SMALL
        assert streams.connections >= 2
        for _, writer in held:
            writer.close()

    serving(do, each=3)


def test_a_trusted_address_holds_as_many_as_there_are_places() -> None:
    async def do(streams: Streams, address: Address) -> None:
        held = [await connected(address) for _ in range(10)]
        await until(lambda: streams.connections == 10)
        for _, writer in held:
            writer.close()

    serving(do, each=3, trusted=True)


@pytest.mark.parametrize("trusted", [False, True])
def test_readers_that_do_not_read_lock_out_no_other_address(trusted: bool) -> None:
    async def do(streams: Streams, address: Address) -> None:
        held = [await lazy(address, THERE) for _ in range(12)]
        await until(lambda: streams.connections == (12 if trusted else 8))
        for _ in range(5):
            assert await answered(address) == LARGE
        for each in held:
            each.close()

    serving(do, many, each=8, most=12, trusted=trusted)


def test_a_trusted_address_keeps_its_places_however_many_others_come() -> None:
    """Each of the others holds fewer, so that nothing else would keep them from taking its places one by one."""

    async def do(streams: Streams, address: Address) -> None:
        held = [await connected(address) for _ in range(3)]
        await until(lambda: streams.connections == 3)
        strangers = [await lazy(address, f"127.0.1.{number}") for number in range(1, 13)]
        await until(lambda: streams.connections == 8)
        for reader, writer in held:
            writer.write(QUERY)
            assert await reader.readexactly(2) == len(LARGE).to_bytes(2, "big")
            writer.close()
        for each in strangers:
            each.close()

    serving(do, many, each=4, most=8, trusted=HERE)


class From(asyncio.Transport):
    """A connection of any address, which is open and silent."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 53000)})
        self.cut = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has no buffer."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.cut

    def close(self) -> None:
        """It is cut right after."""

    def abort(self) -> None:
        self.cut = True


def test_an_ipv6_network_counts_as_one_address() -> None:
    async def do(streams: Streams, _: Address) -> None:
        made, tasks = [], []
        for peer in ("2001:db8::1", "2001:db8::2", "2001:db8:0:ff::3", "2001:db8:0:100::4", "192.0.2.1", "192.0.2.2"):
            made.append(From(peer))
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            writer = asyncio.StreamWriter(made[-1], protocol, reader, asyncio.get_running_loop())
            tasks.append(asyncio.create_task(streams.accept(reader, writer)))
            await asyncio.sleep(0)
        assert [one.cut for one in made] == [True, False, False, False, False, False]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    serving(do, each=2)


def test_an_address_full_of_readers_that_do_not_read_is_served_again() -> None:
    """Its own stalled connections go first; no other is touched."""

    async def do(streams: Streams, address: Address) -> None:
        reader, writer = await connected(address, THERE)
        held = [await lazy(address) for _ in range(4)]
        await until(lambda: streams.connections == 5)
        async with asyncio.timeout(10):  # a peer is stalled when it has been waited for a second
            while await answered(address) != LARGE:
                await asyncio.sleep(0.01)
        writer.write(QUERY)
        assert await reader.readexactly(2) == len(LARGE).to_bytes(2, "big")
        writer.close()
        for each in held:
            each.close()

    serving(do, many, each=4)


def test_a_peer_that_reads_too_slowly_is_cut_and_forgotten() -> None:
    async def do(streams: Streams, address: Address) -> None:
        held = [await lazy(address) for _ in range(3)]
        await until(lambda: streams.connections == 3)
        await until(lambda: streams.connections == 0)
        for each in held:
            each.close()

    serving(do, many, period=0.3, slowest=1_000_000)


def test_a_peer_that_reads_at_the_least_rate_gets_everything() -> None:
    async def do(streams: Streams, address: Address) -> None:
        reader, writer = await connected(address)
        writer.write(QUERY)
        whole = 0
        while whole < 500 * (len(LARGE) + 2):
            found = await reader.read(1 << 20)
            assert found, f"cut after {whole} octets"
            whole += len(found)
            await asyncio.sleep(0.005)
        writer.close()

    serving(do, many, period=0.3, slowest=100_000)


def test_a_peer_that_has_said_all_it_has_to_say_still_gets_its_answer() -> None:
    async def do(streams: Streams, address: Address) -> None:
        reader, writer = await connected(address)
        writer.write(QUERY)
        writer.write_eof()
        assert len(await reader.read()) == 500 * (len(LARGE) + 2)
        writer.close()

    serving(do, many)


def test_a_silent_connection_is_closed() -> None:
    async def do(streams: Streams, address: Address) -> None:
        reader, writer = await connected(address)
        assert await ended(reader)
        writer.close()

    serving(do, idle=0.1)
