# SPDX-License-Identifier: Apache-2.0
"""The worker: makes nameservers agree. An event loop in a thread; central and hints are reached by others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
import threading
import uuid

from redesignate.backends import registry
from redesignate.bus.port import Central, WorkSource, sorted_hints
from redesignate.commands.work import Overdue, PeerReturned
from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import Clock, now
from redesignate.model.errors import Problem
from redesignate.observe.log import events
from redesignate.wire.client import Exchanger
from redesignate.worker.flights import Flights, Pace
from redesignate.worker.health import Health, HealthBook
from redesignate.worker.inbound import Inbound
from redesignate.worker.job import NOTIFY_HEALTH, Crew
from redesignate.worker.link import Link
from redesignate.worker.pools import Build, PoolBook, PoolRig
from redesignate.worker.probe import Probes

HOLD_S = 0.5
"""How long a hint's thread is kept for a zone of which there is nothing good to report. The lease guards the zone
from then on; a longer hold would let one dead pool take every thread that hints come on."""
TAKEN_S = 10.0
"""After this the loop is taken for stuck or gone, and the hint goes back to where it came from."""
STOP_GRACE_S = 1.0
FIND_LIMIT = 500
FIND_GRACE_S = 0.2
"""Hints are on their way for what is newer than this."""
WINDOW_OF_LEASE = 0.6
log = events(__name__)


class Worker:
    """One worker. `source` None: no hints come, and work is found in the outbox alone.

    name   who holds a lease; another one for each worker, also for one that starts anew
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
        pace: Pace | None = None,
    ) -> None:
        """`pace`: zones on their way at once, for a worker that shares its process with those who make changes."""
        self.name = name or f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._central = central
        self._source = source
        self._settings = settings
        self._build = build
        self._clock = clock
        self._pace = pace
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._flights: Flights | None = None
        self._inbound: Inbound | None = None

    def start(self) -> None:
        """Start; returns once hints are taken. Raises what keeps it from working."""
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="worker", daemon=True)
        self._thread.start()
        ready.result()
        if self._source is not None:
            self._source.start(self._hinted)

    def stop(self) -> None:
        """Take no more hints, let zones in flight end for a moment, and stop."""
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._source is not None:
            self._source.stop()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._loop = self._stopping = self._flights = self._inbound = None

    def _run(self, ready: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._main(ready))
        except BaseException as error:  # it belongs to who waits in `start`
            if ready.done():
                raise
            ready.set_exception(error)

    # -- in the threads of the source

    def _hinted(self, zone_ids: tuple[str, ...]) -> None:
        """Hand zones to the loop and wait until they are in hand. See HOLD_S. Raises TimeoutError after TAKEN_S."""
        if self._loop is None or self._stopping is None or self._stopping.is_set():
            raise RuntimeError("the worker is stopping")
        taken = asyncio.run_coroutine_threadsafe(self._take(zone_ids), self._loop)
        try:
            with contextlib.suppress(concurrent.futures.CancelledError):
                taken.result(TAKEN_S)
        except TimeoutError:
            taken.cancel()
            raise TimeoutError(f"the worker's loop took no zones for {TAKEN_S:.0f} s") from None

    # -- on the loop

    async def _take(self, hints: tuple[str, ...]) -> None:
        assert self._flights is not None
        assert self._inbound is not None
        zone_ids, inbound = sorted_hints(hints)
        for zone_id in inbound:
            self._inbound.hint(zone_id)
        held = [self._flights.held(zone_id) for zone_id in zone_ids]
        for zone_id in zone_ids:
            self._flights.hint(zone_id)
        if held:
            await asyncio.wait(held, timeout=HOLD_S)

    async def _main(self, ready: concurrent.futures.Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        link, due = Link(self._central), asyncio.Event()
        pools = PoolBook(link.ask, build=self._build, changed=lambda rig: _forget_gone(crew.health, rig))

        async def returned(health: Health) -> None:
            with contextlib.suppress(Problem):
                count = await link.ask(PeerReturned(pool_id=health.key[0], peer_id=health.key[1]))
                log.info("zones that waited for a nameserver are due", peer=health.key[1], zones=count)
                due.set()

        probes = Probes(pools, returned)
        health = HealthBook(on_down=lambda peer: probes.start(peer, crew), on_return=probes.report)
        crew = Crew(
            exchanger=Exchanger(),
            health=health,
            clock=self._clock,
            window=self._settings.lease * WINDOW_OF_LEASE,
            call_timeout=float(self._settings.poll_timeout),
            all_tcp=self._settings.all_tcp,
        )
        flights = Flights(
            name=self.name, lease_s=self._settings.lease, link=link, pools=pools, crew=crew, pace=self._pace
        )
        self._flights = flights
        self._inbound = inbound = Inbound(
            name=self.name, central=self._central, settings=self._settings, exchanger=crew.exchanger, clock=self._clock
        )
        inbound.start()
        finder = asyncio.create_task(self._find(link, flights, due))
        ready.set_result(None)
        try:
            await self._stopping.wait()
        finally:
            finder.cancel()
            probes.stop()
            await asyncio.gather(flights.stop(STOP_GRACE_S), inbound.stop(STOP_GRACE_S))
            await pools.close()
            await crew.exchanger.close()
            link.close()

    async def _find(self, link: Link, flights: Flights, due: asyncio.Event) -> None:
        """Look for work of which no hint came: lost, its back-off over, or (`due`) what it waits for is back."""
        while True:
            grace_s = 0.0 if self._source is None or due.is_set() else FIND_GRACE_S
            found: tuple[str, ...] = ()
            due.clear()
            try:
                if limit := min(FIND_LIMIT, flights.room):
                    found = await link.ask(Overdue(limit=limit, grace_s=grace_s))
                for zone_id in found:
                    flights.hint(zone_id, urgent=False)
            except Problem as problem:
                log.debug("no look for overdue work", why=problem.message)
            except Exception:  # the loop of a service
                log.exception("the look for overdue work failed")
            # a full page: more is waiting, but these must be leased first
            pause = self._settings.find_interval / (10 if len(found) == FIND_LIMIT else 1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(due.wait(), pause)


def _forget_gone(health: HealthBook, rig: PoolRig) -> None:
    peers = {server.id for server in rig.pool.nameservers} | {target.id for target in rig.pool.targets}
    health.keep_only(rig.pool.id, peers | {NOTIFY_HEALTH + peer for peer in peers})
