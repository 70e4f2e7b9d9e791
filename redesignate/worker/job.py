# SPDX-License-Identifier: Apache-2.0
"""One attempt at one zone: what `apply` (targets) and `poll` (nameservers) share while they work side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from redesignate.model.clock import Clock
from redesignate.model.pool import Endpoint
from redesignate.model.work import PeerState, Task
from redesignate.wire.client import Exchanger
from redesignate.worker.health import Health, HealthBook
from redesignate.worker.pools import PoolRig

NOTIFY_HEALTH = "notify:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What every attempt of a worker uses.

    window     seconds that one peer may take over one attempt, well within the lease
    all_tcp    NOTIFY and SOA queries over TCP
    """

    exchanger: Exchanger
    health: HealthBook
    clock: Clock
    window: float = 6.0
    call_timeout: float = 30.0
    all_tcp: bool = False


Sign = asyncio.Future[None]
"""Something that comes to pass once. A bare future, because one can wait for several without a task for each."""


def _sign() -> Sign:
    return asyncio.get_running_loop().create_future()


def _set(sign: Sign) -> None:
    if not sign.done():
        sign.set_result(None)


@dataclass(slots=True)
class Job:
    """One attempt. Times are the loop's seconds.

    lease_until   counted from when central was asked, so that neither a wrong clock nor a long stop can hide its end
    started       when each peer was first tried, over superseded attempts too
    """

    task: Task
    rig: PoolRig
    crew: Crew
    lease_until: float
    started: Mapping[str, float] = field(default_factory=dict)
    polling: set[Endpoint] = field(default_factory=set)
    """Nameservers whose outcome is still open."""
    begun: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    all_served: Sign = field(default_factory=_sign)
    polls_over: Sign = field(default_factory=_sign)
    _served: dict[Endpoint, Sign] = field(default_factory=dict)
    _told: dict[Endpoint, Sign] = field(default_factory=dict)
    _any_told: Sign = field(default_factory=_sign)
    _untold: set[Endpoint] = field(default_factory=set)
    _missed: bool = False
    _not_ours: dict[Endpoint, str] = field(default_factory=dict)

    def known(self, peer_id: str) -> PeerState | None:
        """What central knows of a peer."""
        return next((state for state in self.task.peers if state.peer_id == peer_id), None)

    def health(self, peer_id: str) -> Health:
        """A peer's health, over all zones."""
        return self.crew.health.of(self.task.pool_id, peer_id)

    def deadline(self, peer_id: str) -> float:
        """When (loop seconds) a peer's time is up."""
        return self.started.get(peer_id, self.begun) + self.crew.window

    def lease_lost(self) -> bool:
        """Whether another worker may have the zone by now; then nothing may be told any more."""
        return asyncio.get_running_loop().time() >= self.lease_until

    # -- told: a target has been notified, or has failed to be; polling may begin

    def expect_telling(self, targets: set[Endpoint]) -> None:
        """Which targets are going to be told in this attempt; none: polling may begin at once."""
        self._told = {at: _sign() for at in targets}
        if not targets:
            _set(self._any_told)

    def mark_told(self, at: Endpoint | None, *, ok: bool = True) -> None:
        """A target has been told; or, not `ok`, will not be in this attempt."""
        if not ok and at is not None:
            self._untold.add(at)
        if at in self._told:
            _set(self._told[at])
        _set(self._any_told)

    def untold(self, nameserver: Endpoint) -> bool:
        """Whether the target at the nameserver's address could not be told."""
        return nameserver in self._untold

    def mark_not_ours(self, at: Endpoint | None, why: str) -> None:
        """A target has a zone of this name that is not ours, so whatever serial it serves says nothing of our zone."""
        if at is not None:
            self._not_ours[at] = why

    def not_ours(self, nameserver: Endpoint) -> str | None:
        """Why what the nameserver serves is not our zone; None as far as we know that it is."""
        return self._not_ours.get(nameserver)

    async def wait_told(self, nameserver: Endpoint) -> None:
        """Wait for the target at the nameserver's own address, or, where there is none, for any target."""
        await asyncio.wait([self._told.get(nameserver, self._any_told)])

    # -- served: a nameserver answers as wanted

    def expect_polls(self, everyone: set[Endpoint], asked: set[Endpoint], current: set[Endpoint]) -> None:
        """Which nameservers there are, which are asked in this attempt, and which are known to serve already.

        One that is neither is left alone for now (its back-off): nothing may be taken for served by it.
        """
        self.polling = set(asked)
        self._served = {at: _sign() for at in everyone}
        for at in current - asked:
            _set(self._served[at])
        self._missed = bool(everyone - asked - current)
        if not asked:
            _set(self.polls_over)

    def mark_polled(self, at: Endpoint, *, ok: bool) -> None:
        """A nameserver's outcome is there."""
        self.polling.discard(at)
        self._missed = self._missed or not ok
        if ok:
            _set(self._served[at])
        if not self.polling:
            _set(self.polls_over)
            if not self._missed:
                _set(self.all_served)

    def served(self, target: Endpoint) -> Sign:
        """Set once the nameserver at the target's address serves; where there is none, once all do."""
        return self._served.get(target, self.all_served)
