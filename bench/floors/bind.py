# SPDX-License-Identifier: Apache-2.0
"""BIND alone: how fast it takes changes and new zones from a primary that has each answer ready (`primary`).

A change: NOTIFY; BIND asks for the SOA, fetches an IXFR of one RRset, and serves the new serial. A new zone: `addzone`
over the control channel; BIND asks for the SOA, fetches an AXFR of an SOA and an NS record, and serves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from bench.beside import companion
from bench.figures import Figure
from bench.floors.primary import Primary
from bench.floors.rounds import rated, serve_rounds
from redesignate.backends.bind9_zone import clause, quoted
from redesignate.backends.port import BackendZone
from redesignate.backends.rndc_channel import RndcChannel
from redesignate.backends.rndc_config import key_for
from redesignate.backends.rndc_key import KeySource
from redesignate.model.pool import Endpoint
from redesignate.wire.client import Exchanger, notify_message, read_soa_answer, soa_query
from tests.support.bind import RealBind

LOOPBACK = "127.0.0.1"
POLL_S = 0.001
"""The pause between two questions for the new serial, once the change is fetched."""
PATIENCE_S = 10.0
UNDER_WAY = 8


Bind = tuple[int, int, str]
"""Its ports for DNS and for its control channel, and the file of the latter's key."""


def figures(folder: Path, seconds: float) -> Iterator[Figure]:
    """Changes of 1 and 8 zones at a time, and new zones, in 1 and 8 BINDs."""
    with ExitStack() as end:
        servers = [end.enter_context(RealBind(folder / f"bind{n}")) for n in range(8)]
        places = [(server.port, server.rndc_port, str(server.key_file)) for server in servers]
        pids = [server.pid for server in servers]
        for count in (1, 8):
            with companion(changes, places[0], count, seconds) as primary:
                words = "1 zone" if count == 1 else f"{count} zones at a time"
                yield rated(f"changes in BIND alone, {words}", primary, {"named": pids[:1], "primary": [primary.pid]})
        for count in (1, 8):
            with companion(new_zones, places[:count], seconds) as primary:
                words = f"zones in {count} BIND{'s' * (count > 1)} alone, {UNDER_WAY} under way"
                yield rated(words, primary, {"named": pids[:count], "primary": [primary.pid]})


def changes(pipe: Connection, bind: Bind, count: int, seconds: float) -> None:
    """Change so many zones for so many seconds a round, each again once its change is served."""
    primary = Primary()
    zones = [f"changes{n}-{uuid.uuid4().hex[:6]}.example." for n in range(count)]
    asyncio.run(_added([bind], primary, zones))
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect((LOOPBACK, bind[0]))
        one_round = _Changes(primary, client, zones)
        serve_rounds(pipe, lambda _: one_round.run(seconds))


class _Changes:
    """Changes under way: of each zone one."""

    def __init__(self, primary: Primary, client: socket.socket, zones: Sequence[str]) -> None:
        self._primary, self._client, self._zones = primary, client, zones
        self._questions = {zone: soa_query(zone, at) for at, zone in enumerate(zones)}

    def run(self, seconds: float) -> int:
        """Go on for so many seconds; returns how many changes were served. Raises TimeoutError."""
        ends, done, polled = time.perf_counter() + seconds, 0, set[str]()
        waiting = set(self._zones)
        for zone in self._zones:
            self._change(zone)
        heard = time.perf_counter()
        while waiting:
            with contextlib.suppress(queue.Empty):
                polled.add(self._primary.fetched.get(timeout=POLL_S if polled else 0.1))
                while True:
                    polled.add(self._primary.fetched.get_nowait())
            for zone in [zone for zone in polled if self._serves(zone)]:
                done, heard = done + 1, time.perf_counter()
                polled.discard(zone)
                if heard < ends:
                    self._change(zone)
                else:
                    waiting.discard(zone)
            if time.perf_counter() - heard > PATIENCE_S:
                raise TimeoutError(f"BIND took no change within {PATIENCE_S:.0f} s")
        return done

    def _change(self, zone: str) -> None:
        self._client.send(notify_message(zone, self._primary.change(zone), 0xFFFF))

    def _serves(self, zone: str) -> bool:
        question = self._questions[zone]
        self._client.send(question)
        while True:
            answer = self._client.recv(4096)
            if answer[:2] == question[:2]:
                return read_soa_answer(answer, question).serial == self._primary.serials[zone]


def new_zones(pipe: Connection, binds: Sequence[Bind], seconds: float) -> None:
    """Add zones to all of these for so many seconds a round."""
    primary, names = Primary(), (f"new{n}-{uuid.uuid4().hex[:6]}.example." for n in itertools.count())

    def do(_: int) -> int:
        ends = time.perf_counter() + seconds
        return asyncio.run(_added(binds, primary, itertools.takewhile(lambda _: time.perf_counter() < ends, names)))

    serve_rounds(pipe, do)


async def _added(binds: Sequence[Bind], primary: Primary, zones: Iterator[str] | Sequence[str]) -> int:
    """Add zones, some at a time, each to all of these, and wait until it is served; returns how many."""
    channels = [
        RndcChannel(Endpoint(LOOPBACK, port), KeySource(partial(key_for, LOOPBACK, file)), PATIENCE_S)
        for _, port, file in binds
    ]
    exchanger, done, todo = Exchanger(), 0, iter(zones)

    async def add() -> None:
        nonlocal done
        for name in todo:
            zone = BackendZone(str(uuid.uuid4()), name)
            primary.change(name)
            line = f"addzone {quoted(name)} {clause(zone, [Endpoint(LOOPBACK, primary.port)])}"
            await asyncio.gather(*(channel.command(line) for channel in channels))
            await asyncio.gather(*(_served(exchanger, port, name) for port, _, _ in binds))
            done += 1

    try:
        await asyncio.gather(*(add() for _ in range(UNDER_WAY)))
    finally:
        await exchanger.close()
        for channel in channels:
            await channel.close()
    return done


async def _served(exchanger: Exchanger, port: int, zone: str) -> None:
    """Wait until a BIND serves the zone. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            query = soa_query(zone, exchanger.new_id())
            answer = await exchanger.exchange(LOOPBACK, port, query, PATIENCE_S)
            if read_soa_answer(answer, query).serial is not None:
                return
            await asyncio.sleep(5 * POLL_S)
