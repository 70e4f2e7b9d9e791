# SPDX-License-Identifier: Apache-2.0
"""The zones that a worker holds: taken up once, asked about again when hinted at, and returned at the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from redesignate.commands.base import Command
from redesignate.commands.work import BeginWork, PoolForWork, Report, WorkPool
from redesignate.model.clock import now
from redesignate.wire.client import Exchanger
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import HealthTable
from redesignate.worker.held import HeldZones, Pace
from redesignate.worker.link import Link
from redesignate.worker.pools import PoolCache
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import TASK, pool_of


class Central:
    """Hands out a task for each zone of `free`, and remembers what it was asked. Safe from many threads."""

    def __init__(self, *servers: SmallServer) -> None:
        self.servers = servers
        self.free: set[str] = set()
        self.begun: list[tuple[str, ...]] = []
        self.reports: list[Report] = []
        self._changed = threading.Condition()

    def call(self, command: Command[Any]) -> Any:
        with self._changed:
            self._changed.notify_all()
            match command:
                case PoolForWork():
                    return WorkPool(pool=pool_of(*self.servers))
                case BeginWork(zone_ids=zone_ids):
                    self.begun.append(zone_ids)
                    return tuple(replace(TASK, zone_id=each) for each in zone_ids if each in self.free)
                case Report():
                    self.reports.append(command)
                    return ()
        raise AssertionError(command)

    def wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, 5)


def with_zones(
    central: Central, test: Callable[[HeldZones], Awaitable[None]], *, pace: Pace | None = None, stop: bool = True
) -> None:
    async def run() -> None:
        link, exchanger = Link(central), Exchanger()
        context = WorkerContext(
            exchanger=exchanger,
            health=HealthTable(on_down=lambda _: None, on_return=lambda _: None),
            clock=now,
            window=2.0,
        )
        pools = PoolCache(link.ask, build=lambda _pool, target: SmallBackend(central.servers[int(target.id[1:])]))
        held = HeldZones(name="w", lease_s=10.0, link=link, pools=pools, context=context, pace=pace)
        try:
            await asyncio.wait_for(test(held), 10)
            if stop:
                await held.stop(0.2)
        finally:
            await exchanger.close()
            link.close()

    asyncio.run(run())


def pending() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def test_the_sender_of_a_hint_learns_when_the_zone_is_reported() -> None:
    async def test(held: HeldZones) -> None:
        first = pending()
        held.hint("z", reported=first)
        await first
        assert central.reports
        assert held.room == 2000

    with SmallServer() as server:
        central = Central(server)
        central.free = {"z"}
        with_zones(central, test)


def test_who_hints_at_a_zone_without_work_hears_at_once() -> None:
    async def test(held: HeldZones) -> None:
        nothing = pending()
        held.hint("z", reported=nothing)
        await nothing
        assert central.reports == []

    with SmallServer() as server:
        central = Central(server)
        with_zones(central, test)


def test_hints_for_a_held_zone_become_one_question_after_its_first_report() -> None:
    async def test(held: HeldZones) -> None:
        held.hint("z")
        await asyncio.to_thread(central.wait, lambda: bool(central.begun))
        for _ in range(5):
            held.hint("z")
        await asyncio.to_thread(central.wait, lambda: len(central.reports) > 1)
        assert len(central.begun) < 4

    with SmallServer() as good, SmallServer(zones={TASK.name: 1}, frozen=True) as behind:
        central = Central(good, behind)
        central.free = {"z"}
        with_zones(central, test)


def test_a_zone_that_central_no_longer_hands_out_is_let_go() -> None:
    async def test(held: HeldZones) -> None:
        held.hint("z")
        await asyncio.to_thread(central.wait, lambda: any(not r.outcomes[0].final for r in central.reports))
        central.free.clear()
        held.hint("z")
        await asyncio.to_thread(central.wait, lambda: central.reports[-1].outcomes[0].final)
        assert central.reports[-1].outcomes[0].peers == ()

    with SmallServer() as good, SmallServer(silent=True) as silent:
        central = Central(good, silent)
        central.free = {"z"}
        with_zones(central, test)


def test_what_is_unfinished_at_the_end_is_returned() -> None:
    async def test(held: HeldZones) -> None:
        held.hint("z")
        await asyncio.to_thread(server.wait_asked, "SOA", 1)

    with SmallServer(silent=True) as server:
        central = Central(server)
        central.free = {"z"}
        with_zones(central, test)
        assert central.reports[-1].lease_s == 0
        assert [(each.zone_id, each.peers, each.final) for each in central.reports[-1].outcomes] == [("z", (), True)]


def test_a_pace_leaves_room_for_as_many_zones_as_it_says() -> None:
    async def test(held: HeldZones) -> None:
        assert held.room == 3
        held.hint("z")
        await asyncio.to_thread(server.wait_asked, "SOA", 1)
        assert held.room == 2

    with SmallServer(silent=True) as server:
        central = Central(server)
        central.free = {"z"}
        with_zones(central, test, pace=lambda: 3)
