# SPDX-License-Identifier: Apache-2.0
"""The work on one zone, from its lease to the final report: a state machine.

               begun             answered
    LEASED ────────────▶ TRYING ────────▶ REPORTED ─┐ answered
      ▲  │                │  │              │  │ ▲  │
      │  │ settled        │  │ newer        │  │ └──┘
      │  │                │  └──────┬───────┘  │
      │  │                │         ▼          │
      │  │                │    SUPERSEDED      │      TRYING, REPORTED ──lost──▶ LOST ──settled──▶ FINISHING
      │  │                │         │          │
      │  │                └─────────┼──────────┤ settled
      │  │                          │          ▼
      │  └──────────────────────────┼─────▶ FINISHING ──over──▶ DONE
      │            again            │          │
      └─────────────────────────────┴──────────┘ again

One attempt works on all peers of the zone side by side (`apply`, `poll`). Successes are reported to central
early, in interim reports, and all outcomes in the final report. A newer task in its answer replaces this attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from enum import Enum
from typing import Any

from redesignate.model.pool import Pool
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.worker.apply import apply, notify_once, notify_only
from redesignate.worker.attempt import Attempt, WorkerContext, prepare
from redesignate.worker.poll import poll
from redesignate.worker.pools import PoolCache

REPORT_AFTER_S, REPORT_LATEST_S = 0.020, 0.1
"""How long a success waits for the next one before it is reported without it, and in all: the nameservers of a pool
follow each other closely, and what they serve alike is one report."""
REPORT_AGAIN_S = (0.5, 1.0, 2.0)
"""Pauses between interim reports without news while slow peers hold the zone. The first report makes central hint at
once when the zone changes; their answers say so too, should a hint be lost."""

Leased = tuple[Task, float]
"""A task, and until when (loop seconds) it is leased to this worker."""
Report = Callable[[Outcome], Awaitable[Leased | None]]
"""Sends an outcome to central; returns the zone's newer task, if there is one."""


class State(Enum):
    """Where the work on one zone stands."""

    LEASED = "leased"
    """A task is here; its pool is being looked up."""
    TRYING = "trying"
    """Peers are being worked on; nothing is reported to central yet."""
    REPORTED = "reported"
    """Central has an interim report; other peers are still being worked on."""
    SUPERSEDED = "superseded"
    """A newer task is here: this attempt is being stopped."""
    LOST = "lost"
    """The lease is not ours any more: this attempt is being stopped."""
    FINISHING = "finishing"
    """No peer is being worked on; the final report is on its way."""
    DONE = "done"
    """Nothing is left to do."""


class Event(Enum):
    """What moves it on."""

    BEGUN = "begun"
    """The attempt has started its peers."""
    ANSWERED = "answered"
    """Central has answered an interim report."""
    NEWER = "newer"
    """Central has handed out a newer task."""
    LOST = "lost"
    """Central says that the zone is not leased to this worker."""
    SETTLED = "settled"
    """No peer is being worked on any more."""
    AGAIN = "again"
    """The attempt is over, and a newer task is waiting."""
    OVER = "over"
    """The attempt is over, and no task is waiting."""


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.LEASED, Event.BEGUN): State.TRYING,
    (State.LEASED, Event.SETTLED): State.FINISHING,
    (State.LEASED, Event.NEWER): State.LEASED,
    (State.LEASED, Event.LOST): State.LEASED,
    (State.LEASED, Event.AGAIN): State.LEASED,
    (State.TRYING, Event.ANSWERED): State.REPORTED,
    (State.TRYING, Event.NEWER): State.SUPERSEDED,
    (State.TRYING, Event.LOST): State.LOST,
    (State.TRYING, Event.SETTLED): State.FINISHING,
    (State.REPORTED, Event.ANSWERED): State.REPORTED,
    (State.REPORTED, Event.NEWER): State.SUPERSEDED,
    (State.REPORTED, Event.LOST): State.LOST,
    (State.REPORTED, Event.SETTLED): State.FINISHING,
    (State.SUPERSEDED, Event.ANSWERED): State.SUPERSEDED,
    (State.SUPERSEDED, Event.NEWER): State.SUPERSEDED,
    (State.SUPERSEDED, Event.LOST): State.SUPERSEDED,
    (State.SUPERSEDED, Event.AGAIN): State.LEASED,
    (State.LOST, Event.ANSWERED): State.LOST,
    (State.LOST, Event.NEWER): State.LOST,
    (State.LOST, Event.LOST): State.LOST,
    (State.LOST, Event.SETTLED): State.FINISHING,
    (State.FINISHING, Event.NEWER): State.FINISHING,
    (State.FINISHING, Event.LOST): State.FINISHING,
    (State.FINISHING, Event.AGAIN): State.LEASED,
    (State.FINISHING, Event.OVER): State.DONE,
}
"""Every move there is; any other is a fault of ours and raises KeyError."""

STOPPING = frozenset({State.SUPERSEDED, State.LOST})


class ZoneWork:
    """The work on one zone. For one event loop.

    hinted      a hint came since central was last asked about the zone
    on_answer   called whenever central has answered an interim report
    """

    def __init__(
        self,
        leased: Leased,
        *,
        context: WorkerContext,
        pools: PoolCache,
        report: Report,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self.state = State.LEASED
        self.hinted = False
        self._leased = leased
        self._next: Leased | None = None
        self._interrupt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deadlines: dict[str, float] = {}
        self._context = context
        self._pools = pools
        self._report = report
        self._on_answer = on_answer

    async def run(self) -> None:
        """Work until every peer is right or out of time, central knows it, and it wants nothing newer."""
        while True:
            await self._attempt()
            if self._next is None:
                break
            self._leased, self._next = self._next, None
            self._interrupt = asyncio.get_running_loop().create_future()
            self._move(Event.AGAIN)
        self._move(Event.OVER)

    def supersede(self, leased: Leased) -> None:
        """A task from central; it takes the place of the present one if it is newer."""
        newest = (self._next or self._leased)[0]
        if leased[0].revision > newest.revision or (leased[0].superseded and not newest.superseded):
            self._next = leased
            self._move(Event.NEWER)

    def lose(self) -> None:
        """Central says that the zone is not leased to this worker."""
        self._move(Event.LOST)

    def untouched(self) -> Outcome:
        """What to report when this work is broken off: nothing came of it."""
        return self._outcome((), final=True)

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]
        if self.state in STOPPING and not self._interrupt.done():
            self._interrupt.set_result(None)

    async def _attempt(self) -> None:
        """One attempt, up to and with its final report, unless a newer task came first."""
        task, lease_until = self._leased
        pool = await self._pools.connections(task.pool_id, task.pool_version)
        if self._next is not None:
            return
        outcomes: tuple[PeerOutcome, ...] = ()
        if task.superseded:
            outcomes = _left_alone(pool.pool)
        else:
            now = asyncio.get_running_loop().time()
            attempt = prepare(
                task, pool, self._context, lease_until=lease_until, deadlines=self._deadlines, now=now
            )  # fmt: skip
            peers, helpers = _start(attempt)
            self._move(Event.BEGUN)
            try:
                await self._watch(peers)
                pending = {peer.get_name() for peer in peers if not peer.done()}
                self._deadlines = {peer_id: attempt.deadlines[peer_id] for peer_id in pending}
            finally:
                for each in (*peers, *helpers):
                    each.cancel()
            if self.state is State.SUPERSEDED:
                return
            if self.state is not State.LOST:
                outcomes = (*(peer.result() for peer in peers), *attempt.selection.waiting)
        self._move(Event.SETTLED)
        self._next = await self._report(self._outcome(outcomes, final=True)) or self._next

    async def _watch(self, peers: list[asyncio.Task[PeerOutcome]]) -> None:
        """Wait until no peer is being worked on or this attempt is to stop; report the good ones on the way."""
        loop = asyncio.get_running_loop()
        reports: set[asyncio.Task[None]] = set()
        reported: set[asyncio.Task[PeerOutcome]] = set()
        pauses = iter(REPORT_AGAIN_S)
        next_report: float | None = None
        latest, served = 0.0, 0
        news = asyncio.Event()
        watched: list[asyncio.Future[Any]] = [*peers, self._interrupt]
        for each in watched:  # to wait for all of them anew after each would grow with their square
            each.add_done_callback(lambda _: news.set())
        try:
            while not all(peer.done() for peer in peers):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(next_report):
                        await news.wait()
                news.clear()
                if self.state in STOPPING:
                    return
                good = {peer for peer in peers if peer.done() and peer not in reported and peer.result().ok}
                if next_report is not None and loop.time() >= next_report:
                    reported |= good
                    # failures are counted, so each is reported once, in the final report
                    fine = tuple(peer.result() for peer in peers if peer.done() and peer.result().ok)
                    reports.add(asyncio.create_task(self._report_interim(fine)))
                    next_report, served = loop.time() + next(pauses, REPORT_AGAIN_S[-1]), 0
                elif (count := sum(peer.result().role is Role.NAMESERVER for peer in good)) > served:
                    latest = latest if served else min(next_report or math.inf, loop.time() + REPORT_LATEST_S)
                    next_report, served = min(latest, loop.time() + REPORT_AFTER_S), count
        finally:
            if reports:
                await asyncio.wait(reports)  # a final report must not overtake an interim one

    async def _report_interim(self, outcomes: Iterable[PeerOutcome]) -> None:
        newer = await self._report(self._outcome(outcomes, final=False))
        self._move(Event.ANSWERED)
        self._on_answer()
        if newer is not None:
            self.supersede(newer)

    def _outcome(self, peers: Iterable[PeerOutcome], *, final: bool) -> Outcome:
        task = self._leased[0]
        return Outcome(
            zone_id=task.zone_id, revision=task.revision, present=task.present, peers=tuple(peers), final=final
        )


def _start(attempt: Attempt) -> tuple[list[asyncio.Task[PeerOutcome]], list[asyncio.Task[None]]]:
    """Start the work on the attempt's peers, each task under its peer's id, and the NOTIFYs that nobody waits for."""
    chosen = attempt.selection
    targets = {each.target.id: each for each in attempt.pool.targets}
    servers = {server.id: server for server in attempt.pool.pool.nameservers}
    work: list[tuple[str, Coroutine[Any, Any, PeerOutcome]]] = []
    work += [(peer_id, apply(attempt, targets[peer_id])) for peer_id in chosen.applied]
    work += [(peer_id, poll(attempt, servers[peer_id])) for peer_id in chosen.polled]
    helpers = [notify_only(attempt, targets[peer_id]) for peer_id in chosen.reminded]
    if chosen.applied and attempt.task.present:
        helpers += [notify_once(attempt, at) for at in attempt.pool.pool.also_notifies]
    return (
        [asyncio.create_task(coroutine, name=peer_id) for peer_id, coroutine in work],
        [asyncio.create_task(helper) for helper in helpers],
    )


def _left_alone(pool: Pool) -> tuple[PeerOutcome, ...]:
    """Another zone has the name now: this one is gone from every peer, and nothing may be done at any of them."""
    roles = [(target.id, Role.TARGET) for target in pool.targets]
    roles += [(server.id, Role.NAMESERVER) for server in pool.nameservers]
    return tuple(PeerOutcome(peer_id=peer_id, role=role, ok=True, present=False) for peer_id, role in roles)
