# SPDX-License-Identifier: Apache-2.0
"""The zones that a worker holds: taken up once, asked about again when hinted at, and returned at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from redesignate.commands.base import Command
from redesignate.commands.work import BeginWork, PoolForWork, Report, WorkPool
from redesignate.model.clock import now
from redesignate.model.work import Task
from redesignate.wire.client import Exchanger
from redesignate.worker import held as held_zones
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import HealthTable
from redesignate.worker.held import BATCH, ON_WAY, Crowded, HeldZones
from redesignate.worker.link import Link
from redesignate.worker.pools import PoolCache
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import TASK, pool_of


class Central:
    """Hands out a task for each zone of `free`, and remembers what it was asked; each report is answered with one of
    `newer`, while there are any. Safe from many threads."""

    def __init__(self, *servers: SmallServer) -> None:
        self.servers = servers
        self.free: set[str] = set()
        self.begun: list[tuple[str, ...]] = []
        self.reports: list[Report] = []
        self.newer: list[Task] = []
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
                    return (self.newer.pop(),) if self.newer else ()
        raise AssertionError(command)

    def wait_begun(self, count: int) -> None:
        self.wait(lambda: len(self.begun) == count)

    def wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, 5)


def with_zones(
    central: Central, test: Callable[[HeldZones], Awaitable[None]], *, crowded: Crowded | None = None, stop: bool = True
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
        held = HeldZones(name="w", lease_s=10.0, link=link, pools=pools, context=context, crowded=crowded)
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


def test_beside_the_api_few_zones_are_on_their_way() -> None:
    async def test(held: HeldZones) -> None:
        assert held.room == ON_WAY
        held.hint("z")
        await asyncio.to_thread(server.wait_asked, "SOA", 1)
        assert held.room == ON_WAY - 1

    with SmallServer(silent=True) as server:
        central = Central(server)
        central.free = {"z"}
        with_zones(central, test, crowded=lambda: False)


def test_while_requests_wait_zones_are_begun_that_are_changed_while_others_are_on_their_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_zones, "PACE_S", 60.0)
    monkeypatch.setattr(held_zones, "LONGEST_PACE_S", 60.0)
    monkeypatch.setattr(held_zones, "SHARE", 1000.0)

    async def test(held: HeldZones) -> None:
        for count, zone_id in enumerate(("first", "second", "third"), 1):
            held.hint(zone_id)
            await asyncio.to_thread(central.wait_begun, count)

    with SmallServer(silent=True) as server:
        central = Central(server)
        central.free = {"first", "second", "third"}
        with_zones(central, test, crowded=lambda: True)


def test_zones_wait_while_enough_are_on_their_way_until_one_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_zones, "PACE_S", 60.0)
    monkeypatch.setattr(held_zones, "LONGEST_PACE_S", 60.0)
    monkeypatch.setattr(held_zones, "ON_WAY", 1)
    monkeypatch.setattr(held_zones, "LEAST_ON_WAY", 1)

    async def test(held: HeldZones) -> None:
        held.hint("first")
        await asyncio.to_thread(server.wait_asked, "SOA", 1)
        held.hint("second")
        second = asyncio.create_task(asyncio.to_thread(central.wait_begun, 2))
        assert not (await asyncio.wait([second], timeout=0.3))[0]
        server.zones[TASK.name] = TASK.serial
        await second

    with SmallServer(zones={TASK.name: TASK.serial - 1}, frozen=True) as server:
        central = Central(server)
        central.free = {"first", "second"}
        with_zones(central, test, crowded=lambda: False)


def test_a_zone_that_waits_for_its_turn_is_begun_once_however_often_it_is_hinted_at() -> None:
    async def test(held: HeldZones) -> None:
        for _ in range(5):
            held.hint("z")
        held.hint("y")
        await asyncio.to_thread(central.wait_begun, 1)

    central = Central()
    with_zones(central, test)
    assert central.begun == [("z", "y")]


def test_a_change_overtakes_the_zones_that_were_found_in_the_outbox_even_if_its_zone_is_among_them() -> None:
    async def test(held: HeldZones) -> None:
        for number in range(2 * BATCH):
            held.hint(f"found{number}", urgent=False)
        held.hint("z", urgent=False)
        held.hint("z")
        await asyncio.to_thread(central.wait_begun, 4)

    central = Central()
    with_zones(central, test)
    assert ("z",) in central.begun[:2]


def test_hints_beyond_the_most_that_may_wait_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_zones, "MOST_QUEUED", 2)

    async def test(held: HeldZones) -> None:
        dropped = pending()
        for zone_id in ("a", "b"):
            held.hint(zone_id)
        held.hint("c", reported=dropped)
        await dropped
        await asyncio.to_thread(central.wait_begun, 1)

    central = Central()
    with_zones(central, test)
    assert central.begun == [("a", "b")]


@pytest.mark.parametrize("crowded", [False, True])
def test_while_requests_wait_a_zone_that_was_changed_meanwhile_waits_for_its_turn(*, crowded: bool) -> None:
    async def test(held: HeldZones) -> None:
        held.hint("z")
        await asyncio.to_thread(central.wait, lambda: len(central.begun) == 1 + crowded)
        await asyncio.to_thread(central.wait, lambda: len(central.reports) > 1)

    with SmallServer(zones={TASK.name: TASK.serial}) as server:
        central = Central(server)
        central.free = {"z"}
        central.newer = [replace(TASK, zone_id="z")]
        with_zones(central, test, crowded=lambda: crowded)
        assert list(central.begun) == [("z",)] * (1 + crowded)


def test_while_requests_wait_the_loop_keeps_to_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_zones, "SHARE", 0.0001)
    monkeypatch.setattr(held_zones, "REST_S", 30.0)
    waiting = threading.Event()

    async def test(held: HeldZones) -> None:
        held.hint("first")
        await asyncio.to_thread(central.wait, lambda: len(central.begun) == 1)
        used = time.thread_time()
        while time.thread_time() < used + 0.04:
            pass
        held.hint("second")
        second = asyncio.create_task(asyncio.to_thread(central.wait, lambda: len(central.begun) == 2))
        assert not (await asyncio.wait([second], timeout=0.3))[0]
        waiting.clear()
        await second

    central = Central()
    waiting.set()
    with_zones(central, test, crowded=waiting.is_set)


def test_a_loop_that_has_used_more_than_its_share_rests_for_a_moment_at_the_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_zones, "SHARE", 0.0001)
    monkeypatch.setattr(held_zones, "REST_S", 0.2)

    async def test(held: HeldZones) -> None:
        for count, zone_id in enumerate(("first", "second", "third"), 1):
            held.hint(zone_id)
            await asyncio.to_thread(central.wait_begun, count)

    central = Central()
    with_zones(central, test, crowded=lambda: True)
