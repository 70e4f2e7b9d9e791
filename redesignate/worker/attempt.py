# SPDX-License-Identifier: Apache-2.0
"""One attempt at one zone: the facts that `apply` (targets) and `poll` (nameservers) work from, side by side, and the
signals by which they wait for each other. What happens when is the business of `zonework`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redesignate.model.clock import Clock
from redesignate.model.pool import Endpoint
from redesignate.model.work import PeerState, Task
from redesignate.wire.client import Exchanger
from redesignate.worker.health import HealthTable, PeerHealth
from redesignate.worker.plan import Selection, select
from redesignate.worker.pools import PoolConnections

Signal = asyncio.Future[None]
"""Set once. Several of them can be waited for without a task for each. Wait with `asyncio.wait`, never with `await`: a
cancelled waiter would cancel the signal for all others."""


class Signals:
    """What the tasks of one attempt let each other know.

    notified     by nameserver: the target at its address was notified; where there is none, any target was
    served       by target: the nameserver at its address serves the zone; where there is none, all nameservers do
    all_served   every nameserver of the pool serves the zone as wanted
    polls_over   no nameserver is being polled any more
    failed       targets that could not be notified in this attempt
    not_ours     targets that have a zone of this name which is not ours, and why: the serial served there says nothing
    """

    def __init__(
        self, *, everyone: set[Endpoint], polled: set[Endpoint], current: set[Endpoint], targets: set[Endpoint]
    ) -> None:
        """Which nameservers there are, which are polled in this attempt, which were right before, and which targets
        are going to be notified.

        A nameserver that is neither polled nor current is left alone (its back-off): it counts as not serving.
        No targets: polling may begin at once.
        """
        signal = asyncio.get_running_loop().create_future
        self.all_served: Signal = signal()
        self.polls_over: Signal = signal()
        self.failed: set[Endpoint] = set()
        self.not_ours: dict[Endpoint, str] = {}
        self._polling = set(polled)
        self._incomplete = bool(everyone - polled - current)
        self._any_notified: Signal = signal()
        self._by_target: dict[Endpoint, Signal] = {at: signal() for at in targets}
        self._by_server: dict[Endpoint, Signal] = {at: signal() for at in everyone}
        self.notified = {at: self._by_target.get(at, self._any_notified) for at in everyone}
        self.served = {at: self._by_server.get(at, self.all_served) for at in targets}
        for at in current - polled:
            self._by_server[at].set_result(None)
        if not polled:
            self.polls_over.set_result(None)
        if not targets:
            self._any_notified.set_result(None)

    def mark_notified(self, at: Endpoint | None, *, ok: bool = True) -> None:
        """A target was notified; or, not `ok`, will not be in this attempt."""
        if not ok and at is not None:
            self.failed.add(at)
        for signal in (self._by_target.get(at) if at else None, self._any_notified):
            if signal is not None and not signal.done():
                signal.set_result(None)

    def mark_polled(self, at: Endpoint, *, ok: bool) -> None:
        """The outcome of a nameserver is known."""
        self._polling.discard(at)
        if not ok:
            self._incomplete = True
        elif not self._by_server[at].done():
            self._by_server[at].set_result(None)
        if not self._polling and not self.polls_over.done():
            self.polls_over.set_result(None)
            if not self._incomplete:
                self.all_served.set_result(None)


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
    answering = {peer_id for peer_id, each in health.items() if each.unanswered is None}
    down = {peer_id for peer_id, each in health.items() if each.down}
    chosen = select(task, targets, servers, known=known, answering=answering, down=down, now=task.read_at)
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
