# SPDX-License-Identifier: Apache-2.0
"""A server that was restarted so quickly that it was never down has its zones looked at all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.config.settings import WorkerSettings
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
