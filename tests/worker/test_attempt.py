# SPDX-License-Identifier: Apache-2.0
"""What an attempt begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from redesignate.model.clock import SECOND
from redesignate.model.pool import Endpoint, Nameserver, Pool, Target
from redesignate.model.work import PeerState, Role, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.client import Exchanger
from redesignate.worker.attempt import Attempt, WorkerContext, prepare
from redesignate.worker.health import HealthTable
from redesignate.worker.pools import PoolConnections, TargetConnection

POOL = Pool(
    id="p",
    name="gold",
    version=1,
    created_at=0,
    targets=(Target(id="t", type="fake"),),
    nameservers=(Nameserver(id="n", host="192.0.2.1", port=53), Nameserver(id="m", host="192.0.2.2", port=53)),
)
AT = Endpoint("192.0.2.1", 53)


def prepared(
    *known: PeerState,
    deadlines: Mapping[str, float] = {},  # only read
    silent: str | None = None,
    clock: int = 100,
) -> Attempt:
    async def make() -> Attempt:
        context = WorkerContext(
            exchanger=Exchanger(),
            health=HealthTable(on_down=lambda _: None, on_return=lambda _: None),
            clock=lambda: clock,
            window=6.0,
        )
        task = Task(
            zone_id="z", name="example.org.", type=ZoneType.PRIMARY, present=True, superseded=False, revision=7,
            serial=107, pool_id="p", pool_version=1, hard_delete=False, read_at=100, peers=known,
        )  # fmt: skip
        if silent is not None:
            context.health.of("p", silent).silent(0.0, 1.0, "no answer")
        pool = PoolConnections(POOL, {}, [TargetConnection(POOL.targets[0], AT)])
        return prepare(task, pool, context, lease_until=99.0, deadlines=deadlines, now=50.0)

    return asyncio.run(make())


def test_each_tried_peer_has_the_window_from_now() -> None:
    assert prepared().deadlines == {"t": 56.0, "n": 56.0, "m": 56.0}


def test_a_peer_that_was_being_tried_keeps_its_deadline() -> None:
    assert prepared(deadlines={"n": 52.0, "gone": 51.0}).deadlines == {"t": 56.0, "n": 52.0, "m": 56.0}


def test_a_server_that_is_right_already_is_neither_polled_nor_waited_for() -> None:
    current = PeerState(peer_id="n", role=Role.NAMESERVER, present=True, revision=7, serial=107)
    attempt = prepared(current)
    assert attempt.selection.polled == ("m",)
    assert attempt.signals.served[AT].done()
    assert set(attempt.health) == {"t", "n", "m"}


@pytest.mark.parametrize("clock", [100 - 600 * SECOND, 100 + 600 * SECOND])
def test_when_a_peer_is_due_is_by_the_clock_of_the_task_and_not_the_workers(clock: int) -> None:
    failed = PeerState(peer_id="n", role=Role.NAMESERVER, attempts=1, next_try=101)
    assert prepared(failed, silent="n", clock=clock).selection.polled == ("m",)
    due = replace(failed, next_try=100)
    assert prepared(due, silent="n", clock=clock).selection.polled == ("n", "m")
