# SPDX-License-Identifier: Apache-2.0
"""A peer that is down is probed until it answers."""

from __future__ import annotations

import asyncio

from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.model.clock import now
from redesignate.wire.client import Exchanger
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import NOTIFY_HEALTH, HealthTable, PeerHealth
from redesignate.worker.pools import PoolCache
from redesignate.worker.probe import Probes
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import pool_of


def returned_peer(server: SmallServer, peer_id: str, backend: SmallBackend | None = None) -> str | None:
    """Take a peer for down, make its server answer after a few questions; whose return is reported."""

    async def run() -> str | None:
        back: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def returned(health: PeerHealth) -> None:
            back.set_result(health.key[1])

        async def ask(_: PoolForWork) -> WorkPool:
            return WorkPool(pool=pool_of(server))

        pools = PoolCache(ask, build=lambda _pool, _target: backend or SmallBackend(server))
        await pools.connections("p", 1)
        probes, exchanger = Probes(pools, returned), Exchanger()
        context = WorkerContext(
            exchanger=exchanger,
            health=HealthTable(on_down=lambda peer: probes.start(peer, context), on_return=probes.report),
            clock=now,
        )
        try:
            for sent in range(4):
                context.health.of("p", peer_id).silent(sent, sent + 1.0, "no answer")
            if server.silent:
                await asyncio.to_thread(server.wait_asked, "SOA", 2)
                server.silent = False
            if backend is not None:
                while len(backend.calls) < 2:
                    await asyncio.sleep(0.01)
                backend.failing = None
            return await asyncio.wait_for(back, 2.0 if peer_id.startswith(NOTIFY_HEALTH) else 10.0)
        except TimeoutError:
            return None
        finally:
            probes.stop()
            await exchanger.close()

    return asyncio.run(run())


def test_a_nameserver_is_asked_until_it_answers_anything() -> None:
    with SmallServer(silent=True, refuses=True) as server:
        assert returned_peer(server, "n0") == "n0"


def test_a_target_is_pinged_through_its_backend() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server, failing="rndc: cannot connect")
        assert returned_peer(server, "t0", backend) == "t0"
        assert {what for what, _ in backend.calls} == {"ping"}


def test_where_notifies_go_is_not_probed() -> None:
    with SmallServer() as server:
        assert returned_peer(server, NOTIFY_HEALTH + "t0") is None
        assert server.asked == []
