# SPDX-License-Identifier: Apache-2.0
"""The worker: makes nameservers agree. An event loop in a thread; hints and questions to central use other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
import time
import uuid
from dataclasses import dataclass

from redesignate.backends import registry
from redesignate.bus.port import Central, WorkSource
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.work import Overdue, PeerReturned
from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Problem
from redesignate.model.service import Stats
from redesignate.observe.log import events
from redesignate.threads.loop import LoopThread
from redesignate.wire.client import Exchanger
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.audit import Audit
from redesignate.worker.health import NOTIFY_HEALTH, HealthTable, PeerHealth
from redesignate.worker.held import Crowded, HeldZones
from redesignate.worker.inbound import Refresher
from redesignate.worker.link import Link
from redesignate.worker.pace import Pace
from redesignate.worker.pools import Build, PoolCache, PoolConnections
from redesignate.worker.probe import Probes

HOLD_S = 0.5
"""How long a hint's thread is kept for a zone that has not succeeded yet. The lease guards the zone from then on; a
longer hold would let one dead pool take every thread that hints come on."""
TAKEN_S = 10.0
"""After this the loop counts as stuck, and the hint goes back to its source."""
STOP_GRACE_S = 1.0
FIND_LIMIT = 500
FIND_GRACE_S = 0.2
"""For work newer than this a hint is on its way."""
WINDOW_OF_LEASE = 0.6
log = events(__name__)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a worker's loop runs. `due`: set when zones that waited for a peer may be tried again."""

    link: Link
    due: asyncio.Event
    pace: Pace
    pools: PoolCache
    probes: Probes
    context: WorkerContext
    audit: Audit
    held: HeldZones
    inbound: Refresher


class Worker:
    """One worker. `source` None: no hints come, and work is found in the outbox alone.

    name   the owner of its leases; unique to each worker, and new at each start
    """

    def __init__(
        self,
        *,
        central: Central,
        source: WorkSource | None,
        settings: WorkerSettings,
        name: str | None = None,
        build: Build = registry.build,
        clock: Clock = now,
        crowded: Crowded | None = None,
    ) -> None:
        """`crowded`: whether the API's requests wait, for a worker that shares its process."""
        self.name = name or f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._central = central
        self._source = source
        self._settings = settings
        self._build = build
        self._clock = clock
        self._crowded = crowded
        self._loop = LoopThread("worker", begin=self._begin, end=self._end)
        self._parts: _Parts | None = None
        self._finder: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; returns once hints are taken. Raises what keeps it from working."""
        self._loop.start()
        if self._source is not None:
            self._source.start(self._hinted)

    def stop(self) -> None:
        """Take no more hints, give held zones a moment to end, and stop."""
        self._loop.tell_to_stop()
        if self._source is not None:
            self._source.stop()
        self._loop.stop()

    def stats(self) -> Stats:
        """Figures for the heartbeat: how often zones at rest are checked. From any thread."""
        parts = self._parts
        return {} if parts is None else parts.audit.stats(time.monotonic())  # the loop's clock

    # -- in the threads of the source

    def _hinted(self, hints: tuple[Hint, ...]) -> None:
        """Hand hints to the loop and wait, at most HOLD_S, for a first report. Raises TimeoutError after TAKEN_S."""
        taken = self._loop.submit(self._take(hints))
        try:
            with contextlib.suppress(concurrent.futures.CancelledError):
                taken.result(TAKEN_S)
        except TimeoutError:
            taken.cancel()
            raise TimeoutError(f"the worker's loop took no hints for {TAKEN_S:.0f} s") from None

    # -- on the loop

    async def _take(self, hints: tuple[Hint, ...]) -> None:
        parts = self._parts
        assert parts is not None
        parts.pace.active = asyncio.get_running_loop().time()
        reports: list[asyncio.Future[None]] = []
        for hint in hints:
            match hint.kind:
                case Kind.INBOUND:
                    parts.inbound.hint(hint.zone_id)
                case Kind.OUTBOUND if self._crowded is not None:  # a hint of this process is lost with it, held or not
                    parts.held.hint(hint.zone_id)
                case Kind.OUTBOUND:
                    reports.append(asyncio.get_running_loop().create_future())
                    parts.held.hint(hint.zone_id, reported=reports[-1])
        if reports:
            await asyncio.wait(reports, timeout=HOLD_S)

    async def _begin(self) -> None:
        self._parts = parts = self._make()
        parts.inbound.start()
        parts.audit.start()
        self._finder = asyncio.create_task(self._find(parts))

    async def _end(self) -> None:
        parts = self._parts
        assert parts is not None
        assert self._finder is not None
        self._finder.cancel()
        parts.probes.stop()
        parts.audit.stop()
        await asyncio.gather(parts.held.stop(STOP_GRACE_S), parts.inbound.stop(STOP_GRACE_S))
        await parts.pools.close()
        await parts.context.exchanger.close()
        parts.link.close()

    def _make(self) -> _Parts:

        async def returned(health: PeerHealth) -> None:
            with contextlib.suppress(Problem):
                count = await link.ask(PeerReturned(pool_id=health.key[0], peer_id=health.key[1]))
                if count:
                    log.info("zones that waited for a nameserver are due", peer=health.key[1], zones=count)
                due.set()

        settings, link, due = self._settings, Link(self._central), asyncio.Event()
        pools = PoolCache(link.ask, build=self._build, changed=lambda pool: _forget_gone(context.health, pool))
        probes = Probes(pools, returned)
        context = WorkerContext(
            exchanger=Exchanger(),
            health=HealthTable(
                on_down=lambda peer: probes.start(peer, context),
                on_return=probes.report,
                on_up=lambda peer: audit.returned(*peer.key),
            ),
            clock=self._clock,
            window=settings.lease * WINDOW_OF_LEASE,
            call_timeout=float(settings.poll_timeout),
            all_tcp=settings.all_tcp,
            denied=lambda pool_id, at: audit.denied(pool_id, at),  # noqa: PLW0108  # made below
        )
        audit = Audit(
            name=self.name,
            link=link,
            pools=pools,
            context=context,
            interval_s=settings.audit_interval,
            rate=float(settings.audit_rate),
        )
        held = HeldZones(
            name=self.name,
            lease_s=settings.lease,
            link=link,
            pools=pools,
            context=context,
            crowded=self._crowded,
        )
        inbound = Refresher(
            name=self.name,
            link=link.another(),
            settings=settings,
            exchanger=context.exchanger,
            clock=self._clock,
            pace=self._pace(),
        )
        return _Parts(link, due, self._pace(), pools, probes, context, audit, held, inbound)

    def _pace(self) -> Pace:
        now = asyncio.get_running_loop().time()
        return Pace(self._settings.find_interval, now, hinted=self._source is not None)

    async def _find(self, parts: _Parts) -> None:
        """Look for work without a hint: the hint was lost, a back-off is over, or a nameserver is back."""
        due, held, pace, loop = parts.due, parts.held, parts.pace, asyncio.get_running_loop()
        while True:
            grace_s = 0.0 if self._source is None or due.is_set() else FIND_GRACE_S
            found: tuple[str, ...] = ()
            due.clear()
            try:
                if limit := min(FIND_LIMIT, held.room):
                    found = await parts.link.ask(Overdue(limit=limit, grace_s=grace_s))
                for zone_id in found:
                    held.hint(zone_id, urgent=False)
                    pace.active = loop.time()
            except Problem as problem:
                log.debug("could not look for overdue work", why=problem.message)
            except Exception:  # the loop of a service
                log.exception("overdue work could not be searched")
            # a full page: more is waiting, but these must be leased first
            pause = pace.pause(loop.time()) / (10 if len(found) == FIND_LIMIT else 1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await due.wait()


def _forget_gone(health: HealthTable, pool: PoolConnections) -> None:
    peers = {server.id for server in pool.pool.nameservers} | {target.id for target in pool.pool.targets}
    health.keep_only(pool.pool.id, peers | {NOTIFY_HEALTH + peer for peer in peers})
