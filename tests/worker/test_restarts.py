# SPDX-License-Identifier: Apache-2.0
"""A server that was restarted so quickly that it was never down has its zones looked at all the same."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import shard_of
from redesignate.model.errors import PoolNotFound
from redesignate.worker import audit, restarts
from redesignate.worker.health import HealthTable
from redesignate.worker.pools import PoolCache
from redesignate.worker.restarts import Restarts
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import pool_of
from tests.worker.conftest import Plane, eventually


def noticed(backend: SmallBackend, server: SmallServer, *turns: dict[str, object], down: bool = False) -> list[int]:
    """After each turn, in which the backend gets these attributes, how many restarts were noticed so far."""
    found: list[tuple[str, str]] = []

    async def ask(_: PoolForWork) -> WorkPool:
        return WorkPool(pool=pool_of(server))

    async def run() -> list[int]:
        pools = PoolCache(ask, build=lambda _pool, _target: backend)
        await pools.connections("p", 1)
        health = HealthTable(on_down=lambda _: None, on_return=lambda _: None)
        health.of("p", "t0").down = down
        looks = Restarts(pools, health, lambda *key: found.append(key))
        counts = []
        for turn in turns:
            for name, value in turn.items():
                setattr(backend, name, value)
            await looks.look()
            counts.append(len(found))
        return counts

    counts = asyncio.run(run())
    assert set(found) <= {("p", "t0")}
    return counts


def test_a_new_start_is_noticed_once_and_the_first_is_none() -> None:
    with SmallServer() as server:
        turns: list[dict[str, object]] = [{"began": "1"}, {}, {"began": "2"}, {}, {"began": "1"}]
        assert noticed(SmallBackend(server), server, *turns) == [0, 0, 1, 1, 2]


def test_a_start_is_noticed_after_silence_and_while_the_server_was_not_ready() -> None:
    with SmallServer() as server:
        turns: list[dict[str, object]] = [
            {"began": "1"}, {"failing": "no route"}, {"failing": None, "began": None}, {"began": "2"}
        ]  # fmt: skip
        assert noticed(SmallBackend(server), server, *turns) == [0, 0, 0, 1]


def test_a_server_that_does_not_say_or_is_down_is_left_to_others() -> None:
    with SmallServer() as server:
        assert noticed(SmallBackend(server), server, {}, {}) == [0, 0]
        backend = SmallBackend(server)
        assert noticed(backend, server, {"began": "1"}, {"began": "2"}, down=True) == [0, 0]
        assert backend.calls == []


def test_a_server_that_lost_a_zone_in_a_quick_restart_has_it_again_long_before_the_round(
    plane: Plane, servers: tuple[SmallServer, SmallServer, SmallServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "LOOK_S", 0.2)
    monkeypatch.setattr(audit, "LEAST_PER_SECOND", 0.001)
    plane.worker_settings = replace(WorkerSettings(find_interval=0.2, lease=4.0), audit_interval=86400.0)
    one, other, _ = servers
    plane.pool(one, other)
    plane.start()
    zones = [plane.zone() for _ in range(50)]  # which the round meets one by one, each two seconds
    plane.wait_done()
    lost = max(zones, key=lambda zone: zone.id)  # the last of a round
    asked = len(one.questions("SOA", lost.name))
    eventually(lambda: len(one.questions("SOA", lost.name)) > asked, 20)
    backend = plane.backend(one)
    backend.began = "boot time: 1"
    eventually(lambda: ("ping", "") in backend.calls, 10)
    mark = len(backend.calls)
    eventually(lambda: ("ping", "") in backend.calls[mark:], 10)
    del one.zones[lost.name]
    backend.began = "boot time: 2"
    eventually(lambda: one.zones.get(lost.name) == lost.serial, 10)


def test_a_worker_notices_a_restart_that_the_worker_with_the_first_shard_cannot_see(
    plane: Plane, servers: tuple[SmallServer, SmallServer, SmallServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker asks the servers of the pools that it has used: the one with shard 0 need not have used this one."""
    monkeypatch.setattr(restarts, "LOOK_S", 0.2)
    monkeypatch.setattr(audit, "LEAST_PER_SECOND", 0.001)
    monkeypatch.setattr(audit, "MEMBER_S", 0.2)
    plane.worker_settings = replace(WorkerSettings(find_interval=0.2, lease=4.0), audit_interval=86400.0)
    one, other, _ = servers
    plane.pool(one, other)
    worker = plane.start(name="2")
    for zone in [plane.zone() for _ in range(80)]:
        if shard_of(zone.id) < 2048:
            plane.delete(zone)
    plane.wait_done()
    idle = plane.start(name="1", source=None)
    for each, part in ((idle, range(2048)), (worker, range(2048, 4096))):
        eventually(lambda each=each, part=part: each._parts.audit._mine == part)  # type: ignore[misc]
    assert idle._parts is not None
    assert idle._parts.pools.every() == ()
    for began in ("boot time: 1", "boot time: 2"):
        backend = plane.backend(one)
        backend.began, mark = began, len(backend.calls)
        eventually(lambda: ("ping", "") in backend.calls[mark + 1 :])  # noqa: B023  # called in this turn
        if began.endswith("1"):
            mark = len(one.asked)
            eventually(lambda: any(kind == "SOA" for _, kind, _ in one.asked[mark:]))  # noqa: B023
            lost = next(name for _, kind, name in reversed(one.asked) if kind == "SOA")  # last in the round again
            del one.zones[lost]
    eventually(lambda: one.zones.get(lost) is not None, 10)


def test_the_servers_of_a_deleted_pool_are_asked_no_more() -> None:
    gone = itertools.count()

    async def ask(_: PoolForWork) -> WorkPool:
        if next(gone):
            raise PoolNotFound("Could not find Pool")
        return WorkPool(pool=pool_of(server))

    async def run() -> None:
        health, backend = HealthTable(on_down=lambda _: None, on_return=lambda _: None), SmallBackend(server)
        pools = PoolCache(ask, build=lambda _pool, _target: backend)
        await pools.connections("p", 1)
        looks = Restarts(pools, health, lambda *_: None)
        await looks.look()
        assert backend.calls == [("ping", "")]
        await pools.refresh()
        await looks.look()
        assert backend.calls == [("ping", "")]
        await pools.close()

    with SmallServer() as server:
        asyncio.run(run())


def test_a_changed_pool_without_work_has_its_new_servers_asked(
    plane: Plane, servers: tuple[SmallServer, SmallServer, SmallServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "LOOK_S", 0.2)
    monkeypatch.setattr(audit, "REFRESH_S", 0.2)
    one, other, _ = servers
    plane.pool(one)
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    plane.delete(zone)
    plane.wait_done()
    old, new = plane.backend(one), plane.backend(other)
    eventually(lambda: ("ping", "") in old.calls)
    plane.pool(other)
    eventually(lambda: ("ping", "") in new.calls)
    mark, asked = len(old.calls), len(new.calls)
    eventually(lambda: len(new.calls) > asked + 2)
    assert old.calls[mark:] == []
