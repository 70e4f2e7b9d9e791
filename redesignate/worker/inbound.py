# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones: finds those that are due, asks their primaries, reports to central.

It shares the worker's event loop and nothing else: questions to central go by threads of its own, looks and transfers
have places of their own, and one host has few of them, so that slow primaries hold up neither outgoing work nor others.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from redesignate.commands.inbound import BeginInbound, DueInbound, ReportInbound
from redesignate.config.settings import WorkerSettings
from redesignate.model.clock import Clock
from redesignate.model.errors import Problem
from redesignate.model.inbound import InboundOutcome, InboundTask, Result, endpoint, same_host
from redesignate.model.pool import Endpoint
from redesignate.model.serial import newer
from redesignate.observe.log import events
from redesignate.wire.client import Exchanger
from redesignate.worker.fetch import Fetched, Fetcher, PrimaryFault
from redesignate.worker.link import Link
from redesignate.worker.masters import MasterRefused, Masters
from redesignate.worker.pace import Pace

MOST_LOOKS = 200
"""Zones whose primaries are being asked at once; nearly all of them wait for a UDP answer."""
OF_ONE_HOST = 2
"""Transfers from one host at once."""
LEASE_S = 60.0
PAGE = 50
log = events(__name__)


@dataclass(slots=True)
class _Places:
    """Room for transfers: `free` over all, and at most OF_ONE_HOST from one host, which waits without taking room."""

    free: asyncio.Semaphore
    hosts: dict[str, asyncio.Semaphore]
    users: Counter[str]

    @contextlib.asynccontextmanager
    async def one(self, host: str) -> AsyncIterator[None]:
        """A place for a transfer from this host."""
        self.users[host] += 1
        try:
            async with self.hosts.setdefault(host, asyncio.Semaphore(OF_ONE_HOST)), self.free:
                yield
        finally:
            self.users[host] -= 1
            if not self.users[host]:
                del self.users[host], self.hosts[host]


class Refresher:
    """The incoming half of one worker. For one event loop."""

    def __init__(
        self,
        *,
        name: str,
        link: Link,
        settings: WorkerSettings,
        exchanger: Exchanger,
        clock: Clock,
        pace: Pace,
        rng: random.Random | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._link = link
        self._fetcher = Fetcher(exchanger, settings, clock)
        self._masters = Masters(settings)
        self._rng = rng or random.Random()
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._tasks: dict[str, InboundTask] = {}
        self._places = _Places(asyncio.Semaphore(settings.xfr_slots), {}, Counter())
        self._hinted: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._next_due = 0.0
        self._pace = pace
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Begin to look for zones that are due."""
        self._loops = [asyncio.create_task(self._find()), asyncio.create_task(self._renew())]

    def hint(self, zone_id: str) -> None:
        """A zone may be due now."""
        if len(self._hinted) < 10 * MOST_LOOKS:
            self._hinted[zone_id] = None
        self._pace.active = asyncio.get_running_loop().time()
        self._wake.set()

    async def stop(self, grace_s: float) -> None:
        """Take up nothing more, stop what runs and return its leases, if central can be reached soon."""
        self._stopping = True
        running = [*self._loops, *self._looks.values()]
        held = list(self._tasks.values())
        for look in running:
            look.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        with contextlib.suppress(Problem, TimeoutError):
            async with asyncio.timeout(grace_s):
                for task in held:
                    await self._link.ask(ReportInbound(worker=self._name, outcome=_outcome(task, Result.UNTOUCHED)))
        self._link.close()
        self._masters.close()

    # -- which zones

    async def _find(self) -> None:
        while True:
            try:
                await self._begin(await self._wanted())
            except Problem as problem:
                log.debug("could not look for zones to fetch", why=problem.message)
            except Exception:  # the loop of a service
                log.exception("zones to fetch could not be searched")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.pause(asyncio.get_running_loop().time())):
                    await self._wake.wait()

    async def _wanted(self) -> tuple[str, ...]:
        """Zones to begin: those hinted at, and now and then those that central has due; no more than there is room."""
        room = min(MOST_LOOKS - len(self._looks), PAGE)
        self._wake.clear()
        if room <= 0:
            return ()
        hinted = [zone_id for zone_id in self._hinted if zone_id not in self._looks][:room]
        for zone_id in hinted:
            del self._hinted[zone_id]
        if not self._looks.keys() >= self._hinted.keys():
            self._wake.set()
        now = asyncio.get_running_loop().time()
        if now < self._next_due:
            return tuple(hinted)
        self._next_due = now + self._pace.pause(now)
        found = await self._link.ask(DueInbound(limit=room))
        if found:
            self._pace.active = now
        return (*hinted, *found)

    async def _begin(self, zone_ids: Sequence[str]) -> None:
        wanted = tuple(dict.fromkeys(zone_id for zone_id in zone_ids if zone_id not in self._looks))
        if not wanted:
            return
        for task in await self._link.ask(BeginInbound(worker=self._name, zone_ids=wanted, lease_s=LEASE_S)):
            if task.zone_id not in self._looks:
                self._tasks[task.zone_id] = task
                self._looks[task.zone_id] = asyncio.create_task(self._look(task))

    async def _renew(self) -> None:
        """Renew the leases, because a transfer may take longer than one. What is not ours any more is stopped."""
        while True:
            await asyncio.sleep(LEASE_S / 4)
            held = {zone_id: task.generation for zone_id, task in self._tasks.items()}
            if not held:
                continue
            try:
                renewal = BeginInbound(worker=self._name, zone_ids=tuple(held), lease_s=LEASE_S, renew=True)
                ours = {task.zone_id: task.generation for task in await self._link.ask(renewal)}
            except Problem as problem:
                log.debug("leases not renewed", why=problem.message)
                continue
            except Exception:  # the loop of a service
                log.exception("leases could not be renewed")
                continue
            for zone_id, generation in held.items():
                task = self._tasks.get(zone_id)
                if task is not None and task.generation == generation != ours.get(zone_id):
                    self._looks[zone_id].cancel()

    # -- one zone

    async def _look(self, task: InboundTask) -> None:
        try:
            outcome = await self._ask(task)
            loop = asyncio.get_running_loop()
            await self._link.ask_patiently(ReportInbound(worker=self._name, outcome=outcome), loop.time() + LEASE_S)
        except Problem as problem:
            log.error(
                "the outcome of a transfer could not be reported",
                zone=task.zone_id,
                why=problem.message or problem.kind,
            )
        except Exception:  # the loop of a service
            log.exception("a zone could not be refreshed", zone=task.zone_id)
        finally:
            del self._looks[task.zone_id], self._tasks[task.zone_id]
            if task.zone_id in self._hinted:
                self._wake.set()

    async def _ask(self, task: InboundTask) -> InboundOutcome:
        """Ask the primaries in random order, the one that sent a NOTIFY first, until one has something newer.

        A primary that sends no valid transfer is left for the next one. CURRENT only where none had anything newer.
        """
        faults: list[str] = []
        missed = False
        answered: tuple[str, int] | None = None
        for text in self._order(task):
            try:
                written = endpoint(text)
                at = await self._masters.find(written)
                serial = await self._fetcher.serial(task.name, at, task.key)
                if not _wanted(task, serial):
                    answered = (text, serial)
                    if task.notified_by and same_host(task.notified_by, text):
                        break
                    continue
                missed = True
                fetched = await self._fetch(task, written.host, at)
            except (MasterRefused, PrimaryFault, ValueError) as fault:
                faults.append(str(fault))
                continue
            return _outcome(
                task, Result.FETCHED, primary=text, serial=fetched.serial, content=fetched.content,
                why=_together(faults),
            )  # fmt: skip
        if answered is not None and not missed:
            return _outcome(task, Result.CURRENT, primary=answered[0], serial=answered[1],
                            why=_behind(task, answered[1]) or _together(faults))  # fmt: skip
        asked = task.primaries[-1] if task.primaries else None
        return _outcome(task, Result.FAILED, primary=asked, why=_together(faults) or "the zone has no masters")

    def _order(self, task: InboundTask) -> list[str]:
        order = self._rng.sample(task.primaries, len(task.primaries))
        if task.notified_by is not None:
            order.sort(key=lambda text: not same_host(task.notified_by or "", text))
        return order

    async def _fetch(self, task: InboundTask, host: str, at: Endpoint) -> Fetched:
        async with self._places.one(host):
            fetched = await self._fetcher.zone(task.name, at, task.key)
        if not _wanted(task, fetched.serial):
            raise PrimaryFault(f"{at} sent the zone at serial {fetched.serial}, which is not newer than {task.serial}")
        return fetched


def _wanted(task: InboundTask, serial: int) -> bool:
    return task.forced or task.serial is None or newer(serial, task.serial)


def _behind(task: InboundTask, serial: int) -> str | None:
    """The warning about a primary whose serial has gone back: any other secondary keeps its copy too (RFC 1982)."""
    if serial == task.serial:
        return None
    return (
        f"the primary's serial {serial} does not come after {task.serial}, which was fetched before; "
        "request a transfer (tasks/xfr) to take it anyway"
    )


def _together(faults: Sequence[str]) -> str | None:
    return "; ".join(faults) or None


def _outcome(
    task: InboundTask,
    result: Result,
    *,
    primary: str | None = None,
    serial: int | None = None,
    why: str | None = None,
    content: bytes = b"",
) -> InboundOutcome:
    return InboundOutcome(
        zone_id=task.zone_id,
        asked=task.asked,
        generation=task.generation,
        since=task.serial,
        result=result,
        primary=primary,
        serial=serial,
        why=why,
        content=content,
    )
