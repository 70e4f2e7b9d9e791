# SPDX-License-Identifier: Apache-2.0
"""One attempt at one zone on small nameservers, without central."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from redesignate.model.clock import now
from redesignate.model.pool import Endpoint, Nameserver, Pool, Target
from redesignate.model.work import PeerState, Role, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.client import Exchanger
from redesignate.worker.attempt import Attempt, WorkerContext, prepare
from redesignate.worker.health import HealthTable
from redesignate.worker.pools import PoolConnections, TargetConnection
from tests.support.nameservers import SmallBackend, SmallServer

T = TypeVar("T")
TASK = Task(
    zone_id="z", name="example.org.", type=ZoneType.PRIMARY, present=True, superseded=False, revision=7, serial=107,
    pool_id="p", pool_version=1, hard_delete=False, read_at=0,
)  # fmt: skip
SERVED = PeerState(peer_id="t0", role=Role.TARGET, present=True, revision=6)
"""The first target as it is after an earlier revision."""


def pool_of(*servers: SmallServer) -> Pool:
    """Every server is a target, t0 and so on, and a nameserver, n0 and so on."""
    return Pool(
        id="p",
        name="gold",
        version=1,
        created_at=0,
        targets=tuple(
            Target(id=f"t{n}", type="fake", options={"host": "127.0.0.1", "port": str(server.port)})
            for n, server in enumerate(servers)
        ),
        nameservers=tuple(
            Nameserver(id=f"n{n}", host="127.0.0.1", port=server.port) for n, server in enumerate(servers)
        ),
    )


def try_with(
    do: Callable[[Attempt], Awaitable[T]],
    *servers: SmallServer,
    task: Task = TASK,
    backends: Sequence[SmallBackend] = (),
    window: float = 3.0,
    lease_s: float = 60.0,
) -> T:
    """Run something in an attempt on a loop of its own."""

    async def run() -> T:
        pool = pool_of(*servers)
        made = list(backends) or [SmallBackend(server) for server in servers]
        connections = [
            TargetConnection(target, Endpoint("127.0.0.1", server.port), backend)
            for target, server, backend in zip(pool.targets, servers, made, strict=True)
        ]
        exchanger, loop = Exchanger(), asyncio.get_running_loop()
        context = WorkerContext(
            exchanger=exchanger,
            health=HealthTable(on_down=lambda _: None, on_return=lambda _: None),
            clock=now,
            window=window,
        )
        start = loop.time()
        attempt = prepare(
            task,
            PoolConnections(pool, {}, connections),
            context,
            lease_until=start + lease_s,
            deadlines={},
            now=start,
        )
        try:
            return await asyncio.wait_for(do(attempt), 10)
        finally:
            await exchanger.close()

    return asyncio.run(run())
