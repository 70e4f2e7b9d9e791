# SPDX-License-Identifier: Apache-2.0
"""One attempt at one zone: the facts that `apply` (targets) and `poll` (nameservers) work from, side by side.

What happens when is the business of `zonework`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redesignate.model.clock import Clock
from redesignate.model.pool import Endpoint
from redesignate.model.work import PeerState, Task
from redesignate.wire.client import Exchanger
from redesignate.worker.health import HealthTable, PeerHealth
from redesignate.worker.plan import Selection, select
from redesignate.worker.pools import PoolConnections
from redesignate.worker.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What every attempt of a worker uses.

    window         seconds that one peer may take over one attempt, well within the lease
    call_timeout   seconds that one backend call or one DNS question may take
    all_tcp        NOTIFY and SOA queries over TCP
    denied         called with a pool's id and an address where a server denies a zone that it had: it may lack others
    """

    exchanger: Exchanger
    health: HealthTable
    clock: Clock
    window: float = 6.0
    call_timeout: float = 30.0
    all_tcp: bool = False
    denied: Callable[[str, Endpoint], None] = lambda _pool_id, _at: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt. Times are the event loop's seconds.

    pool          the pool with its connections, as they were when the attempt began
    lease_until   counted from when central was asked, so that neither a wrong clock nor a long stop can hide its end
    begun         when this attempt began
    known         what central knows of the zone's peers, by id; a peer that is missing here is unknown
    health        of every peer of the pool, by id
    selection     what is done with which peer
    deadlines     when the time of each tried peer is up, by id
    """

    task: Task
    pool: PoolConnections
    context: WorkerContext
    lease_until: float
    begun: float
    known: Mapping[str, PeerState]
    health: Mapping[str, PeerHealth]
    selection: Selection
    deadlines: Mapping[str, float]
    signals: Signals


def prepare(
    task: Task,
    pool: PoolConnections,
    context: WorkerContext,
    *,
    lease_until: float,
    deadlines: Mapping[str, float],
    now: float,
) -> Attempt:
    """The attempt that begins now. Call on the event loop.

    deadlines   of peers that a superseded attempt was still trying: they keep them, so that a zone that is edited all
                the time cannot hide a silent server
    """
    targets = {each.target.id: each.notify for each in pool.targets}
    servers = {server.id: Endpoint(server.host, server.port) for server in pool.pool.nameservers}
    known = {state.peer_id: state for state in task.peers}
    health = {peer_id: context.health.of(task.pool_id, peer_id) for peer_id in (*targets, *servers)}
    well = {peer_id for peer_id, each in health.items() if each.unanswered is None}
    down = {peer_id for peer_id, each in health.items() if each.down}
    chosen = select(task, targets, servers, known=known, well=well, down=down, now=context.clock())
    end = now + context.window
    return Attempt(
        task=task,
        pool=pool,
        context=context,
        lease_until=lease_until,
        begun=now,
        known=known,
        health=health,
        selection=chosen,
        deadlines={peer_id: deadlines.get(peer_id, end) for peer_id in (*chosen.applied, *chosen.polled)},
        signals=Signals(
            everyone=set(servers.values()),
            polled={servers[peer_id] for peer_id in chosen.polled},
            current={servers[peer_id] for peer_id in chosen.current},
            targets={at for peer_id in (*chosen.applied, *chosen.reminded) if (at := targets[peer_id]) is not None},
        ),
    )
