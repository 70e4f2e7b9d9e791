# SPDX-License-Identifier: Apache-2.0
"""What an attempt begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

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


def prepared(*known: PeerState, deadlines: Mapping[str, float] = {}) -> Attempt:  # only read
    async def make() -> Attempt:
        context = WorkerContext(
            exchanger=Exchanger(),
            health=HealthTable(on_down=lambda _: None, on_return=lambda _: None),
            clock=lambda: 100,
            window=6.0,
        )
        task = Task(
            zone_id="z", name="example.org.", type=ZoneType.PRIMARY, present=True, superseded=False, revision=7,
            serial=107, pool_id="p", pool_version=1, hard_delete=False, lease_until=0, peers=known,
        )  # fmt: skip
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
