# SPDX-License-Identifier: Apache-2.0
"""A channel between two processes: what is handed over arrives, and what cannot be does not wait."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from redesignate.wire.handover import Handover, Kind, datagram, datagram_of, notified, notified_of


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)


@given(st.integers(0, 9), st.binary(max_size=65535), st.booleans())
def test_a_datagram_arrives_as_it_was_read(at: int, packet: bytes, v6: bool) -> None:
    sender = ("2001:db8::1", 53, 0, 2) if v6 else ("192.0.2.1", 65535)
    assert datagram_of(datagram(at, sender, packet)) == (at, sender, packet)


def test_what_is_handed_over_arrives_in_order_with_its_socket_and_then_the_end() -> None:
    come: list[tuple[Kind, bytes, int | None]] = []
    ended = asyncio.Event()

    def take(kind: Kind, words: bytes, handed: socket.socket | None) -> None:
        come.append((kind, words, handed.getsockname()[1] if handed is not None else None))
        if handed is not None:
            handed.close()

    async def run() -> int:
        ours, theirs = Handover.pair()
        theirs.start(take, ended.set)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            assert ours.give(Kind.LISTEN, given=udp)
            assert ours.give(Kind.NOTIFIED, notified("zone", "192.0.2.1"))
            await until(lambda: len(come) == 2)
        ours.close()
        ours.close()
        await asyncio.wait_for(ended.wait(), 20)
        assert not ours.give(Kind.DATAGRAM, b"words")
        assert not theirs.give(Kind.DATAGRAM, b"words")
        return port

    port = asyncio.run(run())
    assert come == [(Kind.LISTEN, b"", port), (Kind.NOTIFIED, notified("zone", "192.0.2.1"), None)]
    assert notified_of(come[1][1]) == ("zone", "192.0.2.1")


def test_what_the_other_process_does_not_take_is_not_handed_over_and_nothing_waits() -> None:
    ours, theirs = Handover.pair()
    taken = [ours.give(Kind.DATAGRAM, bytes(1000)) for _ in range(5000)]
    assert taken[0]
    assert not taken[-1]
    ours.close()
    theirs.close()
